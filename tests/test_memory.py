"""The ledger against the closed forms and against the allocator."""

import array
import contextlib
import csv
import gc
import itertools
import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Function, Tensor, budget, functional, memory, nn, optim, rows, tracked, watch
from bytegrad.arrays import outermost


def mlp(widths: list[int]) -> Callable[[Tensor], Tensor]:
    """Return a chain of linear and ReLU layers."""
    rng = np.random.default_rng(0)
    layers = [
        (
            Tensor(rng.standard_normal((m, n), dtype="float32") / m**0.5, requires_grad=True),
            bg.zeros(n, requires_grad=True),
        )
        for m, n in itertools.pairwise(widths)
    ]

    def forward(x: Tensor) -> Tensor:
        for i, (w, b) in enumerate(layers):
            x = x @ w + b
            if i < len(layers) - 1:
                x = x.relu()
        return x

    return forward


def test_the_mlp_of_the_book() -> None:
    widths = [784, 512, 256, 128, 10]
    model = mlp(widths)
    with memory.ledger() as led:
        logits = model(bg.randn(64, 784))
    assert led.kept("activation", "input") == 430_080
    assert logits.shape == (64, 10)
    assert budget.mlp_activations(widths, 64) == 430_080


@pytest.mark.parametrize(
    "widths", [[512, 1024, 512, 1024], [2048, 2048], [300, 700, 1100, 500, 900]]
)
def test_formula_ledger_and_allocator_agree(widths: list[int]) -> None:
    """Within 1 % above 1 MiB."""
    model, batch = mlp(widths), 512
    model(bg.randn(batch, widths[0]))  # what NumPy allocates once
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        with memory.ledger() as led:
            y = model(bg.randn(batch, widths[0]))
        allocated = tracemalloc.get_traced_memory()[0] - before - y.nbytes
    finally:
        tracemalloc.stop()
    kept = led.kept("activation", "input")
    assert kept == budget.mlp_activations(widths, batch) > 2**20
    assert allocated == pytest.approx(kept, rel=0.01)


def test_ledger_and_allocator_agree_on_a_whole_step() -> None:
    """Parameters, gradients and optimizer state within 1 %, and the peak no lower than what the ledger says."""
    x = bg.randn(256, 512)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model = nn.Sequential(*(nn.Linear(512, 512) for _ in range(4)))
        optimizer = optim.Adam(model.parameters())
        with memory.ledger(model, optimizer) as led:
            model(x).sum().backward()
            optimizer.step()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before == pytest.approx(led.current, rel=0.01)
    assert led.current == 4 * 4 * 4 * (512 * 512 + 512)
    assert peak - before >= led.peak - x.nbytes


def test_a_linear_layer_keeps_its_input_and_not_its_output() -> None:
    x = bg.randn(32, 512)
    w, b = bg.randn(512, 768, requires_grad=True), bg.zeros(768, requires_grad=True)
    with memory.ledger() as led:
        y = x @ w + b
    assert [(row.op, row.shape, row.dtype, row.nbytes, row.kind) for row in led.rows] == [
        ("Matmul", (32, 512), "float32", 65_536, "input")
    ]
    x.requires_grad_()
    with memory.ledger() as led:
        y = x @ w + b
    assert [row.nbytes for row in led.rows] == [65_536, 1_572_864]
    assert y.shape == (32, 768)


