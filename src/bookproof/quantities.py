"""Find numbers in prose that look computed: those that would stay there when they turn false.

The text handed in is prose alone: what is code, mathematics, a role or a link's address has been
replaced by ``OBJECT`` (see ``prose.py``), and a number that was only dressed up as code or
mathematics follows ``LITERAL``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

OBJECT = "\ufffc"
"""Stands in the flat text for something that is not prose."""

LITERAL = "\u2060"
"""Precedes a number written as code or mathematics, which is a figure only if it has a unit."""

GLUE = "\ufff9"
"""Stands for a figure that a glue role shows."""

_GROUPED = r"\d{1,3}(?:[,\u202f\u2009]\d{3})+(?:\.\d+)?"
_NUM = rf"(?:{_GROUPED}|\d+(?:\.\d+)?|\.\d+)(?:[eE][-+\u2212]?\d+)?"
_MAGNITUDE = r"(?:[\s-](?:hundred|thousand|million|billion|trillion)s?)?"
_START = r"(?<![\w.])"
_RANGE = rf"(?:{_NUM}\s?(?:\u2013|-|to|or|and)\s?)?"
_QUANTITY = rf"{_START}{_RANGE}(?P<num>{_NUM}){_MAGNITUDE}"

_ONES = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_ROUND = "hundred|thousand|million|billion|dozen"
_WORD = (
    rf"(?:(?:{_TENS})(?:-(?:one|{_ONES}))?|(?:(?:an?|one|{_ONES})\s)?(?:{_ROUND})"
    rf"|{_ONES}|\w+teen)"
)

_SIZES = r"(?:[kKMGTPE]i?(?:[bB]|[bB]ytes?|bits?))(?:/s)?"
_TIMES = r"(?:ns|[\u00b5\u03bcum]s|secs?|mins?|hrs?)"
_OTHER = r"(?:[kKMGTP]?FLOPs?(?:/s)?|[kKMGTP]?FLOPS|[kMGT]?Hz|kWh|px)"
_LETTERS = r"(?:[kKMGTB](?:/s)?|s|h|W|J|\u00b0C)"
_NAMES = (
    r"(?i:(?:kilo|mega|giga|tera|peta|kibi|mebi|gibi|tebi)?(?:bytes?|bits?)"
    r"|(?:nano|micro|milli)?seconds?|minutes?|hours?|days?|weeks?|months?|years?"
    r"|percent(?:age points?)?|per cent|flops?)"
)
_COUNTED = (
    "parameters|params|weights|operations|ops|multiplications|additions|nodes|elements|entries|calls"
    "|visits|paths|buffers|arrays|allocations|gradients|lines|floats|integers|values|numbers"
)

_MANIES = "hundred|thousand|million|billion|trillion"

_WITH_UNIT = re.compile(
    rf"{_QUANTITY}(?:[\s-]?(?:{_SIZES}|{_TIMES}|{_OTHER}|{_NAMES})(?!\w)|\s?(?:{_LETTERS})(?!\w)"
    r"|\s?[%\u2030])"
)
_POWER = re.compile(
    rf"{_START}\d+(?:[\u00b2\u00b3\u00b9\u2070\u2074-\u2079]+|\^\d+)\s?(?:B|{_SIZES}|{_NAMES})(?!\w)"
)
_BYTES = rf"(?:{_SIZES}|[Bb]ytes?|B)"
_SIZE = re.compile(rf"{_QUANTITY}[\s-]?{_BYTES}(?!\w)")

# In a formula letters side by side are a product (4PB): only a unit set as text, or set apart by
# a space, is one.
_TEX_SPACE = r"(?:\\[,;:! ]|~|\\(?:quad|thinspace)\b)"
_TEX_SIZE = re.compile(
    r"\d(?:[\d.,]|\{,\}|\\,(?=\d))*\}?"
    rf"(?:(?:\s|{_TEX_SPACE})*\\(?:text(?:rm|sf|bf|it)?|math(?:rm|sf|bf|it)|operatorname)\*?\{{"
    rf"(?:\s|{_TEX_SPACE})*{_BYTES}(?![A-Za-z])[^{{}}]*\}}"
    rf"|\s*{_TEX_SPACE}\s*(?:{_SIZES}|bytes?)(?![A-Za-z])"
    r"|\s*[KMGTPE]iB(?![A-Za-z]))"
)

_SCALE = (
    rf"(?:{_SIZES}|{_TIMES}|B|[kKMG](?=[\s.,;:)]|$)|percent|per cent"
    r"|(?:kilo|mega|giga|tera|kibi|mebi|gibi|tebi)bytes?|(?:nano|micro|milli)seconds?)(?!\w)"
)
_BESIDE = re.compile(
    rf"{GLUE}[\s-]?{_SCALE}|{GLUE}\s?[%\u2030]|{GLUE}[\s-](?:{_MANIES})s?\b"
    rf"|{GLUE}(?:[.,]?\d|e[-+\u2212]?\d)|(?<![\w.])(?:\d+[.,])*\d+[.,]?(?={GLUE})"
)

_COUNT = re.compile(rf"{_QUANTITY}(?:\s[a-z][a-z-]*)?\s(?:{_COUNTED})\b")
_MANY = re.compile(rf"{_START}{_NUM}[\s-](?:thousand|million|billion|trillion)\b")
_WORD_UNIT = re.compile(
    rf"\b(?i:(?:zero|{_WORD})[\s-](?:{_SIZES}|{_TIMES}|{_NAMES})|one (?:percent|per cent))(?!\w)"
)

_OBJECTS = OBJECT + GLUE
# An operand after the sign makes a shape of it: 32 x 512, 32 x N, 32 x {role}.
_OPERAND = rf"\s*(?:\d|[{_OBJECTS}{LITERAL}(\[]|[B-HJ-Zb-z](?!\w))"
_TERM = r"[-+*/^=\u2212]"  # before or after "2x" it makes algebra of it
_NOT_PART = "".join(
    rf"(?<!\b{word} )"
    for word in ("first", "second", "other", "latter", "former", "upper", "lower", "each")
)
_DOERS = """
    you we I they to and or then will can could would should must may might not let us also again
    cannot please only now first next always never
