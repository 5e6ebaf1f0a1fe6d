"""One table of cases: each drives every check that an operation has to pass.

A case is written three times: for bytegrad, for NumPy, and for PyTorch, where the same words do not already serve.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Case:
    """An operation, and what it is compared with.

    Attributes:
        method: the method of Tensor, a key of RULES.
        call: the operation on Tensors.
        numpy: the same on arrays.
        shapes: the shapes of the inputs; None where any shapes serve that broadcast.
        arity: how many inputs.
        low, high: the range of inputs, inside the smooth part of the operation.
        torch: the same on PyTorch's tensors, called with the module first; None where `call` serves.
        tag: tells cases of one method apart.
    """

    method: str
    call: Callable[..., Any]
    numpy: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] | None = None
    arity: int = 1
    low: float = -2.0
    high: float = 2.0
    torch: Callable[..., Any] | None = None
    tag: str = ""

    def __str__(self) -> str:
        return f"{self.method}-{self.tag}" if self.tag else self.method

    def arrays(self, shapes: Any = None, dtype: str = "float64") -> list[np.ndarray]:
        """Return inputs: seeded numbers in the case's range."""
        chosen = shapes or self.shapes or ((2, 3),) * self.arity
        return [
            np.random.default_rng(i).uniform(self.low, self.high, shape).astype(dtype)
            for i, shape in enumerate(chosen)
        ]


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=["d"])(x)


