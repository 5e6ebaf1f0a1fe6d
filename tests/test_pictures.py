"""Pictures of live graphs: what the boxes say, how large graphs are folded, and who can read the picture."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bytegrad as bg
from bookproof import style
from bytegrad import Tensor, Value, memory, timeline
from bytegrad.folding import fold
from bytegrad.layout import place, spread
from bytegrad.pictures import Drawing, Node, picture

SVG = "{http://www.w3.org/2000/svg}"


def leaf(*shape: int, seed: int = 0) -> Tensor:
    return bg.randn(*shape, seed=seed, requires_grad=True)


def mlp(depth: int, width: int = 16) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a chain of linear and ReLU layers, and its parameters."""
    names: dict[str, Tensor] = {}
    h = bg.randn(8, width)
    for i in range(depth):
        names[f"W{i}"], names[f"b{i}"] = leaf(width, width, seed=i), leaf(width, seed=i)
        h = (h @ names[f"W{i}"] + names[f"b{i}"]).relu()
    return h.mean(), names


def recurrent(steps: int) -> Tensor:
    w, h = leaf(4, 4), bg.zeros(2, 4)
    for t in range(steps):
        h = (bg.randn(2, 4, seed=t) @ w + h @ w).tanh()
    return h.sum()


def read(drawing: Drawing) -> ET.Element:
    """Parse a picture: whatever it holds, it is well-formed."""
    return ET.fromstring(drawing.svg)


def texts(drawing: Drawing) -> list[str]:
    return [str(text.text) for text in read(drawing).iter(f"{SVG}text")]


def rectangles(drawing: Drawing) -> list[tuple[float, float, float, float]]:
    """Return left, top, right and bottom of each box."""
    found = []
    for rect in read(drawing).iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + w, y + h))
    return found


# What the boxes say.


def test_a_value_shows_data_grad_and_slopes() -> None:
    x = Value(2.0, label="x")
    y = x * x
    y.backward()
    assert texts(bg.draw(y)) == ["2", "2", "x", "data 2", "grad 4", "*", "data 4", "grad 1"]


def test_a_value_may_be_named() -> None:
    x, u = Value(2.0), Value(3.0, label="u")
    y = x * u
    assert {"a", "b", "c (*)"} <= set(texts(bg.draw(y, {"a": x, "b": u, "c": y})))


def test_a_tensor_shows_shape_dtype_data_bytes_and_grad() -> None:
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    w = leaf(8, 8)
    y = (x * x).sum() + w.exp().sum() * 0
    assert texts(bg.draw(y, {"x": x, "w": w})).count("no grad yet") == 2
    y.backward(retain_graph=True)
    said = texts(bg.draw(y, {"x": x, "w": w}))
    for text in (
        "x", "3 float32", "data [1, 2, 3]", "grad [2, 4, 6]", "8×8 float32", "Mul", "keeps 12 B",
        "keeps 256 B", "Sum", "scalar float32", "keeps nothing", "Add", "data 14", "grad norm 0",
    ):  # fmt: skip
        assert text in said


def test_a_named_result_shows_its_data_and_every_leaf_has_a_name() -> None:
    x, w = leaf(), leaf()
    u = x * w
    said = texts(bg.draw(u.exp(), {"u": u}))
    assert {"u (Mul)", f"data {u.item():.4g}", "leaf 1", "leaf 2"} <= set(said)
    assert {"leaf", "x = w"} & set(texts(bg.draw(x.exp(), {"x": x, "w": x}))) == {"x = w"}
    assert "leaf" in texts(bg.draw(x.exp()))


def test_data_are_known_where_a_rule_saved_them() -> None:
    x = Tensor(2.0, requires_grad=True)
    said = texts(bg.draw(((x + 1) * x).exp().log() + 1))
    assert {"data 3", f"data {np.exp(6):.4g}", "data 7"} <= set(said)
    assert "data 6" not in said  # Mul made it and nobody kept it


