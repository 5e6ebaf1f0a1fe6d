"""Two runs of a cell: what may differ between them, and what may not."""

import base64
import io
from types import SimpleNamespace
from typing import Any

import pytest
from nbformat import NotebookNode, v4
from PIL import Image, ImageDraw

from bookproof import reruns, streams


def box(width: int, colour: str = "red", words: str = "loss") -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="200" height="100">'
        f'<rect width="{width}" height="50" fill="{colour}"/><text>{words}</text></svg>'
    )


def bitmap(width: int, encoding: str = "PNG") -> str:
    image, file = Image.new("RGB", (200, 100), "white"), io.BytesIO()
    ImageDraw.Draw(image).rectangle((0, 0, width, 50), fill="red")
    image.save(file, encoding)
    return base64.encodebytes(file.getvalue()).decode()


def shown(**kinds: str) -> NotebookNode:
    mimes = {"svg": "image/svg+xml", "png": "image/png", "jpeg": "image/jpeg"}
    texts = {
        "plain": "text/plain",
        "html": "text/html",
        "record": "application/papermill.record/text/plain",
    }
    return v4.new_output("display_data", {(mimes | texts)[kind]: data for kind, data in kinds.items()})  # fmt: skip


def printed(text: str) -> NotebookNode:
    return v4.new_output("stream", text=text)


def compared(test: list[Any], ref: list[Any], *tags: str) -> tuple[bool, list[str], list[Any]]:
    """Compare two runs; return the verdict, what was said, and what nbval was given to compare."""
    given: list[Any] = []

    def nbval(test: Any, ref: Any, skip_compare: Any) -> bool:
        item.comparison_traceback = [] if test == ref else ["nbval: they differ"]
        given[:] = test
        return bool(test == ref)

    cell = v4.new_code_cell(metadata={"tags": list(tags)})
    item = SimpleNamespace(compare_outputs=nbval, cell=cell, comparison_traceback=[])
    return reruns.by_sight(item)(test, ref), item.comparison_traceback, given


SAME: dict[str, tuple[list[NotebookNode], list[NotebookNode], tuple[str, ...]]] = {
    "the same text": ([printed("a")], [printed("a")], ()),
    "the same picture": ([shown(svg=box(100))], [shown(svg=box(100))], ()),
    "a picture drawn a hair's breadth away": (
        [shown(svg=box(100).replace('"100" height="50"', '"100.01" height="50"'))],
        [shown(svg=box(100))],
        (),
    ),
    "a bitmap written by another program": (
        [shown(png=bitmap(100).replace("\n", ""))],
        [shown(png=bitmap(100))],
        (),
    ),
    "times and rates of a measured cell": (
        [printed("  forward   1.25 ms, 3.1 GB/s\nbackward  12 \N{MICRO SIGN}s")],
        [printed("  forward 980.00 us, 940 MB/s\nbackward   9 ms")],
        ("measured",),
    ),
    "times in a result and in HTML": (
        [shown(plain="took 3 s", html="<td>3&nbsp;s</td>")],
        [shown(plain="took 12.5 seconds", html="<td>12.5&nbsp;s</td>")],
        ("measured",),
    ),
    "a line renewed in place": (
        [printed("a\r1/2\r2/2\n")], [printed("a\r2/2\n")], (),
    ),
    "a progress bar that took longer": (
        [printed("\r1/2 [#.] 3.1/s 0:01 left\r2/2 [##] 3.2/s 0:02\n")],
        [printed("2/2 [##] 1,030.5/s 1:00:59\n")],
        ("measured",),
    ),
    "times drawn": (
        [shown(svg=box(80, words="3 ms")), shown(html=f"<p>{box(70)}</p>")],
        [shown(svg=box(100)), shown(html=f"<p>{box(120)}</p>")],
        ("measured",),
    ),
}  # fmt: skip

