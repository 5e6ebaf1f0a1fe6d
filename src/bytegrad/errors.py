"""The exceptions that bytegrad raises, each also the built-in that a caller would expect.

::

    BytegradError
    ├── ShapeError   (also a ValueError)    shapes that do not fit, or a missing or ill-shaped gradient
    ├── DtypeError   (also a TypeError)     data or gradients of a kind that cannot work
    ├── RangeError   (also a ValueError)    a number outside what the operation is defined for
    ├── IndexingError (also an IndexError)  an index that points at nothing
    ├── GraphError   (also a RuntimeError)  no graph, a freed graph, or autograd switched off
    │   └── AnomalyError                    a NaN or an infinity, under `detect_anomaly`
    ├── GradcheckError (also an AssertionError)  a gradient that finite differences do not bear out
    └── RankError    (also a RuntimeError)  ranks of MPI that could not be started, failed, or never ended

Each message has three parts: what was seen, why it cannot work, what to do.
"""


class BytegradError(Exception):
    """The base of every error that the engine raises on purpose.

    >>> issubclass(ShapeError, BytegradError)
    True
    """


class ShapeError(BytegradError, ValueError):
    """Shapes that do not fit together.

    >>> issubclass(ShapeError, ValueError)
    True
    """


class DtypeError(BytegradError, TypeError):
    """Data, or a request for gradients, of a kind that cannot work.

    >>> issubclass(DtypeError, TypeError)
    True
    """


class RangeError(BytegradError, ValueError):
    """A number outside what the operation is defined for.

    >>> issubclass(RangeError, ValueError)
    True
    """


class IndexingError(BytegradError, IndexError):
    """An index that points at nothing.

    >>> issubclass(IndexingError, IndexError)
    True
    """


class GraphError(BytegradError, RuntimeError):
    """A backward pass for which there is no graph, or none any more.

    >>> issubclass(GraphError, RuntimeError)
    True
    """


class AnomalyError(GraphError):
    """A NaN or an infinity, found where it was made.

    >>> issubclass(AnomalyError, GraphError)
    True
    """


class GradcheckError(BytegradError, AssertionError):
    """An analytic gradient that differs from the finite difference.

    >>> issubclass(GradcheckError, AssertionError)
    True
    """


class RankError(BytegradError, RuntimeError):
    """Ranks of MPI that could not be started, failed, or never ended.

    >>> issubclass(RankError, RuntimeError)
    True
    """
