"""The engine's objects beside PyTorch's, name by name: equal, or an error that shows both."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bookproof.recorded import Recorded, RecordError, Theirs, here

RTOL = {"bfloat16": 1e-2, "float16": 1e-3, "float32": 1e-6, "float64": 1e-12}
"""How far numbers of a dtype may lie apart, as a share of the largest one beside them.

That leaves room for the rounding of some ten operations and for nothing else; the coarser of two
dtypes decides. Whole numbers and truth values are equal or they are not.
"""


class Disagreement(AssertionError):
    """The engine and PyTorch do not say the same."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was compared, and found equal."""

    name: str
    version: str
    parts: tuple[str, ...]

    def __repr__(self) -> str:
        """Return which parts of which snippet are equal."""
        return f"PyTorch {self.version}, {self.name}.py, says the same: {', '.join(self.parts)}"


def agrees(
    name: str,
    /,
    *,
    rtol: float | None = None,
    raises: BaseException | None = None,
    **tensors: object,
) -> Agreement:
    """Assert that the engine's objects are what the snippet ``name`` left in PyTorch.

    Args:
        name: the snippet, ``book/torch/<name>.py``.
        rtol: how far numbers may lie apart, as a share of the largest one; None: see ``RTOL``.
        raises: the engine's error, where the snippet ends with one: it has to be of that kind too.
        tensors: the engine's objects under the snippet's names. Anything with ``data`` and ``grad``
            is compared by value and gradient, all else by value; shape and dtype where both have one.

    Raises:
        Disagreement: they differ; the message shows name, part, ours, theirs and the difference.
        RecordError: the snippet, one of the names, or something to compare is missing; or the record
            cannot be believed.
    """
    recorded = here(name)
    if not tensors and raises is None:
        raise RecordError(
            f"agrees({name!r}): nothing is handed over; a comparison of nothing bears nothing out; "
            f"name the engine's objects as the snippet does: {', '.join(recorded.values)}"
        )
    parts = list(_errors(recorded, raises))
    for key, ours in tensors.items():
        parts += _compared(recorded, key, ours, rtol)
    # Only now: of an edited record it says more which number differs than that some part does.
    recorded.sealed()
    return Agreement(name, recorded.version, tuple(parts))


def _errors(recorded: Recorded, raised: BaseException | None) -> Iterator[str]:
    """Compare the kind of the error; the words are each engine's own."""
    theirs = recorded.raises[0] if recorded.raises else "no error"
    kinds = [kind.__name__ for kind in type(raised).__mro__] if raised else ["no error"]
    if theirs not in kinds:
        raise Disagreement(
            f"agrees({recorded.name!r}): the engine raised {kinds[0]}, and PyTorch {recorded.version} "
            f"{theirs}; a reader who knows the one would expect it of the other; hand the engine's own "
            f"error over, raises=error, or mend what it raises"
        )
    if raised:
        yield theirs


def _compared(recorded: Recorded, key: str, ours: Any, rtol: float | None) -> Iterator[str]:
    """Compare one object in all its parts, and yield what was equal."""
    theirs = _theirs(recorded, key)
    has_grad = hasattr(ours, "grad")
    data, grad = (ours.data, ours.grad) if has_grad else (ours, None)
    check = _Check(recorded, key, rtol)
    check.arrays("value", data, theirs.data, theirs)
    yield key
    is_asked = hasattr(ours, "requires_grad")  # a Value gathers slopes without being asked to
    if is_asked:
        check.equal("requires_grad", ours.requires_grad, theirs.requires_grad)
        check.equal("is_leaf", ours.is_leaf, theirs.is_leaf)
    too_many = is_asked and grad is not None and not theirs.has_grad
    if too_many or (has_grad and grad is None and theirs.has_grad):
        raise check.differ("grad", _listed(grad), theirs.grad)
    if theirs.has_grad:
        if not has_grad:
            raise RecordError(
                f"{check.told}: PyTorch's has a gradient, and the {type(ours).__name__} handed over can "
                "hold none; half of the comparison would be left out in silence; hand over the "
                "engine's own object"
            )
        check.arrays("grad", grad, theirs.grad, theirs)
        yield f"{key}.grad"


