"""One case an operation: it drives the forward check, the gradient check and the dtype check."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """An operation of Tensor, written so that it also runs on what it is compared with.

    Attributes:
        method: the method of Tensor, a key of RULES.
        call: the operation on Tensors.
        numpy: the same on arrays.
        arity: how many inputs; their shapes broadcast.
        low, high: the range of inputs, inside the smooth part of the operation.
    """

    method: str
    call: Callable[..., Any]
    numpy: Callable[..., Any]
    arity: int = 1
    low: float = -2.0
    high: float = 2.0

    def __str__(self) -> str:
        return self.method


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


ELEMENTWISE = [
    Case("__add__", lambda a, b: a + b, np.add, 2),
    Case("__sub__", lambda a, b: a - b, np.subtract, 2),
    Case("__mul__", lambda a, b: a * b, np.multiply, 2),
    Case("__truediv__", lambda a, b: a / b, np.divide, 2, 0.5, 2.0),
    Case("__pow__", lambda a, b: a**b, np.power, 2, 0.5, 2.0),
    Case("__neg__", lambda a: -a, np.negative),
    Case("exp", lambda a: a.exp(), np.exp),
    Case("log", lambda a: a.log(), np.log, 1, 0.5, 2.0),
    Case("tanh", lambda a: a.tanh(), np.tanh),
    Case("relu", lambda a: a.relu(), lambda x: np.maximum(x, 0), 1, 0.1, 2.0),
    Case("sigmoid", lambda a: a.sigmoid(), _sigmoid),
]

#: The others take shapes of their own: method -> (call, numpy, shapes of the inputs).
SHAPED: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[tuple[int, ...], ...]]] = [
    *(
        ("__matmul__", lambda a, b: a @ b, np.matmul, shapes)
        for shapes in [
            ((3,), (3,)),
            ((2, 3), (3,)),
            ((3,), (3, 2)),
            ((2, 3), (3, 4)),
            ((5, 2, 3), (3,)),
            ((3,), (5, 3, 2)),
            ((5, 2, 3), (3, 4)),
            ((2, 3), (5, 3, 4)),
            ((5, 1, 2, 3), (4, 3, 2)),
            ((1, 2, 3), (4, 3, 2)),
            ((1, 1), (1, 1)),
        ]
    ),
    ("sum", lambda a: a.sum(), np.sum, ((2, 3, 4),)),
    ("sum", lambda a: a.sum(axis=1), lambda x: x.sum(axis=1), ((2, 3, 4),)),
    ("sum", lambda a: a.sum(0, True), lambda x: x.sum(0, keepdims=True), ((2, 3, 4),)),
    ("sum", lambda a: a.sum(axis=(0, -1)), lambda x: x.sum(axis=(0, -1)), ((2, 3, 4),)),
    ("sum", lambda a: a.sum(), np.sum, ((),)),
    ("mean", lambda a: a.mean(), np.mean, ((2, 3, 4),)),
    ("mean", lambda a: a.mean(axis=-1), lambda x: x.mean(axis=-1), ((2, 3, 4),)),
    (
        "mean",
        lambda a: a.mean(axis=(0, 2), keepdims=True),
        lambda x: x.mean(axis=(0, 2), keepdims=True),
        ((2, 3, 4),),
    ),
    ("reshape", lambda a: a.reshape(3, -1), lambda x: x.reshape(3, -1), ((2, 3, 4),)),
    ("reshape", lambda a: a.reshape((24,)), lambda x: x.reshape(24), ((2, 3, 4),)),
    ("reshape", lambda a: a.reshape(()), lambda x: x.reshape(()), ((1, 1),)),
    ("transpose", lambda a: a.transpose(0, 2), lambda x: x.swapaxes(0, 2), ((2, 3, 4),)),
    ("transpose", lambda a: a.T, lambda x: x.swapaxes(-1, -2), ((2, 3, 4),)),
    ("transpose", lambda a: a.swapaxes(0, 1), lambda x: x.swapaxes(0, 1), ((2, 3),)),
]