"""
_NOT_DONE = "(?<!^)" + "".join(
    rf"(?<!\b{word}{after})" for word in _DOERS.split() for after in (" ", "\n")
)
_PARTS = "third|quarter|fifth|sixth|seventh|eighth|ninth|tenth|hundredth|thousandth"

_RATIO = {
    "2\u00d7": rf"{_QUANTITY}\s?[\u00d7\u2715](?!{_OPERAND})",
    "2x": (
        rf"(?<!{_TERM})(?<!{_TERM}\s){_QUANTITY}\s?x"
        rf"(?!\w|{_OPERAND}|\s?{_TERM}|[)\u00b2\u00b3\u00b7])"
    ),
    "{glue}\u00d7": rf"{GLUE}\s?(?:[\u00d7\u2715]|x\b)(?!{_OPERAND})",
    "\u00d72": (
        rf"(?<![\w)\]{_OBJECTS}])(?<![\d)\]{_OBJECTS}]\s)(?<!\b[A-Za-z]\s)[\u00d7\u2715]\s?{_NUM}"
    ),
    "10 times": rf"{_QUANTITY}[\s-]?(?i:times|fold)\b",
    "ten times": rf"\b(?i:(?:{_WORD})[\s-]times\b|(?:{_WORD})[\s-]?fold\b)",
    "3:1": rf"(?<![\w.:]){_NUM}\s?:\s?{_NUM}(?![:\w])",
    "3-to-1": rf"{_START}\d+-to-\d+\b|\b(?i:(?:{_WORD})-to-(?:one|{_WORD}))\b",
    "ratio of 3 to 1": rf"\b(?i:ratio(?:\sis|\sof)?\s(?:{_NUM}|{_WORD})\sto)\s(?:{_NUM}|\w+)",
    "factor of ten": (
        rf"\b(?i:factor\s(?:of\s)?(?:(?:about|roughly|nearly|over|up to)\s)?)"
        rf"(?![01]\b(?!\.\d)){LITERAL}?(?:{_NUM}|(?i:{_WORD})\b)"
    ),
    "twice as": r"\b(?i:(?:twice|thrice)\s(?:as|the|that|its|what|their|this|more|over))\b",
    "half the": rf"{_NOT_PART}\b(?i:half\s(?:the|of|as|its|that|their|an?|this))\b",
    "double the": rf"{_NOT_DONE}\b(?:double|triple|treble|quadruple)\s(?:the|that|its|their)\b",
    "a third of": rf"\b(?i:(?:an?|one)[\s-](?:{_PARTS})\s(?:of|the|as|less|more))\b",
    "two thirds": rf"\b(?i:(?:{_ONES})[\s-](?:{_PARTS})s)\b",
    "1/3 of": rf"{_START}\d+/\d+\s(?:of|the)\b|[\u00bc-\u00be\u2150-\u215e]",
    "an order of magnitude": rf"\b(?:{_NUM}|(?i:an|one|{_WORD}))\s(?i:orders? of magnitude)\b",
}
_RATIOS = tuple(re.compile(pattern.replace("(?P<num>", "(?:")) for pattern in _RATIO.values())

_BARE = re.compile(
    rf"(?<![\w.,:/#@{LITERAL}-])"
    rf"(?:{_GROUPED}|\d{{5,}}|\d*\.\d{{3,}}|\d+(?:\.\d+)?[eE][-+\u2212]?\d+"
    r"|10(?:\^-?\d+|[\u207b\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+))(?![\w/-]|\.\d)"
)

_DECADE = re.compile(r"(?:1[5-9]|20)\d0s|[01]s")
_WIDTH = re.compile(r"\d+-bit")


@dataclass(frozen=True, slots=True)
class Typed:
    """A number found in prose: its place in the flat text, its words, and the rule it breaks."""

    start: int
    end: int
    seen: str
    rule: str


def sizes(text: str, *, formula: bool = False) -> list[Typed]:
    """Return the sizes in bytes in ``text``, which is no prose: a printed string or a formula."""
    pattern = _TEX_SIZE if formula else _SIZE
    hits = pattern.finditer(text)
    return [Typed(hit.start(), hit.end(), hit[0].strip(), "typed-number") for hit in hits]


def typed(text: str) -> list[Typed]:
    """Return the numbers in ``text`` that only a computation may state, in order, none twice.

    Dates, versions, numbers of sections, shapes, dtypes and small counts are left alone.
    """
    found = sorted(_matches(text), key=lambda hit: (hit[0].start(), -hit[0].end()))
    result: list[Typed] = []
    end = -1
    for match, rule in found:
        if match.start() < end:
            continue
        end = match.end()
        seen = re.sub(GLUE, "{glue:text}`\u2026`", match[0].replace(LITERAL, "")).strip()
        if text[match.end() : match.end() + 1] == GLUE:
            seen += "{glue:text}`\u2026`"
        skipped = len(match[0]) - len(match[0].lstrip())
        result.append(Typed(match.start() + skipped, end, seen, rule))
    return result


def _matches(text: str) -> Iterator[tuple[re.Match[str], str]]:
    for match in _WITH_UNIT.finditer(text):
        if not (_DECADE.fullmatch(match[0]) or _WIDTH.fullmatch(match[0])):
            yield match, "typed-number"
    for match in _COUNT.finditer(text):
        if len(match["num"]) > 1 or re.search("hundred|thousand|illion", match[0]):
            yield match, "typed-number"
    for pattern in (_MANY, _WORD_UNIT, _POWER, _BESIDE):
        for match in pattern.finditer(text):
            yield match, "typed-number"
    for pattern in _RATIOS:
        for match in pattern.finditer(text):
            if not _is_clock_or_verse(match, text):
                yield match, "typed-ratio"
    for match in _BARE.finditer(text):
        yield match, "bare-figure"


_PAIR = re.compile(r"(\d+)\s?:\s?(\d+)")


def _is_clock_or_verse(match: re.Match[str], text: str) -> bool:
    """Return whether ``match`` reads 10:30 or Luke 3:16, and no word near it calls it a ratio."""
    pair = _PAIR.fullmatch(match[0])
    if pair is None or re.search(
        r"(?i)\bratio", text[max(0, match.start() - 40) : match.end() + 40]
    ):
        return False
    left, right = int(pair[1]), int(pair[2])
    return not (max(left, right) < 10 or right == 1 or (left == 1 and right >= 100))
