"""The lint of the book's text: what a reader would believe and no build would check is a finding.

What is looked for, why, and how to mend it stands in ``rules.RULES``.
"""

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from bookproof import book, cache, drills
from bookproof.claimed import claims
from bookproof.comparing import unmarked
from bookproof.keys import keys, made_at, uses_by_chapter
from bookproof.listings import included, listings, unseen_cells
from bookproof.names import names
from bookproof.page import Cell, Mark, Page, Passage
from bookproof.premises import idle
from bookproof.prose import read
from bookproof.quantities import Typed, sizes, typed
from bookproof.rules import Finding, told
from bookproof.terms import terms
from bookproof.vocabulary import Vocabulary

_OPEN_BASE = re.compile(r"(?<![A-Za-z])(?:K|[Kk]b|KB)$")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside a chapter's text; what is None is unknown, and not checked.

    Args:
        keys: the keys that the chapter's cells recorded.
        elsewhere: the keys of other chapters by name, for ``{glue:text}`chapter::key:s` ``.
        used: keys of this chapter that other chapters show.
        held: the claims that held when the chapter ran.
        glossary: the terms that the book explains.
        vocabulary: what the text may name, and the files beside it.
        shown: what the chapter's cells printed.
    """

    keys: Collection[str] | None = None
    elsewhere: Mapping[str, Collection[str]] = field(default_factory=dict)
    used: Collection[str] = ()
    held: Collection[str] | None = None
    glossary: Collection[str] | None = None
    vocabulary: Vocabulary | None = None
    shown: str = ""


def lint_text(text: str, *, path: str, known: Known = Known()) -> list[Finding]:
    """Return what is to be mended in the chapter ``text``, in the order of its lines.

    Args:
        text: the chapter's source, MyST Markdown.
        path: what the findings call the chapter: where it lies below the book's root.
        known: what the rest of the book and the last build tell.
    """
    return _lint_page(read(text), path, known)


def _lint_page(page: Page, path: str, known: Known) -> list[Finding]:
    folder = posixpath.dirname(path)
    found = [
        *_numbers(page),
        *idle(page),
        *unmarked(page),
        *claims(page, known.held),
        *listings(page),
        *unseen_cells(page),
        *_pictures(page),
        *_front_matter(page),
        *_formats(page),
        *_inclusions(page, path),
        *([] if known.keys is None else keys(page, known.keys, known.elsewhere, known.used)),
        *([] if known.glossary is None else terms(page, known.glossary)),
        *([] if known.vocabulary is None else names(page, known.vocabulary, folder, known.shown)),
        *([] if known.vocabulary is None else included(page, known.vocabulary, folder)),
    ]
    return sorted(Finding(path, *rest) for rest in found)


def lint_book(root: Path) -> list[Finding]:
    """Return what is to be mended in the book at ``root``, chapter by chapter."""
    return [finding for findings in by_chapter(root).values() for finding in findings]


def by_chapter(root: Path) -> dict[str, list[Finding]]:
    """Return the findings of every chapter of the book at ``root``, by the chapter's name."""
    paths = {book.name(path, root): path for path in book.chapters(root)}
    pages = {name: read(path.read_text(encoding="utf-8")) for name, path in paths.items()}
    built: dict[str, NotebookNode] = {}
    missing: dict[str, str] = {}
    for name, path in paths.items():
        if cache.is_notebook(path):
            try:
                built[name] = cache.executed(path)
            except cache.NotBuilt as error:
                missing[name] = str(error)
    recorded = {name: {r.name for r in book.records(notebook)} for name, notebook in built.items()}
    uses = {name: uses_by_chapter(page, name) for name, page in pages.items()}
    glossary = [term for page in pages.values() for term in page.glossary]
    vocabulary = Vocabulary(root)
    result = {}
    for name, path in paths.items():
        where = path.relative_to(root).as_posix()
        known = Known(
            keys=None if name in missing else recorded.get(name, set()),
            elsewhere=recorded,
            used={
                key for uses_of in uses.values() for document, key in uses_of if document == name
            },
            held=book.claims(built[name]) if name in built else None,
            glossary=glossary,
            vocabulary=vocabulary,
            shown="\n".join(_printed(built[name])) if name in built else "",
        )
        found = _lint_page(pages[name], where, known)
        if name in built:
            found += _outputs(pages[name], built[name], where)
            found += drills.findings(pages[name], built[name], where)
        if name in missing:
            found.append(Finding(where, 1, "not-built", missing[name]))
        result[name] = sorted(found)
    return result


_Found = tuple[int, str, str]


def _numbers(page: Page) -> Iterator[_Found]:
    for passage in page.passages:
        for number in _typed_in(passage):
            yield passage.line(number.start), number.rule, _typed(number.seen, passage)


def _typed_in(passage: Passage) -> list[Typed]:
    if passage.kind == "prose":
        claimed = [mark for mark in passage.marks if mark.kind == "claim"]
        return [hit for hit in typed(passage.text) if not _borne_out(hit, claimed)]
    return sizes(passage.text, formula=passage.kind == "formula")


