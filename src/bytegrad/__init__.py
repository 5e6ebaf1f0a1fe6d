"""bytegrad: reverse-mode automatic differentiation on NumPy, built to be read.

>>> import bytegrad as bg
>>> bg.enable_autograd(quiet=True)
>>> x = bg.Tensor(2.0, requires_grad=True)
>>> y = 3 * x + 1
>>> y.backward()
>>> float(x.grad)
3.0
"""

from bytegrad import budget, memory
from bytegrad.errors import BytegradError, DtypeError, GradcheckError, GraphError, ShapeError
from bytegrad.numeric import gradcheck, numerical_gradient
from bytegrad.patch import autograd_enabled, disable_autograd, enable_autograd
from bytegrad.pictures import draw
from bytegrad.record import Function, no_grad, tracked
from bytegrad.rules import RULES
from bytegrad.tensor import Tensor, ones, randn, zeros
from bytegrad.value import Value

__version__ = "0.1.0"

__all__ = [
    "RULES",
    "BytegradError",
    "DtypeError",
    "Function",
    "GradcheckError",
    "GraphError",
    "ShapeError",
    "Tensor",
    "Value",
    "autograd_enabled",
    "budget",
    "disable_autograd",
    "draw",
    "enable_autograd",
    "gradcheck",
    "memory",
    "no_grad",
    "numerical_gradient",
    "ones",
    "randn",
    "tracked",
    "zeros",
]
