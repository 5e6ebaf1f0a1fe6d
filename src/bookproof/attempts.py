"""Pitfalls, reproduced: what a mistake says, in full."""

import textwrap
from collections.abc import Callable

_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_WIDTH = 80


def attempt(what: str, run: Callable[[], object]) -> None:
    """Run something that should fail and print how it does: the error's kind, and all that it says.

    Args:
        what: the mistake as the reader would write it.
        run: makes it. If nothing is raised, what it returns is printed.

    >>> attempt("int('three')", lambda: int("three"))
    int('three')
        ValueError: invalid literal for int() with base 10: 'three'
    >>> attempt("int('3')", lambda: int("3"))
    int('3'): 3
    """
    try:
        print(f"{what}: {run()!r}")
    except _MISTAKES as error:
        message = textwrap.wrap(f"{type(error).__name__}: {error}", _WIDTH)
        print(what, textwrap.indent("\n".join(message), "    "), sep="\n")
