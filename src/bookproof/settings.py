"""What a book may tell bookproof about itself: the table ``[tool.bookproof]`` of its pyproject.toml.

The table is optional, and so is each of its keys.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = "pyproject.toml"


class SettingsError(ValueError):
    """A table ``[tool.bookproof]`` that cannot be read as it was meant."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where bookproof finds what the text talks of.

    ``packages`` are those whose names the text may use; ``torch`` is the folder of PyTorch's
    recorded column.
    """

    packages: tuple[str, ...] = ()
    torch: str = "book/torch"


def load(root: Path) -> Settings:
    """Return the settings of the book at ``root``; the packages below ``src/`` unless it says more.

    Raises:
        SettingsError: an unknown key, a value of another type, or no TOML at all.
    """
    path = root / FILE
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{FILE}: {error}; what bookproof is told there cannot be read; correct that line"
        ) from None
    told = document.get("tool", {}).get("bookproof", {})
    for key in told:
        if key not in ("packages", "torch"):
            raise SettingsError(
                f"{FILE}, [tool.bookproof]: {key!r} is no key of it; it would change nothing; its "
                "keys are packages and torch"
            )
    packages = told.get("packages", _below_src(root))
    if not (isinstance(packages, list) and all(isinstance(name, str) for name in packages)):
        raise SettingsError(
            f"{FILE}, [tool.bookproof]: packages is {packages!r}; it names the packages that the "
            'text may speak of; write a list of names, such as ["my_engine"]'
        )
    torch = told.get("torch", "book/torch")
    if not isinstance(torch, str):
        raise SettingsError(
            f"{FILE}, [tool.bookproof]: torch is {torch!r}; it names a folder; write its path in "
            'quotes, such as "book/torch"'
        )
    return Settings(tuple(packages), torch)


def _below_src(root: Path) -> list[str]:
    return sorted(path.parent.name for path in (root / "src").glob("*/__init__.py"))
