"""`Tensor`: one NumPy array and the operations on it, forward only.

The names `requires_grad`, `grad`, `grad_fn` and `backward` are here already, and lie dormant: nothing in this file
knows a derivative. `bytegrad.enable_autograd` wakes them by swapping the operations listed in
`bytegrad.rules.RULES` for versions that record themselves.

Two kinds of method live here. A *primitive* makes its result from arrays (it calls `wrap`), and has a rule. A
*composite* is written with other operations, and its gradient comes for free.
"""

from collections.abc import Callable
from numbers import Number
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bytegrad.errors import DtypeError, GraphError, ShapeError

Array: TypeAlias = NDArray[Any]
Axis: TypeAlias = int | tuple[int, ...] | None


class Tensor:
    """An n-dimensional array of numbers that can take part in a backward pass.

    Args:
        data: a number, a (nested) list of numbers, an array or a Tensor; it is copied. Python numbers and lists
            become float32, NumPy's keep their dtype.
        dtype: asks for another dtype.
        requires_grad: whether `backward` shall leave d(result)/d(this tensor) in `grad`.

    Raises:
        ShapeError: a ragged list.
        DtypeError: data that are no numbers; `requires_grad` for integers or booleans.
        GraphError: a Tensor that was computed from one that requires grad.

    >>> Tensor([[1, 2], [3, 4]]) @ Tensor([1, 1])
    Tensor([3., 7.], dtype=float32)
    """

    __slots__ = ("__weakref__", "_grad_fn", "_requires_grad", "data", "grad")
    __array_ufunc__ = None  # array * tensor asks Tensor, not NumPy, which would drop the graph

    def __init__(
        self, data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False
    ) -> None:
        self.data: Array = _as_array(data, dtype)
        self.grad: Array | None = None
        self._grad_fn: Any = None
        self._requires_grad = False
        self.requires_grad = requires_grad

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along each axis."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of the elements."""
        return self.data.dtype

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.data.nbytes

    @property
    def grad_fn(self) -> Any:
        """The recorded call that made this tensor; None for a leaf."""
        return self._grad_fn

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded call made this tensor: the places where `grad` is left."""
        return self._grad_fn is None

    def __len__(self) -> int:
        if not self.data.ndim:
            raise DtypeError("a 0-d Tensor has no length: it holds one number. Use .item().")
        return len(self.data)

    def __repr__(self) -> str:
        body = np.array2string(self.data, separator=", ", prefix="Tensor(")
        tail = f", grad_fn={self._grad_fn!r}" if self._grad_fn is not None else ""
        if self.requires_grad and self._grad_fn is None:
            tail = ", requires_grad=True"
        return f"Tensor({body}, dtype={self.data.dtype}{tail})"

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise ShapeError(
                f"the truth of a Tensor of shape {self.shape} is ambiguous: it has {self.size} elements. "
                "Use .numpy().any() or .numpy().all()."
            )
        return bool(self.data.reshape(())[()])

    __hash__ = object.__hash__  # by identity: == compares elements

    # Leaving the graph, on purpose.

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ShapeError: there is not exactly one element.
        """
        if self.data.size != 1:
            raise ShapeError(
                f"item() of shape {self.shape}: {self.size} elements cannot become one number. "
                "Reduce first, for example with .sum()."
            )
        return self.data.item()

    def numpy(self) -> Array:
        """Return the array itself, not a copy.

        Raises:
            GraphError: the tensor requires a gradient, which would be lost without a trace.
        """
        if self.requires_grad:
            raise GraphError(
                "numpy() on a Tensor that requires grad: what NumPy computes from it cannot be "
                "differentiated. Use .detach().numpy() if that is meant."
            )
        return self.data

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def detach(self) -> "Tensor":
        """Return a tensor over the same memory that no gradient flows through."""
        return wrap(self.data)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._grad_fn is not None:
            raise GraphError(
                f"copying or pickling a result of {self._grad_fn!r}: the copy's gradients would go to copies of the "
                "leaves, not to the leaves. Use .detach(), or copy the leaves."
            )
        return super().__reduce_ex__(protocol)

    # Gradients: asleep until enable_autograd().

    @property
    def requires_grad(self) -> bool:
        """Whether `backward` computes a gradient for this tensor; may be set on leaves.

        Raises:
            DtypeError: set to True on integers or booleans.
            GraphError: set to False on the result of a recorded call.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and self.data.dtype.kind != "f":
            raise DtypeError(
                f"requires_grad on {self.data.dtype}: a derivative needs numbers that can change by a little. "
                "Make the tensor floating, for example with dtype='float32'."
            )
        if not wanted and self._grad_fn is not None:
            raise GraphError(
                f"requires_grad=False on a result of {self._grad_fn!r}: its graph is recorded already. "
                "Use .detach() for a tensor outside the graph."
            )
        self._requires_grad = bool(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set `requires_grad` and return the tensor itself."""
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Fill `grad` of the leaves; asleep until `bytegrad.enable_autograd()`.

        Raises:
            GraphError: always, here.
        """
        raise GraphError(
            "backward() while autograd is off: operations record nothing now, and no gradient is computed. "
            "Call bytegrad.enable_autograd() first, then compute again what was computed while it was off."
        )

    def zero_grad(self) -> None:
        """Forget the gradient: set `grad` to None."""
        self.grad = None

    # Arithmetic.

    def __add__(self, other: Any) -> Any:
        return _elementwise(np.add, self, other)

    def __sub__(self, other: Any) -> Any:
        return _elementwise(np.subtract, self, other)

    def __mul__(self, other: Any) -> Any:
        return _elementwise(np.multiply, self, other)

    def __truediv__(self, other: Any) -> Any:
        return _elementwise(_divide, self, other)

    def __pow__(self, exponent: Any) -> Any:
        return _elementwise(_power, self, exponent)

    def __neg__(self) -> "Tensor":
        return wrap(-self.data)

    def __pos__(self) -> "Tensor":
        return self

    def __radd__(self, other: Any) -> Any:
        return self + other

    def __rmul__(self, other: Any) -> Any:
        return self * other

    def __rsub__(self, other: Any) -> Any:
        a, b = _meet(other, self)
        return a - b

    def __rtruediv__(self, other: Any) -> Any:
        a, b = _meet(other, self)
        return a / b

    def __rpow__(self, base: Any) -> Any:
        a, n = _meet(base, self)
        return a**n

    def __rmatmul__(self, other: Any) -> Any:
        a, b = _meet(other, self)
        return a @ b

    def __matmul__(self, other: Any) -> Any:
        """Matrix product over the last two axes; 1-D operands are rows on the left, columns on the right."""
        if not isinstance(other, (Tensor, np.ndarray)):
            return NotImplemented
        a, b = self.data, _array_of(other)
        try:
            return wrap(np.matmul(a, b))
        except ValueError:
            raise ShapeError(
                f"{a.shape} @ {b.shape} does not fit: the last axis of the left must be as long as the last but one "
                "of the right, and the axes before them must broadcast. Check the order, or transpose one."
            ) from None

    # Comparisons: boolean, without gradient.

    def __eq__(self, other: object) -> Any:
        return _elementwise(np.equal, self, other)

    def __ne__(self, other: object) -> Any:
        return _elementwise(np.not_equal, self, other)

    def __lt__(self, other: Any) -> Any:
        return _elementwise(np.less, self, other)

    def __le__(self, other: Any) -> Any:
        return _elementwise(np.less_equal, self, other)

    def __gt__(self, other: Any) -> Any:
        return _elementwise(np.greater, self, other)

    def __ge__(self, other: Any) -> Any:
        return _elementwise(np.greater_equal, self, other)

    # Functions of each element.

    def exp(self) -> "Tensor":
        """Return e to the power of each element."""
        return wrap(np.exp(_floating(self.data)))

    def log(self) -> "Tensor":
        """Return the natural logarithm of each element: -inf at 0, NaN below."""
        return wrap(np.log(_floating(self.data)))

    def tanh(self) -> "Tensor":
        """Return the hyperbolic tangent of each element."""
        return wrap(np.tanh(_floating(self.data)))

    def relu(self) -> "Tensor":
        """Return each element, or 0 where it is below 0."""
        return wrap(np.maximum(self.data, 0))

    def sigmoid(self) -> "Tensor":
        """Return 1/(1 + exp(-x)) of each element, without overflow at either end."""
        x = _floating(self.data)
        small = np.exp(-np.abs(x))  # in (0, 1]: the exponential that cannot overflow
        return wrap(np.where(x >= 0, 1, small) / (1 + small))

    # Reductions and shapes.

    def sum(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Add up all elements, or those along `axis`."""
        return wrap(self.data.sum(axis=axis, keepdims=keepdims))

    def mean(self, axis: Axis = None, keepdims: bool = False) -> "Tensor":
        """Average all elements, or those along `axis`."""
        return wrap(_floating(self.data).mean(axis=axis, keepdims=keepdims))

    def reshape(self, *shape: Any) -> "Tensor":
        """Return the same elements under another shape, given as ints or one tuple; -1 is worked out.

        Raises:
            ShapeError: the number of elements differs.
        """
        try:
            return wrap(self.data.reshape(*shape))
        except ValueError:
            raise ShapeError(
                f"reshape of {self.shape} to {shape}: {self.size} elements do not fill that shape. "
                "Make the product of the lengths equal, or put one -1."
            ) from None

    def transpose(self, axis0: int = -2, axis1: int = -1) -> "Tensor":
        """Swap two axes, by default the last two; a view, no copy."""
        if self.data.ndim < 2:
            raise ShapeError(
                f"transpose of shape {self.shape}: there are no two axes to swap. Reshape to two first."
            )
        return wrap(self.data.swapaxes(axis0, axis1))

    def swapaxes(self, axis0: int, axis1: int) -> "Tensor":
        """Swap two axes, under NumPy's name."""
        return self.transpose(axis0, axis1)

    @property
    def T(self) -> "Tensor":  # noqa: N802 - NumPy's and PyTorch's name
        """The tensor with its last two axes swapped."""
        return self.transpose()


