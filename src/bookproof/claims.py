"""Claims in words: a sentence that hangs on a run names the assertion that bears it out.

``claim("flat_keeps_more", flat > deep)`` in a cell asserts; ``{claim}`the flat one keeps more
<flat_keeps_more>` `` in the text names it. The lock keeps the words beside the asserted expression, so
neither can change alone.
"""

import ast
from collections.abc import Iterator

from bookproof.figures import checked_name, emit


class ClaimError(AssertionError):
    """A claim that does not hold, or that says neither that it does nor that it does not."""


def claim(name: str, holds: object) -> None:
    """Assert that the words hold which the text marks by the role ``claim`` with this name.

    Args:
        name: the key: lower-case letters, digits and underscores, unique in its chapter.
        holds: the outcome of a comparison, a NumPy boolean included.

    Raises:
        ClaimError: the claim does not hold, or ``holds`` is neither true nor false.
        FigureError: malformed name, or a name claimed twice in one cell.

    >>> claim("double_is_more", 2 * 3 > 3)
    """
    checked_name("claim", name)
    truth = holds.item() if getattr(holds, "ndim", None) == 0 else holds  # type: ignore[attr-defined]
    if not isinstance(truth, bool):
        raise ClaimError(
            f"claim({name!r}, …): got {holds!r}; a claim holds or it does not; write a comparison "
            "that is True or False, such as a == b or (x > 0).all()"
        )
    if not truth:
        raise ClaimError(
            f"claim {name!r} does not hold; what the text marks with it is false by this run; mend "
            "the sentence, or what was computed"
        )
    emit("claim", name, "holds", {"claim": name})


def assertions(source: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, asserted expression and line (from 0) of each claim in a cell's ``source``."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with IPython's own syntax makes no claims
        return
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "claim"
            and len(call.args) == 2
            and isinstance(call.args[0], ast.Constant)
        ):
            yield str(call.args[0].value), ast.unparse(call.args[1]), call.lineno - 1