def test_a_rule_that_fills_saved_tensors_by_itself() -> None:
    class Twice(bg.Function):
        def __init__(self, x: Tensor, output: Tensor | None = None) -> None:
            self.saved_tensors = (x.data, 3)

        def apply(self, g: Any) -> tuple[Any, ...]:
            return (2 * g,)

    twice = bg.tracked(lambda x: Tensor(2 * x.data), Twice)
    assert {"Twice", "keeps 4 B", "data 3"} <= set(
        texts(bg.draw(twice(Tensor(3.0, requires_grad=True))))
    )


def test_numbers_at_their_edges() -> None:
    for data in (np.float16(60000), np.inf, np.nan, np.zeros((0, 3)), np.full(9, 1e300)):
        x = Tensor(np.asarray(data), requires_grad=True)
        x.grad = np.asarray(x.data)
        bg.draw(x * 1)
    assert "grad norm 3e+300" in texts(bg.draw(x * 1))
    long = Tensor(np.full((2, 2), -1.2345e-7), requires_grad=True)
    (long * 1).sum().backward()
    said = texts(bg.draw(long * 1))
    assert "grad [[1, 1], [1, 1]]" in said
    assert not [
        text for text in said if text.startswith("data") or "…" in text
    ]  # whole or not at all


def test_each_buffer_counts_once_and_the_sum_is_the_ledgers() -> None:
    with memory.ledger() as led:
        loss, names = mlp(3)
        w = names["W0"]
        loss = loss + (w * w).exp().mean() + (w.reshape(-1) * 2.0).tanh().sum()
        assert bg.draw(loss).nbytes == led.current > 0
        assert bg.draw(loss, limit=5).nbytes == led.current
    said = texts(bg.draw(loss))
    assert "keeps nothing new" in texts(bg.draw(w.exp() * w.exp() + w * w))
    sizes = [re.fullmatch(r"keeps ([\d.]+) (B|KiB)", text) for text in said]
    total = sum(float(s[1]) * {"B": 1, "KiB": 1024}[s[2]] for s in sizes if s)
    assert total == pytest.approx(led.current, rel=0.02)  # as it is shown


def test_many_that_keep_nothing_say_so() -> None:
    x = y = leaf(2)
    for _ in range(100):
        y = y + 1.0
    drawing = bg.draw(y)
    assert "Computation graph: 100 calls, 1 leaf, keeps nothing</title>" in drawing.svg
    assert not [
        text for text in texts(drawing) if text.startswith("keeps") if "nothing" not in text
    ]
    assert drawing.boxes < drawing.nodes
    assert x.grad is None


@pytest.mark.parametrize(
    "name", ["network_norm.weight", "MMMMMMMM", "attention.query.weight", "W0", "w" * 60, "mean"]
)
def test_a_heading_fits_into_its_box(name: str) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    x = leaf()
    drawing = bg.draw(x * 2, {name: x})
    font = matplotlib.ft2font.FT2Font(folder / "DejaVuSans-Bold.ttf")
    font.set_size(12, 72)
    headings = [t for t in read(drawing).iter(f"{SVG}text") if "font-weight" in t.attrib]
    for (left, _, right, _), heading in zip(rectangles(drawing), headings, strict=True):
        font.set_text(str(heading.text), 0)
        assert font.get_width_height()[0] / 64 < right - left


def test_names_and_titles_are_escaped_and_bounded() -> None:
    x = leaf(2)
    name = '<&>"\n\x00\ud800' + "long" * 1000
    drawing = bg.draw(x * 2, {name: x}, title=name)
    title = read(drawing).find(f"{SVG}title")
    assert title is not None
    assert str(title.text).startswith('<&>"   long')
    assert len(drawing.svg) < 5_000
    drawing.svg.encode()