def _softmax(x: Any, axis: int = -1) -> Any:
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def _normal(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def _scattered(x: Any, key: Any, shape: tuple[int, ...]) -> Any:
    out = np.zeros(shape, dtype=x.dtype)
    np.add.at(out, key, x)
    return out


def _bce(p: Any, t: Any) -> Any:
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def _one_hot(classes: Any, n: int) -> Any:
    return np.eye(n)[classes]


def _gelu_tanh(x: Any) -> Any:
    return x * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


CLASSES = np.array([2, 0, 2, 1])
WITH_IGNORED = np.array([2, -100, 0, -100])
ROWS = np.array([[0, 2], [2, 2]])
MASK = np.array([[True, False, True], [False, True, True]])
CHOICE = np.array([True, False, True])
FANCY = (np.array([1, 0, 1]), np.array([2, 2, 2]))


ELEMENTWISE = [
    Case("__add__", lambda a, b: a + b, np.add, arity=2),
    Case("__sub__", lambda a, b: a - b, np.subtract, arity=2),
    Case("__mul__", lambda a, b: a * b, np.multiply, arity=2),
    Case("__truediv__", lambda a, b: a / b, np.divide, arity=2, low=0.5),
    Case("__pow__", lambda a, b: a**b, np.power, arity=2, low=0.5),
    Case("__neg__", lambda a: -a, np.negative),
    Case("exp", lambda a: a.exp(), np.exp),
    Case("log", lambda a: a.log(), np.log, low=0.5),
    Case("sqrt", lambda a: a.sqrt(), np.sqrt, low=0.5),
    Case("abs", lambda a: a.abs(), np.abs, low=0.1),
    Case("abs", lambda a: a.abs(), np.abs, high=-0.1, tag="below 0"),
    Case("sin", lambda a: a.sin(), np.sin),
    Case("cos", lambda a: a.cos(), np.cos),
    Case("erf", lambda a: a.erf(), _erf),
    Case("tanh", lambda a: a.tanh(), np.tanh),
    Case("sigmoid", lambda a: a.sigmoid(), _sigmoid),
    Case("relu", lambda a: a.relu(), lambda x: np.maximum(x, 0), low=0.1),
    Case("relu", lambda a: a.relu(), lambda x: np.maximum(x, 0), high=-0.1, tag="below 0"),
    Case(
        "leaky_relu",
        lambda a: a.leaky_relu(0.1),
        lambda x: np.where(x > 0, x, 0.1 * x),
        high=-0.1,
        torch=lambda t, a: t.nn.functional.leaky_relu(a, 0.1),
        tag="below 0",
    ),
    Case(
        "leaky_relu",
        lambda a: a.leaky_relu(),
        lambda x: np.where(x > 0, x, 0.01 * x),
        low=0.1,
        torch=lambda t, a: t.nn.functional.leaky_relu(a),
    ),
    Case(
        "leaky_relu",
        lambda a: a.leaky_relu(-0.5),
        lambda x: np.where(x > 0, x, -0.5 * x),
        high=-0.1,
        torch=lambda t, a: t.nn.functional.leaky_relu(a, -0.5),
        tag="slope below 0",
    ),
    Case(
        "gelu",
        lambda a: a.gelu(),
        lambda x: x * 0.5 * (1 + _erf(x / math.sqrt(2))),
        torch=lambda t, a: t.nn.functional.gelu(a),
    ),
    Case(
        "gelu",
        lambda a: a.gelu("tanh"),
        _gelu_tanh,
        torch=lambda t, a: t.nn.functional.gelu(a, approximate="tanh"),
        tag="tanh",
    ),
    Case(
        "softplus",
        lambda a: a.softplus(),
        lambda x: np.log1p(np.exp(x)),
        torch=lambda t, a: t.nn.functional.softplus(a, threshold=100),
    ),
    Case(
        "maximum",
        lambda a, b: a.maximum(b),
        np.maximum,
        arity=2,
        torch=lambda t, a, b: t.maximum(a, b),
    ),
    Case(
        "minimum",
        lambda a, b: a.minimum(b),
        np.minimum,
        arity=2,
        torch=lambda t, a, b: t.minimum(a, b),
    ),
]


def _shaped(method: str, call: Any, numpy: Any, *shapes: tuple[int, ...], **more: Any) -> Case:
    tag = more.pop("tag", "")
    tag = " ".join(filter(None, [tag, *("×".join(map(str, s)) or "()" for s in shapes)]))
    return Case(method, call, numpy, shapes, len(shapes), tag=tag, **more)


def _indexed(key: Any, tag: str) -> Case:
    return _shaped("__getitem__", lambda a: a[key], lambda x: x[key], (2, 3), tag=tag)


#: The others take shapes of their own.
SHAPED = [
    *(
        _shaped("__matmul__", lambda a, b: a @ b, np.matmul, *shapes)
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
    *(
        _shaped(
            method,
            lambda a, m=method, k=kwargs: getattr(a, m)(**k),
            lambda x, m=method, k=kwargs: getattr(np, m)(x, **k),
            shape,
            torch=lambda t, a, m=method, k=kwargs: (
                getattr(t, {"max": "amax", "min": "amin"}.get(m, m))(
                    a, **({"axis": ()} if m in ("max", "min") and not k.get("axis") else {}) | k
                )
                if a.ndim or m in ("sum", "mean")
                else a * 1
            ),
            tag=str(kwargs.get("axis", "all")),
        )
        for method in ("sum", "mean", "max", "min")
        for shape, kwargs in [
            ((2, 3, 4), {}),
            ((2, 3, 4), {"axis": 1}),
            ((2, 3, 4), {"axis": -1, "keepdims": True}),
            ((2, 3, 4), {"axis": (0, -1)}),
            ((2, 3, 4), {"axis": (0, 2), "keepdims": True}),
            ((), {}),
        ]
    ),
    *(
        _shaped(
            "softmax",
            lambda a, axis=axis: a.softmax(axis),
            lambda x, axis=axis: _softmax(x, axis),
            (2, 3, 4),
            tag=str(axis),
        )
        for axis in (-1, 0, 1)
    ),
    *(
        _shaped(
            "log_softmax",
            lambda a, axis=axis: a.log_softmax(axis),
            lambda x, axis=axis: np.log(_softmax(x, axis)),
            (2, 3, 4),
            tag=str(axis),
        )
        for axis in (-1, 0)
    ),
    _shaped("reshape", lambda a: a.reshape(3, -1), lambda x: x.reshape(3, -1), (2, 3, 4)),
    _shaped("reshape", lambda a: a.reshape((24,)), lambda x: x.reshape(24), (2, 3, 4), tag="tuple"),
    _shaped("reshape", lambda a: a.reshape(()), lambda x: x.reshape(()), (1, 1)),
    _shaped("transpose", lambda a: a.transpose(0, 2), lambda x: x.swapaxes(0, 2), (2, 3, 4)),
    _shaped(
        "transpose",
        lambda a: a.T,
        lambda x: x.swapaxes(-1, -2),
        (2, 3, 4),
        torch=lambda t, a: a.mT,
        tag="T",
    ),
    _shaped("transpose", lambda a: a.swapaxes(0, 1), lambda x: x.swapaxes(0, 1), (2, 3)),
    _shaped("permute", lambda a: a.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1), (2, 3, 4)),
    _shaped(
        "permute",
        lambda a: a.permute((-1, 0, 1)),
        lambda x: x.transpose(2, 0, 1),
        (2, 3, 4),
        tag="tuple",
    ),
    _shaped(
        "broadcast_to",
        lambda a: a.broadcast_to((4, 2, 3)),
        lambda x: np.broadcast_to(x, (4, 2, 3)),
        (2, 1),
    ),
    _shaped(
        "broadcast_to", lambda a: a.broadcast_to((2, 3)), lambda x: np.broadcast_to(x, (2, 3)), ()
    ),
    _shaped(
        "concatenate",
        lambda a, b, c: a.concatenate(b, c, axis=1),
        lambda x, y, z: np.concatenate([x, y, z], 1),
        (2, 3),
        (2, 1),
        (2, 0),
        torch=lambda t, a, b, c: t.cat([a, b, c], 1),
    ),
    _shaped(
        "concatenate",
        lambda a, b: a.concatenate(b, axis=-2),
        lambda x, y: np.concatenate([x, y], -2),
        (1, 3),
        (2, 3),
        torch=lambda t, a, b: t.cat([a, b], -2),
    ),
    _shaped(
        "where",
        lambda a, b: a.where(CHOICE, b),
        lambda x, y: np.where(CHOICE, x, y),
        (2, 3),
        (2, 1),
        torch=lambda t, a, b: t.where(t.tensor(CHOICE), a, b),
    ),
    _indexed(1, "number"),
    _indexed((0, 2), "two numbers"),
    _indexed((slice(None), slice(0, 2)), "slices"),
    _indexed((Ellipsis, None, 1), "ellipsis and None"),
    _indexed(np.array([1, 1, 0, -1]), "repeated rows"),
    _indexed(FANCY, "repeated pairs"),
    _indexed((slice(None), np.array([0, 0, 2])), "slice and list"),
    _indexed(MASK, "mask"),
    _indexed(np.array([False, True]), "mask of rows"),
    _shaped(
        "scatter",
        lambda a: a.scatter(np.array([1, 1, 3]), (4, 2)),
        lambda x: _scattered(x, np.array([1, 1, 3]), (4, 2)),
        (3, 2),
        torch=lambda t, a: t.zeros(4, 2, dtype=a.dtype).index_put(
            (t.tensor([1, 1, 3]),), a, accumulate=True
        ),
    ),
    _shaped(
        "scatter",
        lambda a: a.scatter((slice(1, 3), 0), (4, 2)),
        lambda x: _scattered(x, (slice(1, 3), 0), (4, 2)),
        (2,),
        tag="slice",
        torch=lambda t, a: t.nn.functional.pad(a[:, None], (0, 1, 1, 1)),
    ),
    _shaped(
        "embedding",
        lambda a: a.embedding(ROWS),
        lambda x: x[ROWS],
        (3, 4),
        torch=lambda t, a: t.nn.functional.embedding(t.tensor(ROWS), a),
    ),
    _shaped(
        "astype",
        lambda a: a.astype("float64"),
        lambda x: x.astype("float64"),
        (2, 3),
        torch=lambda t, a: a.double(),
    ),
    *(
        _shaped(
            "linear",
            lambda x, w, b: x.linear(w, b),
            lambda x, w, b: x @ w + b,
            shape,
            (3, 4),
            (4,),
            torch=lambda t, x, w, b: t.nn.functional.linear(x, w.T, b),
        )
        for shape in [(3,), (2, 3), (5, 2, 3), (0, 3)]
    ),
    _shaped(
        "linear",
        lambda x, w: x.linear(w),
        lambda x, w: x @ w,
        (2, 3),
        (3, 4),
        tag="no bias",
        torch=lambda t, x, w: t.nn.functional.linear(x, w.T),
    ),
    _shaped(
        "layer_norm",
        lambda x, w, b: x.layer_norm(w, b),
        lambda x, w, b: _normal(x) * w + b,
        (2, 3, 4),
        (4,),
        (4,),
        torch=lambda t, x, w, b: t.nn.functional.layer_norm(x, (4,), w, b),
    ),
    _shaped(
        "layer_norm",
        lambda x: x.layer_norm(),
        _normal,
        (2, 4),
        tag="plain",
        torch=lambda t, x: t.nn.functional.layer_norm(x, (4,)),
    ),
    _shaped(
        "layer_norm",
        lambda x, w: x.layer_norm(w),
        lambda x, w: _normal(x) * w,
        (3, 5),
        (5,),
        tag="weight",
        torch=lambda t, x, w: t.nn.functional.layer_norm(x, (5,), w),
    ),
    *(
        _shaped(
            "mse",
            lambda x, y, r=r: x.mse(y, r),
            lambda x, y, r=r: {"mean": np.mean, "sum": np.sum, "none": np.asarray}[r]((x - y) ** 2),
            (2, 3),
            (2, 3),
            tag=r,
            torch=lambda t, x, y, r=r: t.nn.functional.mse_loss(x, y, reduction=r),
        )
        for r in ("mean", "sum", "none")
    ),
    *(
        _shaped(
            "bce",
            lambda x, y, r=r: x.bce(y, r),
            lambda x, y, r=r: {"mean": np.mean, "sum": np.sum, "none": np.asarray}[r](_bce(x, y)),
            (2, 3),
            (2, 3),
            low=0.1,
            high=0.9,
            tag=r,
            torch=lambda t, x, y, r=r: t.nn.functional.binary_cross_entropy(x, y, reduction=r),
        )
        for r in ("mean", "sum", "none")
    ),
    *(
        _shaped(
            "bce_with_logits",
            lambda x, y, r=r: x.bce_with_logits(y, r),
            lambda x, y, r=r: {"mean": np.mean, "sum": np.sum, "none": np.asarray}[r](
                _bce(_sigmoid(x), y)
            ),
            (2, 3),
            (2, 3),
            tag=r,
            torch=lambda t, x, y, r=r: t.nn.functional.binary_cross_entropy_with_logits(
                x, y, reduction=r
            ),
        )
        for r in ("mean", "sum", "none")
    ),
    *(
        _shaped(
            "cross_entropy",
            lambda x, c=classes, r=r: x.cross_entropy(c, reduction=r),
            lambda x, c=classes, r=r: _cross_entropy(x, c, r),
            (4, 3),
            tag=f"{r}{' ignored' if classes is WITH_IGNORED else ''}",
            torch=lambda t, x, c=classes, r=r: t.nn.functional.cross_entropy(
                x, t.tensor(c), reduction=r
            ),
        )
        for r in ("mean", "sum", "none")
        for classes in (CLASSES, WITH_IGNORED)
    ),
    *(
        _shaped(
            "cross_entropy",
            lambda x, p, r=r: x.cross_entropy(p, reduction=r),
            lambda x, p, r=r: {"mean": np.mean, "sum": np.sum, "none": np.asarray}[r](
                -(p * np.log(_softmax(x))).sum(-1)
            ),
            (4, 3),
            (4, 3),
            low=0.1,
            tag=f"probabilities {r}",
            torch=lambda t, x, p, r=r: t.nn.functional.cross_entropy(x, p, reduction=r),
        )
        for r in ("mean", "sum", "none")
    ),
]


def _cross_entropy(x: Any, classes: Any, reduction: str) -> Any:
    kept = classes != -100
    each = np.where(kept, -np.log(_softmax(x))[np.arange(len(x)), classes * kept], 0)
    return {"mean": each.sum() / kept.sum(), "sum": each.sum(), "none": each}[reduction]


CASES = ELEMENTWISE + SHAPED
