"""A tale that comes with the engine, so that a network can learn to write without a download."""

from pathlib import Path


def tale() -> str:
    """Return a tale about a small number and a gradient: some 6,500 characters, of 27 kinds.

    They are small letters, space, comma, full stop and the end of a line; an empty line stands between paragraphs.
    It was written for this course and is, like the book's text, under CC BY 4.0 (``tale.LICENSE.txt``).

    Raises:
        FileNotFoundError: the file with the text did not come along with the package.

    >>> tale()[:40], len(set(tale()))
    ('once there was a small number who lived ', 27)
    """
    path = Path(__file__).with_name("tale.txt")
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no {path}: the tale lies beside the engine's modules, and was left behind when these were "
            "copied. Install the package as a whole."
        )
    return path.read_text(encoding="utf-8")
