"""What an instructor sets in `book/course.toml`, read and checked before anything uses it.

    from bookproof.course import load
    course = load()
    course.model.parameters  # 1_000_000_000

Every mistake (an unknown section or key, a wrong type, an impossible value) is a `CourseError`
that names the file and line, says why the value cannot work and what to write instead.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path("book", "course.toml")
DTYPES = ("float16", "float32", "float64")
OPTIMIZERS = ("sgd", "momentum", "adam")
CARD_UNITS = ("GB", "GiB")


class CourseError(ValueError):
    """`course.toml` holds something that the book cannot be built from."""


@dataclass(frozen=True)
class About:
    """`[course]`: what the book is called and whose it is."""

    name: str = "Autograd by the Byte"
    author: str = "The Autograd by the Byte authors"
    year: int = 2026


@dataclass(frozen=True)
class Address:
    """`[repository]`: where this copy lives; an empty url means: ask the environment or git."""

    url: str = ""
    branch: str = "main"


@dataclass(frozen=True)
class Launch:
    """`[launch]`: the BinderHub of the launch buttons; empty for none."""

    binder: str = "https://mybinder.org"


@dataclass(frozen=True)
class Hardware:
    """`[hardware]`: the memory of one card, with the unit its seller states."""

    card: float = 16
    card_unit: str = "GB"


@dataclass(frozen=True)
class Model:
    """`[model]`: the model whose memory the budget chapter plans."""

    parameters: int = 1_000_000_000
    dtype: str = "float32"
    optimizer: str = "adam"


@dataclass(frozen=True)
class MLP:
    """`[mlp]`: layer widths, input first, and the batch."""

    widths: tuple[int, ...] = (784, 512, 256, 128, 10)
    batch: int = 64


@dataclass(frozen=True)
class Linear:
    """`[linear]`: one linear layer, inputs to outputs, and the batch."""

    batch: int = 32
    inputs: int = 512
    outputs: int = 768


@dataclass(frozen=True)
class Transformer:
    """`[transformer]`: the shape of a GPT, which the budget chapter puts on the card."""

    layers: int = 12
    hidden: int = 768
    heads: int = 12
    sequence: int = 1024
    batch: int = 8
    vocabulary: int = 50257


@dataclass(frozen=True)
class Course:
    """The whole file, one attribute a section."""

    course: About = field(default_factory=About)
    repository: Address = field(default_factory=Address)
    launch: Launch = field(default_factory=Launch)
    hardware: Hardware = field(default_factory=Hardware)
    model: Model = field(default_factory=Model)
    mlp: MLP = field(default_factory=MLP)
    linear: Linear = field(default_factory=Linear)
    transformer: Transformer = field(default_factory=Transformer)


@dataclass(frozen=True)
class Rule:
    """What one key takes: `wanted` in words, and the test of a value."""

    wanted: str
    accepts: Callable[[object], bool]


def _is_int(value: object, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_size(value: object) -> bool:
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
    )


def _is_widths(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(_is_int(width) for width in value)


def _is_url(value: object) -> bool:
    return value == "" or (
        isinstance(value, str) and value.startswith(("https://", "http://")) and " " not in value
    )


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value != "" and not any(map(str.isspace, value))


def _one_of(*choices: str) -> Rule:
    wanted = "one of " + ", ".join(f'"{choice}"' for choice in choices)
    return Rule(wanted, lambda value: value in choices)


_TEXT = Rule("some text in quotes", lambda value: isinstance(value, str) and bool(value.strip()))
_COUNT = Rule("a whole number of at least 1", _is_int)
_URL = Rule('an address that starts with "https://", or "" for none', _is_url)

RULES: Mapping[str, Mapping[str, Rule]] = {
    "course": {
        "name": _TEXT,
        "author": _TEXT,
        "year": Rule(
            "a year of four digits", lambda year: _is_int(year, 1000) and int(str(year)) < 10000
        ),
    },
    "repository": {"url": _URL, "branch": Rule("a branch's name, without spaces", _is_word)},
    "launch": {"binder": _URL},
    "hardware": {"card": Rule("a size above zero", _is_size), "card_unit": _one_of(*CARD_UNITS)},
    "model": {"parameters": _COUNT, "dtype": _one_of(*DTYPES), "optimizer": _one_of(*OPTIMIZERS)},
    "mlp": {
        "widths": Rule("a list of at least two whole numbers above zero", _is_widths),
        "batch": _COUNT,
    },
    "linear": {"batch": _COUNT, "inputs": _COUNT, "outputs": _COUNT},
    "transformer": {
        "layers": _COUNT,
        "hidden": _COUNT,
        "heads": _COUNT,
        "sequence": _COUNT,
        "batch": _COUNT,
        "vocabulary": _COUNT,
    },
}

_SECTIONS: Mapping[str, type] = {
    "course": About,
    "repository": Address,
    "launch": Launch,
    "hardware": Hardware,
    "model": Model,
    "mlp": MLP,
    "linear": Linear,
    "transformer": Transformer,
}


def find_root(start: Path | str | None = None) -> Path:
    """The folder that holds `_toc.yml`: `start` (else the working folder) or the nearest above."""
    here = Path(start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").is_file():
            return folder
    raise CourseError(
        f"no _toc.yml in {here} or in any folder above it: without it the course's root is "
        "unknown; run this from inside the course"
    )


def load(path: Path | str | None = None) -> Course:
    """Read and check `course.toml` (found from the working folder upwards if no path is given)."""
    file = Path(path) if path is not None else find_root() / FILE
    try:
        text = file.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except OSError as error:
        raise CourseError(
            f"{file}: {error.strerror}: the book's settings stand there; restore the file"
        ) from None
    except UnicodeDecodeError as error:
        raise CourseError(f"{file}: {error}: TOML is UTF-8; save it in that encoding") from None
    except tomllib.TOMLDecodeError as error:
        raise CourseError(
            f"{file}: {error}: so it cannot be read as TOML; mend that line (text needs quotes, "
            "lists need brackets, and a key stands once in its section)"
        ) from None
    sections = {}
    for name, values in data.items():
        if name not in RULES or not isinstance(values, dict):
            raise _error(file, text, "", name, f"[{name}] is no section of this file", list(RULES))
        for key, value in values.items():
            _check(file, text, name, key, value)
        plain = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        sections[name] = _SECTIONS[name](**plain)
    loaded = Course(**sections)
    _check_heads(file, text, loaded.transformer)
    return loaded


def _check_heads(file: Path, text: str, shape: Transformer) -> None:
    """Raise `CourseError` unless the heads share the width equally."""
    if shape.hidden % shape.heads:
        line = max(_line(text, "transformer", key) for key in ("hidden", "heads"))
        raise CourseError(
            f"{file}:{line}: [transformer] hidden is {shape.hidden} for {shape.heads} heads: they "
            "share it equally; write a multiple of heads"
        )


def _check(file: Path, text: str, section: str, key: str, value: object) -> None:
    """Raise `CourseError` unless the book can be built from `[section] key = value`."""
    rule = RULES[section].get(key)
    if rule is None:
        seen = f"[{section}] has no key `{key}`"
        raise _error(file, text, section, key, seen, list(RULES[section]))
    if not rule.accepts(value):
        raise CourseError(
            f"{file}:{_line(text, section, key)}: [{section}] {key} is {value!r}: the book "
            f"computes with it and needs {rule.wanted}; write that"
        )


def _error(
    file: Path, text: str, section: str, key: str, seen: str, known: list[str]
) -> CourseError:
    where = f"{file}:{_line(text, section, key)}"
    return CourseError(
        f"{where}: {seen}: nothing would read it; remove it, or use one of {', '.join(known)}"
    )


def _line(text: str, section: str, key: str) -> int:
    """The line of `key` in `[section]`, or of the heading `[key]` where `section` is empty."""
    current = ""
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if bare.startswith("["):
            current = bare.strip("[] \t").split("]")[0]
            if not section and current.split(".")[0] == key:
                return number
        elif current == section and bare.split("=")[0].strip() == key:
            return number
    return 1
