"""The ledger's timeline as a picture: what was kept after each save and each release."""

from typing import TYPE_CHECKING

from bytegrad.budget import in_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bytegrad.memory import Ledger

#: One colour a role, in every picture of the book.
COLOURS = {"activation": "#4488f2", "input": "#9c5aaa", "parameter": "#b0574a"}


def timeline(led: "Ledger", ax: "Axes | None", unit: str, kinds: tuple[str, ...]) -> "Axes":
    """Draw a ledger's timeline, stacked by kind, with the peak marked (see `Ledger.plot`)."""
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots()
    moments = [*led.timeline, *led.timeline[-1:]]  # the last state lasts for a step as well
    steps = range(len(moments) + 1)
    before = [0.0] * len(steps)
    for kind in kinds:
        sizes = [0.0, *(in_unit(moment.kinds[kind], unit) for moment in moments)]
        if any(sizes):
            after = [low + size for low, size in zip(before, sizes, strict=True)]
            ax.fill_between(
                steps, before, after, step="post", color=COLOURS[kind], label=kind, linewidth=0
            )
            before = after
    if any(before):
        peak = max(before)
        first, last = before.index(peak), len(before) - before[::-1].index(peak)
        ax.annotate(
            f"peak {peak:,.0f} {unit}",
            ((first + last) / 2, peak),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
        )
        ax.legend(frameon=False)
    ax.set(xlabel="saves and releases, in order", ylabel=unit, xlim=(0, max(len(moments), 1)))
    ax.margins(y=0.15)
    ax.set_ylim(bottom=0)
    return ax