# Errors.


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda x: bg.draw(3), TypeError, "draw\\(\\) of int: only"),
        (lambda x: bg.draw(x), bg.GraphError, "without a graph"),
        (lambda x: bg.draw(x * 2, {"z": leaf()}), ValueError, "'z', which is not in the graph"),
        (lambda x: bg.draw(x * 2, {"z": x.data}), TypeError, "ndarray under 'z'"),
        (lambda x: bg.draw(x * 2, [x]), TypeError, "names is list: each name belongs"),
        (lambda x: bg.draw(Value(1.0), {"z": x}), TypeError, "made of Values"),
        (lambda x: bg.draw(Value(1.0), {"z": Value(1.0)}), ValueError, "'z'"),
        (lambda x: bg.draw(x * 2, limit=3), ValueError, "limit is 3"),
        (lambda x: bg.draw(x * 2, limit="9"), ValueError, "limit is '9'"),
        (lambda x: picture([]), ValueError, "nothing to draw"),
    ],
)
def test_errors_say_what_to_do(
    call: Callable[[Tensor], Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        call(leaf(2))


def test_a_freed_graph_is_refused() -> None:
    y = leaf() * 2
    y.backward()
    with pytest.raises(bg.GraphError, match="retain_graph"):
        bg.draw(y)


# How large graphs are folded.


@st.composite
def graphs(draw: Any) -> list[list[int]]:
    """Return the inputs of each node of a graph in which all leads to the last node."""
    inputs: list[list[int]] = []
    for node in range(draw(st.integers(1, 70))):
        near = st.integers(max(0, node - 4), node - 1) if node else st.nothing()
        any_before = st.integers(0, node - 1) if node else st.nothing()
        inputs.append(draw(st.lists(near | any_before, max_size=3)) if node else [])
    reached = {len(inputs) - 1}
    for node in reversed(range(len(inputs))):
        if node in reached:
            reached |= set(inputs[node])
    renumbered = {node: i for i, node in enumerate(sorted(reached))}
    return [[renumbered[s] for s in inputs[node]] for node in renumbered]


@settings(deadline=None)
@given(inputs=graphs(), limit=st.integers(4, 30))
def test_folding_leaves_nothing_out_and_turns_no_edge_around(
    inputs: list[list[int]], limit: int
) -> None:
    leaves = [not sources for sources in inputs]
    groups = fold(inputs, leaves, limit)
    assert sorted(node for group in groups for node in group) == list(range(len(inputs)))
    assert len(groups) <= limit
    assert groups[-1][-1] == len(inputs) - 1
    group_of = {node: g for g, group in enumerate(groups) for node in group}
    for node, sources in enumerate(inputs):
        assert all(group_of[source] <= group_of[node] for source in sources)
    if len(inputs) <= limit:
        assert len(groups) == len(inputs)


@settings(deadline=None)
@given(inputs=graphs())
def test_cells_stand_apart_and_inputs_above(inputs: list[list[int]]) -> None:
    placement = place(inputs)
    nodes = [n for row in placement.rows for n in row if n is not None]
    assert sorted(nodes) == list(range(len(inputs)))
    for row, centres in zip(
        placement.rows, spread(placement, [50.0] * len(inputs), 10, 5), strict=True
    ):
        halves = [5 if n is None else 25 for n in row]
        for (left, right), (a, b) in zip(pairwise(centres), pairwise(halves), strict=True):
            assert right - left >= a + b + 5 - 1e-6
        assert centres[0] >= halves[0] - 1e-6
    for (source, node), route in placement.routes.items():
        rows = [r for r, _ in route]
        assert rows == list(range(rows[0], rows[-1] + 1))
        assert placement.rows[route[0][0]][route[0][1]] == source
        assert placement.rows[route[-1][0]][route[-1][1]] == node


def test_a_graph_within_the_limit_is_not_folded() -> None:
    loss, names = mlp(10)
    drawing = bg.draw(loss, names)
    assert drawing.nodes == drawing.boxes == 51
    assert not [text for text in texts(drawing) if text.endswith("calls")]


def test_the_middle_of_a_chain_is_folded_first() -> None:
    loss, names = mlp(40)
    drawing = bg.draw(loss, names)
    said = texts(drawing)
    assert drawing.boxes <= 60 < drawing.nodes == 201
    [many] = [text for text in said if text.endswith(" calls")]
    at = said.index(many)
    assert set(said[at + 1].split(", ")) == {"Add", "ReLU", "Matmul"}
    assert re.fullmatch(r"and \d+ leaves", said[at + 2])
    assert re.fullmatch(r"keeps [\d.]+ KiB", said[at + 3])
    assert {"W0", "W39", "Mean"} <= set(said)
    shown = sum(text in ("Matmul", "Add", "ReLU", "Mean") for text in said)
    assert shown + int(many.split()[0]) == 121


def test_then_regions_far_from_the_result() -> None:
    drawing = bg.draw(recurrent(300))
    counts = [text for text in texts(drawing) if text.endswith(" calls")]
    shown = texts(drawing).count("Matmul") + texts(drawing).count("Add")
    shown += texts(drawing).count("Tanh") + texts(drawing).count("Sum")
    # the first step has no product with a recorded h
    assert sum(int(text.split()[0]) for text in counts) + shown == drawing.nodes - 1
    assert drawing.boxes <= 60


def test_many_leaves_share_a_box() -> None:
    leaves = [Value(float(i), label=f"w{i}") for i in range(500)]
    drawing = bg.draw(sum(leaves[1:], leaves[0]) * sum(leaves, Value(0.0)))
    assert drawing.boxes <= 60
    assert drawing.nodes == 500 + 1 + 499 + 500 + 1
    wide = Value(0.0, tuple(leaves), "sum", "", (1.0,) * 500)
    said = texts(bg.draw(wide))
    assert {"500 leaves", "w499, w498, w497, …", "sum"} <= set(said)


def test_a_leaf_is_drawn_again_rather_than_wired_across_the_picture() -> None:
    drawing = bg.draw(recurrent(9))
    assert texts(drawing).count("see above") >= 2
    assert drawing.boxes == drawing.nodes
    far = [Node(("w",), True, ()), Node(("0",), False, ((0, ""),))]
    far += [Node((str(i),), False, ((i, ""), (0, ""))) for i in range(1, 1500)]
    assert texts(picture(far)).count("see above") == 1499 // 7


def test_a_million_calls() -> None:
    x = y = Tensor([1.0], requires_grad=True)
    for _ in range(1_000_000):
        y = y * 1.0
    drawing = bg.draw(y, {"x": x})
    assert (drawing.nodes, drawing.boxes) == (1_000_001, 60)
    assert len(drawing.svg) < 50_000
    assert "999,942 calls" in texts(drawing)


# Who can read it.


def test_fifty_boxes_fit_a_desk_and_no_line_crosses_a_box() -> None:
    loss, names = mlp(10)
    drawing = bg.draw(loss, names)
    assert drawing.width <= 1100
    boxes = rectangles(drawing)
    for i, (left, top, right, bottom) in enumerate(boxes):
        for other_left, other_top, other_right, other_bottom in boxes[:i]:
            assert (
                right <= other_left
                or other_right <= left
                or bottom <= other_top
                or other_bottom <= top
            )
    # each curve lies in a gap between rows, where no box is: the boxes of a row are of one height
    for path in re.findall(r'd="(M[^"]*)" fill="none" stroke="currentColor"', drawing.svg):
        numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.partition("V")[0])]
        (x, start, end), xs = (numbers[0], numbers[1], numbers[7]), numbers[::2]
        assert x in xs
        assert not [
            box for box in boxes if box[1] < end - 0.1 and box[3] > start + 0.1
        ]  # fmt: skip


