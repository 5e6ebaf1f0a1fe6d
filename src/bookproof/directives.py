"""Directives: which of their parts are prose, and where in the source options and body stand."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

_HEAD = re.compile(r"\{([^\s}]+)\}\s*(.*)", re.DOTALL)
_OPTION_LINE = re.compile(r"\s*:(?!:)(.*)", re.DOTALL)

_CODE_OR_DATA = """
    code-cell raw-cell code code-block sourcecode literalinclude parsed-literal highlight math raw
    toctree tableofcontents bibliography contents include index only graphviz digraph mermaid
    doctest testcode plot currentmodule image glue glue: glue:any glue:md glue:math
    autofunction autoclass automodule automethod autosummary autodata autoattribute
"""
_UNTITLED = """
    figure figure-md glue:figure solution solution-start exercise-end solution-end container div
    class grid grid-item tab-set torch
"""

NO_BODY = frozenset(_CODE_OR_DATA.split())
"""Directives whose body is not prose. Of any other, known or not, the body is read as MyST."""

NO_TITLE = NO_BODY | frozenset(_UNTITLED.split())
"""Directives whose argument is a path, a key or a class and no title."""

PROSE_OPTIONS = frozenset(("caption", "header", "subtitle", "title"))
"""Options that the reader reads, and that may hold roles."""

PLAIN_OPTIONS = frozenset(("alt", "code_prompt_show", "code_prompt_hide"))
"""Options that the reader reads as they stand: no role works there."""

PathTest = Callable[[list[str]], bool]


@dataclass(frozen=True, slots=True)
class Directive:
    """One fence with a name in braces, taken apart; ``*_line`` count from the fence's own line."""

    name: str
    argument: str
    block: str
    block_line: int
    body: str
    body_line: int

    @property
    def options(self) -> dict[str, str]:
        """The options, each as text."""
        tree = self.tree
        if tree:
            return {str(key): "" if value is None else str(value) for key, value in tree.items()}
        return {key: value for key, value, _ in _pairs(self.block)}

    @property
    def tree(self) -> dict[str, object]:
        """The options as YAML, as a notebook's cell holds them; empty if they are not YAML."""
        try:
            tree = yaml.safe_load(self.block)
        except yaml.YAMLError:
            return {}
        return tree if isinstance(tree, dict) else {}


def directive(info: str, content: str) -> Directive | None:
    """Return the directive that a fence with ``info`` and ``content`` is; None for plain code."""
    head = _HEAD.fullmatch(info.strip())
    if head is None:
        return None
    lines = content.split("\n")
    if content.startswith("---"):
        end = next((i for i, text in enumerate(lines[1:], 1) if text.startswith("---")), len(lines))
        block, block_line, body_from = lines[1:end], 2, end + 1
    else:
        block, block_line = [], 1
        for text in lines:
            option = _OPTION_LINE.fullmatch(text)
            if option is None:
                break
            block.append(option[1])
        body_from = len(block)
    body = "\n".join(lines[body_from:])
    return Directive(head[1], head[2].strip(), "\n".join(block), block_line, body, body_from + 1)


def prose_values(block: str, is_prose: PathTest) -> Iterator[tuple[str, int]]:
    """Yield source text and line (from 0) of the YAML scalars whose path of keys ``is_prose``.

    It is the source as it stands and not the value: only the source says on which line a word is.
    """
    try:
        root = yaml.compose(block)
    except yaml.YAMLError:
        for key, value, line in _pairs(block):
            if key and is_prose([key]):
                yield value, line
        return
    for path, node in _scalars(root, []):
        if is_prose(path):
            yield _source(node, block.split("\n")), node.start_mark.line


def _pairs(block: str) -> Iterator[tuple[str, str, int]]:
    """Yield options line by line, for values that MyST takes and YAML does not (``alt: a: b``)."""
    for line, text in enumerate(block.split("\n")):
        key, colon, value = text.partition(":")
        if colon:
            yield key.strip(), value.strip(), line


def _scalars(
    node: yaml.Node | None, path: list[str]
) -> Iterator[tuple[list[str], yaml.ScalarNode]]:
    """Yield every scalar below ``node`` with the keys that lead to it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, [*path, str(key.value)])
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _scalars(value, path)
    elif isinstance(node, yaml.ScalarNode) and path:
        yield path, node


def _source(node: yaml.ScalarNode, lines: list[str]) -> str:
    """Return the source of a scalar, one line for each of its lines."""
    first, last = node.start_mark, node.end_mark
    taken = lines[first.line : last.line + 1] or [""]
    if last.line == first.line:
        return taken[0][first.column : last.column]
    if last.line < len(lines):
        taken[-1] = taken[-1][: last.column]
    taken[0] = "" if node.style in ("|", ">") else taken[0][first.column :]
    return "\n".join(text.strip() for text in taken)
