"""Names in backticks: each must be known to the code, so that a renamed one turns the lint red.

Inline code is read as a Python expression where it is one, and each of its names and attributes is
looked up (``vocabulary.py`` and ``spoken.py`` say where). Else it is a file, a command, a key of a TOML file, a
role or directive, a unit, or words that the chapter's code holds.
"""

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from bookproof.page import Page
from bookproof.rules import told
from bookproof.spoken import Spoken
from bookproof.units import SCALES
from bookproof.vocabulary import TAGS, Vocabulary

_MYST = re.compile(r"\{[a-z][\w:.+-]*\}(?:`[^`]*`|\s.*)?|:[a-z][\w-]*:(?:\s.*)?", re.DOTALL)
_TABLE = re.compile(r"\[([\w.]+)\](?:\s+(\w+))?")
_COMMAND = re.compile(
    r"(?:\$ )?(?:\.venv/bin/)?(make|git|pip|pytest|python|jupyter|jupyter-book)\b(.*)"
)
_SUFFIXES = "md py toml txt json lock yml yaml ipynb bib css js html svg png npz mplstyle"
_ENDING = rf"\.(?:{'|'.join(_SUFFIXES.split())})"
_FILE = re.compile(rf"[\w.-]*(?:/[\w.-]+)+{_ENDING}")
_PERHAPS_FILE = re.compile(rf"[\w.-]+{_ENDING}|\.?[\w-]+(?:/[\w.-]+)*/?")
_HYPHENED = re.compile(r"[a-z]+(?:-[a-z]+)+")
_ARGUMENT = re.compile(r"\w+=(?!=)")
_SIGNS = re.compile(r"[^\w\s]*")
_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part of inline code that nothing knows, and the nearest that something does."""

    part: str
    near: str = ""


def names(
    page: Page, vocabulary: Vocabulary, folder: str, shown: str
) -> Iterator[tuple[int, str, str]]:
    """Yield line, rule and message for inline code that names what is not there."""
    spoken = Spoken.of(page, vocabulary, folder, shown)
    for passage in page.passages:
        of_torch = "PyTorch" in passage.text
        for mark in passage.marks:
            if mark.kind != "code":
                continue
            unknown = _unknown(" ".join(mark.words.split()), spoken, of_torch)
            if unknown:
                near = f" (the nearest known name is `{unknown.near}`)" if unknown.near else ""
                whole = "" if unknown.part == mark.words else f", in `{mark.words}`,"
                seen = f"`{unknown.part}`{whole} is known to nobody{near}"
                yield passage.line(mark.start), "unknown-name", told("unknown-name", seen)


def _unknown(code: str, spoken: Spoken, of_torch: bool) -> Unknown | None:
    """Return the part of ``code`` that names nothing; None if all of it is known."""
    if code in SCALES or code in TAGS or _MYST.fullmatch(code) or _SIGNS.fullmatch(code):
        return None
    if (command := _COMMAND.fullmatch(code)) and not code.isidentifier():
        return _command(command[1], command[2].split(), spoken)
    if found := _TABLE.fullmatch(code):
        keys = spoken.vocabulary.tables.get(found[1])
        if keys is not None:
            return _looked_up(found[2], keys) if found[2] else None
    if _FILE.fullmatch(code) or (
        _PERHAPS_FILE.fullmatch(code) and re.search(r"[./]", code) and not _known(code, spoken)
    ):
        return None if spoken.vocabulary.is_file(code, spoken.folder) else Unknown(code)
    if " " in code and re.search(rf"(?<!\w){re.escape(code)}(?!\w)", spoken.code):
        return None  # word for word in a cell, or in what one printed
    tree = _parsed(code)
    if tree is not None and not _HYPHENED.fullmatch(code):
        return _in_expression(tree, spoken, of_torch)
    return _in_words(code, spoken)


def _command(program: str, words: list[str], spoken: Spoken) -> Unknown | None:
    """Return the target of ``make`` that is not there; other programs are taken at their word."""
    targets = spoken.vocabulary.targets
    if program != "make" or targets is None:
        return None
    for word in words:
        if "=" not in word and not word.startswith("-") and word not in targets:
            near = get_close_matches(word, targets, n=1)
            return Unknown(f"make {word}", f"make {near[0]}" if near else "")
    return None


def _looked_up(name: str, known: frozenset[str]) -> Unknown | None:
    if name in known:
        return None
    near = get_close_matches(name, sorted(known), n=1)
    return Unknown(name, near[0] if near else "")


def _known(code: str, spoken: Spoken) -> bool:
    tree = _parsed(code)
    return tree is not None and _in_expression(tree, spoken, of_torch=False) is None


def _parsed(code: str) -> ast.Module | None:
    """Return ``code`` as Python, also if it is only the head of a block; None if it is none."""
    code = code.replace("\u2026", "...")
    if keyword.iskeyword(code) or keyword.issoftkeyword(code):
        return ast.Module(body=[], type_ignores=[])
    argument = f"dict({code})" if _ARGUMENT.match(code) else code
    for text in (argument, f"{code} pass", f"{code}: pass", f"{code}\ndef f(): pass", f"f({code})"):
        try:
            return ast.parse(text)
        except SyntaxError:
            continue
    return None


def _in_expression(tree: ast.Module, spoken: Spoken, of_torch: bool) -> Unknown | None:
    own = {
        node.id if isinstance(node, ast.Name) else node.arg
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
        or isinstance(node, ast.arg)
    }
    bases = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        found = None
        if isinstance(node, ast.Attribute) and id(node) not in bases:
            found = _chain(node, spoken, own, of_torch)
        elif isinstance(node, ast.Name) and id(node) not in bases:
            found = spoken.name(node.id, own, of_torch)
        elif isinstance(node, ast.keyword) and node.arg:
            found = spoken.parameter(node.arg)
            if not found and node.arg == "dtype" and isinstance(node.value, ast.Constant):
                found = spoken.name(str(node.value.value), own, of_torch)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found = spoken.import_(node)
        if found:
            return Unknown(*found)
    return None


def _chain(
    node: ast.Attribute, spoken: Spoken, own: set[str], of_torch: bool
) -> tuple[str, str] | None:
    """Look up ``a.b.c``; what stands before the first dot may be an expression."""
    attributes: list[str] = []
    base: ast.expr = node
    while isinstance(base, ast.Attribute):
        attributes.insert(0, base.attr)
        base = base.value
    if isinstance(base, ast.Name):
        return spoken.chain(base.id, attributes, own, of_torch)
    return next(filter(None, (spoken.attribute(name) for name in attributes)), None)


def _in_words(code: str, spoken: Spoken) -> Unknown | None:
    """Look up what is no Python, word by word."""
    if _HYPHENED.fullmatch(code):
        return _looked_up(code, TAGS | spoken.vocabulary.keys)
    for word in _WORD.findall(code):
        found = spoken.name(word, set(), of_torch=False)
        if found and spoken.attribute(word):
            return Unknown(*found)
    return None