def wrap(array: Any) -> Tensor:
    """Make a Tensor over an array without copying it."""
    tensor = object.__new__(Tensor)
    tensor.data = array if type(array) is np.ndarray else np.asarray(array)
    tensor.grad = None
    tensor._grad_fn = None
    tensor._requires_grad = False
    return tensor


def randn(*shape: int, seed: int = 0, requires_grad: bool = False) -> Tensor:
    """Return float32 draws from the standard normal distribution: the same ones for the same seed."""
    draws = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return wrap(draws).requires_grad_(requires_grad)


def zeros(*shape: int, requires_grad: bool = False) -> Tensor:
    """Return a float32 tensor of zeros."""
    return wrap(np.zeros(shape, dtype=np.float32)).requires_grad_(requires_grad)


def ones(*shape: int, requires_grad: bool = False) -> Tensor:
    """Return a float32 tensor of ones."""
    return wrap(np.ones(shape, dtype=np.float32)).requires_grad_(requires_grad)


def _meet(value: Any, right: Tensor) -> tuple[Tensor, Tensor]:
    """Make a Tensor of the number or array on the left of `right`, and fit both to the dtype policy."""
    if isinstance(value, np.ndarray):
        return wrap(_numeric(value)), right
    if not isinstance(value, (Number, np.generic)):
        raise DtypeError(
            f"got {type(value).__name__} beside a Tensor: operations take Tensors, arrays and numbers. "
            "Wrap lists with bytegrad.Tensor(...)."
        )
    number = _number(value)
    if right.data.dtype.kind == "f":
        return wrap(np.asarray(number, dtype=right.data.dtype)), right
    if isinstance(number, float):
        return wrap(np.float32(number)), wrap(right.data.astype(np.float32))
    if right.data.dtype.kind in "iu" and number in range(*_span(right.data.dtype)):
        return wrap(np.asarray(number, dtype=right.data.dtype)), right
    return wrap(np.asarray(number)), right


