"""Terms: each is in the glossary, and linked where a chapter first uses it."""

import re
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from functools import cache

from bookproof.page import Mark, Page
from bookproof.rules import told

_Found = tuple[int, str, str]


def terms(page: Page, glossary: Collection[str]) -> Iterator[_Found]:
    """Yield terms that the glossary lacks, and those used before they are linked.

    A name (SGD, no_grad) or a term of several words is looked for wherever the text runs; an
    everyday word (batch, path) only in a chapter that links it, which is where it is a term.
    """
    known = {term.casefold(): term for term in glossary}
    linked: dict[str, tuple[int, int]] = {}
    for at, passage in enumerate(page.passages):
        for mark in passage.marks:
            if mark.kind != "term":
                continue
            if mark.name.casefold() not in known:
                near = get_close_matches(mark.name, list(glossary), n=1)
                seen = f"the glossary has no term {mark.name!r}"
                seen += f" (it does have {near[0]!r})" if near else ""
                yield passage.line(mark.start), "undefined-term", told("undefined-term", seen)
            elif passage.running:
                linked.setdefault(known[mark.name.casefold()], (at, mark.start))
    if glossary and not page.glossary:
        yield from _early(page, tuple(glossary), linked)


def _early(
    page: Page, glossary: tuple[str, ...], linked: dict[str, tuple[int, int]]
) -> Iterator[_Found]:
    wanted = [term for term in glossary if term in linked or _is_name(term)]
    pattern = _pattern(glossary)
    for at, passage in enumerate(page.passages):
        if not passage.running or passage.kind != "prose":
            continue
        inside = [mark for mark in passage.marks if mark.kind == "term"]
        for hit in pattern.finditer(passage.text):
            term = glossary[int((hit.lastgroup or "t0")[1:])]
            place = (at, hit.start())
            if term not in wanted or place >= linked.get(term, (at + 1, 0)):
                continue
            if term != term.lower() and not hit[0].startswith(term[:-1]):
                continue  # a name is spelled in one way
            if _capital(term) and _opens(passage.text, hit.start()):
                continue
            if not any(_within(hit.start(), mark) for mark in inside):
                wanted.remove(term)
                seen = f"\u201c{hit[0]}\u201d is a term of the glossary"
                seen += ", and is linked only later" if term in linked else ", and is not linked"
                yield passage.line(hit.start()), "unlinked-term", told("unlinked-term", seen)


def _within(start: int, mark: Mark) -> bool:
    return mark.start <= start < mark.end


def _is_name(term: str) -> bool:
    """Return whether ``term`` can mean nothing else: several words, or a spelling of its own."""
    return bool(re.search(r"[\s_-]|[A-Z]", term))


def _capital(term: str) -> bool:
    return bool(re.fullmatch(r"[A-Z][a-z]+", term))


def _opens(text: str, start: int) -> bool:
    """Return whether a sentence begins at ``start``, where any word has a capital."""
    return bool(re.search(r"(?:^|[.!?:])[\s*_(]*$", text[:start]))


@cache
def _pattern(glossary: tuple[str, ...]) -> re.Pattern[str]:
    """Return what finds any term, inflected or not; of two that overlap, the longer one."""
    order = sorted(range(len(glossary)), key=lambda at: -len(glossary[at]))
    forms = (f"(?P<t{at}>{_inflected(glossary[at])})" for at in order)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(forms)})(?![\w-])", re.IGNORECASE)


def _inflected(term: str) -> str:
    """Return a pattern for ``term`` in the plural, and as a verb in its other forms."""
    *before, last = re.split(r"\s+", term)
    if last.endswith("f"):
        ending = f"{re.escape(last[:-1])}(?:f|ves)"
    elif last.endswith("y"):
        ending = f"{re.escape(last[:-1])}(?:y|ies)"
    elif last.endswith("e"):
        ending = f"{re.escape(last[:-1])}(?:e|es|ed|ing)"
    else:
        ending = f"{re.escape(last)}(?:s|es|ed|ing)?"
    return r"\s+".join([*map(re.escape, before), ending])