def _theirs(recorded: Recorded, key: str) -> Theirs:
    theirs = recorded.values.get(key)
    if theirs is None:
        raise RecordError(
            f"agrees({recorded.name!r}, {key}=…): the snippet leaves no tensor or number of that name; "
            f"there is nothing to compare with; it leaves {', '.join(recorded.values) or 'nothing'}"
        )
    if theirs.data is None:
        raise RecordError(
            f"agrees({recorded.name!r}, {key}=…): of a tensor with shape {theirs.shape} only shape and "
            "dtype are on record; equal shapes bear no numbers out; compare a sum of it, or make the "
            "snippet's tensor smaller"
        )
    return theirs


@dataclass(frozen=True, slots=True)
class _Check:
    """The comparisons of one object, and the words for what they find."""

    recorded: Recorded
    key: str
    rtol: float | None

    @property
    def told(self) -> str:
        return f"agrees({self.recorded.name!r}, {self.key}=…)"

    def equal(self, part: str, ours: object, theirs: object) -> None:
        """Compare two of anything but numbers."""
        if ours != theirs:
            raise self.differ(part, ours, theirs)

    def arrays(self, part: str, ours: Any, theirs: Any, like: Theirs) -> None:
        """Compare shape, dtype and numbers of two arrays."""
        prefix = "" if part == "value" else f"{part}."
        listed = _listed(ours)
        dtype = str(getattr(ours, "dtype", ""))
        self.equal(f"{prefix}shape", tuple(getattr(ours, "shape", _shape(listed))), like.shape)
        if dtype and like.dtype:
            self.equal(f"{prefix}dtype", dtype, like.dtype)
        a, b = list(_flat(listed)), list(_flat(theirs))
        if len(a) != len(b):  # a record that somebody edited
            raise self.differ(part, listed, theirs)
        apart = max(map(_apart, a, b), default=0.0)
        largest = max((abs(number) for number in b if math.isfinite(number)), default=0.0)
        share = self._share(dtype, like)
        if apart > share * largest:
            raise self.differ(
                part,
                listed,
                theirs,
                f", apart by up to {apart:.3g} where {share * largest:.3g} is rounding",
            )

    def _share(self, dtype: str, like: Theirs) -> float:
        """Return how far numbers of these two dtypes may lie apart."""
        if self.rtol is not None:
            return self.rtol
        theirs = like.dtype or {"float": "float64"}.get(like.kind, like.kind)
        return max(RTOL.get(theirs, 0.0), RTOL.get(dtype, 0.0))

    def differ(self, part: str, ours: object, theirs: object, how_far: str = "") -> Disagreement:
        """Return the error that shows both."""
        return Disagreement(
            f"{self.told}: {part} is {_short(ours)} here and {_short(theirs)} in PyTorch "
            f"{self.recorded.version}{how_far}; both were to compute the same; mend the engine or the "
            "cell, or, if the record is out of date, renew it: make oracle"
        )


def _listed(array: Any) -> Any:
    return array.tolist() if hasattr(array, "tolist") else array


def _shape(listed: Any) -> tuple[int, ...]:
    if not isinstance(listed, (list, tuple)):
        return ()
    return (len(listed), *(_shape(listed[0]) if listed else ()))


def _flat(listed: Any) -> Iterator[float]:
    if isinstance(listed, (list, tuple)):
        for part in listed:
            yield from _flat(part)
    else:
        yield listed


def _apart(a: float, b: float) -> float:
    """Return the distance of two numbers; an infinity is apart from all but itself, nan from all but nan."""
    if a == b or (a != a and b != b):
        return 0.0
    apart = abs(a - b)
    return apart if math.isfinite(apart) else math.inf


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:119]}…"
