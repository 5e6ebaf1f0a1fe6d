"""The exceptions that bytegrad raises, each also the built-in that a caller would expect.

::

    BytegradError
    ├── ShapeError   (also a ValueError)    shapes that do not fit, or a missing or ill-shaped gradient
    ├── DtypeError   (also a TypeError)     data or gradients of a kind that cannot work
    ├── GraphError   (also a RuntimeError)  no graph, a freed graph, or autograd switched off
    └── GradcheckError (also an AssertionError)  a gradient that finite differences do not bear out

Each message has three parts: what was seen, why it cannot work, what to do.
"""


class BytegradError(Exception):
    """The base of every error that the engine raises on purpose."""


class ShapeError(BytegradError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(BytegradError, TypeError):
    """Data, or a request for gradients, of a kind that cannot work."""


class GraphError(BytegradError, RuntimeError):
    """A backward pass for which there is no graph, or none any more."""


class GradcheckError(BytegradError, AssertionError):
    """An analytic gradient that differs from the finite difference."""
