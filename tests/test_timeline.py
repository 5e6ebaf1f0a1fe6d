"""The picture of a ledger's timeline: its colours, its spans, and what it says in words."""

from collections.abc import Iterator
from typing import Any

import pytest

import bytegrad as bg
from bookproof import style
from bytegrad import memory, optim, timeline, watch

pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close the figures that a test drew."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_a_colour_means_the_same_in_every_picture() -> None:
    assert timeline.COLOURS == {
        "activation": style.ACTIVATIONS,
        "input": style.INPUT,
        "parameter": style.PARAMETERS,
        "gradient": style.GRADIENTS,
        "optimizer": style.OPTIMIZER_STATE,
    }
    assert style.NEUTRAL == timeline.NEUTRAL
    assert tuple(timeline.COLOURS) == memory.KINDS


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([], []),
        (["save", "release"], []),
        (["no_grad on", "save", "no_grad off"], [("no_grad", 0, 2)]),
        (["save", "no_grad on"], [("no_grad", 1, 2)]),  # still open at the end
        (["no_grad off", "save"], []),  # opened before the ledger was
        (
            ["recompute starts", "recompute starts", "recompute ends", "save", "recompute ends"],
            [("recomputed", 0, 4)],
        ),
        (
            ["no_grad on", "no_grad off", "recompute starts", "recompute ends"],
            [("no_grad", 0, 1), ("recomputed", 2, 3)],
        ),
    ],
)
def test_spans(events: list[str], found: list[tuple[str, int, int]]) -> None:
    assert list(timeline.spans(events)) == found


def words(ax: Any) -> list[str]:
    """Return what is written into a picture."""
    return [text.get_text() for text in ax.texts]


def test_one_picture_of_a_whole_step() -> None:
    """Parameters stand, activations climb and fall, gradients come; spans are shaded and named."""
    w, x = bg.randn(64, 64, requires_grad=True), bg.randn(16, 64)
    with memory.ledger(w) as led:
        with bg.no_grad():
            x @ w
        (x @ w).tanh().sum().backward()
    ax = led.plot(unit="KiB")
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "activation",
        "input",
        "parameter",
        "gradient",
    ]
    assert words(ax)[1:] == ["no_grad"]
    assert words(ax)[0] == f"peak {led.peak / 1024:,.0f} KiB"
    assert len(ax.patches) == 1
    shaded = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    on = [moment.event for moment in led.timeline].index("no_grad on")
    assert (shaded.x0, shaded.x1) == pytest.approx((on + 1, on + 2))


@pytest.mark.parametrize("given", [False, True])
def test_a_plainly_saved_picture_shows_all_of_the_legend(given: bool) -> None:
    import matplotlib.pyplot as plt

    w, x = bg.randn(64, 64, requires_grad=True), bg.randn(16, 64)
    optimizer = optim.Adam([w])
    with memory.ledger(w, optimizer) as led:
        (x @ w).tanh().sum().backward()
        optimizer.step()
    ax = led.plot(plt.subplots(figsize=(6, 4))[1] if given else None)
    ax.figure.canvas.draw()  # without bbox_inches="tight"
    legend = ax.get_legend()
    assert len(legend.get_texts()) == 5
    shown, sheet = legend.get_window_extent(), ax.figure.bbox
    assert sheet.x0 <= shown.x0 < shown.x1 <= sheet.x1
    assert sheet.y0 <= shown.y0 < shown.y1 <= sheet.y1


@pytest.mark.parametrize("times", [3, 20])
def test_a_run_of_spans_has_one_word(times: int) -> None:
    x = bg.randn(4, requires_grad=True)
    with memory.ledger() as led:
        y = x.exp()
        for _ in range(times):
            watch.tell("unfolding", y.grad_fn, True)
            watch.tell("unfolding", y.grad_fn, False)
    ax = led.plot()
    assert len(ax.patches) == times
    assert words(ax)[1:] == ["recomputed"]
    assert ax.texts[1].get_position()[0] == (2 + 2 * times + 1) / 2  # above the middle of the run


def test_of_many_runs_the_first_of_a_kind_has_the_word() -> None:
    x = bg.randn(4, requires_grad=True)
    with memory.ledger() as led:
        y = x.exp()
        for _ in range(5):
            watch.tell("unfolding", y.grad_fn, True)
            watch.tell("unfolding", y.grad_fn, False)
            with bg.no_grad():
                pass
    ax = led.plot()
    assert len(ax.patches) == 10
    assert words(ax)[1:] == ["recomputed", "no_grad"]


def test_an_empty_timeline_is_drawn() -> None:
    with memory.ledger() as led:
        pass
    ax = led.plot()
    assert (words(ax), ax.get_legend()) == ([], None)
