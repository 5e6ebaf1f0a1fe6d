"""Hooks on tensors: called once a pass with the whole gradient, in order, and gone when removed."""

from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor


def leaf(*numbers: float) -> Tensor:
    return Tensor(list(numbers), dtype="float64", requires_grad=True)


def test_a_leafs_hook_sees_the_sum_of_all_paths_once() -> None:
    x = leaf(2.0)
    seen: list[Any] = []
    x.register_hook(lambda g: seen.append(g.copy()))
    (x * x + x * 3).sum().backward()
    assert [g.tolist() for g in seen] == [[7.0]]
    assert x.grad.tolist() == [7.0]


def test_hooks_replace_the_gradient_one_after_the_other() -> None:
    x = leaf(1.0, 2.0)
    h = x * 2
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: g + 1)
    x.register_hook(lambda g: Tensor(-g))
    h.sum().backward()
    assert x.grad.tolist() == [-22.0, -22.0]


def test_a_hook_may_give_an_array_for_a_tensor() -> None:
    """Under create_graph as well: it is a constant there."""
    x = leaf(1.0, 2.0)
    h = x[np.array([1, 1])] * 1
    with h.register_hook(lambda g: np.ones(2)):
        (g,) = bg.grad((h * 5).sum(), x, create_graph=True)
    assert g.tolist() == [0.0, 2.0]


def test_a_hooked_leaf_may_be_the_result_itself() -> None:
    x = leaf(3.0)
    x.register_hook(lambda g: g * 2)
    x.backward()
    assert x.grad.tolist() == [2.0]
    number = Tensor(3.0, requires_grad=True)
    kinds: list[type] = []
    number.register_hook(lambda g: kinds.append(type(g)))
    (number * number * number).backward()
    assert kinds == [np.ndarray]


def test_a_removed_hook_is_silent() -> None:
    x = leaf(1.0)
    handle = x.register_hook(lambda g: g * 10)
    other = x.register_hook(lambda g: g * 2)
    handle.remove()
    handle.remove()
    (x * 1).sum().backward()
    assert x.grad.tolist() == [2.0]
    other.remove()
    with x.register_hook(lambda g: g * 5):
        (x * 1).sum().backward()
    (x * 1).sum().backward()
    assert x.grad.tolist() == [2.0 + 5.0 + 1.0]


def test_hooks_get_tensors_under_create_graph() -> None:
    x = leaf(3.0)
    h = x * x
    kinds: list[type] = []
    h.register_hook(lambda g: kinds.append(type(g)))
    with h.register_hook(lambda g: g * x):  # and may make graph of their own
        (g,) = bg.grad((h * h).sum(), x, create_graph=True)
    assert kinds == [Tensor]
    (second,) = bg.grad(g.sum(), x)
    assert g.tolist() == [2 * 9 * 3 * 2 * 3]  # 4 x⁴ with the hook's x
    assert second.tolist() == [16.0 * 27]


def test_post_accumulate_hooks_run_as_soon_as_a_gradient_is_whole() -> None:
    """The last layer's gradient is ready first, while the first layer's has not begun."""
    weights = [Tensor(np.eye(2) * (i + 1), requires_grad=True) for i in range(3)]
    ready: list[tuple[int, list[bool]]] = []
    for i, w in enumerate(weights):
        w.register_post_accumulate_grad_hook(
            lambda leaf, i=i: ready.append((i, [v.grad is not None for v in weights]))
        )
    x = np.ones((1, 2))
    h: Any = Tensor(x)
    for w in weights:
        h = (h @ w).tanh()
    h.sum().backward()
    assert ready == [
        (2, [False, False, True]),
        (1, [False, True, True]),
        (0, [True, True, True]),
    ]


def test_a_hooked_leaf_waits_for_its_last_use() -> None:
    x, w = leaf(2.0), leaf(3.0)
    calls: list[Any] = []
    w.register_post_accumulate_grad_hook(lambda leaf: calls.append(leaf.grad.copy()))
    h = w * x  # the first use, the last that the pass comes to
    for _ in range(3):
        h = h * w
    h.sum().backward()
    assert [c.tolist() for c in calls] == [[4 * 27.0 * 2]]


def test_hooks_inside_a_checkpoint_wait_too() -> None:
    x, w = leaf(2.0), leaf(3.0)
    seen: list[Any] = []
    w.register_hook(lambda g: seen.append(g.copy()))
    y = bg.checkpoint(lambda v: v * w, x) * w
    y.sum().backward()
    assert [g.tolist() for g in seen] == [[12.0]]
    assert w.grad.tolist() == [12.0]


