"""Pages that Sphinx makes of docstrings: sources in square brackets become citations.

A docstring of the book's packages names its source by the key of the bibliography, ``[chen2016]``, so that it
reads well in an editor, too. Words in single backticks are code there, and stars and bars are themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config

_CODE = re.compile(r"(``.+?``|`[^`]+`)")
_MARK = re.compile(r"[*|]")
_SOURCE = re.compile(r"\[([a-z]+\d{4}[a-z]?)\](?!_)")


def _cited(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [
        line if line.lstrip().startswith((">>>", "...")) else marked(line) for line in lines
    ]


def marked(line: str) -> str:
    """Return a line of a docstring as reStructuredText."""
    parts = _CODE.split(line)
    parts[::2] = (_SOURCE.sub(r":cite:t:`\1`", _MARK.sub(r"\\\g<0>", part)) for part in parts[::2])
    return "".join(parts)


def _as_written(app: Sphinx, config: Config) -> None:
    config.default_role = config.default_role or "code"


def setup(app: Sphinx) -> None:
    """Connect to autodoc, where a book uses it."""
    app.connect("config-inited", _as_written)
    if "autodoc-process-docstring" in app.events.events:
        app.connect(
            "autodoc-process-docstring", _cited, priority=400
        )  # before napoleon reads "Args:"
