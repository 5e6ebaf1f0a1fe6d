"""Neural networks: modules, layers and attention under one name; and the losses, which are modules, too.

>>> from bytegrad import Tensor, random
>>> random.manual_seed(0)
>>> model = Sequential(Linear(2, 8), Tanh(), Linear(8, 1))
>>> model
Sequential(): 33 parameters
  0: Linear(2, 8): weight (2, 8), bias (8,), 24 parameters
  1: Tanh()
  2: Linear(8, 1): weight (8, 1), bias (1,), 9 parameters
>>> model(Tensor([[0.0, 1.0], [1.0, 1.0]])).shape
(2, 1)
"""

from typing import Any

from bytegrad import functional
from bytegrad.activations import (
    GELU,
    Flatten,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    Tanh,
)
from bytegrad.exchange import from_pytorch, to_pytorch
from bytegrad.layers import Dropout, Embedding, LayerNorm, Linear, Sequential
from bytegrad.module import Module, Parameter
from bytegrad.states import Loaded
from bytegrad.tensor import Tensor
from bytegrad.transformer import MultiHeadAttention, TransformerBlock

__all__ = [
    "GELU",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "Dropout",
    "Embedding",
    "Flatten",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Loaded",
    "MSELoss",
    "Module",
    "MultiHeadAttention",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "TransformerBlock",
    "from_pytorch",
    "to_pytorch",
]


class _Loss(Module):
    """A loss with its reduction: "mean", "sum" or "none"."""

    def __init__(self, reduction: str = "mean") -> None:
        self.reduction = reduction


class MSELoss(_Loss):
    """(x - target)², see `functional.mse_loss`.

    >>> MSELoss()(Tensor([1.0, 3.0]), Tensor([1.0, 1.0])).item()
    2.0
    """

    def forward(self, x: Any, target: Any) -> Tensor:
        """Return the squared error."""
        return functional.mse_loss(x, target, self.reduction)


class BCELoss(_Loss):
    """-t log p - (1 - t) log(1 - p), see `functional.binary_cross_entropy`.

    >>> round(BCELoss()(Tensor([0.5]), Tensor([1.0])).item(), 4)  # log 2
    0.6931
    """

    def forward(self, probability: Any, target: Any) -> Tensor:
        """Return the cross-entropy of `probability` and `target`."""
        return functional.binary_cross_entropy(probability, target, self.reduction)


class BCEWithLogitsLoss(_Loss):
    """The same of sigmoid(x), see `functional.binary_cross_entropy_with_logits`.

    >>> BCEWithLogitsLoss()(Tensor([-1000.0]), Tensor([1.0])).item()
    1000.0
    """

    def forward(self, x: Any, target: Any) -> Tensor:
        """Return the cross-entropy of sigmoid(x)."""
        return functional.binary_cross_entropy_with_logits(x, target, self.reduction)


class CrossEntropyLoss(_Loss):
    """-Σ t log softmax(logits), see `functional.cross_entropy`.

    Args:
        ignore_index: the class number of samples to leave out.
        reduction: "mean", "sum" or "none".

    >>> round(CrossEntropyLoss()(Tensor([[0.0, 0.0]]), Tensor(1, dtype="int64").reshape(1)).item(), 4)  # log 2
    0.6931
    """

    def __init__(self, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.ignore_index = ignore_index

    def forward(self, logits: Any, target: Any) -> Tensor:
        """Return the cross-entropy of softmax(logits)."""
        return functional.cross_entropy(
            logits, target, ignore_index=self.ignore_index, reduction=self.reduction
        )
