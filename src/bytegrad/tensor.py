"""`Tensor`: one NumPy array and the operations on it, forward only.

The names `requires_grad`, `grad`, `grad_fn` and `backward` are here already, and lie dormant: nothing in this file
knows a derivative. `bytegrad.enable_autograd` wakes them by swapping the operations listed in
`bytegrad.rules.RULES` for versions that record themselves.

Two kinds of method live here. A *primitive* makes its result from arrays (it calls `wrap`), and has a rule. A
*composite* is written with other operations, and its gradient comes for free.
"""

from collections.abc import Callable
from numbers import Number
from typing import Any, NoReturn

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from bytegrad import kernels
from bytegrad.arrays import array_of, boolean, differentiable, number, numeric, spread, which_axes
from bytegrad.composites import Composites
from bytegrad.edits import Editable, edited, version
from bytegrad.elements import Elements
from bytegrad.errors import DtypeError, GraphError, RangeError, ShapeError
from bytegrad.fused import Fused
from bytegrad.kernels import Array
from bytegrad.random import witnessed
from bytegrad.reductions import Reductions
from bytegrad.shaping import Shapes


class Tensor(Elements, Reductions, Shapes, Fused, Composites, Editable):
    """An n-dimensional array of numbers that can take part in a backward pass.

    What an operation keeps for that pass stands in its rule, such as ``bytegrad.RULES["exp"]``.

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

    __slots__ = ("__weakref__", "_data", "_grad_fn", "_hooks", "_requires_grad", "grad")
    _wrap: "staticmethod[[Any], Tensor]"  # `wrap`, for the parts of this class in other files
    __array_ufunc__ = None  # array * tensor asks Tensor, not NumPy, which would drop the graph

    def __init__(
        self, data: Any, dtype: DTypeLike | None = None, requires_grad: bool = False
    ) -> None:
        self._data: Array = _as_array(data, dtype)
        self.grad: Any = None
        self._grad_fn: Any = None
        self._hooks: Any = None
        self._requires_grad = False
        self.requires_grad = requires_grad

    # What it is.

    @property
    def data(self) -> Array:
        """The array. Rebinding it goes past the graph, and counts as an edit: it raises the version.

        Raises:
            DtypeError: it is rebound to what is no real numbers, or to integers where grad is required.
        """
        return self._data

    @data.setter
    def data(self, array: Any) -> None:
        array = array_of(array)
        if self._requires_grad and array.dtype != self._data.dtype:
            differentiable(array.dtype)
            array = array.astype(self._data.dtype)  # x.data - 0.1 * grad may have come out wider
        edited(self._data)
        self._data = array

    @property
    def _version(self) -> int:
        """How often the memory of this tensor was edited."""
        return version(self._data)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length along each axis."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's dtype of the elements."""
        return self._data.dtype

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self._data.nbytes

    @property
    def grad_fn(self) -> Any:
        """The recorded call that made this tensor; None for a leaf."""
        return self._grad_fn

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded call made this tensor: the places where `grad` is left."""
        return self._grad_fn is None

    def __index__(self) -> int:
        if self._data.dtype.kind not in "iu":
            raise DtypeError(
                f"a Tensor of {self.dtype} as an index: places are counted in whole numbers. Use .astype('int64')."
            )
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else repr(self)

    def argmax(self, axis: int | None = None) -> "Tensor":
        """Return the index of the largest element, or of the largest along `axis`; the first, where several are.

        An index has no derivative, so no gradient flows.

        Raises:
            ShapeError: there is no such axis, or no element.

        >>> Tensor([[1.0, 3.0], [5.0, 2.0]]).argmax(axis=1).tolist()
        [1, 0]
        """
        try:
            return wrap(np.argmax(self._data, axis))
        except ValueError as error:
            raise ShapeError(
                f"argmax of shape {self.shape} along axis {axis}: {error}. {which_axes(self.ndim)}"
            ) from None

    def tolist(self) -> Any:
        """Return the elements as Python numbers in nested lists.

        >>> Tensor([[1, 2]]).tolist()
        [[1.0, 2.0]]
        """
        return self._data.tolist()

    def __len__(self) -> int:
        if not self._data.ndim:
            raise DtypeError("a 0-d Tensor has no length: it holds one number. Use .item().")
        return len(self._data)

    def __repr__(self) -> str:
        body = np.array2string(self._data, separator=", ", prefix="Tensor(")
        tail = f", grad_fn={self._grad_fn!r}" if self._grad_fn is not None else ""
        if self.requires_grad and self._grad_fn is None:
            tail = ", requires_grad=True"
        return f"Tensor({body}, dtype={self._data.dtype}{tail})"

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ShapeError(
                f"the truth of a Tensor of shape {self.shape} is ambiguous: it has {self.size} elements. "
                "Use .numpy().any() or .numpy().all()."
            )
        return bool(self._data.reshape(())[()])

    __hash__ = object.__hash__  # by identity: == compares elements

    # Leaving the graph, on purpose.

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ShapeError: there is not exactly one element.

        >>> Tensor([2.5]).item()
        2.5
        """
        if self._data.size != 1:
            raise ShapeError(
                f"item() of shape {self.shape}: {self.size} elements cannot become one number. "
                "Reduce first, for example with .sum()."
            )
        return self._data.item()

    def numpy(self) -> Array:
        """Return the array itself, not a copy.

        Raises:
            GraphError: the tensor requires a gradient, which would be lost without a trace.

        >>> Tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        if self.requires_grad:
            raise GraphError(
                "numpy() on a Tensor that requires grad: what NumPy computes from it cannot be "
                "differentiated. Use .detach().numpy() if that is meant."
            )
        return self._data

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def detach(self) -> "Tensor":
        """Return a tensor over the same memory that no gradient flows through.

        >>> Tensor([1.0, 2.0], requires_grad=True).detach()
        Tensor([1., 2.], dtype=float32)
        """
        return wrap(self._data)

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._grad_fn is not None:
            raise GraphError(
                f"copying or pickling a result of {self._grad_fn!r}: the copy's gradients would go to copies of the "
                "leaves, not to the leaves. Use .detach(), or copy the leaves."
            )
        reduced: Any = super().__reduce_ex__(max(protocol, 2))
        make, arguments, (attributes, slots), *rest = reduced
        # hooks stay with the tensor that they were set on
        return make, arguments, (attributes, {**slots, "_hooks": None}), *rest

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
        if wanted:
            differentiable(self._data.dtype)
        if not wanted and self._grad_fn is not None:
            raise GraphError(
                f"requires_grad=False on a result of {self._grad_fn!r}: its graph is recorded already. "
                "Use .detach() for a tensor outside the graph."
            )
        self._requires_grad = bool(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set `requires_grad` and return the tensor itself.

        >>> Tensor([1.0, 2.0]).requires_grad_()
        Tensor([1., 2.], dtype=float32, requires_grad=True)
        """
        self.requires_grad = requires_grad
        return self

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Fill `grad` of the leaves; asleep until `bytegrad.enable_autograd()`.

        `gradient` and `retain_graph` are those of `bytegrad.engine.backward`, which then takes this one's place.

        Raises:
            GraphError: always, here.
        """
        _asleep("backward")

    def retain_grad(self) -> None:
        """Ask for the `grad` of an intermediate tensor; asleep until `bytegrad.enable_autograd()`.

        Raises:
            GraphError: always, here.
        """
        _asleep("retain_grad")

    def register_hook(self, hook: Callable[[Any], Any]) -> Any:
        """Call `hook` with each gradient of this tensor; asleep until `bytegrad.enable_autograd()`.

        Raises:
            GraphError: always, here.
        """
        _asleep("register_hook")

    def register_post_accumulate_grad_hook(self, hook: Callable[["Tensor"], Any]) -> Any:
        """Call `hook` once this leaf's `grad` is whole; asleep until `bytegrad.enable_autograd()`.

        Raises:
            GraphError: always, here.
        """
        _asleep("register_post_accumulate_grad_hook")

    def zero_grad(self) -> None:
        """Forget the gradient: set `grad` to None.

        >>> x = Tensor(1.0, requires_grad=True)
        >>> x.grad = np.ones(())
        >>> x.zero_grad()
        >>> x.grad is None
        True
        """
        self.grad = None

    # Arithmetic.

    def __add__(self, other: Any) -> Any:
        return _elementwise(np.add, self, other)

    def __sub__(self, other: Any) -> Any:
        return _elementwise(np.subtract, self, other)

    def __mul__(self, other: Any) -> Any:
        return _elementwise(np.multiply, self, other)

    def __truediv__(self, other: Any) -> Any:
        return _elementwise(kernels.divide, self, other)

    def __pow__(self, exponent: Any) -> Any:
        return _elementwise(kernels.power, self, exponent)

    def __neg__(self) -> "Tensor":
        if self._data.dtype == bool:
            raise DtypeError(
                "-x of booleans: True and False have no sign. Use ~x for not, or .astype('int64') first."
            )
        return wrap(-self._data)

    def __matmul__(self, other: Any) -> Any:
        """Matrix product over the last two axes; 1-D operands are rows on the left, columns on the right."""
        if not isinstance(other, (Tensor, np.ndarray)):
            return NotImplemented
        a, b = self._data, array_of(other)
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

    def __invert__(self) -> "Tensor":
        return _logical(np.logical_not, "~x", self)

    def __and__(self, other: Any) -> "Tensor":
        return _logical(np.logical_and, "x & y", self, other)

    def __or__(self, other: Any) -> "Tensor":
        return _logical(np.logical_or, "x | y", self, other)

    # Functions of pairs.

    def maximum(self, other: Any) -> "Tensor":
        """Return the larger of each two elements; where they are equal they share the gradient.

        Raises:
            DtypeError: the other is no Tensor, array or number.
            RangeError: a number is beyond the reach of the dtype.
            ShapeError: the shapes do not broadcast.

        >>> Tensor([1.0, 5.0]).maximum(3).tolist()
        [3.0, 5.0]
        """
        return _paired(np.maximum, self, other, "maximum")

    def minimum(self, other: Any) -> "Tensor":
        """Return the smaller of each two elements; where they are equal they share the gradient.

        Raises:
            DtypeError: the other is no Tensor, array or number.
            RangeError: a number is beyond the reach of the dtype.
            ShapeError: the shapes do not broadcast.

        >>> Tensor([1.0, 5.0]).minimum(3).tolist()
        [1.0, 3.0]
        """
        return _paired(np.minimum, self, other, "minimum")

    def where(self, condition: Any, other: Any) -> "Tensor":
        """Return these elements where `condition` is True, and those of `other` elsewhere.

        Args:
            condition: booleans, a Tensor or an array, that broadcast with both.
            other: a Tensor, an array or a number.

        Raises:
            DtypeError: the condition is not of booleans, or the other no Tensor, array or number.
            RangeError: a number is beyond the reach of the dtype.
            ShapeError: the shapes do not broadcast.

        >>> Tensor([1.0, 5.0]).where(Tensor([True, False]), 0.0).tolist()
        [1.0, 0.0]
        """
        mask = boolean(condition, "where")
        try:
            return _paired(lambda x, y: np.where(mask, x, _of_its_kind(y, x)), self, other, "where")
        except ValueError:
            _raise_unless_broadcast(self.shape, mask.shape)
            raise

    def _meet(self, left: Any) -> "tuple[Tensor, Tensor]":
        """Make a Tensor of the number or array on the left of this one, and fit both to the dtype policy."""
        if isinstance(left, (Tensor, np.ndarray)):
            return left if isinstance(left, Tensor) else wrap(array_of(left)), self
        if not isinstance(left, (Number, np.generic)):
            raise DtypeError(
                f"got {type(left).__name__} beside a Tensor: operations take Tensors, arrays and numbers. "
                "Wrap lists with bytegrad.Tensor(...)."
            )
        plain = number(left)
        kind = self._data.dtype.kind
        if kind == "f":
            return wrap(np.asarray(plain, dtype=self._data.dtype)), self
        if isinstance(plain, float):
            return wrap(np.float32(plain)), wrap(self._data.astype(np.float32))
        if kind in "iu" and plain in range(*_span(self._data.dtype)):
            return wrap(np.asarray(plain, dtype=self._data.dtype)), self
        return wrap(np.asarray(plain)), self


def wrap(array: Any) -> Tensor:
    """Make a Tensor over an array without copying it."""
    tensor = object.__new__(Tensor)
    tensor._data = array if type(array) is np.ndarray else np.asarray(array)
    tensor.grad = None
    tensor._grad_fn = None
    tensor._hooks = None
    tensor._requires_grad = False
    return tensor


Tensor._wrap = staticmethod(wrap)


def randn(
    *shape: Any,
    seed: int | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return float32 draws from the standard normal distribution.

    Args:
        shape: the lengths of the axes.
        seed: draws the same numbers each time; left out, they come from `generator`.
        generator: where to draw from; this thread's own (`bytegrad.random`) if left out.
        requires_grad: whether the tensor shall receive a gradient.

    Raises:
        TypeError: the generator is none of NumPy's.

    >>> bool((randn(2, 3, seed=7).data == randn(2, 3, seed=7).data).all())
    True
    """
    source = witnessed(generator) if seed is None else np.random.default_rng(seed)
    return wrap(source.standard_normal(spread(shape), dtype=np.float32)).requires_grad_(
        requires_grad
    )


