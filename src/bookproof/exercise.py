"""Verdicts for exercises: a check says right or wrong, and why, and never throws at the learner."""

import dis
import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import ParamSpec

P = ParamSpec("P")

RIGHT = "Right: "
WRONG = "Not yet: "
"""How a verdict opens."""

_BLANK = (
    "there is no answer here yet. Replace the ... with yours, run that cell, then run this check "
    "again."
)

_NOTHING_HAPPENS = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check: true if the answer is right; prints the reason."""

    is_right: bool
    message: str

    def __bool__(self) -> bool:
        """Return whether the answer is right."""
        return self.is_right

    def __repr__(self) -> str:
        """Return the reason, opened by the verdict."""
        return (RIGHT if self.is_right else WRONG) + self.message

    def _repr_html_(self) -> str:
        """Return the same for a notebook, where a long reason wraps instead of running out of its box."""
        kind = "right" if self.is_right else "wrong"
        return f'<p class="verdict verdict-{kind}">{escape(repr(self))}</p>'


def right(message: str) -> Verdict:
    """Return the verdict that the answer holds; ``message`` says why it does."""
    return Verdict(True, message)


def wrong(message: str) -> Verdict:
    """Return the verdict that the answer does not hold; ``message`` says why, and where to look."""
    return Verdict(False, message)


def self_check(check: Callable[P, Verdict]) -> Callable[P, Verdict]:
    """Make ``check`` answer with a verdict whatever the learner hands it.

    A blank attempt (None, ..., or a function whose body is blank) gets a kind word without
    running ``check``; an exception becomes ``wrong(...)``, which names it and says whether the
    learner's code raised it.

    >>> @self_check
    ... def check_double(double):
    ...     if double(3) == 6:
    ...         return right("every input doubles.")
    ...     return wrong(f"double(3) gave {double(3)!r}.")
    >>> check_double(lambda x: 2 * x)
    Right: every input doubles.
    >>> check_double(lambda x: x / 0)
    Not yet: your code raised ZeroDivisionError: division by zero
    """

    @functools.wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Verdict:
        if any(_blank(attempt) for attempt in (*args, *kwargs.values())):
            return wrong(_BLANK)
        try:
            verdict = check(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever the learner's code raises is a verdict
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            if _raised_in(error, check):
                return wrong(f"your answer could not be checked, which raised {said}")
            return wrong(f"your code raised {said}")
        if not isinstance(verdict, Verdict):
            raise TypeError(
                f"the check {check.__name__} returned {verdict!r}; a check answers with a "
                "verdict; end each of its branches with return right(...) or return wrong(...)"
            )
        return verdict

    return checked


def _blank(attempt: object) -> bool:
    """Return whether the learner has not written anything yet."""
    if attempt is None or attempt is Ellipsis:
        return True
    if not isinstance(attempt, types.FunctionType):
        return False
    steps = list(dis.get_instructions(attempt))
    if not {step.opname for step in steps} <= _NOTHING_HAPPENS:
        return False
    constants = [step.argval for step in steps if step.opname in {"LOAD_CONST", "RETURN_CONST"}]
    return bool(constants) and constants[-1] in (None, Ellipsis)


def _raised_in(error: Exception, check: Callable[..., Verdict]) -> bool:
    """Return whether ``check`` itself, and not what it called, raised ``error``."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code is getattr(check, "__code__", None)