def test_what_each_rule_keeps() -> None:
    """The least: numbers of arrays of 8 elements, by operation."""
    a = Tensor(np.ones(8), requires_grad=True)
    b = Tensor(np.ones(8), requires_grad=True)
    c = Tensor(np.ones(8))
    for compute, kept in [
        (lambda: a + b, 0),
        (lambda: a - b, 0),
        (lambda: -a, 0),
        (lambda: a.sum() + a.mean(), 0),
        (lambda: a.reshape(2, 4).T, 0),
        (lambda: a * b, 2),
        (lambda: a * c, 1),
        (lambda: a * a, 1),
        (lambda: a * 2, 0),
        (lambda: a / c, 1),
        (lambda: a / b, 2),
        (lambda: a**2, 1),
        (lambda: a @ c, 1),
        (lambda: a.exp(), 1),
        (lambda: a.relu().exp(), 2),
        (lambda: a.tanh() * 2, 1),
        (lambda: (a + 1).sigmoid(), 1),
        (lambda: a.log(), 1),
    ]:
        with memory.ledger() as led:
            y = compute()
            assert led.current == kept * 64
        assert y.requires_grad


def test_a_buffer_counts_once_and_a_view_counts_its_whole_buffer() -> None:
    a = Tensor(np.ones((4, 4)), requires_grad=True)
    with memory.ledger() as led:
        y = a.reshape(16) * a.T.reshape(4, 4).reshape(16)
        assert led.current == 2 * 128  # a itself, and the copy that a transposed reshape makes
        assert [row.new for row in led.rows] == [True, True]
        z = a * a
        assert led.current == 2 * 128
        assert [row.new for row in led.rows] == [True, True, False, False]
        del y
        assert led.current == 128
    assert z.requires_grad


def test_a_view_of_a_leaf_is_what_the_leaf_is() -> None:
    """A transposed weight is a parameter, reshaped data are an input, a reshaped result an activation."""
    w, data = bg.randn(4, 8, requires_grad=True), bg.randn(2, 4, 2)
    with memory.ledger() as led:
        y = data.reshape(2, 8) @ w.T
        z = y.exp().reshape(8) * y.reshape(8)
    assert [(row.op, row.kind, row.new) for row in led.rows] == [
        ("Matmul", "input", True),
        ("Exp", "activation", True),
        ("Mul", "activation", False),
        ("Mul", "activation", True),
    ]
    with memory.ledger() as led:
        loss = (z.reshape(2, 4) @ w.T.T[:, 1:]).sum()
    assert [row.kind for row in led.rows] == ["activation", "parameter"]
    assert loss.requires_grad


def test_timeline_climbs_and_descends() -> None:
    model = mlp([64, 64, 64, 64])
    with memory.ledger() as led:
        loss = (model(bg.randn(16, 64)) ** 2).mean()
        forward = len(led.timeline)
        loss.backward()
    heights = [moment.nbytes for moment in led.timeline]
    assert heights[:forward] == sorted(heights[:forward])
    assert heights[forward - 1 :] == sorted(heights[forward - 1 :], reverse=True)
    assert max(heights) == led.peak == heights[forward - 1]
    assert led.current == 0
    assert all(moment.nbytes == sum(moment.kinds.values()) for moment in led.timeline)


def test_a_closed_ledger_stays_as_it_was() -> None:
    x = bg.randn(8, 8, requires_grad=True)
    with memory.ledger() as led:
        y = (x * x).sum()
    y.backward()
    assert led.current == 256
    assert led.table().splitlines()[-1].split() == ["kept", "256"]
    assert "counted above" in led.table()
    with pytest.raises(ValueError, match=r"no kind is called 'weights'.* Use one of them"):
        led.kept("weights")


def test_nothing_is_kept_without_grad() -> None:
    x = bg.randn(8, 8, requires_grad=True)
    with memory.ledger() as led, bg.no_grad():
        y = (x @ x).exp()
    assert (led.peak, y.requires_grad) == (0, False)


def test_the_plot_marks_the_peak() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    model = mlp([64, 64, 64])
    with memory.ledger() as led:
        (model(bg.randn(16, 64)) ** 2).mean().backward()
    ax = led.plot(unit="KiB", kinds=("input", "activation"))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["input", "activation"]
    highest = max(m.kinds["input"] + m.kinds["activation"] for m in led.timeline)
    assert ax.texts[0].get_text() == f"peak {highest / 1024:.3g} KiB"