def _span(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max) + 1


def _elementwise(function: Callable[[Any, Any], Any], a: Tensor, b: Any) -> Any:
    """Apply a function of two arrays, or of an array and a number, with NumPy's broadcasting."""
    x: Array = a.data
    y: Any
    if isinstance(b, (Tensor, np.ndarray)):
        y = _array_of(b)
    elif isinstance(b, (Number, np.generic)):
        y = _number(b)  # a Python number takes the array's dtype
        if x.dtype.kind != "f" and isinstance(y, float):
            x = x.astype(np.float32)
    else:
        return NotImplemented
    try:
        return wrap(function(x, y))
    except ValueError:
        _raise_unless_broadcast(x.shape, np.shape(y))
        raise


def _raise_unless_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(
            f"shapes {a} and {b} do not broadcast: counted from the right, two lengths must be equal or one of them 1. "
            "Reshape one of the two."
        ) from None


def _divide(x: Array, y: Any) -> Any:
    if x.dtype.kind != "f" and (not isinstance(y, np.ndarray) or y.dtype.kind != "f"):
        x = x.astype(np.float32)  # integer / integer
        y = y.astype(np.float32) if isinstance(y, np.ndarray) else y
    return np.divide(x, y)


def _power(x: Array, y: Any) -> Any:
    if isinstance(y, (int, float)) and y == 3:
        return x * x * x  # NumPy's general power is some forty times slower
    return x**y


def _floating(x: Array) -> Array:
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _number(value: Any) -> int | float:
    number = value.item() if isinstance(value, np.generic) else value
    if isinstance(number, (int, float)):
        return number
    raise DtypeError(_refusal(type(value).__name__))


def _array_of(value: "Tensor | Array") -> Array:
    return value.data if isinstance(value, Tensor) else _numeric(value)


def _numeric(array: Array) -> Array:
    if array.dtype.kind not in "fiub":
        raise DtypeError(_refusal(str(array.dtype)))
    return array


def _refusal(seen: str) -> str:
    return (
        f"got {seen}: a Tensor holds real numbers or booleans. "
        "Convert the data to a float, integer or bool dtype."
    )


def _as_array(data: Any, dtype: DTypeLike | None) -> Array:
    """Copy data into an array under the dtype policy."""
    if isinstance(data, Tensor):
        if data.grad_fn is not None:
            raise GraphError(
                f"Tensor() of a result of {data.grad_fn!r}: the copy would lose its history, and the gradient with it. "
                "Use the tensor itself, or .detach() if that is meant."
            )
        data = data.data
    if isinstance(data, (np.ndarray, np.generic)):
        return _numeric(np.array(_numeric(np.asarray(data)), dtype=dtype))
    try:
        array = _numeric(np.array(data))
    except ValueError:
        raise ShapeError(
            "got a ragged list: an array needs rows of equal length. Pad the short rows or split the list."
        ) from None
    if dtype is None and array.dtype.kind != "b":
        dtype = np.float32
    return array if dtype is None else _numeric(array.astype(dtype))