def test_a_screen_reader_gets_a_title_and_a_bounded_text() -> None:
    drawing = bg.draw(mlp(10)[0], title="Ten layers")
    svg = read(drawing)
    assert svg.attrib["role"] == "img"
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert svg.attrib["aria-labelledby"] == title.attrib["id"]
    assert svg.attrib["aria-describedby"] == description.attrib["id"]
    assert title.text == "Ten layers"
    assert str(description.text).startswith("1: leaf 1, 16×16 float32, no grad yet; 2: Matmul")
    assert re.search(r"and \d+ more boxes\.$", str(description.text))
    assert len(str(description.text)) < 1_600
    untitled = bg.draw(leaf(2).exp())
    assert "Computation graph: 1 call, 1 leaf, keeps 8 B</title>" in untitled.svg
    other = bg.draw(leaf(3).exp())
    assert not set(re.findall(r' id="([^"]*)"', untitled.svg)) & set(
        re.findall(r' id="([^"]*)"', other.svg)
    )


def test_nothing_is_told_by_colour_alone_and_colours_stand_out() -> None:
    svg = bg.draw(mlp(40)[0]).svg
    assert 'rx="14"' in svg  # leaves
    assert 'rx="4"' in svg  # calls
    assert set(re.findall(r"#\w{6}", svg)) <= set(timeline.COLOURS.values())
    for colour in set(re.findall(r"#\w{6}", svg)):
        for ground in (style.LIGHT_GROUND, style.DARK_GROUND):
            assert contrast(colour, ground) >= 3


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_a_notebook_scrolls_what_is_wide() -> None:
    narrow, wide = bg.draw(leaf(2) * 2), picture([Node(("x" * 30,), True, ())] * 9)
    assert 'tabindex="0"' not in narrow._repr_html_()
    assert 'style="overflow-x:auto" tabindex="0"' in wide._repr_html_()
    assert repr(narrow) == "<Drawing of 2 nodes>"


