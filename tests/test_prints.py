"""Prints of pictures: noise leaves them alone, and a change of what is drawn does not."""

import base64
import io
import re
from functools import cache
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bookproof import prints

CURVES: dict[str, Any] = {
    "curve": 0.0, "other": True, "colours": ("C0", "C1"), "label": "steps", "title": "Memory over time",
}  # fmt: skip


@cache
def curves(kind: str, dpi: int = 100, **changed: Any) -> bytes:
    """Return a chart of two curves."""
    drawn = CURVES | changed
    figure = Figure((6.4, 4.8))
    axes = figure.subplots()
    x = np.linspace(0, 1, 50)
    axes.plot(x, x**2, color=drawn["colours"][0])
    if drawn["other"]:
        axes.plot(x, np.sqrt(x) + drawn["curve"], color=drawn["colours"][1])
    axes.set(ylim=(0, 1.2), xlabel=drawn["label"], title=drawn["title"])
    return saved(figure, kind, dpi)


@cache
def bars(kind: str, longest: float = 4.0, dpi: int = 100, **changed: Any) -> bytes:
    """Return a chart of three bars."""
    figure = Figure((6.4, 4.8))
    axes = figure.subplots()
    axes.bar(range(3), [1, 2, longest], color=changed.get("colours", ("C0", "C1", "C2")))
    axes.set(ylim=(0, 6))
    return saved(figure, kind, dpi)


def saved(figure: Figure, kind: str, dpi: int) -> bytes:
    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "test"}):
        metadata = {"Date": None} if kind == "svg" else None
        figure.savefig(file, format=kind, dpi=dpi, metadata=metadata)
    return file.getvalue()


def of(content: bytes) -> prints.Print:
    if content.startswith(b"<?xml"):
        return prints.of_svg(content.decode())
    return prints.of_bitmap(content)


def blurred(content: bytes) -> bytes:
    """Return the picture with noise on every edge, as another anti-aliasing makes."""
    image = np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"), float)
    edges = np.abs(np.diff(image, axis=0, prepend=image[:1])).max(-1) > 0
    noise = np.random.default_rng(0).normal(0, 5, edges.shape) * edges
    file = io.BytesIO()
    noisy = np.clip(image + noise[..., None], 0, 255).astype(np.uint8)
    Image.fromarray(noisy, "RGBA").save(file, "PNG")
    return file.getvalue()


def jittered(svg: bytes) -> bytes:
    """Return the picture with every coordinate a thousandth of a point away."""

    def moved(number: re.Match[str]) -> str:
        return f"{float(number[0]) + 0.001:.6f}"

    return re.sub(rb'(?<=[ML] )[^"]*', lambda path: _each(path[0].decode(), moved).encode(), svg)


def _each(text: str, change: Any) -> str:
    return re.sub(r"-?\d+\.\d+", change, text)


@pytest.mark.parametrize("chart", [curves, bars])
def test_noise_of_another_renderer_is_no_change(chart: Any) -> None:
    png, svg = chart("png"), chart("svg")
    assert of(blurred(png)).marks != of(png).marks
    assert of(blurred(png)).changes(of(png)) == []
    assert jittered(svg) != svg
    assert of(jittered(svg)).changes(of(svg)) == []


@pytest.mark.parametrize("dpi", [72, 96, 150])
def test_another_default_resolution_is_no_change_of_an_svg(dpi: int) -> None:
    assert of(curves("svg", dpi)).changes(of(curves("svg"))) == []


@pytest.mark.parametrize("kind", ["svg", "png"])
@pytest.mark.parametrize(
    "changed",
    [{"curve": 0.02}, {"other": False}, {"colours": ("C1", "C0")}, {"label": "batch"}, {"title": "Memory"}],
    ids=["moved", "gone", "colours", "label", "title"],
)  # fmt: skip
def test_a_change_of_the_curves_is_seen(kind: str, changed: dict[str, Any]) -> None:
    assert of(curves(kind, **changed)).changes(of(curves(kind)))


@pytest.mark.parametrize("kind", ["svg", "png"])
@pytest.mark.parametrize(
    "changed", [{"longest": 4.4}, {"longest": 3.9}, {"colours": ("C1", "C0", "C2")}], ids=str
)
def test_a_change_of_the_bars_is_seen(kind: str, changed: dict[str, Any]) -> None:
    [said] = of(bars(kind, **changed)).changes(of(bars(kind)))
    assert re.fullmatch(r"\d+ of 64 parts differ \(up to 2 may\)", said)


def test_words_are_told_old_and_new() -> None:
    changed = of(curves("svg", label="batch")).changes(of(curves("svg")))
    assert changed == ["its words: 'steps' \N{RIGHTWARDS ARROW} 'batch'"]


def test_a_picture_says_the_same_whatever_fonts_there_are() -> None:
    svg = curves("svg").decode()
    assert of(re.sub(r"font: [^\"]*", "font: 12px 'No Such Font'", svg).encode()) == of(
        svg.encode()
    )


def test_a_print_is_one_line_of_letters() -> None:
    made = of(curves("png"))
    assert re.fullmatch(r"[\w-]{64}", made.marks)
    assert made.words == ()


@pytest.mark.parametrize("colour", ["white", "black", "#808080"])
def test_no_colour_hides_from_the_print(colour: str) -> None:
    empty = '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"/>'
    box = f'<rect width="30" height="30" fill="{colour}"/></svg>'
    assert prints.of_svg(empty.replace("/>", ">" + box)).changes(prints.of_svg(empty))


def test_what_is_wide_is_not_what_is_high() -> None:
    wide, high = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}">'
        '<rect width="100%" height="100%" fill="red"/></svg>'
        for w, h in ((200, 100), (100, 200))
    )
    assert prints.of_svg(wide).changes(prints.of_svg(high))


def test_each_output_gives_its_pictures_once() -> None:
    svg, png = curves("svg").decode(), base64.b64encode(curves("png")).decode()
    inline = '<svg width="9" height="9"><title>A box</title><rect width="5" height="5"/></svg>'
    assert prints.of_output({"image/svg+xml": svg, "image/png": png}) == [prints.of_svg(svg)]
    assert prints.of_output({"image/png": png, "text/plain": "x"}) == [of(curves("png"))]
    assert [p.words for p in prints.of_output({"text/html": f"<p>{inline}{inline}</p>"})] == [
        ("A box",),
        ("A box",),
    ]
    assert prints.of_output({"text/html": "<p>words</p>"}) == []


@pytest.mark.parametrize(
    ("make", "content"),
    [(prints.of_svg, "<svg"), (prints.of_svg, "<p></p>"), (prints.of_bitmap, b"no picture")],
)
def test_what_cannot_be_drawn_is_an_error(make: Any, content: Any) -> None:
    with pytest.raises(prints.PictureError, match=r"cannot be drawn .*; what is not drawn is not"):
        make(content)


def test_a_bitmap_at_another_resolution_is_another_picture() -> None:
    """Its letters fall on other pixels, which is as much of a change as one word is."""
    assert of(curves("png", 150)).changes(of(curves("png")))