def zeros(*shape: Any, requires_grad: bool = False) -> Tensor:
    """Return a float32 tensor of zeros, of this `shape`.

    >>> zeros(2, 3).shape
    (2, 3)
    """
    return wrap(np.zeros(spread(shape), dtype=np.float32)).requires_grad_(requires_grad)


def ones(*shape: Any, requires_grad: bool = False) -> Tensor:
    """Return a float32 tensor of ones, of this `shape`.

    >>> ones(2).tolist()
    [1.0, 1.0]
    """
    return wrap(np.ones(spread(shape), dtype=np.float32)).requires_grad_(requires_grad)


def _span(dtype: np.dtype[Any]) -> tuple[int, int]:
    info = np.iinfo(dtype)
    return int(info.min), int(info.max) + 1


def _elementwise(function: Callable[[Any, Any], Any], a: Tensor, b: Any) -> Any:
    """Apply a function of two arrays, or of an array and a number, with NumPy's broadcasting."""
    x: Array = a._data
    y: Any
    if isinstance(b, (Tensor, np.ndarray)):
        y = array_of(b)
    elif isinstance(b, (Number, np.generic)):
        y = number(b)  # a Python number takes the array's dtype
        if x.dtype.kind != "f" and isinstance(y, float):
            x = x.astype(np.float32)
    else:
        return NotImplemented
    try:
        return wrap(function(x, y))
    except ValueError as error:
        _raise_unless_broadcast(x.shape, np.shape(y))
        raise RangeError(f"{error} Make the integers floating, as in .astype('float32').") from None
    except OverflowError:
        raise RangeError(
            f"{y} beside a Tensor of {x.dtype}: that dtype does not reach so far. Use a wider one, or a float."
        ) from None
    except TypeError:
        if "b" not in (x.dtype.kind, np.asarray(y).dtype.kind):
            raise
        raise DtypeError(
            f"{function.__name__} of booleans: True and False are not subtracted. "
            "Use ~ & | or !=, or .astype('int64') first."
        ) from None