def test_the_same_program_draws_the_same_text_in_each_process(run_python: Any) -> None:
    program = (
        "import bytegrad as bg\n"
        "bg.enable_autograd(quiet=True)\n"
        "w, h = bg.randn(4, 4, requires_grad=True), bg.zeros(2, 4)\n"
        "for t in range(50):\n"
        "    h = (bg.randn(2, 4, seed=t) @ w + h @ w).tanh()\n"
        "print(bg.draw(h.sum()).svg)\n"
    )
    assert run_python(program, PYTHONHASHSEED="1") == run_python(program, PYTHONHASHSEED="2")


def test_a_saved_picture_brings_its_ground_along(tmp_path: Path) -> None:
    drawing = bg.draw(leaf(2) * 2)
    path = drawing.save(tmp_path / "graph.svg")
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    sheet = root.find(f"{SVG}style")
    assert sheet is not None
    assert f"#{root.attrib['id']}{{" in str(sheet.text)
    assert "prefers-color-scheme:dark" in text
    assert [p.name for p in tmp_path.iterdir()] == ["graph.svg"]
    drawing.save(str(path))  # again, over the old one
    with pytest.raises(ValueError, match=r"ends in \.svg"):
        drawing.save(tmp_path / "graph.png")
    with pytest.raises(FileNotFoundError):
        drawing.save(tmp_path / "nowhere" / "graph.svg")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(OSError, match=r"folder\.svg"):
        drawing.save(tmp_path / "folder.svg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.svg", "graph.svg"]


def test_twins_bow_apart_and_many_are_one() -> None:
    x = Value(1.0, label="x")
    assert bg.draw(x + x).svg.count("<path") == 2
    many = Value(5.0, (x,) * 5, "sum", "", (1.0,) * 5)
    assert "5 edges" in texts(bg.draw(many))


def test_no_label_lies_on_another_or_is_cut_off() -> None:
    x = Value(1.0, label="x")
    slopes = (-1.2345e-10, -2.3456e-10, -3.4567e-10)
    y = Value(2.0, (x,) * 3, "f", "", slopes) * x
    svg = read(bg.draw(y))
    left, _, width, _ = map(float, svg.attrib["viewBox"].split())
    spans: dict[str, list[tuple[float, float]]] = {}
    for text in svg.iter(f"{SVG}text"):
        if "style" in text.attrib:
            middle, half = float(text.attrib["x"]), 6 * len(str(text.text)) / 2
            spans.setdefault(text.attrib["y"], []).append((middle - half, middle + half))
    assert sorted(map(len, spans.values())) == [2, 3]
    for row in spans.values():
        assert left <= min(row)[0]
        assert max(row)[1] <= left + width
        assert all(low[1] < high[0] for low, high in pairwise(sorted(row)))
