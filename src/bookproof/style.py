"""One look for every picture: readable on white and on near-black, and the same bits on every run.

A picture is one SVG for both themes, so its text has to stand out from both grounds. No grey
reaches a contrast of 4.5 on both; ``NEUTRAL`` is close to the best there is (4.0 on white, 4.5 on
dark). The other colours are roles: what a colour means in one picture it means in all of them.
Each has a contrast of at least 3 on both grounds, and every two stay apart for colour-blind
readers.
"""

from importlib.resources import as_file, files
from typing import Any

ACTIVATIONS = "#4488f2"
PARAMETERS = "#b0574a"
GRADIENTS = "#f2501c"
OPTIMIZER_STATE = "#7a3df2"
INPUT = "#9c5aaa"
NEUTRAL = "#7b8088"

ROLES: dict[str, str] = {
    "activations": ACTIVATIONS,
    "parameters": PARAMETERS,
    "gradients": GRADIENTS,
    "optimizer_state": OPTIMIZER_STATE,
    "input": INPUT,
    "neutral": NEUTRAL,
}
"""Role -> colour, in the order in which a chart without roles of its own uses them."""

LIGHT_GROUND = "#ffffff"
DARK_GROUND = "#14181e"

_TEXT = (
    "text.color",
    "axes.edgecolor",
    "axes.labelcolor",
    "axes.titlecolor",
    "xtick.color",
    "ytick.color",
    "grid.color",
    "legend.labelcolor",
)

# Without date and version of the program the file depends on the drawing only.
_SVG = {"metadata": {"Date": None, "Creator": None}, "bbox_inches": None}


def use() -> None:
    """Give Matplotlib the book's look, and in a notebook make it draw reproducible SVG.

    Call it once, in a chapter's first cell. Matplotlib is imported here and not with the module.
    """
    import matplotlib as mpl
    from cycler import cycler

    with as_file(files("bookproof") / "style.mplstyle") as path:
        mpl.rcParams.update(mpl.rc_params_from_file(path, use_default_template=False))
    colours: dict[Any, Any] = dict.fromkeys(_TEXT, NEUTRAL)
    mpl.rcParams.update(colours)
    mpl.rcParams["axes.prop_cycle"] = cycler(color=list(ROLES.values()))
    _draw_inline_as_svg()


def _draw_inline_as_svg() -> None:
    """Tell the kernel's inline backend, where there is one, to show figures as SVG."""
    try:
        from IPython.core.getipython import get_ipython
        from matplotlib_inline.config import InlineBackend
    except ImportError:
        return
    shell: Any = get_ipython()
    if shell is None:
        return
    backend: Any = InlineBackend.instance(parent=shell)
    # The order matters: a change of the formats reads the keywords.
    backend.print_figure_kwargs = _SVG
    backend.figure_formats = {"svg"}
