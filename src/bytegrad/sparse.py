"""A gradient that is zero in most rows, kept as the other rows."""

from typing import Any

import numpy as np

from bytegrad.kernels import Array, scatter


class RowSparse:
    """Rows of a table, and the numbers of these rows; all others are 0.

    Attributes:
        rows: the row numbers, shape (n,), int64; one may occur more than once, and then its values add up.
        values: the values, shape (n, d).
        shape: the shape (V, d) of the table.

    Keeps 8 bytes a row, and the values: n · (8 + 4 d) in float32, where the whole table has V · 4 d.

    >>> grad = RowSparse(np.array([1, 1]), np.ones((2, 3), dtype=np.float32), (10_000, 3))
    >>> grad.nbytes  # two rows of three numbers, two row numbers
    40
    >>> grad.dense()[:3]
    array([[0., 0., 0.],
           [2., 2., 2.],
           [0., 0., 0.]], dtype=float32)
    """

    __slots__ = ("rows", "shape", "values")
    __array_ufunc__ = None  # array + grad asks RowSparse

    def __init__(self, rows: Array, values: Array, shape: tuple[int, ...]) -> None:
        self.rows = rows.astype(np.int64, copy=False)
        self.values = values
        self.shape = shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """The bytes of values and row numbers together."""
        return self.values.nbytes + self.rows.nbytes

    def dense(self) -> Array:
        """Return the whole table, zeros included."""
        return scatter(self.values, self.rows, self.shape)

    def coalesce(self) -> "RowSparse":
        """Return the same with each row once, in ascending order."""
        rows, places = np.unique(self.rows, return_inverse=True)
        return RowSparse(rows, scatter(self.values, places, (len(rows), self.shape[1])), self.shape)

    def astype(self, dtype: Any) -> "RowSparse":
        """Return the same with values of another dtype."""
        return RowSparse(self.rows, self.values.astype(dtype), self.shape)

    def copy(self) -> "RowSparse":
        """Return the same over memory of its own."""
        return RowSparse(self.rows.copy(), self.values.copy(), self.shape)

    def __add__(self, other: Any) -> Any:
        if isinstance(other, RowSparse):
            rows = np.concatenate([self.rows, other.rows])
            return RowSparse(rows, np.concatenate([self.values, other.values]), self.shape)
        return self.dense() + other

    __radd__ = __add__

    def __mul__(self, factor: float) -> "RowSparse":
        return RowSparse(self.rows, self.values * factor, self.shape)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "RowSparse":
        return RowSparse(self.rows, self.values / divisor, self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.dense(), dtype=dtype)

    def __repr__(self) -> str:
        return f"RowSparse({len(self.rows)} of {self.shape[0]} rows, {self.nbytes} bytes)"
