"""bytegrad: reverse-mode automatic differentiation on NumPy, built to be read.

>>> import bytegrad as bg
>>> bg.enable_autograd(quiet=True)
>>> x = bg.Tensor(2.0, requires_grad=True)
>>> y = 3 * x + 1
>>> y.backward()
>>> float(x.grad)
3.0
"""

from bytegrad import budget, data, functional, memory, nn, optim, planner, random
from bytegrad.anomaly import detect_anomaly
from bytegrad.engine import grad
from bytegrad.errors import (
    AnomalyError,
    BytegradError,
    DtypeError,
    GradcheckError,
    GraphError,
    IndexingError,
    RangeError,
    RankError,
    ShapeError,
)
from bytegrad.joining import concatenate, maximum, minimum, split, stack, where
from bytegrad.modes import enable_grad, grad_enabled, inference_mode, no_grad
from bytegrad.numeric import gradcheck, gradgradcheck, numerical_gradient
from bytegrad.patch import autograd_enabled, disable_autograd, enable_autograd
from bytegrad.pictures import draw
from bytegrad.random import manual_seed
from bytegrad.recompute import checkpoint, checkpoint_sequential
from bytegrad.record import Function, tracked
from bytegrad.rules import RULES
from bytegrad.sparse import RowSparse
from bytegrad.tensor import Tensor, ones, randn, zeros
from bytegrad.value import Value

__version__ = "0.1.0"

__all__ = [
    "RULES",
    "AnomalyError",
    "BytegradError",
    "DtypeError",
    "Function",
    "GradcheckError",
    "GraphError",
    "IndexingError",
    "RangeError",
    "RankError",
    "RowSparse",
    "ShapeError",
    "Tensor",
    "Value",
    "autograd_enabled",
    "budget",
    "checkpoint",
    "checkpoint_sequential",
    "concatenate",
    "data",
    "detect_anomaly",
    "disable_autograd",
    "draw",
    "enable_autograd",
    "enable_grad",
    "functional",
    "grad",
    "grad_enabled",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "manual_seed",
    "maximum",
    "memory",
    "minimum",
    "nn",
    "no_grad",
    "numerical_gradient",
    "ones",
    "optim",
    "planner",
    "randn",
    "random",
    "split",
    "stack",
    "tracked",
    "where",
    "zeros",
]