def _borne_out(hit: Typed, claimed: list[Mark]) -> bool:
    """Return whether ``hit`` is a ratio in words that a claim's assertion holds."""
    inside = any(mark.start <= hit.start and hit.end <= mark.end for mark in claimed)
    return inside and hit.rule == "typed-ratio" and not re.search(r"[\d\u00d7]", hit.seen)


def _typed(seen: str, passage: Passage) -> str:
    said = f"\u201c{seen}\u201d is typed by hand; nothing turns red when the code gives another; "
    if "{glue:text}" in seen:
        return said + 'the figure brings its unit and all its digits: figure("a_name", value, unit)'
    if passage.kind == "printed":
        said += "print the value that the cell computed, in place of these words"
    elif passage.kind == "formula":
        said += "say it in letters, or move the number out of the formula and into {glue:text}"
    elif not passage.takes_roles:
        said += "no role works in this place: say it without the number, or move it into the text"
    else:
        said += (
            'compute it in a cell, figure("a_name", value, unit), and write {glue:text}`a_name` '
            f"here; if it is a premise or a quoted source, write {{given}}`{seen}`"
        )
    if re.search(r"\dx$", seen):
        said += f"; if it is a product, such as a derivative, it is mathematics: ${seen}$"
    if _OPEN_BASE.search(seen):
        said += "; and the unit leaves its base open: kB is 1000 bytes, KiB is 1024"
    return said


def _pictures(page: Page) -> Iterator[_Found]:
    for picture in page.pictures:
        if not picture.alt.strip():
            seen = f"the picture {picture.target} has no alternative text"
            yield picture.line, "alt-text", told("alt-text", seen)
    for cell in page.cells:
        options = cell.options.get("mystnb")
        if isinstance(options, dict) and "figure" in options and not _alt(cell):
            seen = "the cell draws a figure that has no alternative text"
            yield cell.line, "alt-text", told("alt-text", seen)


def _alt(cell: Cell) -> str:
    """Return the alternative text that the cell's options give its pictures."""
    options = cell.options.get("mystnb")
    image = options.get("image") if isinstance(options, dict) else None
    return str(image.get("alt") or "").strip() if isinstance(image, dict) else ""


def _front_matter(page: Page) -> Iterator[_Found]:
    front = page.front
    makes_cells = front.get("file_format") == "mystnb" or "jupytext" in front
    if not (page.cells or makes_cells or "kernelspec" in front):
        return
    missing = [] if makes_cells else ["file_format: mystnb (or jupytext)"]
    if "kernelspec" not in front:
        missing.append("kernelspec")
    if missing:
        seen = f"the front matter lacks {' and '.join(missing)}"
        yield 1, "front-matter", told("front-matter", seen)


def _formats(page: Page) -> Iterator[_Found]:
    for use in page.uses:
        if use.spec and not (use.document and use.spec == "s"):
            seen = f"the role shows {use.key!r} through the format {use.spec!r}"
            yield use.line, "glue-format", told("glue-format", seen)


def _inclusions(page: Page, path: str) -> Iterator[_Found]:
    for inclusion in page.inclusions:
        base = "." if inclusion.target.startswith("/") else posixpath.dirname(path)
        target = posixpath.normpath(posixpath.join(base, inclusion.target.lstrip("/")))
        if not (re.fullmatch(r"book/(?!(?:.*/)?[_.]).*\.md", target)):
            seen = f"{inclusion.target} is included and is no page of the book"
            yield inclusion.line, "inclusion", told("inclusion", seen)


def _outputs(page: Page, notebook: NotebookNode, path: str) -> Iterator[Finding]:
    """Yield what only the outputs show: keys made twice, numbers unexplained, pictures without words."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = [cell.line for cell in page.cells]
    made: dict[str, int] = {}
    for record in book.records(notebook):
        first = made.setdefault(record.name, record.cell)
        if first != record.cell:
            seen = f"{record.name!r} is made in cell {first} and again in cell {record.cell}"
            line = lines[record.cell - 1]
            yield Finding(path, line, "duplicate-key", told("duplicate-key", seen))
        noted = record.figure
        if noted and not isinstance(noted["value"], str) and not noted["formula"]:
            seen = f"the number {record.name!r} has no formula"
            line = made_at(page, record.name)
            yield Finding(path, line, "no-formula", told("no-formula", seen))
    for cell, source in zip(cells, page.cells, strict=True):
        if _shows_picture(cell) and not _alt(source):
            seen = "the cell draws a picture that has no alternative text"
            yield Finding(path, source.line, "alt-text", told("alt-text", seen))


def _printed(notebook: NotebookNode) -> Iterator[str]:
    """Yield the texts below the cells of ``notebook``."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            for text in (output.get("text"), data.get("text/plain"), data.get("text/markdown")):
                yield text if isinstance(text, str) else "".join(text or ())


def _shows_picture(cell: NotebookNode) -> bool:
    if {"remove-output", "remove-cell"} & set(cell.metadata.get("tags", ())):
        return False
    return any(
        kind.startswith("image/")
        for output in cell.get("outputs", ())
        for kind in output.get("data", {})
    )
