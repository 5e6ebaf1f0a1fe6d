"""Units: one spelling each, one way to print a value."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookproof.units import MINUS, NBSP, SCALES, TIMES, UnitError, checked, number, show

SHOWN = [
    (65536, "KiB", f"64{NBSP}KiB"),
    (430_080, "KiB", f"420{NBSP}KiB"),
    (16_000_000_000, "GB", f"16{NBSP}GB"),
    (16_000_000_000, "GiB", f"14.9{NBSP}GiB"),
    (19_267_584, "MiB", f"18.4{NBSP}MiB"),
    (19_267_584, "MB", f"19.3{NBSP}MB"),
    (19_267_584, "B", f"19,267,584{NBSP}B"),
    (1 / 3, "%", f"33.3{NBSP}%"),
    (0.07, "%", f"7{NBSP}%"),
    (10, TIMES, f"10{TIMES}"),
    (4.0, TIMES, f"4{TIMES}"),
    (0.25, "ms", f"250{NBSP}ms"),
    (1.25e-5, "\u00b5s", f"12.5{NBSP}\u00b5s"),
    (1.25e-5, "\u03bcs", f"12.5{NBSP}\u00b5s"),
    (2_097_151, "nodes", f"2,097,151{NBSP}nodes"),
    (8_388_608, "FLOPs", f"8,388,608{NBSP}FLOPs"),
    (0, "B", f"0{NBSP}B"),
    (-0.0, "", "0"),
    (0.5, "", "0.5"),
    (2.0004, "", "2.00"),
    (0.99996, "", "1.00"),
    (0.26894, "", "0.269"),
    (-0.1966119, "", f"{MINUS}0.197"),
    (1234.5, "", "1,234"),
    (999.7, "", "1,000"),
    (0.1 + 0.2, "", "0.3"),
    (42.00000000000001, "", "42"),
    (1e-3, "", "0.001"),
    (5e-4, "", "5e-4"),
    (9.999999e-4, "", "1.00e-3"),
    (3.5e-14, "", "3.5e-14"),
    (3.4957e-14, "", "3.50e-14"),
    (12_345_678.9, "", "1.23e7"),
    (1e20, "", "1e20"),
    (10**20, "", "100,000,000,000,000,000,000"),
]


@pytest.mark.parametrize(("value", "unit", "text"), SHOWN)
def test_value_is_shown(value: float, unit: str, text: str) -> None:
    assert show(value, unit) == text


def test_format_applies_to_the_scaled_number() -> None:
    assert show(430_080, "KiB", ".1f") == f"420.0{NBSP}KiB"
    assert show(-2.5, "", ".2f") == f"{MINUS}2.50"


@pytest.mark.parametrize(
    ("unit", "remedy"),
    [
        ("KB", r"kB \(1000\) or KiB \(1024\)"),
        ("gb", "GB"),
        ("M", "MiB"),
        ("x", TIMES),
        ("us", "\u00b5s"),
        ("percent", "%"),
        ("12", "a noun such as 'nodes'"),
        (" B", "neither a known unit nor a noun"),
        ("B/", "neither a known unit nor a noun"),
    ],
)
def test_open_or_unknown_unit_is_refused(unit: str, remedy: str) -> None:
    with pytest.raises(UnitError, match=remedy):
        checked(unit)


def test_format_that_does_not_suit_is_refused() -> None:
    with pytest.raises(UnitError, match=r"'\.1q' was given; Python cannot apply it to 3"):
        show(3, "", ".1q")


@pytest.mark.parametrize(
    ("small", "large"), [("kB", "MB"), ("MB", "GB"), ("KiB", "MiB"), ("MiB", "GiB"), ("GiB", "TiB")]
)
def test_each_size_is_the_next_step_of_its_family(small: str, large: str) -> None:
    step = 1024 if "i" in small else 1000
    assert SCALES[large] == step * SCALES[small]


def value_of(text: str) -> float:
    return float(text.replace(",", "").replace(MINUS, "-"))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(min_value=-1e300, max_value=1e300))
def test_text_is_within_half_a_digit_of_the_value(value: float) -> None:
    assert math.isclose(value_of(number(value)), value, rel_tol=0.005, abs_tol=5e-324)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers())
def test_integer_is_shown_exactly(value: int) -> None:
    assert int(number(value).replace(",", "").replace(MINUS, "-")) == value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(min_value=-1e14, max_value=1e14))
def test_whole_number_is_shown_only_for_a_whole_value(value: float) -> None:
    text = number(value)
    if abs(value) < 100 and "." not in text and "e" not in text:
        assert math.isclose(value, round(value), rel_tol=1e-11)
