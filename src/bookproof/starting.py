"""Starting kernels on a machine where other programs start, too."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_ATTEMPTS = 3


def patiently(start: Callable[[], T]) -> T:
    """Return what ``start`` returns, called again if a kernel died before it said anything.

    A kernel is handed five free ports and takes them a moment later. Where many programs start at
    once, one of the ports may be gone by then: that kernel dies, and the next one lives.

    Raises:
        RuntimeError: three kernels in a row died, or something else went wrong.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return start()
        except RuntimeError as error:
            if "Kernel died before replying" not in str(error):
                raise
    return start()
