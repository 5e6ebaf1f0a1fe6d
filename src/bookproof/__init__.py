"""The proof of a course book: its figures are computed, its listings run, its prose is linted.

In a chapter::

    from bookproof import figure, right, self_check, wrong

    figure("linear_x", x.nbytes, "KiB", formula="batch · features · 4 B")

makes ``{glue:text}`linear_x` `` show "64 KiB" in the text; ``claim("name", a < b)`` bears out what the
text marks ``{claim}`a stays below b <name>` ``; ``agrees("name", x=x)`` holds the engine to what the
snippet ``book/torch/name.py`` left in PyTorch; ``attempt("x[9]", lambda: x[9])`` shows a mistake's
real words. The module is quick to import and has no
side effects; everything that belongs to the build lives in submodules that are imported by name.
"""

from bookproof.agreement import Agreement, Disagreement, agrees
from bookproof.attempts import attempt
from bookproof.claims import ClaimError, claim
from bookproof.exercise import Verdict, right, self_check, wrong
from bookproof.figures import Figure, FigureError, figure
from bookproof.recorded import Recorded, RecordError, Theirs, torch_says
from bookproof.units import UnitError

__all__ = [
    "Agreement",
    "ClaimError",
    "Disagreement",
    "Figure",
    "FigureError",
    "RecordError",
    "Recorded",
    "Theirs",
    "UnitError",
    "Verdict",
    "agrees",
    "attempt",
    "claim",
    "figure",
    "right",
    "self_check",
    "torch_says",
    "wrong",
]