def test_hooks_of_an_intermediate_go_with_it() -> None:
    x = leaf(2.0)
    y = x * 2
    y.register_hook(lambda g: g * 100)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0]


def test_retain_grad() -> None:
    """It keeps what the hooks leave, adds up like a leaf's, and shares no memory."""
    x = leaf(2.0)
    h = x * 3
    h.retain_grad()
    h.register_hook(lambda g: g * 2)
    y = h + 1
    y.sum().backward(retain_graph=True)
    assert h.grad.tolist() == [2.0]
    y.sum().backward()
    assert h.grad.tolist() == [4.0]
    assert x.grad.tolist() == [12.0]
    x.retain_grad()  # nothing to do
    z = x * 1
    z.retain_grad()
    del z  # nobody is left to keep it
    (x * 1).sum().backward()


def test_grad_runs_hooks_but_leaves_no_grad_behind() -> None:
    x = leaf(2.0)
    h = x * 3
    h.retain_grad()
    x.register_hook(lambda g: g * 10)
    after: list[Tensor] = []
    x.register_post_accumulate_grad_hook(after.append)
    (g,) = bg.grad(h.sum(), x)
    assert g.tolist() == [30.0]
    assert h.grad is None
    assert x.grad is None
    assert after == []


def test_grad_calls_no_hook_beside_its_way() -> None:
    w, v = leaf(1.0), leaf(1.0)
    calls: list[str] = []
    v.register_hook(lambda g: calls.append("a leaf not asked for"))
    h = v * 2
    h.register_hook(lambda g: calls.append("a result not on the way"))
    bg.grad((w * h).sum(), w)
    assert calls == []
    bg.grad((w * v * 2).sum(), [w, v])
    assert calls == ["a leaf not asked for"]


@pytest.mark.parametrize(
    ("compute", "error", "text"),
    [
        (
            lambda x: Tensor(1.0).register_hook(print),
            bg.GraphError,
            (
                "register_hook() on a Tensor that requires no gradient: none will come. Set requires_grad=True on a "
                "leaf, and compute again."
            ),
        ),
        (
            lambda x: Tensor(1.0).retain_grad(),
            bg.GraphError,
            (
                "retain_grad() on a Tensor that requires no gradient: none will come. Set requires_grad=True on a "
                "leaf, and compute again."
            ),
        ),
        (
            lambda x: (x * 2).register_post_accumulate_grad_hook(print),
            bg.GraphError,
            (
                "register_post_accumulate_grad_hook() on a result of <MulBackward>: gradients accumulate on leaves "
                "only. Use register_hook()."
            ),
        ),
        (
            lambda x: x.register_hook(3),
            TypeError,
            "the hook is 3, which cannot be called. Pass a function, for example print.",
        ),
    ],
)
def test_errors(compute: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        compute(leaf(1.0))
    assert str(raised.value) == text


@pytest.mark.parametrize(
    ("mine", "seen"),
    [
        (np.ones(2), "float64 of shape (2,)"),
        (np.ones(1, dtype="float32"), "float32 of shape (1,)"),
        (3.0, "'float'"),
    ],
)
def test_a_hook_cannot_change_what_fits(mine: Any, seen: str) -> None:
    x = leaf(1.0)
    x.register_hook(lambda g: mine)
    with pytest.raises(bg.GraphError) as raised:
        (x * 2).sum().backward()
    assert str(raised.value) == (
        f"a hook returned {seen} in place of a gradient that is float64 of shape (1,): it must fit the same tensor. "
        "Return an array of that shape and dtype, or None to change nothing."
    )


@pytest.mark.parametrize(
    "name", ["backward", "retain_grad", "register_hook", "register_post_accumulate_grad_hook"]
)
def test_hooks_are_asleep_while_autograd_is_off(name: str) -> None:
    bg.disable_autograd()
    arguments = [print] if name.startswith("register") else []
    with pytest.raises(bg.GraphError) as raised:
        getattr(leaf(1.0), name)(*arguments)
    assert str(raised.value) == (
        f"{name}() while autograd is off: operations record nothing now, and no gradient is computed. "
        "Call bytegrad.enable_autograd() first, then compute again what was computed while it was off."
    )