def test_bytes_by_op_module_line_and_kind_add_up() -> None:
    model = mlp([64, 32, 16])
    with memory.ledger() as led:
        y = model(bg.randn(8, 64)).exp()
    assert led.by("op") == [
        ("Matmul", 8 * 64 * 4 + 32 * 16 * 4),
        ("ReLU", 8 * 32 * 4),
        ("Exp", 512),
    ]
    assert led.by("kind") == [("input", 2048), ("parameter", 2048), ("activation", 1536)]
    assert led.by("module") == [("", led.current)]
    lines = dict(led.by("line"))
    assert [line.split(": ", 1)[1] for line in lines] == [
        "x = x @ w + b",
        "x = x.relu()",
        "y = model(bg.randn(8, 64)).exp()",
    ]
    assert all(line.startswith("test_memory.py:") for line in lines)
    assert all(sum(n for _, n in led.by(what)) == led.current for what in memory.GROUPS)
    assert led.table(by="module").splitlines()[1].split() == ["no", "module", "5,632"]
    assert [line.split() for line in led.table(by="kind").splitlines()] == [
        ["kind", "bytes"],
        ["input", "2,048"],
        ["parameter", "2,048"],
        ["activation", "1,536"],
        ["kept", "5,632"],
    ]
    assert y.shape == (8, 16)
    with pytest.raises(ValueError, match=r"no column is called 'file'.* Use one of them"):
        led.by("file")


def test_the_next_holder_counts_when_the_first_lets_go() -> None:
    x = bg.randn(8, requires_grad=True)
    with memory.ledger() as led:
        y = x * x
        z = x.exp() * x
        del y
        assert [(row.op, row.new) for row in led.rows] == [
            ("Exp", True),
            ("Mul", False),
            ("Mul", True),
        ]
        assert led.current == 64 == sum(n for _, n in led.by("op"))
    assert z.requires_grad


def test_a_view_counts_the_memory_behind_it_once() -> None:
    """Also through the go-betweens of stride tricks, and where the memory is no array's."""
    data = np.arange(16.0)
    tricks = np.lib.stride_tricks
    for view in (
        data[3:5],
        data.reshape(4, 4).T,
        np.broadcast_to(data, (9, 16)),
        tricks.as_strided(data, (100, 16), (0, 8)),
        tricks.sliding_window_view(data, 4),
        np.asarray(memoryview(data)),
        tricks.as_strided(np.asarray(memoryview(data))[2:], (4,), (8,)),
    ):
        assert rows.buffer(view) == (data, 128) if view is data else rows.buffer(view)[0] is data
        assert rows.buffer(view)[1] == 128
    for foreign in (bytes(64), bytearray(64), array.array("d", range(8))):
        views = np.frombuffer(foreign), np.frombuffer(foreign, dtype="float32")[4:]
        assert all(rows.buffer(view)[0] is foreign and rows.buffer(view)[1] == 64 for view in views)

    class Lender:
        """Lends memory by address, as other libraries do."""

        def __init__(self) -> None:
            self.own = np.zeros(8)
            self.__array_interface__ = self.own.__array_interface__

    lender = Lender()
    view = np.broadcast_to(np.asarray(lender)[2:4], (9, 2))
    assert rows.buffer(view) == (lender, 16)
    assert outermost(view).base is lender

    x, window = bg.randn(4, requires_grad=True), bg.zeros(1)
    window.data = tricks.as_strided(np.ones(4, "float32"), (50, 4), (0, 4))
    with memory.ledger() as led:
        y = x * window
    assert (led.current, led.rows[0].shape) == (16, (50, 4))
    assert y.requires_grad


