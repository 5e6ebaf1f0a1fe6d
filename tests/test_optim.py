"""Optimizers, clipping and schedules: PyTorch's numbers, in place, and no parameter lost or stepped twice."""

import copy
import math
import re
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bytegrad import DtypeError, GraphError, ShapeError, Tensor, nn, optim
from bytegrad.edits import version
from bytegrad.sparse import RowSparse
from bytegrad.watch import Watcher, observe

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}),
]

SHAPES = [(), (3,), (130, 130)]  # the last one is worked on in two pieces


def leaf(*shape: int, dtype: str = "float64") -> Tensor:
    return Tensor(np.ones(shape), dtype, requires_grad=True)


def graded(*grad: float, dtype: str = "float64") -> Tensor:
    """Return a parameter of zeros with this gradient."""
    x = Tensor(np.zeros(len(grad)), dtype, requires_grad=True)
    x.grad = np.array(grad, dtype=dtype)
    return x


def exactly(message: str) -> str:
    return f"^{re.escape(message)}$"


# PyTorch's numbers.


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_twenty_steps_are_pytorchs(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal(shape) for shape in SHAPES]
    ours = [Tensor(start, requires_grad=True) for start in starts]
    theirs = [torch.tensor(start, requires_grad=True) for start in starts]
    a = getattr(optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        for x, y in zip(ours, theirs, strict=True):
            g = rng.standard_normal(x.shape) if step % 3 or x.ndim else None  # skipped at times
            x.grad, y.grad = g, None if g is None else torch.tensor(g)
        a.step()
        b.step()
        for x, y in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(x.data, y.detach().numpy(), rtol=1e-12, atol=1e-12)


def by_hand(name: str, x: float, options: dict[str, Any], grads: list[float]) -> float:
    """Step one number, as the papers write it."""
    lr, decay = options.get("lr", 1e-3), options.get("weight_decay", 0.0)
    m, (beta1, beta2) = options.get("momentum", 0.0), options.get("betas", (0.9, 0.999))
    b = mean = square = 0.0
    for t, g in enumerate(grads, 1):
        if name == "AdamW":
            x -= lr * options.get("weight_decay", 1e-2) * x
        else:
            g += decay * x
        if name == "SGD":
            b = m * b + g
            x -= lr * (g + m * b if options.get("nesterov") else b)
            continue
        mean, square = beta1 * mean + (1 - beta1) * g, beta2 * square + (1 - beta2) * g * g
        root = math.sqrt(square / (1 - beta2**t))
        x -= lr * (mean / (1 - beta1**t)) / (root + options.get("eps", 1e-8))
    return x


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_twenty_steps_are_the_formulas(name: str, options: dict[str, Any]) -> None:
    grads = np.random.default_rng(0).standard_normal(20).tolist()
    x = Tensor(np.array(0.7), requires_grad=True)
    optimizer = getattr(optim, name)([x], **options)
    for g in grads:
        x.grad = np.array(g)
        optimizer.step()
    assert x.item() == pytest.approx(by_hand(name, 0.7, options, grads), rel=1e-12)


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_memory_out_of_order_gives_the_same(name: str, options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    start, grad = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    straight, turned = Tensor(start), Tensor(np.asfortranarray(start))
    for x in (straight, turned):
        x.requires_grad_().grad = grad.copy()
        getattr(optim, name)([x], **options).step()
    assert not turned.data.flags.c_contiguous
    assert np.array_equal(straight.data, turned.data)


# In place.


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_a_step_changes_the_parameter_and_nothing_else(name: str, options: dict[str, Any]) -> None:
    x = leaf(3, dtype="float32")
    array, grad = x.data, np.array([1.0, 2.0, 3.0], dtype=np.float32)
    x.grad = grad
    optimizer = getattr(optim, name)([x], **{"lr": np.float64(0.1), **options})
    optimizer.step()
    assert x.data is array
    assert x.grad is grad
    assert grad.tolist() == [1, 2, 3]
    assert version(array) == 1
    assert not np.array_equal(array, np.ones(3))
    assert all(a.dtype == np.float32 for a in optimizer.state[x].values() if not isinstance(a, int))


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_a_step_takes_little_memory_of_its_own(name: str, options: dict[str, Any]) -> None:
    x = leaf(1000, 1000, dtype="float32")
    x.grad = np.ones_like(x.data)
    optimizer = getattr(optim, name)([x], **{"lr": 0.1, **options})
    optimizer.step()  # makes the state
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 256 * 1024


def test_a_parameter_without_gradient_stays() -> None:
    x, y = leaf(2), graded(1.0)
    optimizer = optim.Adam([x, y])
    optimizer.step()
    assert x.data.tolist() == [1, 1]
    assert version(x.data) == 0
    assert set(optimizer.state) == {y}


def test_an_edit_between_forward_and_backward_is_caught() -> None:
    x = leaf(2)
    loss = (x * x).sum()
    x.grad = np.ones(2)
    optim.SGD([x], lr=0.1).step()
    with pytest.raises(GraphError):
        loss.backward()


def test_zero_grad_forgets() -> None:
    x = graded(1.0)
    optim.SGD([x], lr=0.1).zero_grad()
    assert x.grad is None


def test_an_assigned_grad_must_fit() -> None:
    x, y = graded(1.0), leaf(3)
    y.grad = np.ones(1)
    message = (
        "step() with a grad of shape (1,) for a parameter of shape (3,): each element needs its own. "
        "Leave grad to backward(), or assign an array of the parameter's shape."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        optim.SGD([x, y], lr=0.1).step()
    assert x.item() == 0


@pytest.mark.parametrize(
    ("grad", "seen"),
    [
        ([1.0], "list"),
        (Tensor([1.0]), "Tensor"),
        (np.float64(1), "float64"),
        (np.ones(1, dtype=np.int64), "of int64"),
    ],
)
@pytest.mark.parametrize(
    ("take", "taker"),
    [
        (lambda xs: optim.SGD(xs, lr=0.1).step(), "step()"),
        (lambda xs: optim.clip_grad_norm_(xs, 0.1), "clip_grad_norm_()"),
        (lambda xs: optim.clip_grad_value_(xs, 0.1), "clip_grad_value_()"),
    ],
)
def test_an_assigned_grad_is_an_array_of_floats(
    take: Callable[[Any], Any], taker: str, grad: Any, seen: str
) -> None:
    x, y = graded(1.0), leaf(1)
    y.grad = grad
    message = (
        f"{taker} with a grad that is {seen}: it is worked on in place, as an array of floats. "
        "Leave grad to backward(), or assign np.asarray(…, dtype='float64')."
    )
    with pytest.raises(DtypeError, match=exactly(message)):
        take([x, y])
    assert (x.item(), x.grad.item()) == (0, 1)


def test_what_was_frozen_after_backward_stays() -> None:
    x, y = graded(1.0), graded(1.0)
    optimizer = optim.SGD([x, y], lr=0.5, momentum=0.9)
    optimizer.step()
    x.requires_grad = False
    optimizer.step()
    assert (x.item(), version(x.data)) == (-0.5, 1)
    assert optimizer.state[x]["step"] == 1
    x.requires_grad = True
    optimizer.step()
    assert x.item() == -0.5 - 0.5 * 1.9


def test_empty_parameters_step() -> None:
    x = leaf(0, 3)
    x.grad = np.ones((0, 3))
    optim.AdamW([x]).step()
    assert x.shape == (0, 3)


@pytest.mark.parametrize(
    ("shape", "pieces"),
    [((2, 3), [(2, 3)]), ((), [(1,)]), ((200, 100), [(2**14,), (200 * 100 - 2**14,)])],
)
def test_small_parameters_are_worked_on_whole(shape: Any, pieces: list[Any]) -> None:
    class Seen(optim.Optimizer):
        shapes: list[Any] = []  # noqa: RUF012 - one test, one list

        def update(self, x: Any, g: Any, state: Any, group: Any, step: int) -> None:
            self.shapes.append(x.shape)

    x = leaf(*shape)
    x.grad = np.ones(shape)
    Seen([x], lr=0.1).step()
    assert Seen.shapes == pieces


# Rows.


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_a_row_sparse_gradient_steps_as_the_dense_one(name: str, options: dict[str, Any]) -> None:
    sparse = RowSparse(np.array([3, 1, 3]), np.arange(6.0).reshape(3, 2), (5, 2))
    tables = [leaf(5, 2), leaf(5, 2)]
    for table, grad in zip(tables, (sparse, sparse.dense()), strict=True):
        optimizer = getattr(optim, name)([table], **options)
        for _ in range(3):
            table.grad = grad
            optimizer.step()
    assert np.array_equal(tables[0].data, tables[1].data)
    assert version(tables[0].data) == 3


def test_a_row_sparse_gradient_is_not_filled_up() -> None:
    table = leaf(100_000, 8)
    table.grad = RowSparse(np.array([7]), np.ones((1, 8)), table.shape)
    optimizer = optim.SGD([table], lr=0.5)
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.data[6:8].tolist() == [[1.0] * 8, [0.5] * 8]
    assert peak < 64 * 1024


# Groups.


def test_groups_have_their_own_hyperparameters() -> None:
    a, b = graded(1.0), graded(1.0)
    groups = [{"params": [a]}, {"params": iter([b]), "lr": 0.01, "momentum": 0.5}]
    optimizer = optim.SGD(groups, lr=0.1)
    optimizer.step()
    assert a.data.tolist() == [-0.1]
    assert b.data.tolist() == [-0.01]
    assert set(optimizer.state[a]) == {"step"}
    assert set(optimizer.state[b]) == {"step", "momentum"}


def test_hyperparameters_may_change_between_steps() -> None:
    x = graded(1.0)
    optimizer = optim.SGD([x], lr=0.1)
    optimizer.param_groups[0]["lr"] = 2
    optimizer.step()
    assert x.data.tolist() == [-2]


def test_a_subclass_knows_what_its_hyperparameters_mean() -> None:
    class Ascent(optim.Optimizer):
        def update(self, x: Any, g: Any, state: Any, group: Any, step: int) -> None:
            sign = 1 if group["maximize"] else -1
            x += (
                sign * group["lr"] * (np.sign(g) if group["mode"] == "sign" else g) + group["shift"]
            )

    x = graded(4.0)
    options = {"maximize": True, "mode": "sign", "nesterov": True, "shift": -1.0}
    Ascent([x], lr=0.5, **options).step()
    assert x.item() == -0.5
    with pytest.raises(ValueError, match="lr is -1"):
        Ascent([x], lr=-1, **options)


def test_a_generator_of_parameters_will_do() -> None:
    x = graded(1.0)
    assert optim.SGD((p for p in [x]), lr=0.1).param_groups[0]["params"] == [x]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: optim.SGD([], lr=0.1),
            ValueError,
            (
                "SGD got no parameters: there is nothing to learn. "
                "Pass module.parameters(), or a list of Tensors that require grad."
            ),
        ),
        (
            lambda: optim.SGD(leaf(2), lr=0.1),
            TypeError,
            (
                "params of SGD is Tensor: they come as a list, so that none is forgotten. "
                "Pass module.parameters(), or [tensor]."
            ),
        ),
        (
            lambda: optim.Adam(3),  # type: ignore[arg-type]
            TypeError,
            (
                "params of Adam is int: they come as a list, so that none is forgotten. "
                "Pass module.parameters(), or [tensor]."
            ),
        ),
        (
            lambda: optim.SGD([("weight", leaf(2))], lr=0.1),
            TypeError,
            (
                "parameter 0 is tuple: an optimizer changes Tensors in place. "
                "Pass module.parameters(), or a list of Tensors that require grad."
            ),
        ),
        (
            lambda: optim.SGD([leaf(2), leaf(2) * 2], lr=0.1),
            GraphError,
            (
                "parameter 1 is a result of <MulBackward>: a step would not reach what it was computed from. "
                "Pass the leaves that it was computed from."
            ),
        ),
        (
            lambda: optim.SGD([Tensor(np.arange(3))], lr=0.1),
            DtypeError,
            (
                "parameter 0 is of int64: a step is a fraction, and would be lost. "
                "Make it floating, for example with dtype='float32'."
            ),
        ),
        (
            lambda: optim.SGD([x := leaf(2, 3), leaf(2), x], lr=0.1),
            ValueError,
            (
                "parameter 2, of shape (2, 3), is there already: it would be stepped twice. "
                "List each parameter once, in one group."
            ),
        ),
        (
            lambda: optim.SGD([{"params": [x := leaf(2)]}, {"params": [x]}], lr=0.1),
            ValueError,
            (
                "parameter 0, of shape (2,), is there already: it would be stepped twice. "
                "List each parameter once, in one group."
            ),
        ),
        (
            lambda: optim.SGD([{"params": [leaf(2)], "learning_rate": 1.0}], lr=0.1),
            ValueError,
            (
                "SGD has no hyperparameter learning_rate: it would change nothing. "
                "Use lr, momentum, nesterov, weight_decay."
            ),
        ),
        (
            lambda: optim.SGD([{"params": [leaf(2)]}, [leaf(2)]], lr=0.1),
            TypeError,
            (
                "a group of parameters is list: it must be a dict that names its parameters. "
                'Pass {"params": [...]}, and the hyperparameters that differ.'
            ),
        ),
        (
            lambda: optim.SGD([{"params": leaf(2)}], lr=0.1),
            TypeError,
            (
                "params of the group is Tensor: they come as a list, so that none is forgotten. "
                "Pass module.parameters(), or [tensor]."
            ),
        ),
        (
            lambda: optim.SGD([leaf(2)], lr=0.1, nesterov=True),
            ValueError,
            (
                "nesterov with momentum 0: it looks ahead along the momentum, and there is none. "
                "Pass momentum=0.9, or nesterov=False."
            ),
        ),
        (
            lambda: optim.Adam([leaf(2)], betas=(0.9, 1.0)),
            ValueError,
            (
                "betas is (0.9, 1.0): each says how much of a mean remains after a step. "
                "Pass two numbers, each 0 or more and below 1."
            ),
        ),
        (
            lambda: optim.Adam([leaf(2)], betas=0.9),  # type: ignore[arg-type]
            ValueError,
            (
                "betas is 0.9: each says how much of a mean remains after a step. "
                "Pass two numbers, each 0 or more and below 1."
            ),
        ),
    ],
)
def test_what_cannot_be_optimized_is_named(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=exactly(message)):
        make()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", -1),
        ("lr", math.nan),
        ("lr", True),
        ("eps", math.inf),
        ("weight_decay", -0.1),
        ("weight_decay", "0.1"),
    ],
)
def test_a_hyperparameter_out_of_range_is_named(name: str, value: Any) -> None:
    message = (
        f"{name} is {value!r}: it scales a step, and must neither turn nor blow it up. "
        "Pass a finite number, 0 or more."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optim.AdamW([leaf(2)], **{name: value})


def test_a_refused_group_leaves_no_trace() -> None:
    x = leaf(2)
    optimizer = optim.SGD([x], lr=0.1)
    with pytest.raises(ValueError, match="is there already"):
        optimizer.add_param_group({"params": [leaf(3), x]})
    assert len(optimizer.param_groups) == 1


def test_a_base_class_says_what_is_missing() -> None:
    optimizer = optim.Optimizer([graded(1.0)], lr=0.1)
    with pytest.raises(
        NotImplementedError, match=r"^Optimizer has no update\(x, g, state, group, step\)$"
    ):
        optimizer.step()


def test_an_optimizer_shows_its_groups() -> None:
    optimizer = optim.SGD([{"params": [leaf(2, 3), leaf(3)]}], lr=0.1)
    assert repr(optimizer) == (
        "SGD\n  group 0: 2 tensors, 9 parameters, lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0"
    )


def test_watchers_are_told_of_state() -> None:
    class Notes(Watcher):
        seen: list[Any] = []  # noqa: RUF012 - one test, one list

        def state(self, optimizer: Any, name: str, array: Any) -> None:
            self.seen.append((optimizer, name, array))

    x = graded(1.0)
    optimizer = optim.Adam([x])
    with observe(notes := Notes()):
        optimizer.step()
        optimizer.step()
    state = optimizer.state[x]
    assert [name for _, name, _ in notes.seen] == ["mean", "mean_square"]
    assert all(who is optimizer and array is state[name] for who, name, array in notes.seen)


# Going on in another run.


@pytest.mark.parametrize(("name", "options"), SETTINGS)
def test_a_saved_state_goes_on_to_the_same_bits(name: str, options: dict[str, Any]) -> None:
    grads = np.random.default_rng(0).standard_normal((6, 3))

    def steps(optimizer: Any, x: Tensor, some: Any) -> None:
        for g in some:
            x.grad = g
            optimizer.step()

    x = leaf(3)
    optimizer = getattr(optim, name)([x], **{"lr": 0.1, **options})
    optimizer.param_groups[0]["lr"] = 0.2
    steps(optimizer, x, grads[:3])
    saved, y = optimizer.state_dict(), Tensor(x, requires_grad=True)
    untouched = copy.deepcopy(saved)
    steps(optimizer, x, grads[3:])
    other = getattr(optim, name)([y], lr=0.7)
    other.load_state_dict(saved)
    steps(other, y, grads[3:])
    assert x.data.tobytes() == y.data.tobytes()
    assert saved["param_groups"] == untouched["param_groups"]
    for key, array in saved["state"][0].items():
        assert np.array_equal(array, untouched["state"][0][key])


def test_a_state_of_other_parameters_is_refused_whole() -> None:
    x = graded(1.0, 2.0)
    optimizer = optim.Adam([x], lr=0.5)
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    saved = optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 0.9
    saved["state"][0]["mean_square"] = np.ones(3)
    message = (
        "mean_square of parameter 0 has shape (3,), the parameter (2,): each element has its own. "
        "Load the state of an optimizer of the same model."
    )
    with pytest.raises(ShapeError, match=exactly(message)):
        optimizer.load_state_dict(saved)
    saved["param_groups"][0]["lr"] = -1
    with pytest.raises(ValueError, match="lr is -1"):
        optimizer.load_state_dict(saved)
    message = (
        "state of groups with [1] parameters for groups with [2]: each state belongs to one parameter. "
        "Make the Adam with the same groups, in the same order."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optim.Adam([leaf(2), leaf(2)]).load_state_dict(saved)
    message = (
        "state with other hyperparameters than lr, momentum, nesterov, weight_decay: it is no SGD's. "
        "Load it into an optimizer of the kind that it came from."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optim.SGD([leaf(2)], lr=0.1).load_state_dict(saved)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert after["state"][0]["mean"].tolist() == before["state"][0]["mean"].tolist()


@pytest.mark.parametrize(
    ("state", "wrong"),
    [
        ("adam.npz", "is str"),
        (None, "is NoneType"),
        ({"weight": np.ones(2)}, "has no 'state' and no 'param_groups'"),
        ({"state": {}}, "has no 'param_groups'"),
        (
            {"state": {0: 3}, "param_groups": []},
            "has other things in 'state' or 'param_groups' than dicts",
        ),
        (
            {"state": {}, "param_groups": [{"lr": 0.1}]},
            "has other things in 'state' or 'param_groups' than dicts",
        ),
    ],
)
def test_what_is_no_state_of_an_optimizer_is_refused(state: Any, wrong: str) -> None:
    message = (
        f"the state for Adam {wrong}: an optimizer goes on from its own state, beside which the model's is loaded into "
        "the model. Pass what optimizer.state_dict() gave."
    )
    with pytest.raises(TypeError, match=exactly(message)):
        optim.Adam([leaf(2)]).load_state_dict(state)


def test_a_state_has_its_own_numbers_and_counts_its_steps() -> None:
    optimizer = optim.Adam([graded(1.0)])
    optimizer.step()
    saved = optimizer.state_dict()
    message = (
        "state of parameter '0', which is in no group: each state belongs to one parameter. "
        "Load what state_dict() of this Adam gave, with its numbers as they were."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optimizer.load_state_dict({**saved, "state": {"0": saved["state"][0]}})
    del saved["state"][0]["step"]
    message = (
        "state of parameter 0 with step None: it counts the steps so far, and the next one depends on it. "
        "Load what state_dict() of this Adam gave."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optimizer.load_state_dict(saved)


# Clipping.


@pytest.mark.parametrize("bound", [0.0, 0.1, 5.0, 1e9])
def test_clipping_the_norm_is_pytorchs(bound: float) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    ours = [leaf(3), leaf(200, 200), leaf(), leaf(2)]
    theirs = [torch.tensor(x.data, requires_grad=True) for x in ours]
    for x, y in zip(ours[:3], theirs[:3], strict=True):
        x.grad = np.asarray(rng.standard_normal(x.shape))
        y.grad = torch.tensor(x.grad)
    norm = optim.clip_grad_norm_(ours, bound)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs, bound).item(), rel=1e-12)
    for x, y in zip(ours[:3], theirs[:3], strict=True):
        np.testing.assert_allclose(x.grad, y.grad.numpy(), rtol=1e-12)
    assert ours[3].grad is None


def test_clipping_is_in_place_and_leaves_short_gradients_alone() -> None:
    x = graded(3.0, 4.0)
    grad = x.grad
    assert optim.clip_grad_norm_(x, 5.1) == 5
    assert grad.tolist() == [3, 4]
    optim.clip_grad_norm_(x, 1)
    assert x.grad is grad
    assert np.linalg.norm(grad) == pytest.approx(1)


def test_the_norm_neither_overflows_nor_loses_float32() -> None:
    x = graded(3e30, 4e30, dtype="float32")
    assert optim.clip_grad_norm_(x, math.inf) == pytest.approx(5e30)
    y = leaf(2000, 1000, dtype="float32")
    y.grad = np.full(y.shape, 0.1, dtype=np.float32)
    assert optim.clip_grad_norm_(y, 1e9) == pytest.approx(math.sqrt(2e6) * np.float32(0.1))


def test_no_gradients_have_the_norm_0() -> None:
    assert optim.clip_grad_norm_([leaf(2)], 1.0) == 0


@pytest.mark.parametrize("odd", [math.inf, math.nan])
def test_a_norm_that_is_no_number_is_passed_on_or_raised(odd: float) -> None:
    x = graded(odd, 1.0)
    message = (
        f"the norm of the gradients is {odd}: no factor makes it finite. "
        "Look for the first such gradient with bytegrad.detect_anomaly(), or lower the learning rate."
    )
    with pytest.raises(ValueError, match=exactly(message)):
        optim.clip_grad_norm_([x], 1.0, error_if_nonfinite=True)
    assert x.grad[1] == 1
    assert not math.isfinite(optim.clip_grad_norm_([x], 1.0))
    assert math.isnan(x.grad[0])
    assert x.grad[1] == 0 or math.isnan(odd)  # the factor was 0, or NaN
    assert math.isnan(x.grad[1]) == math.isnan(odd)


def test_values_are_clipped() -> None:
    x, y = graded(-3.0, 0.5, 2.0), leaf(1)
    grad = x.grad
    optim.clip_grad_value_([x, y], 1)
    assert grad.tolist() == [-1, 0.5, 1]
    assert y.grad is None


@pytest.mark.parametrize(
    ("given", "seen"), [(nn.Linear(1, 1), "Linear"), (3, "int"), (["weight"], "str")]
)
def test_tensors_alone_are_clipped(given: Any, seen: str) -> None:
    for clip in (optim.clip_grad_norm_, optim.clip_grad_value_):
        message = (
            f"{clip.__name__}() of {seen}: only a Tensor has a gradient to clip. "
            "Pass module.parameters(), or a list of Tensors."
        )
        with pytest.raises(TypeError, match=exactly(message)):
            clip(given, 1.0)


def test_the_kind_of_norm_is_no_third_argument() -> None:
    x = graded(math.inf)
    with pytest.raises(TypeError, match="positional"):
        optim.clip_grad_norm_([x], 1.0, math.inf)  # type: ignore[misc]


@pytest.mark.parametrize("value", [-1, math.nan, None, "1"])
def test_a_bound_is_not_below_0(value: Any) -> None:
    message = f"max_norm is {value!r}: nothing is that short. Give a number that is 0 or more."
    with pytest.raises(ValueError, match=exactly(message)):
        optim.clip_grad_norm_([graded(1.0)], value)
    message = f"clip_value is {value!r}: nothing is that short. Give a number that is 0 or more."
    with pytest.raises(ValueError, match=exactly(message)):
        optim.clip_grad_value_([graded(1.0)], value)


def test_row_sparse_gradients_are_clipped_by_row() -> None:
    x = leaf(4, 1)
    x.grad = RowSparse(np.array([2, 2]), np.array([[1.0], [2.0]]), x.shape)
    assert optim.clip_grad_norm_(x, 1.0) == pytest.approx(3)
    assert x.grad.dense().ravel() == pytest.approx([0, 0, 1, 0])
    x.grad = RowSparse(np.array([2, 2]), np.array([[1.0], [-3.0]]), x.shape)
    optim.clip_grad_value_(x, 1.0)
    assert x.grad.dense().ravel().tolist() == [0, 0, -1, 0]


# Schedules.

SCHEDULES: list[tuple[str, dict[str, Any]]] = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 1, "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 7, "eta_min": 0.05}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 8}),
    ("LambdaLR", {"lr_lambda": lambda t: min(1.0, (t + 1) / 4) * 0.9**t}),
    ("LambdaLR", {"lr_lambda": [lambda t: 0.9**t, lambda t: 1 / (t + 1)]}),
]


def two_groups(module: Any, make: Callable[[], Any]) -> Any:
    return module.SGD([{"params": [make()]}, {"params": [make()], "lr": 0.7}], lr=0.3)


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_schedules_are_pytorchs(name: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    a = two_groups(optim, lambda: leaf(1))
    b = two_groups(torch.optim, lambda: torch.ones(1, requires_grad=True))
    ours = getattr(optim, name)(a, **options)
    theirs = getattr(torch.optim.lr_scheduler, name)(b, **options)
    for _ in range(20):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-12, abs=1e-15)
        assert [group["lr"] for group in a.param_groups] == ours.get_last_lr()
        b.step()
        ours.step()
        theirs.step()


@pytest.mark.parametrize(("name", "options"), SCHEDULES)
def test_a_saved_schedule_goes_on(name: str, options: dict[str, Any]) -> None:
    ours = getattr(optim, name)(two_groups(optim, lambda: leaf(1)), **options)
    for _ in range(4):
        ours.step()
    fresh = two_groups(optim, lambda: leaf(1))
    fresh.load_state_dict(ours.optimizer.state_dict())
    other = getattr(optim, name)(fresh, **options)
    other.load_state_dict(ours.state_dict())
    assert other.get_last_lr() == ours.get_last_lr()
    ours.step()
    other.step()
    assert other.get_last_lr() == ours.get_last_lr()


def rates(module: Any, b: Any, plan: list[Any], steps: int = 20) -> list[float]:
    """Return the rates that several schedules of one optimizer set, stepped one after another."""
    schedules = [getattr(module, name)(b, **options) for name, options in plan]
    found = [group["lr"] for group in b.param_groups]
    for _ in range(steps):
        b.step()
        for schedule in schedules:
            schedule.step()
        found += [group["lr"] for group in b.param_groups]
    return found


@pytest.mark.parametrize("second", SCHEDULES)
@pytest.mark.parametrize("first", SCHEDULES)
def test_schedules_of_one_optimizer_act_together_as_pytorchs(first: Any, second: Any) -> None:
    torch = pytest.importorskip("torch")
    ours = rates(optim, two_groups(optim, lambda: leaf(1)), [first, second])
    make = two_groups(torch.optim, lambda: torch.ones(1, requires_grad=True))
    theirs = rates(torch.optim.lr_scheduler, make, [first, second])
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-15)


def test_a_warm_up_and_a_decay_act_together() -> None:
    plan = [
        ("LinearLR", {"start_factor": 0.25, "total_iters": 3}),
        ("StepLR", {"step_size": 3, "gamma": 0.5}),
    ]
    found = rates(optim, optim.SGD([leaf(1)], lr=1.0), plan, steps=6)
    assert found == pytest.approx([0.25, 0.5, 0.75, 0.5, 0.5, 0.5, 0.25])


def test_saved_schedules_that_act_together_go_on() -> None:
    def make() -> tuple[Any, list[Any]]:
        optimizer = optim.SGD([leaf(1)], lr=1.0)
        return optimizer, [
            optim.LinearLR(optimizer, total_iters=5),
            optim.CosineAnnealingLR(optimizer, 9, eta_min=0.1),
        ]

    def walk(schedules: list[Any]) -> list[float]:
        found = []
        for _ in range(4):
            for schedule in schedules:
                schedule.step()
            found += schedules[0].get_last_lr()
        return found

    optimizer, schedules = make()
    walk(schedules)
    saved = optimizer.state_dict(), [schedule.state_dict() for schedule in schedules]
    other, fresh = make()
    other.load_state_dict(saved[0])
    for schedule, state in zip(fresh, saved[1], strict=True):
        schedule.load_state_dict(state)
    assert walk(fresh) == walk(schedules)


def test_alone_the_ten_thousandth_rate_is_as_exact_as_the_first() -> None:
    optimizer = optim.SGD([leaf(1)], lr=0.3)
    schedule = optim.CosineAnnealingLR(optimizer, 7)
    for _ in range(10_000):
        schedule.step()
    assert schedule.get_last_lr() == [schedule.rate(0.3, 10_000, 0)]


def test_a_rate_set_by_hand_goes_on_from_there() -> None:
    optimizer = optim.SGD([leaf(1)], lr=1.0)
    schedule = optim.StepLR(optimizer, 2, gamma=0.5)
    schedule.step()
    optimizer.param_groups[0]["lr"] = 3.0
    schedule.step()
    assert schedule.get_last_lr() == [1.5]
    cosine = optim.CosineAnnealingLR(optim.SGD([leaf(1)], lr=1.0), 1)
    cosine.step()  # at the bottom, from where no factor leads away
    cosine.optimizer.param_groups[0]["lr"] = 0.5
    cosine.step()
    assert cosine.get_last_lr() == [1.5]


def test_a_group_added_later_keeps_its_rate() -> None:
    optimizer = optim.SGD([leaf(1)], lr=1.0)
    schedule = optim.StepLR(optimizer, 1)
    optimizer.add_param_group({"params": [leaf(1)], "lr": 5.0})
    schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 5.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda o: optim.StepLR(o, 0),
            "step_size is 0: it counts steps. Pass a whole number that is 1 or more.",
        ),
        (
            lambda o: optim.StepLR(o, None),
            "step_size is None: it counts steps. Pass a whole number that is 1 or more.",
        ),
        (
            lambda o: optim.StepLR(o, 1, gamma=-0.5),
            (
                "gamma is -0.5: a learning rate below 0 would climb, and an infinite one blow up. "
                "Pass a finite number, 0 or more."
            ),
        ),
        (
            lambda o: optim.CosineAnnealingLR(o, 2, eta_min="0"),
            (
                "eta_min is '0': a learning rate below 0 would climb, and an infinite one blow up. "
                "Pass a finite number, 0 or more."
            ),
        ),
        (
            lambda o: optim.CosineAnnealingLR(o, 2.5),
            "T_max is 2.5: it counts steps. Pass a whole number that is 1 or more.",
        ),
        (
            lambda o: optim.LinearLR(o, total_iters=0),
            "total_iters is 0: it counts steps. Pass a whole number that is 1 or more.",
        ),
        (
            lambda o: optim.LinearLR(o, start_factor=0),
            (
                "start_factor is 0: at 0 the first step would go nowhere, and a warm-up does not start above the rate "
                "that it leads to. Pass a number above 0 and at most 1."
            ),
        ),
        (
            lambda o: optim.LinearLR(o, end_factor=None),
            "end_factor is None: it is a share of the optimizer's rate. Pass a number from 0 to 1.",
        ),
        (
            lambda o: optim.LinearLR(o, end_factor=2),
            "end_factor is 2: it is a share of the optimizer's rate. Pass a number from 0 to 1.",
        ),
        (
            lambda o: optim.LambdaLR(o, [abs, abs]),
            (
                "lr_lambda is a list of 2 for 1 groups: each group has its own rate. "
                "Pass one function a group, or one for all."
            ),
        ),
        (
            lambda o: optim.StepLR(o, 1).load_state_dict(
                {"base_lrs": [1, 2], "last_epoch": 3, "last_lr": [1, 2]}
            ),
            (
                "state of 2 learning rates for 1: each belongs to a group of parameters. "
                "Make the optimizer with the same groups."
            ),
        ),
    ],
)
def test_what_cannot_be_scheduled_is_named(make: Callable[[Any], Any], message: str) -> None:
    optimizer = optim.SGD([leaf(1)], lr=1.0)
    with pytest.raises(ValueError, match=exactly(message)):
        make(optimizer)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda o: optim.StepLR(nn.Linear(1, 1), 3),
            (
                "StepLR of Linear: it sets the learning rates of an optimizer. "
                "Pass the optimizer, such as StepLR(optimizer, …)."
            ),
        ),
        (
            lambda o: optim.LambdaLR(None, abs),
            (
                "LambdaLR of NoneType: it sets the learning rates of an optimizer. "
                "Pass the optimizer, such as LambdaLR(optimizer, …)."
            ),
        ),
        (
            lambda o: optim.LambdaLR(o, 0.5),
            (
                "lr_lambda has 0.5: it is called with the number of steps. "
                "Pass a function, or a list of functions, one a group."
            ),
        ),
        (
            lambda o: optim.LambdaLR(o, lambda t: None),
            (
                "lr_lambda(0) gave None: the learning rate is multiplied with it. "
                "Return a number; a function without return gives None."
            ),
        ),
        (
            lambda o: optim.StepLR(o, 3).load_state_dict(None),
            (
                "the state for StepLR is NoneType without last_epoch, base_lrs, last_lr: a schedule goes on from its "
                "own state, and the optimizer's "
                "is loaded into the optimizer. Pass what state_dict() of a schedule gave."
            ),
        ),
        (
            lambda o: optim.StepLR(o, 3).load_state_dict({"last_epoch": 3, "base_lrs": [1]}),
            (
                "the state for StepLR is dict without last_lr: a schedule goes on from its own state, and the "
                "optimizer's is loaded into the optimizer. Pass what state_dict() of a schedule gave."
            ),
        ),
    ],
)
def test_what_is_no_part_of_a_schedule_is_named(make: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=exactly(message)):
        make(optim.SGD([leaf(1)], lr=1.0))


def test_a_base_schedule_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError, match=r"^Schedule has no rate\(base, t, group\)$"):
        optim.Schedule(optim.SGD([leaf(1)], lr=1.0))