CHANGED: dict[str, tuple[list[NotebookNode], list[NotebookNode], tuple[str, ...], str]] = {
    "a picture changed": (
        [shown(svg=box(110))], [shown(svg=box(100))], (), "the picture changed: ",
    ),
    "its words changed": (
        [shown(svg=box(100, words="time"))], [shown(svg=box(100))], (),
        "the picture changed: its words: 'loss' \N{RIGHTWARDS ARROW} 'time'",
    ),
    "a bitmap changed": (
        [shown(png=bitmap(110))], [shown(png=bitmap(100))], (), "parts differ (up to 2 may)",
    ),
    "a photograph changed": (
        [shown(jpeg=bitmap(110, "JPEG"))], [shown(jpeg=bitmap(100, "JPEG"))], (), "parts differ",
    ),
    "the second of two changed": (
        [shown(svg=box(9)), shown(svg=box(110))], [shown(svg=box(9)), shown(svg=box(100))], (),
        "picture 2 changed",
    ),
    "a picture is missing": (
        [printed("a")], [printed("a"), shown(png=bitmap(100))], (),
        "the pictures are others: image/png in the built book, none in this run",
    ),
    "a picture too many": ([shown(svg=box(9))], [], (), "none in the built book, image/svg+xml in"),
    "a timing without the tag": ([printed("took 3 ms")], [printed("took 4 ms")], (), "nbval:"),
    "a progress bar that stopped before": (
        [printed("\r1/2 [#.] 3.1/s 0:01\n")], [printed("\r2/2 [##] 3.1/s 0:01\n")], ("measured",), "nbval:",
    ),
    "a word of a measured cell": (
        [printed("forward 3 ms")], [printed("backward 3 ms")], ("measured",), "nbval:",
    ),
    "a count of a measured cell": (
        [printed("8 runs, 3 ms")], [printed("9 runs, 4 ms")], ("measured",), "nbval:",
    ),
    "bytes of a measured cell": (
        [printed("8 MB in 3 ms")], [printed("9 MB in 3 ms")], ("measured",), "nbval:",
    ),
    "what a rate of a measured cell is of": (
        [printed("8 rows/s")], [printed("8 tokens/s")], ("measured",), "nbval:",
    ),
    "a measured number without its unit": (
        [shown(plain="0.125")], [shown(plain="0.25")], ("measured",), "nbval:",
    ),
    "a figure in a measured cell": (
        [shown(record="3 ms")], [shown(record="4 ms")], ("measured",), "nbval:",
    ),
    "a missing picture of a measured cell": (
        [], [shown(svg=box(9))], ("measured",), "none in this run",
    ),
    "a missing drawing of a measured cell": (
        [shown(html="<p></p>")], [shown(html=f"<p>{box(9)}</p>")], ("measured",), "nbval:",
    ),
    "a drawing in HTML": (
        [shown(html=box(9))], [shown(html=box(8))], (), "nbval:",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_what_may_differ(name: str) -> None:
    test, ref, tags = SAME[name]
    assert compared(test, ref, *tags)[:2] == (True, [])


@pytest.mark.parametrize("name", CHANGED)
def test_what_may_not_differ(name: str) -> None:
    test, ref, tags, said = CHANGED[name]
    same, told, _ = compared(test, ref, *tags)
    assert not same
    assert said in "\n".join(told)


def test_all_that_is_wrong_is_said_at_once() -> None:
    test, ref = [printed("a"), shown(svg=box(9))], [printed("b")]
    assert [line[:5] for line in compared(test, ref)[1]] == ["nbval", "the p"]


def test_nbval_is_given_the_text_beside_a_picture() -> None:
    """It would skip bitmaps by itself, and compare the code of an SVG letter by letter."""
    output = shown(svg=box(9), png=bitmap(9), plain="<Figure>")
    _, _, given = compared([output], [output])
    assert given[0]["data"] == {"text/plain": "<Figure>"}
    assert "image/png" in output["data"], "the outputs themselves stay as they are"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.2 ms \N{PLUS-MINUS SIGN} 45.6 ns per loop", "a time \N{PLUS-MINUS SIGN} a time per loop"),
        ("1.5e-05 s", "a time"),
        ("0.9 ms/step", "a time /step"),
        ("5 per second", "a rate of events"),
        ("9 it/s", "a rate of it"),
        ("1,250 tokens per second", "a rate of tokens"),
        ("0:07 left, 1:02:03", "a time left, a time"),
        ("a ratio of 3:1, at 10:15:20:25", "a ratio of 3:1, at 10:15:20:25"),
        ("8 steps, 3 samples, x3 s", "8 steps, 3 samples, x3 s"),
        ("10 MiB", "10 MiB"),
    ],
)  # fmt: skip
def test_what_is_a_time(text: str, plain: str) -> None:
    assert reruns.timeless(text).strip() == plain


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain  \ntext\n", "plain  \ntext\n"),
        ("\r1/3\r2/3  \r3/3\n", "3/3\n"),
        ("windows\r\n", "windows\n"),
        ("\r\r\n", "\n"),
    ],
)
def test_what_a_terminal_shows_in_the_end(text: str, left: str) -> None:
    assert streams.settled(text) == left


def test_a_line_that_came_in_pieces_is_one() -> None:
    pieces = [printed("\r1/2"), printed("\r2/2"), printed("\n"), shown(plain="x"), printed("\ra")]
    texts = [output.get("text") for output in streams.merged(pieces)]
    assert texts == ["2/2\n", None, "a"]
    assert pieces[0].text == "\r1/2", "the outputs themselves stay as they are"


def test_a_print_that_a_busy_kernel_sent_in_pieces_is_one_line() -> None:
    assert [output.text for output in streams.merged([printed("a "), printed("b\n")])] == ["a b\n"]
