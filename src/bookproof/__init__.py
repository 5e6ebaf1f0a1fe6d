"""The proof of a course book: its figures are computed, its listings run, its prose is linted.

In a chapter::

    from bookproof import figure, right, self_check, wrong

    figure("linear_x", x.nbytes, "KiB", formula="batch · features · 4 B")

makes ``{glue:text}`linear_x` `` show "64 KiB" in the text; ``claim("name", a < b)`` bears out what the
text marks ``{claim}`a stays below b <name>` ``. The module is quick to import and has no
side effects; everything that belongs to the build lives in submodules that are imported by name.
"""

from bookproof.claims import ClaimError, claim
from bookproof.exercise import Verdict, right, self_check, wrong
from bookproof.figures import Figure, FigureError, figure
from bookproof.units import UnitError

__all__ = [
    "ClaimError",
    "Figure",
    "FigureError",
    "UnitError",
    "Verdict",
    "claim",
    "figure",
    "right",
    "self_check",
    "wrong",
]
