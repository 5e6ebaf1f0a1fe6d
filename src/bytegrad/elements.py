"""The operations of `Tensor` that apply a function to each element."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from bytegrad import kernels
from bytegrad.arrays import numeric
from bytegrad.errors import GraphError
from bytegrad.kernels import floating
from bytegrad.modes import state

if TYPE_CHECKING:
    from bytegrad.tensor import Tensor


class Elements:
    """Methods of `Tensor`: y = f(x) for each element; integers and booleans are taken as float32 where f needs it.

    `abs` and `relu` keep any dtype.
    """

    __slots__ = ()

    def exp(self: "Tensor") -> "Tensor":
        """Return e to the power of each element.

        >>> Tensor([0.0]).exp().tolist()
        [1.0]
        """
        return self._wrap(np.exp(floating(self._data)))

    def log(self: "Tensor") -> "Tensor":
        """Return the natural logarithm of each element: -inf at 0, NaN below.

        >>> Tensor([1.0]).log().tolist()
        [0.0]
        """
        return self._wrap(np.log(floating(self._data)))

    def sqrt(self: "Tensor") -> "Tensor":
        """Return the square root of each element: NaN below 0. Its slope at 0 is infinite.

        >>> Tensor([4.0, 9.0]).sqrt().tolist()
        [2.0, 3.0]
        """
        return self._wrap(np.sqrt(floating(self._data)))

    def abs(self: "Tensor") -> "Tensor":
        """Return each element without its sign; the slope at 0 is taken to be 0.

        >>> Tensor([-2.0, 3.0]).abs().tolist()
        [2.0, 3.0]
        """
        return self._wrap(np.abs(self._data))

    def sin(self: "Tensor") -> "Tensor":
        """Return the sine of each element, an angle in radians.

        >>> Tensor([0.0]).sin().tolist()
        [0.0]
        """
        return self._wrap(np.sin(floating(self._data)))

    def cos(self: "Tensor") -> "Tensor":
        """Return the cosine of each element, an angle in radians.

        >>> Tensor([0.0]).cos().tolist()
        [1.0]
        """
        return self._wrap(np.cos(floating(self._data)))

    def erf(self: "Tensor") -> "Tensor":
        """Return the error function 2/√π ∫₀ˣ exp(-t²) dt of each element.

        >>> Tensor([0.0, 9.0]).erf().tolist()
        [0.0, 1.0]
        """
        return self._wrap(kernels.erf(self._data))

    def tanh(self: "Tensor") -> "Tensor":
        """Return the hyperbolic tangent of each element.

        >>> Tensor([0.0, 99.0]).tanh().tolist()
        [0.0, 1.0]
        """
        return self._wrap(np.tanh(floating(self._data)))

    def sigmoid(self: "Tensor") -> "Tensor":
        """Return 1/(1 + exp(-x)) of each element, without overflow at either end.

        >>> Tensor([0.0, -1000.0]).sigmoid().tolist()
        [0.5, 0.0]
        """
        return self._wrap(kernels.sigmoid(self._data))

    def relu(self: "Tensor") -> "Tensor":
        """Return each element, or 0 where it is below 0; the slope at 0 is taken to be 0.

        >>> Tensor([-1.0, 2.0]).relu().tolist()
        [0.0, 2.0]
        """
        return self._wrap(np.maximum(self._data, 0))

    def leaky_relu(self: "Tensor", negative_slope: float = 0.01) -> "Tensor":
        """Return each element, times `negative_slope` where it is below 0.

        >>> Tensor([-1.0, 2.0]).leaky_relu(0.5).tolist()
        [-0.5, 2.0]
        """
        x = floating(self._data)
        return self._wrap(np.where(x > 0, x, x * negative_slope))

    def gelu(self: "Tensor", approximate: str = "none") -> "Tensor":
        """Return x Φ(x) with the normal distribution function Φ, or its form with tanh [hendrycks2016].

        Args:
            approximate: "none" for the exact function, "tanh" for the cheaper one.

        Raises:
            ValueError: another form is asked for.

        >>> Tensor([-9.0, 0.0, 9.0]).gelu().tolist()
        [-0.0, 0.0, 9.0]
        """
        if approximate not in ("none", "tanh"):
            raise ValueError(
                f"gelu(approximate={approximate!r}): there are two forms. Use 'none' or 'tanh'."
            )
        return self._wrap(kernels.gelu(self._data, approximate))

    def softplus(self: "Tensor") -> "Tensor":
        """Return log(1 + exp(x)) of each element, without overflow.

        >>> Tensor([1000.0]).softplus().tolist()
        [1000.0]
        """
        return self._wrap(kernels.softplus(floating(self._data)))

    def astype(self: "Tensor", dtype: DTypeLike) -> "Tensor":
        """Return the elements in another dtype; the gradient comes back in this one's.

        Raises:
            DtypeError: the dtype is not one of real numbers or booleans.
            GraphError: a tensor that requires grad is cast to integers or booleans, which have no gradient.

        >>> Tensor([1.5, -1.5]).astype("int64").tolist()
        [1, -1]
        """
        wanted = np.dtype(dtype)
        if self._requires_grad and state.recording is not False and wanted.kind != "f":
            raise GraphError(
                f"astype({wanted}) of a Tensor that requires grad: {wanted} has no derivative, and the gradient would "
                "end here unseen. Use .detach().astype(...) if that is meant."
            )
        return self._wrap(numeric(self._data.astype(wanted)))
