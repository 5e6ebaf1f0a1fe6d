"""Units in one place: a value in base units (bytes, seconds, plain numbers) becomes page text.

Sizes come in two families that differ by 7 % at a gigabyte, so every name says its base:
``kB MB GB TB`` count in thousands, ``KiB MiB GiB TiB`` in 1024s. Spellings that leave it open
(``KB``, ``K``) are refused.
"""

import math
import re

NBSP = "\u00a0"
"""Stands between a number and its unit, so that no line breaks there."""

TIMES = "\u00d7"
"""The multiplication sign, the unit of a ratio; it is attached to its number."""

MINUS = "\u2212"
"""The minus sign, which does not break from its number as a hyphen may."""

SCALES: dict[str, int | float] = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "s": 1,
    "ms": 1e-3,
    "µs": 1e-6,
    "%": 1e-2,
    TIMES: 1,
}
"""How many base units one of each unit is. Any other noun ("nodes", "FLOPs") counts by ones."""

_REFUSED = {
    "K": "kB (1000) or KiB (1024)",
    "KB": "kB (1000) or KiB (1024)",
    "Kb": "kB (1000) or KiB (1024)",
    "kb": "kB (1000) or KiB (1024)",
    "kib": "KiB (1024)",
    "kiB": "KiB (1024)",
    "M": "MB (1000²) or MiB (1024²)",
    "Mb": "MB (1000²) or MiB (1024²)",
    "mb": "MB (1000²) or MiB (1024²)",
    "G": "GB (1000³) or GiB (1024³)",
    "Gb": "GB (1000³) or GiB (1024³)",
    "gb": "GB (1000³) or GiB (1024³)",
    "b": "B for bytes, or the noun: bits",
    "x": TIMES,
    "percent": "%",
    "us": "µs",
    "sec": "s",
    "seconds": "s, ms or µs",
    "milliseconds": "ms",
}

_NOUN = re.compile(r"[^\W\d_]+(?:[ /·-][^\W\d_]+)*")

_SHORT = re.compile(r"0*(?P<digits>\d*)")


class UnitError(ValueError):
    """A unit that is unknown, ambiguous or does not suit its value."""


def checked(unit: str) -> str:
    """Return ``unit`` in its one spelling, or raise :class:`UnitError`."""
    unit = unit.replace("\u03bc", "\u00b5")  # Greek mu looks exactly like the micro sign
    if unit in SCALES:
        return unit
    if unit in _REFUSED:
        raise UnitError(
            f"the unit {unit!r} was given; it is not one of the book's spellings or leaves its "
            f"base open; write {_REFUSED[unit]}"
        )
    if not _NOUN.fullmatch(unit):
        known = " ".join(name for name in SCALES if name)
        raise UnitError(
            f"the unit {unit!r} was given; it is neither a known unit nor a noun, so its scale is "
            f"unknown; use one of {known}, a noun such as 'nodes', or ''"
        )
    return unit


def _significant(text: str) -> int:
    """Return how many significant digits a plain decimal numeral has."""
    match = _SHORT.match(text.lstrip("-").replace(".", ""))
    return len(match["digits"]) if match else 0


def number(value: int | float) -> str:
    """Return ``value`` as the book prints it: integers whole, others to three significant digits.

    A value that is whole, or short, up to the noise of floating point prints without padding
    (``50``, ``0.5``); one that was rounded keeps its zeros (``2.00``), so that the page never
    shows a whole number for a value that is not one. Digits before the point are never rounded
    away.
    """
    if isinstance(value, float):
        value = float(f"{value:.12g}")
        if value.is_integer() and abs(value) < 1e15:
            value = int(value)
    if isinstance(value, int):
        text = f"{value:,}"
    elif 1e-3 <= abs(value) < 1e6:
        text = repr(value)
        if _significant(text) > 3:
            # Rounding first: 0.99996 has one digit before the point once it is 1.00.
            whole = math.floor(math.log10(abs(float(f"{value:.3g}")))) + 1
            text = f"{value:,.{max(0, 3 - whole)}f}"
    else:
        mantissa, exponent = f"{value:.11e}".split("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        if _significant(mantissa) > 3:
            mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    return _signed(text)


def _signed(text: str) -> str:
    """Return ``text`` with a true minus sign in front where it is negative."""
    return MINUS + text[1:] if text.startswith("-") else text


def show(value: int | float, unit: str, spec: str = "") -> str:
    """Return the text for ``value`` (in base units): ``show(65536, "KiB")`` is "64 KiB"."""
    unit = checked(unit)
    scale = SCALES.get(unit, 1)
    # A scale of 1 must not make a float of an int: its digits are exact and its commas wanted.
    scaled = value if scale == 1 else value / scale
    if spec:
        try:
            text = format(scaled, spec)
        except ValueError as error:
            raise UnitError(
                f"the format {spec!r} was given; Python cannot apply it to {scaled!r} ({error}); "
                "use one such as '.1f' or ',.0f'"
            ) from None
        text = _signed(text)
    else:
        text = number(scaled)
    if unit == "":
        return text
    return text + unit if unit == TIMES else text + NBSP + unit


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, in the singular where there is one: "1 cell", "2 cells"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
