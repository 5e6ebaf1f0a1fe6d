"""Figures and pictures: what a kernel records, and that two kernels record the same."""

import re
import subprocess
import sys
from itertools import combinations
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import bookproof
from bookproof import Figure, FigureError, UnitError, figure, style
from bookproof.figures import MIME
from bookproof.starting import patiently
from bookproof.units import NBSP, TIMES


def test_outside_a_notebook_a_figure_is_only_returned(capsys: pytest.CaptureFixture[str]) -> None:
    made = figure("linear_x", 65536, "KiB", formula="batch \u00b7 features \u00b7 4 B")
    assert made == Figure("linear_x", 65536, "KiB", "batch \u00b7 features \u00b7 4 B")
    assert f"{made}" == str(made) == f"64{NBSP}KiB"
    assert repr(made) == f"linear_x = 64{NBSP}KiB  (batch \u00b7 features \u00b7 4 B)"
    assert repr(figure("ratio", 10, TIMES)) == f"ratio = 10{TIMES}"
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.float32(0.1), 0.1),
        (np.float16(0.1), 0.1),
        (np.array(7), 7),
        (np.array(0.1, dtype=np.float32), 0.1),
        ("fits", "fits"),
    ],
)
def test_scalar_becomes_a_plain_value(given: Any, kept: Any) -> None:
    made = figure("n", given)
    assert made.value == kept
    assert type(made.value) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "unit", "said"),
    [
        ("Linear", 1, "", "the name is malformed"),
        ("2x", 1, "", "the name is malformed"),
        ("a-b", 1, "", "rename it, for example 'linear_x'"),
        ("n", float("nan"), "", "the value is nan"),
        ("n", np.float32("inf"), "", "the value is inf"),
        ("n", True, "", "the value is a bool"),
        ("n", [1], "", "the value is a list"),
        ("n", np.ones(2), "", "a figure is one number"),
        ("n", np.ones(1), "", "a figure is one number"),
        ("n", 1j, "", "the value is a complex"),
        ("n", None, "", "the value is a NoneType"),
        ("n", "fits", "B", "text has no unit"),
        ("n", " ", "", "is not blank"),
    ],
)
def test_what_cannot_be_a_figure_is_refused(name: str, value: Any, unit: str, said: str) -> None:
    with pytest.raises(FigureError, match=said):
        figure(name, value, unit)


def test_open_unit_is_refused() -> None:
    with pytest.raises(UnitError, match=r"write kB \(1000\) or KiB \(1024\)"):
        figure("n", 65536, "KB")


def test_importing_is_light() -> None:
    heavy = "{'numpy', 'matplotlib', 'IPython', 'yaml', 'sphinx', 'nbformat', 'bytegrad'}"
    program = f"import sys, bookproof; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_public_names() -> None:
    assert sorted(bookproof.__all__) == [
        "Agreement", "ClaimError", "Disagreement", "Figure", "FigureError", "RecordError", "Recorded",
        "Theirs", "UnitError", "Verdict", "agrees", "attempt", "claim", "figure", "right", "self_check",
        "torch_says", "wrong",
    ]  # fmt: skip


# The following run in kernels.

STYLE = "from bookproof import style\nstyle.use()\nimport matplotlib.pyplot as plt"
DRAW = """\
fig, ax = plt.subplots()
ax.plot([1, 4, 9], label="a")
ax.fill_between([0, 1, 2], [1, 2, 3], hatch="/")
ax.scatter([1], [2])
ax.set(title="Memory peaks where forward ends", xlabel="step")
ax.legend();"""


def run(*sources: str, allow_errors: bool = False) -> list[list[Any]]:
    """Return the outputs of a notebook of these cells, run in a fresh kernel."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    settings: dict[str, Any] = {
        "timeout": 60,
        "kernel_name": "python3",
        "allow_errors": allow_errors,
    }
    patiently(lambda: NotebookClient(notebook, **settings).execute())
    return [cell.outputs for cell in notebook.cells]


@pytest.fixture(scope="module")
def kernels() -> tuple[list[list[Any]], list[list[Any]]]:
    figures = (
        "from bookproof import figure",
        'figure("nodes", 1999);',
        'figure("spent", 0.25, "ms", formula="clock", measured=True)',
        'for i in range(2): figure("twice", i)',
        'figure("nodes", 1999);',
    )
    swapped = "import matplotlib.pyplot as plt\nfrom bookproof import style\nstyle.use()"
    first = run(*figures, STYLE, DRAW, allow_errors=True)
    return first, run(swapped, DRAW)


def test_record_is_what_glue_and_the_lock_read(kernels: Any) -> None:
    [made] = kernels[0][1]
    assert made.output_type == "display_data"
    assert made.metadata == {
        "scrapbook": {"name": "nodes", "mime_prefix": "application/papermill.record/"},
        "bookproof": {
            "value": 1999, "unit": "", "formula": "", "measured": False, "shows": "1,999",
        },
    }  # fmt: skip
    [made] = kernels[0][2]  # the figure ends its cell, and is shown in the text alone
    assert made.data == {MIME: f"250{NBSP}ms"}
    assert made.metadata["bookproof"]["measured"] is True


def test_glue_prints_what_was_shown(kernels: Any) -> None:
    from myst_nb.core.variables import format_plain_text

    assert format_plain_text(kernels[0][1][0].data[MIME], "s") == "1,999"
    assert format_plain_text(kernels[0][2][0].data[MIME], "s") == f"250{NBSP}ms"


def test_figure_made_twice_in_one_cell_is_refused(kernels: Any) -> None:
    error = kernels[0][3][-1]
    assert error.ename == "FigureError"
    assert "'twice', \u2026) ran twice in one cell" in error.evalue


def test_cell_may_run_again(kernels: Any) -> None:
    assert [made.output_type for made in kernels[0][4]] == ["display_data"]


def svg(outputs: list[Any]) -> str:
    [drawn] = [made for made in outputs if "image/svg+xml" in made.get("data", {})]
    return str(drawn.data["image/svg+xml"])


def test_two_kernels_draw_the_same_bits(kernels: Any) -> None:
    first, second = kernels
    assert svg(first[6]) == svg(second[1])


def test_drawing_is_text_on_no_ground_and_undated(kernels: Any) -> None:
    drawn = svg(kernels[0][6])
    assert "Memory peaks where forward ends</text>" in drawn
    assert "<dc:date>" not in drawn
    assert "#ffffff" not in drawn.lower()
    width = re.search(r'width="([\d.]+)pt"', drawn)
    assert width is not None
    assert float(width[1]) / 72 * 96 <= 700


# Colours. Simulated deficiencies: Machado, Oliveira and Fernandes (2009), severity 1.

VISION = {
    "full": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> np.ndarray:
    """Return the linear-light red, green and blue of a hexadecimal colour."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    low, high = sorted(linear(c) @ [0.2126, 0.7152, 0.0722] for c in (a, b))
    return float((high + 0.05) / (low + 0.05))


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b* of linear-light red, green and blue."""
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    x, y, z = np.cbrt(to_xyz @ np.clip(rgb, 0, 1) / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("role", style.ROLES)
def test_colour_stands_out_on_both_grounds(role: str) -> None:
    for ground in (style.LIGHT_GROUND, style.DARK_GROUND):
        assert contrast(style.ROLES[role], ground) >= (3.9 if role == "neutral" else 3)


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart(vision: str) -> None:
    seen = {
        role: lab(np.asarray(VISION[vision]) @ linear(colour))
        for role, colour in style.ROLES.items()
    }
    for a, b in combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 20, f"{a} and {b} look alike"
