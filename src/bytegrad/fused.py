"""The operations of `Tensor` that do several steps in one call: less memory, fewer calls, no overflow between."""

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from bytegrad import kernels
from bytegrad.arrays import array_of, same_shape, target_of, within
from bytegrad.errors import DtypeError, RangeError, ShapeError
from bytegrad.kernels import floating

if TYPE_CHECKING:
    from bytegrad.tensor import Tensor


class Fused:
    """Methods of `Tensor`: layers and losses that have a rule of their own.

    A loss is averaged over its elements, added up, or left as it is: `reduction` is "mean", "sum" or "none".

    Raises (all of them):
        DtypeError: an argument is not of real numbers.
    """

    __slots__ = ()

    def embedding(self: "Tensor", indices: Any, sparse: bool = False) -> "Tensor":
        """Return row i of this (V, d) table for each i in `indices`: shape (*indices.shape, d).

        Args:
            indices: integers, of any shape.
            sparse: give the table a `RowSparse` gradient, of the rows that were asked for alone.

        Raises:
            DtypeError: the indices are not integers.
            RangeError: an index is not one of 0 … V-1.
            ShapeError: the table has not two axes.

        >>> Tensor([[1.0, 2.0], [3.0, 4.0]]).embedding([1, 0, 1]).tolist()
        [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
        """
        rows = array_of(indices)
        if self.ndim != 2:
            raise ShapeError(
                f"embedding in a table of shape {self.shape}: it takes rows of a table. Reshape to (V, d)."
            )
        if rows.dtype.kind not in "iu":
            raise DtypeError(
                f"embedding with indices of {rows.dtype}: rows have numbers. Use integers, as in .astype('int64')."
            )
        within(rows, len(self._data), "embedding index", "row")
        return self._wrap(self._data[rows])

    def linear(self: "Tensor", weight: "Tensor", bias: Any = None) -> "Tensor":
        """Return x @ weight + bias. Shapes: x (..., in), result (..., out).

        Args:
            weight: shape (in, out).
            bias: shape (out,), or None.

        Raises:
            ShapeError: the last axis of x is not `in`, or the bias not `out` long.

        >>> Tensor([1.0, 2.0]).linear(Tensor([[1.0], [10.0]]), Tensor([0.5])).tolist()
        [21.5]
        """
        w, b = array_of(weight), None if bias is None else array_of(bias)
        x = self._data
        if x.ndim < 1 or w.ndim != 2 or x.shape[-1] != w.shape[0]:
            raise ShapeError(
                f"linear of x {x.shape} with weight {w.shape}: it computes x @ weight, with x (..., in) and weight "
                "(in, out). Make the last axis of x as long as the first of weight, or transpose the weight."
            )
        y = np.matmul(x, w)  # (..., out)
        if b is not None:
            if b.shape != w.shape[1:]:
                raise ShapeError(
                    f"linear with weight {w.shape} and bias {b.shape}: each output has one bias. "
                    f"Use a bias of shape {w.shape[1:]}."
                )
            y = np.add(y, b, out=y) if np.result_type(y, b) == y.dtype and y.ndim else y + b
        return self._wrap(y)

    def layer_norm(
        self: "Tensor", weight: Any = None, bias: Any = None, eps: float = 1e-5
    ) -> "Tensor":
        """Return (x - mean) / √(variance + eps) * weight + bias, with both taken over the last axis [ba2016].

        Args:
            weight: shape (d,), d the length of the last axis; or None for 1.
            bias: shape (d,), or None for 0.
            eps: keeps the root away from 0.

        Raises:
            ShapeError: weight or bias are not as long as the last axis, or that has no length.

        >>> Tensor([1.0, 3.0]).layer_norm(eps=0.0).tolist()
        [-1.0, 1.0]
        """
        x = floating(self._data)
        if not x.ndim or not x.shape[-1]:
            raise ShapeError(
                f"layer_norm of shape {x.shape}: it needs numbers along the last axis. Reshape to (..., d)."
            )
        for name, each in (("weight", weight), ("bias", bias)):
            if each is not None and each.shape != x.shape[-1:]:
                raise ShapeError(
                    f"layer_norm of shape {x.shape} with {name} {each.shape}: the last axis has one {name} an "
                    f"element. Use shape {x.shape[-1:]}."
                )
        mean, scale = kernels.statistics(x, eps)
        y = (x - mean) * scale
        y = y if weight is None else y * array_of(weight)
        return self._wrap(y if bias is None else y + array_of(bias))

    def mse(self: "Tensor", target: Any, reduction: str = "mean") -> "Tensor":
        """Return the squared error (x - target)², averaged, added up, or each.

        Raises:
            ShapeError: the target is not of x's shape; it would be broadcast, and the mean be one of other numbers.
            ValueError: another reduction than "mean", "sum", "none".

        >>> Tensor([1.0, 3.0]).mse(Tensor([1.0, 1.0])).item()
        2.0
        """
        t = same_shape(self, target, "mse")
        return _loss(self, np.square(floating(self._data) - t), reduction, self.size)

    def bce(self: "Tensor", target: Any, reduction: str = "mean") -> "Tensor":
        """Return the cross-entropy -t log p - (1-t) log(1-p) of probabilities p, the logarithms not below -100.

        Raises:
            RangeError: a p outside 0 … 1.
            ShapeError: the target is not of p's shape.
            ValueError: another reduction than "mean", "sum", "none".

        >>> Tensor([1.0, 0.0]).bce(Tensor([1.0, 1.0]), reduction="none").tolist()
        [0.0, 100.0]
        """
        p, t = floating(self._data), same_shape(self, target, "bce")
        if p.size and not (p.min() >= 0 and p.max() <= 1):
            raise RangeError(
                f"bce of numbers from {p.min():g} to {p.max():g}: they must be probabilities, from 0 to 1. "
                "Put a sigmoid before, or use bce_with_logits."
            )
        return _loss(self, kernels.binary_cross_entropy(p, t), reduction, self.size)

    def bce_with_logits(self: "Tensor", target: Any, reduction: str = "mean") -> "Tensor":
        """Return the cross-entropy of the probabilities sigmoid(x), computed from x: finite for every finite x.

        Raises:
            ShapeError: the target is not of x's shape.
            ValueError: another reduction than "mean", "sum", "none".

        >>> Tensor([-1000.0]).bce_with_logits(Tensor([1.0])).item()
        1000.0
        """
        x, t = floating(self._data), same_shape(self, target, "bce_with_logits")
        return _loss(self, kernels.softplus(x) - x * t, reduction, self.size)

    def cross_entropy(
        self: "Tensor", target: Any, ignore_index: int = -100, reduction: str = "mean"
    ) -> "Tensor":
        """Return -Σ t log softmax(x) over the classes on the last axis, averaged over the samples that count.

        Args:
            target: class numbers of x's shape without its last axis; or probabilities, say one-hot rows, of x's shape.
            ignore_index: the class number of samples to leave out.
            reduction: "mean", "sum" or "none".

        Raises:
            ShapeError: the target has neither shape.
            RangeError: a class number that is none; or "mean" where every sample is ignored.
            ValueError: another reduction.

        >>> Tensor([[0.0, -1000.0]]).cross_entropy([1]).item()
        1000.0
        """
        x, t = floating(self._data), target_of(target, self)
        if (t.shape != x.shape[:-1] and t.shape != x.shape) or not x.ndim:
            raise ShapeError(
                f"cross_entropy of logits {x.shape} with target {t.shape} of {t.dtype}: class numbers have shape "
                f"{x.shape[:-1]}, probabilities {x.shape}. Put the classes on the last axis."
            )
        count = prod(x.shape[:-1])
        if t.shape != x.shape:
            if t.dtype.kind not in "iu":
                raise DtypeError(
                    f"cross_entropy with class numbers of {t.dtype}: a class has a whole number. "
                    "Use integers, as in .astype('int64')."
                )
            kept = t != ignore_index
            within(t[kept], x.shape[-1], "cross_entropy target", "class")
            count = int(kept.sum())
        if reduction == "mean" and not count:
            raise RangeError(
                "cross_entropy(reduction='mean') with no sample that counts: a mean of nothing is no number. "
                "Leave such a batch out, or use reduction='sum'."
            )
        rows = kernels.distribution(t, x.shape, x.dtype, ignore_index)
        scores = kernels.log_softmax(x)
        # 0 * -inf is NaN, and a class without weight must not count
        each = -np.multiply(rows, scores, where=rows != 0, out=np.zeros_like(scores)).sum(axis=-1)
        return _loss(self, each, reduction, count)


def _loss(x: "Tensor", each: Any, reduction: str, count: int) -> "Tensor":
    """Return the losses as they are, their sum, or their sum over a count."""
    if reduction == "none":
        return x._wrap(each)
    if reduction == "sum":
        return x._wrap(each.sum())
    if reduction == "mean":
        # in at least float32, as NumPy's own mean: a sum of many float16 overflows
        total = each.sum(dtype=np.promote_types(each.dtype, np.float32))
        return x._wrap((total / count).astype(each.dtype) if count else total * np.nan)
    raise ValueError(f"reduction={reduction!r}: a loss knows three. Use 'mean', 'sum' or 'none'.")
