"""Optimizers: what is done with a gradient once it is there. Their schedules and the clipping of gradients, too.

>>> from bytegrad import Tensor
>>> w = Tensor([4.0, -2.0], requires_grad=True)
>>> w.grad = np.array([2.0, -2.0], dtype=np.float32)
>>> SGD([w], lr=0.25).step()
>>> w.data.tolist()
[3.5, -1.5]
"""

import math
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from bytegrad.admission import Group
from bytegrad.clipping import clip_grad_norm_, clip_grad_value_
from bytegrad.kernels import Array
from bytegrad.optimizer import Optimizer
from bytegrad.schedules import CosineAnnealingLR, LambdaLR, LinearLR, Schedule, StepLR

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CosineAnnealingLR",
    "LambdaLR",
    "LinearLR",
    "Optimizer",
    "Schedule",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]


class SGD(Optimizer):
    """Stochastic gradient descent: x ← x − lr · g, with a memory of past gradients if asked for.

    With momentum m, b ← m · b + g, and b takes the place of g; with `nesterov`, g + m · b does. Weight decay w adds
    w · x to g beforehand. Keeps nothing, or with momentum one array a parameter. The numbers are PyTorch's. Sources:
    [polyak1964] for momentum, [sutskever2013] for Nesterov's.

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, 0 or more.
        momentum: how much of b remains after a step, 0 or more.
        nesterov: look ahead along b.
        weight_decay: w, 0 or more.

    Raises:
        ValueError: a hyperparameter out of range, or `nesterov` without momentum.

    >>> from bytegrad import Tensor
    >>> x = Tensor(4.0, requires_grad=True)
    >>> x.grad = np.array(8.0, dtype=np.float32)
    >>> SGD([x], lr=0.25).step()
    >>> x.item()
    2.0
    """

    names = ("momentum",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            params, lr=lr, momentum=momentum, nesterov=nesterov, weight_decay=weight_decay
        )

    def needs_state(self, group: Group) -> bool:
        """Tell whether there is momentum."""
        return bool(group["momentum"])

    def leaves_rest(self, group: Group) -> bool:
        """Tell whether there is neither momentum nor decay."""
        return not (group["momentum"] or group["weight_decay"])

    def update(self, x: Array, g: Array, state: list[Array], group: Group, step: int) -> None:
        """Step a piece, as the class says."""
        scratch = np.empty_like(x)
        if group["weight_decay"]:
            np.multiply(x, float(group["weight_decay"]), out=scratch)
            scratch += g
            g = scratch
        for b in state:
            b *= float(group["momentum"])
            b += g
            g = np.multiply(b, float(group["momentum"])) + g if group["nesterov"] else b
        np.multiply(g, float(group["lr"]), out=scratch)
        x -= scratch


class Adam(Optimizer):
    """Adam: each element steps by its mean gradient over the root of its mean squared gradient.

    m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g² start at 0, so after t steps they are too small by 1 − β₁ᵗ and
    1 − β₂ᵗ; with that put right, x ← x − lr · m / (√v + eps). Weight decay w adds w · x to g beforehand. Keeps two
    arrays a parameter, ``mean`` and ``mean_square``. The numbers are PyTorch's. Source: [kingma2015].

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, 0 or more: about how far an element moves in a step.
        betas: β₁ and β₂, each 0 or more and below 1.
        eps: keeps the quotient finite where gradients vanish, 0 or more.
        weight_decay: w, 0 or more.

    Raises:
        ValueError: a hyperparameter out of range.

    >>> from bytegrad import Tensor
    >>> x = Tensor(4.0, requires_grad=True)
    >>> x.grad = np.array(8.0, dtype=np.float32)
    >>> Adam([x], lr=0.25).step()  # the first step is lr long, whatever the gradient
    >>> x.item()
    3.75
    """

    names = ("mean", "mean_square")
    decoupled: ClassVar[bool] = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, x: Array, g: Array, state: list[Array], group: Group, step: int) -> None:
        """Step a piece, as the class says."""
        mean, mean_square = state
        lr, decay = float(group["lr"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        if decay and self.decoupled:
            x *= 1 - lr * decay
        elif decay:
            g = np.multiply(x, decay) + g
        scratch = np.multiply(g, 1 - beta1)
        mean *= beta1
        mean += scratch
        np.multiply(g, g, out=scratch)
        scratch *= 1 - beta2
        mean_square *= beta2
        mean_square += scratch
        np.sqrt(mean_square, out=scratch)
        scratch *= 1 / math.sqrt(1 - beta2**step)
        scratch += float(group["eps"])
        np.divide(mean, scratch, out=scratch)
        scratch *= lr / (1 - beta1**step)
        x -= scratch


class AdamW(Adam):
    """Adam with decoupled weight decay: x ← (1 − lr · w) x first, so that w does not pass through the quotient.

    Keeps what `Adam` keeps. Source: [loshchilov2019].

    Args:
        params: the parameters, or groups of them.
        lr: the learning rate, 0 or more.
        betas: β₁ and β₂, each 0 or more and below 1.
        eps: keeps the quotient finite where gradients vanish, 0 or more.
        weight_decay: w, 0 or more.

    Raises:
        ValueError: a hyperparameter out of range.

    >>> from bytegrad import Tensor
    >>> x = Tensor(4.0, requires_grad=True)
    >>> x.grad = np.array(0.0, dtype=np.float32)
    >>> AdamW([x], lr=0.25, weight_decay=1.0).step()
    >>> x.item()
    3.0
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
