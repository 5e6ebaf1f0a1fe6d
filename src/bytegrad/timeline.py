"""The ledger's timeline as a picture: what was kept after each event."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from bytegrad.budget import in_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bytegrad.memory import Ledger

#: One colour a role, in every picture of the book.
COLOURS: Final = {
    "activation": "#4488f2",
    "input": "#9c5aaa",
    "parameter": "#b0574a",
    "gradient": "#f2501c",
    "optimizer": "#7a3df2",
}

#: The ground of a span that is set apart, and its words.
NEUTRAL: Final = "#7b8088"

#: Spans: the event that opens one, the event that closes it, and what is written on it.
SPANS: Final = (
    ("no_grad on", "no_grad off", "no_grad"),
    ("recompute starts", "recompute ends", "recomputed"),
)


def timeline(led: "Ledger", ax: "Axes | None", unit: str, kinds: tuple[str, ...]) -> "Axes":
    """Draw a ledger's timeline, stacked by kind, with the peak marked (see `Ledger.plot`)."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots()
    moments = [*led.timeline, *led.timeline[-1:]]  # the last state lasts for a step as well
    steps = range(len(moments) + 1)
    before = [0.0] * len(steps)
    bands = 0
    for kind in kinds:
        sizes = [0.0, *(in_unit(moment.kinds[kind], unit) for moment in moments)]
        if any(sizes):
            after = [low + size for low, size in zip(before, sizes, strict=True)]
            ax.fill_between(
                steps, before, after, step="post", color=COLOURS[kind], label=kind, linewidth=0
            )
            before, bands = after, bands + 1
    events = [moment.event for moment in led.timeline]
    found = sorted(spans(events), key=lambda span: span[1])
    if any(before):
        peak = max(before)
        first, last = before.index(peak), len(before) - before[::-1].index(peak)
        number = f"{peak:,.0f}" if peak >= 100 or peak == int(peak) else f"{peak:.3g}"
        middle = (first + last) / 2
        ax.annotate(
            f"peak {number} {unit}",
            (middle, peak),
            xytext=(0, 4),
            textcoords="offset points",
            ha=_side(middle, len(moments)),
        )
        if found or bands > 3:  # there is no corner left for it
            figure = ax.get_figure(root=True)
            if figure is not None and figure.get_layout_engine() is None:
                figure.set_layout_engine("constrained")  # makes room under the axes
            ax.legend(
                frameon=False,
                loc="upper center",
                bbox_to_anchor=(0.5, -0.18),
                ncols=bands,
                columnspacing=1.2,
                handlelength=1.2,
            )
        else:
            ax.legend(frameon=False)
    plain = set(events) <= {"save", "release"}
    ax.set(
        xlabel="saves and releases, in order" if plain else "events, in order",
        ylabel=unit,
        xlim=(0, max(len(moments), 1)),
    )
    ax.margins(y=0.3 if found else 0.15)
    ax.set_ylim(bottom=0)
    _shade(ax, found)
    return ax


def spans(events: list[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the words, the first event and the last event of each span; one that contains others stands for them.

    >>> list(spans(["save", "no_grad on", "no_grad off", "release"]))
    [('no_grad', 1, 2)]
    """
    for opens, closes, words in SPANS:
        depth = start = 0
        for i, event in enumerate(events):
            if event == opens:
                start = i if not depth else start
                depth += 1
            elif event == closes and depth:
                depth -= 1
                if not depth:
                    yield words, start, i
        if depth:
            yield words, start, len(events)


def _shade(ax: "Axes", found: list[tuple[str, int, int]]) -> None:
    """Shade the spans, and write above each run of one kind what it is; of many runs above the first of a kind."""
    runs: list[tuple[str, int, int]] = []
    for words, start, end in found:
        ax.axvspan(start + 1, end + 1, color=NEUTRAL, alpha=0.25, linewidth=0, zorder=0)
        if runs and runs[-1][0] == words:
            _, start, _ = runs.pop()
        runs.append((words, start, end))
    many = len(runs) > 4
    right = ax.get_xlim()[1]
    for i, (words, start, end) in enumerate(runs):
        if not many or words not in [other for other, _, _ in runs[:i]]:
            middle = (start + end) / 2 + 1
            side = _side(middle, right)
            x = {"left": start + 1.0, "center": middle, "right": end + 1.0}[side]
            ax.text(x, 0.98, words, transform=ax.get_xaxis_transform(), ha=side, va="top", zorder=3)


def _side(x: float, right: float) -> Literal["left", "center", "right"]:
    """Return the side at which words stand at `x`, so that they stay inside."""
    return "left" if x < right / 8 else "right" if x > right * 7 / 8 else "center"