def _logical(function: Callable[..., Any], seen: str, *operands: Any) -> Tensor:
    """Combine masks; no gradient flows through True and False."""
    arrays = [array_of(operand) for operand in operands]
    if any(array.dtype != bool for array in arrays):
        raise DtypeError(
            f"{seen} with {', '.join(str(array.dtype) for array in arrays)}: it combines True and False. "
            "Compare first, as in x > 0."
        )
    return wrap(function(*arrays))


def _of_its_kind(y: Any, x: Array) -> Any:
    """Return a number in the dtype of x, which must reach so far: np.where would wrap it round."""
    return y if isinstance(y, np.ndarray) else x.dtype.type(y)


def _paired(function: Callable[[Any, Any], Any], a: Tensor, b: Any, name: str) -> Tensor:
    """Apply a function of two under its name, not as an operator: there is no other side to ask."""
    result = _elementwise(function, a, b)
    if result is NotImplemented:
        raise DtypeError(
            f"{name}() with {type(b).__name__}: it takes a Tensor, an array or a number. "
            "Wrap lists with bytegrad.Tensor(...)."
        )
    return result  # type: ignore[no-any-return]


def _raise_unless_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(a, b)
    except ValueError:
        raise ShapeError(
            f"shapes {a} and {b} do not broadcast: counted from the right, two lengths must be equal or one of them 1. "
            "Reshape one of the two."
        ) from None


def _asleep(name: str) -> NoReturn:
    raise GraphError(
        f"{name}() while autograd is off: operations record nothing now, and no gradient is computed. "
        "Call bytegrad.enable_autograd() first, then compute again what was computed while it was off."
    )


def _as_array(data: Any, dtype: DTypeLike | None) -> Array:
    """Copy data into an array under the dtype policy."""
    if isinstance(data, Tensor):
        if data.grad_fn is not None:
            raise GraphError(
                f"Tensor() of a result of {data.grad_fn!r}: the copy would lose its history, and the gradient with it. "
                "Use the tensor itself, or .detach() if that is meant."
            )
        data = data._data
    if isinstance(data, (np.ndarray, np.generic)):
        return numeric(np.array(array_of(data), dtype=dtype))
    try:
        array = numeric(np.array(data))
    except ValueError:
        raise ShapeError(
            "got a ragged list: an array needs rows of equal length. Pad the short rows or split the list."
        ) from None
    if dtype is None and array.dtype.kind != "b":
        dtype = np.float32
    return array if dtype is None else numeric(array.astype(dtype))