def test_export_and_csv(tmp_path: Path) -> None:
    x = bg.randn(2, 3, requires_grad=True)
    with memory.ledger() as led:
        y = (x * x).exp()
    records = led.export()
    assert records[0] == {
        "op": "Mul",
        "shape": (2, 3),
        "dtype": "float32",
        "nbytes": 24,
        "kind": "parameter",
        "new": True,
        "module": "",
        "line": records[0]["line"],
    }
    path = tmp_path / "ledger.csv"
    path.write_text("old")
    led.to_csv(path)
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["op"], line["shape"], line["nbytes"], line["new"]) for line in lines] == [
        ("Mul", "2×3", "24", "True"),
        ("Mul", "2×3", "24", "False"),
        ("Exp", "2×3", "24", "True"),
    ]
    assert lines[0]["line"].endswith(": y = (x * x).exp()")
    assert y.requires_grad


def test_an_unfinished_csv_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.csv"
    path.write_text("old")

    def lines() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rows.write_csv(path, ["a"], lines())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_owners_stand_from_the_start_and_gradients_come_and_go() -> None:
    w, b = bg.randn(4, 4, requires_grad=True), bg.zeros(4, requires_grad=True)
    b.grad = np.zeros(4, "float32")
    with memory.ledger(w, b) as led:
        assert (led.kept("parameter"), led.kept("gradient"), led.current) == (80, 16, 96)
        assert [row.op for row in led.rows] == ["Parameter", "Parameter", "Gradient"]
        start = len(led.timeline)
        (bg.randn(2, 4) @ w).tanh().sum().backward()
        assert (led.kept("gradient"), led.kept("activation", "input")) == (80, 0)
        (bg.randn(2, 4) @ w).sum().backward()  # added to, and the sum takes its place
        assert led.kept("gradient") == 80
        w.zero_grad()
        assert led.kept("gradient") == 16
        b.grad = None
        assert led.current == 80
        del b
        assert led.current == led.kept("parameter") == 64
    assert [(m.op, m.event, m.nbytes, m.saved) for m in led.timeline[:start]] == [
        ("owners", "start", 96, False)
    ]
    assert [m.event for m in led.timeline if m.op == "Gradient"] in (
        ["gradient", "gradient", "release", "release", "release"],  # a new sum
        ["gradient", "release", "release"],  # added in place
    )


def test_without_owners_gradients_are_not_entered() -> None:
    w = bg.randn(4, 4, requires_grad=True)
    with memory.ledger() as led:
        (w * w).sum().backward()
    assert {moment.event for moment in led.timeline} == {"save", "release"}


def test_a_parameter_that_gets_another_array_stays_followed() -> None:
    w = bg.randn(4, requires_grad=True)
    with memory.ledger(w) as led, bg.no_grad():
        w.data = np.zeros(8, "float32")
        assert led.kept("parameter") == 32
        w.data = np.zeros(2, "float32")
        assert led.kept("parameter") == 8
    assert led.peak == 48  # old and new, while one took the other's place


def test_a_weight_that_an_owner_holds_counts_once() -> None:
    w = bg.randn(4, 4, requires_grad=True)
    x = bg.randn(2, 4, requires_grad=True)
    with memory.ledger(w) as led:
        y = x @ w
    assert [(row.op, row.kind, row.new) for row in led.rows] == [
        ("Parameter", "parameter", True),
        ("Matmul", "parameter", True),
        ("Matmul", "parameter", False),
    ]
    assert y.requires_grad


def test_a_buffer_stays_of_the_kind_that_it_was_first() -> None:
    w = bg.randn(4, requires_grad=True)
    w.grad = np.ones(4, dtype="float32")
    with memory.ledger(w) as led:
        y = w * w.grad
    assert [(row.op, row.kind, row.new) for row in led.rows[1:]] == [
        ("Gradient", "gradient", True),
        ("Mul", "gradient", False),
    ]
    assert y.requires_grad


