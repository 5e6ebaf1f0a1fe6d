"""Words that compare, in a sentence that shows a figure: what the run may prove false."""

import re
from collections.abc import Iterator

from bookproof.page import Page
from bookproof.quantities import GLUE
from bookproof.rules import told

_ADJECTIVES = """
    larger smaller bigger greater longer shorter wider narrower deeper higher lower faster slower
    cheaper dearer heavier lighter closer nearer better worse
"""
_COMPARED = """
    more less fewer most least fewest largest smallest biggest longest shortest highest lowest
    fastest slowest fit fits exceed exceeds suffice suffices outgrow outgrows
    twice thrice half halve halves halved double doubles doubled triple triples tripled quadruples
    only equal equals identical agree agrees
"""
_AMOUNTS = "as number size amount count bytes share length price"
_CHANGED = "grow grows grew shrink shrinks shrank rise rises rose fall falls fell"


def _any(words: str) -> str:
    return rf"\b(?:{'|'.join(words.split())})\b"


# What looks alike and compares nothing: "the larger unit" says which one is meant, and so does
# "the same call"; "needs none of them" and "does the same" explain; "no longer" and "more than once"
# speak of time; "how fast it grows" asks; and in "{glue} times as fast as" or "they differ by {glue}"
# it is the figure that compares.
_WORD = re.compile(
    rf"(?<!\bthe )(?<!\bno )(?<!\bany ){_any(_ADJECTIVES)}|{_any(_ADJECTIVES)}(?= than\b)"
    rf"|(?<!\bonce )(?<!\bany ){_any(_COMPARED)}(?! than once)"
    rf"|{_any(_CHANGED)}"
    r"|(?<!\btimes )\bas (?:many|much|few|large|small|long|fast|often|high|low|wide|deep) as\b"
    r"|(?:(?<!\w )|(?<=\band )|(?<=\bbut )|(?<=\bthat ))\bnone\b"
    rf"|(?<!\bdoes the )(?<!\bdo the )\bsame(?= {_any(_AMOUNTS)}|[.,;:)]|$)"
    r"|\bdiffers?\b(?! by\b)"
    rf"|\bup to(?= {GLUE})|\b(?:a little|just|well|far|slightly) (?:under|over|above|below)\b"
    r"|\b(?:keeps?|saves?|costs?|adds?|takes?) nothing\b",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\bhow \w+(?: \S+){0,3} $")

_ABBREVIATED = (
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)(?<!\bcf)(?<!\bno)(?<!\bFig)(?<!\betc)(?<!\bal)(?<!\b[A-Za-z])"
)
_END = re.compile(rf"(?:{_ABBREVIATED}\.|[!?;])[)\u201d\"'*]*(?=\s|$)")


def unmarked(page: Page) -> Iterator[tuple[int, str, str]]:
    """Yield comparing words beside a figure that no claim bears out."""
    for passage in page.passages:
        if passage.kind != "prose" or not passage.takes_roles:
            continue
        claimed = [mark for mark in passage.marks if mark.kind == "claim"]
        for start, word in comparing(passage.text):
            if not any(mark.start <= start < mark.end for mark in claimed):
                seen = f"\u201c{word}\u201d stands in one sentence with a figure"
                yield passage.line(start), "unmarked-claim", told("unmarked-claim", seen)


def comparing(text: str) -> Iterator[tuple[int, str]]:
    """Yield place and words of each comparison in a sentence of ``text`` that shows a figure."""
    for start, end in _sentences(text):
        sentence = text[start:end]
        if GLUE in sentence and not sentence.rstrip().endswith("?"):
            for hit in _WORD.finditer(sentence):
                if not _ASKED.search(sentence[: hit.start()]):
                    yield start + hit.start(), hit[0]


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a passage begin and end; a semicolon ends one as well."""
    start = 0
    for end in _END.finditer(text):
        yield start, end.end()
        start = end.end()
    yield start, len(text)
