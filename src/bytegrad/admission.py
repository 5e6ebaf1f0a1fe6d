"""What an optimizer takes in: parameters, gradients, hyperparameters and states that it can work with."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from bytegrad.errors import DtypeError, GraphError, ShapeError
from bytegrad.kernels import Array
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor

Group: TypeAlias = dict[str, Any]

#: Hyperparameters that mean the same in every optimizer, and are checked; what others mean, a subclass knows.
_SCALES = frozenset({"lr", "eps", "momentum", "weight_decay"})


def gradient(p: Tensor, taker: str) -> Array | RowSparse | None:
    """Return the gradient of a Tensor, if there is one; `taker` is who asks for it.

    Raises:
        DtypeError: it was assigned by hand, and is no array, or one of other numbers than floats.
        ShapeError: it does not have the Tensor's shape.
    """
    grad: Array | RowSparse | None = p.grad
    if grad is None:
        return None
    array = isinstance(grad, (np.ndarray, RowSparse))
    if not array or grad.dtype.kind != "f":
        kind = f"of {grad.dtype}" if array else type(grad).__name__
        raise DtypeError(
            f"{taker} with a grad that is {kind}: it is worked on in place, as an array of floats. "
            f"Leave grad to backward(), or assign np.asarray(…, dtype='{p.dtype}')."
        )
    if grad.shape != p.shape:
        raise ShapeError(
            f"{taker} with a grad of shape {grad.shape} for a parameter of shape {p.shape}: each element "
            "needs its own. Leave grad to backward(), or assign an array of the parameter's shape."
        )
    return grad


def check_hyperparameters(hyperparameters: Group) -> None:
    """Refuse hyperparameters out of range, by name."""
    for name, value in hyperparameters.items():
        if name == "betas":
            if not (
                isinstance(value, (tuple, list)) and len(value) == 2 and all(map(_fades, value))
            ):
                raise ValueError(
                    f"betas is {value!r}: each says how much of a mean remains after a step. "
                    "Pass two numbers, each 0 or more and below 1."
                )
        elif name in _SCALES and not (is_number(value) and 0 <= value < math.inf):
            raise ValueError(
                f"{name} is {value!r}: it scales a step, and must neither turn nor blow it up. "
                "Pass a finite number, 0 or more."
            )
    if hyperparameters.get("nesterov") and hyperparameters.get("momentum") == 0:
        raise ValueError(
            "nesterov with momentum 0: it looks ahead along the momentum, and there is none. "
            "Pass momentum=0.9, or nesterov=False."
        )


def _fades(beta: Any) -> bool:
    return is_number(beta) and 0 <= beta < 1


def check_parameter(p: Any, place: int) -> None:
    """Refuse what cannot be stepped."""
    if not isinstance(p, Tensor):
        raise TypeError(
            f"parameter {place} is {type(p).__name__}: an optimizer changes Tensors in place. "
            "Pass module.parameters(), or a list of Tensors that require grad."
        )
    if not p.is_leaf:
        raise GraphError(
            f"parameter {place} is a result of {p.grad_fn!r}: a step would not reach what it was computed from. "
            "Pass the leaves that it was computed from."
        )
    if p.dtype.kind != "f":
        raise DtypeError(
            f"parameter {place} is of {p.dtype}: a step is a fraction, and would be lost. "
            "Make it floating, for example with dtype='float32'."
        )


def refuse_single(params: Any, taker: str) -> None:
    """Refuse what is no list of parameters."""
    if isinstance(params, (Tensor, str)) or not isinstance(params, Iterable):
        raise TypeError(
            f"params of {taker} is {type(params).__name__}: they come as a list, so that none is forgotten. "
            "Pass module.parameters(), or [tensor]."
        )


def refuse_other_state(state_dict: Any, taker: str) -> None:
    """Refuse what no optimizer's `state_dict` gave."""
    wrong = f"is {type(state_dict).__name__}"
    if isinstance(state_dict, Mapping):
        lacks = [key for key in ("state", "param_groups") if key not in state_dict]
        wrong = f"has no {' and no '.join(map(repr, lacks))}" if lacks else ""
    if not wrong and not (
        isinstance(state_dict["state"], Mapping)
        and all(isinstance(state, Mapping) for state in state_dict["state"].values())
        and isinstance(state_dict["param_groups"], (list, tuple))
        and all(isinstance(g, Mapping) and "params" in g for g in state_dict["param_groups"])
    ):
        wrong = "has other things in 'state' or 'param_groups' than dicts"
    if wrong:
        raise TypeError(
            f"the state for {taker} {wrong}: an optimizer goes on from its own state, beside which the model's is "
            "loaded into the model. Pass what optimizer.state_dict() gave."
        )


def is_number(value: Any) -> bool:
    """Tell whether something is a number, and not a flag."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