def test_a_tensor_at_the_address_of_an_owner_that_is_gone_is_another() -> None:
    w, kept = bg.randn(4, requires_grad=True), bg.randn(4, requires_grad=True)
    with memory.ledger(w, kept) as led:
        del w
        others = [bg.randn(4, requires_grad=True) for _ in range(50)]
        for x in others:
            (x * 2).sum().backward()
    assert led.kept("gradient") == 0


class Remembering:
    """An optimizer, as far as the ledger sees one."""

    def __init__(self, *leaves: Tensor) -> None:
        self.param_groups = [{"params": list(leaves)}]
        self.state: dict[Tensor, dict[str, Any]] = {}

    def step(self) -> None:
        for leaf in self.param_groups[0]["params"]:
            if leaf not in self.state:
                self.state[leaf] = {"step": 1, "mean": np.zeros_like(leaf.data)}
                watch.tell("state", self, "mean", self.state[leaf]["mean"])


def test_what_optimizers_remember() -> None:
    w, b = bg.randn(4, 4, requires_grad=True), bg.zeros(4, requires_grad=True)
    optimizer = Remembering(w, b)
    with memory.ledger(optimizer) as led:
        assert led.kept("parameter") == 80
        optimizer.step()
        assert (led.kept("optimizer"), led.timeline[-1].event) == (80, "state")
        assert [(row.op, row.shape) for row in led.rows[2:]] == [("mean", (4, 4)), ("mean", (4,))]
        other = {leaf: {"mean": held["mean"].copy()} for leaf, held in optimizer.state.items()}
        optimizer.state = other  # as loading does
        assert led.kept("optimizer") == 80
        optimizer.state.clear()
        other.clear()
        assert led.kept("optimizer") == 0
    optimizer.step()
    with memory.ledger(optimizer) as led:
        assert led.kept("parameter", "optimizer") == led.current == 160
    with memory.ledger() as led:
        watch.tell("state", optimizer, "mean", np.zeros(4))
    assert led.current == 0


def test_a_ledger_keeps_nothing_alive() -> None:
    w = bg.randn(4, requires_grad=True)
    gone = weakref.ref(w)
    gc.disable()
    try:
        with memory.ledger(w) as led:
            y = w.exp()
            del w, y
            assert (gone(), led.current) == (None, 0)
    finally:
        gc.enable()


def test_an_owner_without_parameters_is_refused() -> None:
    with (
        pytest.raises(
            TypeError, match=r"ledger\(\) of list: .* Pass modules, optimizers, or Tensors"
        ),
        memory.ledger([1, 2]),
    ):
        pass


def test_events_without_bytes() -> None:
    x = bg.randn(4, requires_grad=True)
    with memory.ledger() as led:
        with bg.no_grad(), bg.no_grad():
            x.exp()
        y = x.exp()
    assert [(m.op, m.event, m.nbytes) for m in led.timeline] == [
        ("no_grad", "no_grad on", 0),
        ("no_grad", "no_grad off", 0),
        ("Exp", "save", 16),
    ]
    assert y.requires_grad


def test_each_thread_has_its_own_ledger() -> None:
    x = bg.randn(4, requires_grad=True)
    kept = []
    with memory.ledger() as led:
        thread = threading.Thread(target=lambda: kept.append(x.exp()))
        thread.start()
        thread.join()
    assert (led.timeline, len(kept)) == ([], 1)


def test_an_operation_pays_nothing_while_no_ledger_is_open() -> None:
    """None of the ledger's code runs, and nobody is told anything."""
    x = bg.randn(4, requires_grad=True)
    with memory.ledger() as led:
        x.exp()
    called: set[tuple[str, str]] = set()
    sys.setprofile(lambda frame, *_: called.add((frame.f_code.co_filename, frame.f_code.co_name)))
    try:
        (x * x).exp().sum().backward()
    finally:
        sys.setprofile(None)
    names = {Path(file).stem for file, _ in called}
    assert "rules" in names
    assert not names & {"memory", "rows", "owners", "watch"}
    assert led.current == 0


class Pair(nn.Module):
    """Two chains, one after the other, and an operation of its own."""

    def __init__(self) -> None:
        self.first = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.second = nn.Sequential(nn.Linear(8, 4), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x)).exp()
        return y


def test_bytes_by_module() -> None:
    model = Pair()
    with memory.ledger() as led:
        loss = model(bg.randn(2, 4)).sigmoid()
    assert [(row.module, row.op) for row in led.rows] == [
        ("first.0", "Linear"),
        ("first.1", "Tanh"),
        ("second.0", "Linear"),
        ("second.0", "Linear"),
        ("second.1", "Tanh"),
        ("Pair", "Exp"),
        ("", "Sigmoid"),
    ]
    assert loss.shape == (2, 4)
    with memory.ledger(model) as led:
        assert [name for name, _ in led.by("module")] == ["first.0", "second.0"]
        model(bg.randn(2, 4)).sum().backward()
        optimizer = optim.Adam(model.parameters())
        optimizer.step()
    assert dict(led.by("module")) == {"first.0": 4 * 40 * 4, "second.0": 4 * 36 * 4}
    with memory.ledger(optimizer, model) as led:  # whichever comes first
        assert dict(led.by("module")) == {"first.0": 4 * 40 * 4, "second.0": 4 * 36 * 4}


def test_a_module_keeps_the_path_at_which_it_was_met_first() -> None:
    """Also where a checkpoint, or the program, calls it by itself later."""
    model, x = Pair(), bg.randn(2, 4)
    with memory.ledger() as led:
        y = model.first(x)
        assert [row.module for row in led.rows] == ["0", "1"]
    with memory.ledger() as led:
        model(x)
        y = model.first(x)
        assert [row.module for row in led.rows] == ["first.0", "first.1"]
    seen: list[str] = []

    class AfterUnfolding(watch.Watcher):
        def unfolding(self, fn: Any, active: bool) -> None:
            seen.extend(
                row.module for row in led.rows if row.op in ("Linear", "Tanh") and not active
            )

    with memory.ledger(model) as led, watch.observe(AfterUnfolding()):
        z = bg.checkpoint(model.second, bg.checkpoint(model.first, x))
        y = model.second[0](y)
        assert led.rows[-1].module == "second.0"
        z.sum().backward()
        del y
    assert seen == [*["second.0"] * 4, "second.1", *["second.0"] * 2, "first.0", "first.1"]


def test_a_checkpoint_shows_as_a_second_climb() -> None:
    """It keeps its input alone; backward saves the rest for a while, between two marks."""
    layers = [nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3)]
    x = bg.randn(2, 4)
    with memory.ledger() as led:
        y = x
        for layer in layers:
            y = bg.checkpoint(layer, y)
        assert [(row.op, row.kind) for row in led.rows if row.shape == x.shape] == [
            ("Checkpoint", "input"),
            ("Checkpoint", "activation"),
            ("Checkpoint", "activation"),
        ]
        assert {row.kind for row in led.rows if row.shape != x.shape} == {"parameter"}
        y.sum().backward()
        assert led.current == 0
    events = [m.event for m in led.timeline]
    assert events.count("recompute starts") == events.count("recompute ends") == 3
    inside = events[events.index("recompute starts") : events.index("recompute ends")]
    assert inside == ["recompute starts", "save", "save"]


def test_masks_are_activations() -> None:
    x = bg.randn(8, requires_grad=True)
    with memory.ledger() as led:
        y = functional.dropout(x, 0.5), x.where(np.ones(8, dtype=bool), 0.0)
    assert [(row.kind, row.nbytes) for row in led.rows] == [("activation", 8)] * 2
    assert len(y) == 2


def test_a_sparse_gradient_is_as_large_as_its_rows() -> None:
    table = bg.randn(100, 4, requires_grad=True)
    with memory.ledger(table) as led:
        table.embedding(np.array([3, 5]), sparse=True).sum().backward()
        assert led.kept("gradient") == table.grad.nbytes == 2 * 4 * 4 + 2 * 8
        table.zero_grad()
        assert led.kept("gradient") == 0


def test_a_rule_that_fills_saved_tensors_by_itself() -> None:
    class DoubleBackward(Function):
        def __init__(self, x: Any, output: Any = None) -> None:
            self.saved_tensors = (x.data, np.ones(2), 3)

        def apply(self, g: Any) -> Any:
            return (g * 2,)

    w = bg.randn(4, requires_grad=True)
    with memory.ledger() as led:
        y = tracked(lambda x: Tensor(x.data * 2), DoubleBackward)(w)
    assert [(row.op, row.kind) for row in led.rows] == [
        ("Double", "parameter"),
        ("Double", "activation"),
    ]
    assert y.requires_grad


def recounted(tensors: list[Tensor], leaves: list[Tensor], optimizer: Any) -> int:
    """Return the bytes of all that is kept, by a walk through the graphs below tensors that are alive."""
    held: list[Any] = [array for leaf in leaves for array in (leaf.data, leaf.grad)]
    held += [array for state in optimizer.state.values() for array in state.values()]
    waiting: list[Any] = [x.grad_fn for x in tensors]
    seen = set()
    while waiting:
        fn = waiting.pop()
        if isinstance(fn, Function) and fn not in seen and fn.edges is not None:
            seen.add(fn)
            held.extend(fn.saved_tensors)
            waiting.extend(fn.edges)
    sources = [rows.buffer(array) for array in held if isinstance(array, np.ndarray)]
    return sum({id(source): nbytes for source, nbytes in sources}.values())


@pytest.mark.parametrize("seed", range(25))
def test_a_ledger_equals_a_recount_after_every_step_of_any_program(seed: int) -> None:
    """Random programs that compute, checkpoint, differentiate, train and drop what they made."""
    rng = np.random.default_rng(seed)
    ws = [Tensor(rng.standard_normal((8, 8)), requires_grad=True) for _ in range(3)]
    optimizer = optim.Adam(ws, lr=0.01)
    alive = [Tensor(rng.standard_normal((4, 8)))]

    def one(of: list[Any]) -> Any:
        return of[rng.integers(len(of))]

    def multiply(x: Tensor, w: Tensor) -> Tensor:
        return (x @ w).tanh().relu()

    def differentiate(x: Tensor) -> None:
        if x.requires_grad and (x.is_leaf or x.grad_fn.edges is not None):
            with contextlib.suppress(bg.GraphError):  # below it, the graph may be used up
                x.sum().backward(retain_graph=bool(rng.integers(2)))

    def drop(x: Tensor) -> None:
        del alive[1 + int(rng.integers(len(alive))) :]

    actions: list[Callable[[Tensor], Any]] = [
        *(Tensor.tanh, Tensor.relu, Tensor.gelu, Tensor.softmax, Tensor.layer_norm, Tensor.__neg__),
        *(lambda x: x.T.T, lambda x: x * x, lambda x: x + one(alive), lambda x: x * one(alive)),
        *(lambda x: x @ one(ws), lambda x: bg.checkpoint(multiply, x, one(ws))),
        *(differentiate, differentiate, drop),
        *(lambda x: optimizer.step(), lambda x: optimizer.zero_grad()),
    ]
    with memory.ledger(optimizer) as led:
        for _ in range(60):
            made = one(actions)(one(alive))
            if isinstance(made, Tensor):
                alive.append(made)
            del made
            assert led.current == recounted(alive, ws, optimizer)
            assert led.current == sum(row.nbytes for row in led.rows if row.new)
        alive.clear()
        optimizer.zero_grad()
        assert led.kept("activation", "input", "gradient") == 0
    assert led.peak == max(moment.nbytes for moment in led.timeline)
