"""Errors word for word: what was seen, why it cannot work, what to do.

Those of operations stand in test_extremes.py, those of layers, optimizers and data with these.
"""

import copy
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor, Value, budget, memory, pictures, planner


def used(x: Tensor) -> Tensor:
    """Return a result whose graph was used up."""
    y = (x * x).sum()
    y.backward()
    return y


def freed(x: Tensor) -> Any:
    """Return a recorded call that a backward pass has freed."""
    y = (x * x).sum()
    fn = y.grad_fn.edges[0]
    y.backward()
    return fn


ERRORS: list[tuple[Any, type[Exception], str]] = [
    (
        lambda x: Tensor([1, 2], dtype="int64", requires_grad=True),
        bg.DtypeError,
        (
            "requires_grad on int64: a derivative needs numbers that can change by a little. Make the tensor "
            "floating, for example with dtype='float32'."
        ),
    ),
    (
        lambda x: len(x.sum()),
        bg.DtypeError,
        "a 0-d Tensor has no length: it holds one number. Use .item().",
    ),
    (
        lambda x: bool(x),
        bg.ShapeError,
        (
            "the truth of a Tensor of shape (2, 3) is ambiguous: it has 6 elements. Use .numpy().any() or "
            ".numpy().all()."
        ),
    ),
    (
        lambda x: x.item(),
        bg.ShapeError,
        "item() of shape (2, 3): 6 elements cannot become one number. Reduce first, for example with .sum().",
    ),
    (
        lambda x: x.numpy(),
        bg.GraphError,
        (
            "numpy() on a Tensor that requires grad: what NumPy computes from it cannot be differentiated. Use "
            ".detach().numpy() if that is meant."
        ),
    ),
    (
        lambda x: copy.copy(x * 2),
        bg.GraphError,
        (
            "copying or pickling a result of <MulBackward>: the copy's gradients would go to copies of the "
            "leaves, not to the leaves. Use .detach(), or copy the leaves."
        ),
    ),
    (
        lambda x: Tensor(x * 2),
        bg.GraphError,
        (
            "Tensor() of a result of <MulBackward>: the copy would lose its history, and the gradient with it. "
            "Use the tensor itself, or .detach() if that is meant."
        ),
    ),
    (
        lambda x: setattr(x * 2, "requires_grad", False),
        bg.GraphError,
        (
            "requires_grad=False on a result of <MulBackward>: its graph is recorded already. Use .detach() for a"
            " tensor outside the graph."
        ),
    ),
    (
        lambda x: Tensor([[1.0], [2.0, 3.0]]),
        bg.ShapeError,
        "got a ragged list: an array needs rows of equal length. Pad the short rows or split the list.",
    ),
    (
        lambda x: x @ x,
        bg.ShapeError,
        (
            "(2, 3) @ (2, 3) does not fit: the last axis of the left must be as long as the last but one of the "
            "right, and the axes before them must broadcast. Check the order, or transpose one."
        ),
    ),
    (
        lambda x: x.sum().argmax(axis=3),
        bg.ShapeError,
        (
            "argmax of shape () along axis 3: axis 3 is out of bounds for array of dimension 1. Leave the axis "
            "out: 0-d has none."
        ),
    ),
    (
        lambda x: Tensor(np.array([1], dtype="int8")) + 300,
        bg.RangeError,
        "300 beside a Tensor of int8: that dtype does not reach so far. Use a wider one, or a float.",
    ),
    (
        lambda x: x.sum().T,
        bg.ShapeError,
        "transpose of shape (): there are no two axes to swap. Reshape to two first.",
    ),
    (
        lambda x: x.reshape(5),
        bg.ShapeError,
        (
            "reshape of (2, 3) to (5,): 6 elements do not fill that shape. Make the product of the lengths equal,"
            " or put one -1."
        ),
    ),
    (
        lambda x: x.__setitem__((0, 5), 1.0),
        bg.GraphError,
        (
            "x[…] = y on a leaf that requires grad: an edit in place is not recorded, and the gradient would be "
            "that of the old numbers. Write x = y.where(mask, x); or, if no gradient shall see it, edit under "
            "no_grad()."
        ),
    ),
    (
        lambda x: Tensor([1.0]).__setitem__(slice(None), [1.0, 2.0]),
        bg.ShapeError,
        (
            "x[slice(None, None, None)] = y with x of shape (1,) and y of shape (2,): could not broadcast input "
            "array from shape (2,) into shape (1,). Make y fit what the key selects."
        ),
    ),
    (
        lambda x: bg.numerical_gradient(lambda x: x.sum(), x),
        bg.DtypeError,
        (
            "finite differences of float32 (input 0): a step of 1e-06 drowns in its rounding error. Use float64: "
            "Tensor(data, dtype='float64', requires_grad=True)."
        ),
    ),
    (
        lambda x: bg.gradcheck(lambda x: x, x.detach()),
        ValueError,
        "gradcheck: no input requires grad, so there is nothing to check. Set requires_grad=True on one.",
    ),
    (
        lambda x: bg.gradcheck(
            lambda x: x.relu(), Tensor([0.0], dtype="float64", requires_grad=True)
        ),
        bg.GradcheckError,
        (
            "gradient of input 0 at [0]: the engine gives 0, finite differences 0.568480844 (1 of 1 elements "
            "differ, this one most). It is 0 in every element: a rule on the way passes nothing on. Check "
            "ReLUBackward, or whether the function has a kink here."
        ),
    ),
    (
        lambda x: bg.enable_autograd(rules={"__mul__": 3}),
        TypeError,
        (
            "the rule for __mul__ is 3: a rule is a subclass of bytegrad.Function, which each call makes an "
            "instance of. Pass the class itself."
        ),
    ),
    (
        lambda x: bg.enable_autograd(rules={"__nul__": bg.Function}),
        ValueError,
        (
            "no differentiable operation is called __nul__: a rule must name a method of Tensor. Use one of "
            "__add__, __sub__, __mul__, __truediv__, __neg__, __pow__, __matmul__, exp, log, sqrt, abs, sin, cos,"
            " erf, tanh, sigmoid, relu, leaky_relu, gelu, softplus, astype, maximum, minimum, where, sum, mean, "
            "max, min, softmax, log_softmax, reshape, transpose, permute, broadcast_to, concatenate, __getitem__,"
            " scatter, embedding, linear, layer_norm, mse, bce, bce_with_logits, cross_entropy."
        ),
    ),
    (
        lambda x: bg.draw(3),
        bg.DtypeError,
        "draw() of int: only a Value or a Tensor remembers how it was made. Pass the result of a computation.",
    ),
    (
        lambda x: bg.draw(Tensor(1.0)),
        bg.GraphError,
        (
            "draw() of a Tensor without a graph: nothing recorded how it was made. Call enable_autograd() and "
            "compute it from a Tensor that requires grad."
        ),
    ),
    (
        lambda x: bg.draw(x.sum(), limit=2),
        ValueError,
        (
            "limit is 2: a folded graph needs boxes for its result, what comes before, and leaves. Give a whole "
            "number from 4."
        ),
    ),
    (
        lambda x: bg.draw(x.sum(), names=["x"]),
        bg.DtypeError,
        'names is list: each name belongs to what it names. Pass a dict, such as {"x": x, "w": w}.',
    ),
    (
        lambda x: bg.draw(x.sum(), names={"x": 3}),
        bg.DtypeError,
        "names has int under 'x': this graph is made of Tensors. Give the Tensor that shall bear the name.",
    ),
    (
        lambda x: bg.draw(x.sum(), names={"y": Tensor(1.0)}),
        ValueError,
        (
            "names has 'y', which is not in the graph: nothing that the result's gradient flows to is that "
            "Tensor. Leave the name out, or check that it requires grad and was used."
        ),
    ),
    (
        lambda x: bg.draw(x.sum()).save("graph.png"),
        ValueError,
        (
            "save('graph.png'): the picture is SVG, and programs go by the ending of a name. Use a name that ends"
            " in .svg."
        ),
    ),
    (
        lambda x: pictures.picture([]),
        ValueError,
        "picture() of no boxes: there is nothing to draw. Pass at least one Node.",
    ),
    (
        lambda x: memory.Ledger().by("size"),
        ValueError,
        (
            "no column is called 'size': the bytes of many rows can be added up by op, module, line, kind. Use "
            "one of them."
        ),
    ),
    (
        lambda x: memory.Ledger().kept("loss"),
        ValueError,
        (
            "no kind is called 'loss': the ledger tells apart activation, input, parameter, gradient, optimizer. "
            "Use one of them."
        ),
    ),
    (
        lambda x: memory.ledger(3).__enter__(),
        TypeError,
        (
            "ledger() of int: it has no parameters that the ledger could follow. Pass modules, optimizers, or "
            "Tensors that require grad."
        ),
    ),
    (
        lambda x: budget.to_bytes(-1, "GB"),
        ValueError,
        "size is -1: no memory has that many bytes. Give 0 or more.",
    ),
    (
        lambda x: budget.to_bytes(1, "XB"),
        ValueError,
        "unknown unit 'XB'. Use one of: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB.",
    ),
    (
        lambda x: budget.show(float("inf"), "GB"),
        ValueError,
        "size is inf: that is no number of bytes. Give a finite one.",
    ),
    (
        lambda x: budget.mlp_parameters([784]),
        ValueError,
        "widths [784]: a layer leads from one width to the next. Give at least two widths.",
    ),
    (
        lambda x: budget.linear_parameters(0, 3),
        ValueError,
        "inputs is 0: it counts things. Give a whole number above 0.",
    ),
    (
        lambda x: budget.transformer_block_activations(10, 3, 4, 1),
        ValueError,
        "hidden is 10 for 3 heads: they share it equally. Give a multiple.",
    ),
    (
        lambda x: planner.checkpoint_plan(96, budget=3),
        ValueError,
        "budget is 3: the best plan, every 11 layers, still keeps 19. Give more, or shrink the layers.",
    ),
    (
        lambda x: planner.recomputation(share=2),
        ValueError,
        "share is 2: it is a part of the forward pass. Give 0 to 1.",
    ),
    (
        lambda x: planner.recomputation(backward=0),
        ValueError,
        "backward is 0: it is an amount of work. Give more than 0.",
    ),
    (
        lambda x: planner.data_parallel(1000, 80, 2, 4),
        ValueError,
        "batch is 2 for 4 workers: some would have nothing to do. Give a row to each.",
    ),
    (
        lambda x: planner.checkpoint_peak(12, 13),
        ValueError,
        "every is 13 for 12 layers: a segment has no more layers than the network. Give 1 to 12.",
    ),
    (
        lambda x: planner.checkpoint_peak(12, 3, layer=1, boundary=2, shared=True),
        ValueError,
        "layer is 1 with a boundary of 2: a layer that keeps its input keeps no less. Give it all.",
    ),
    (
        lambda x: planner.crossover_batch(0, 1),
        ValueError,
        "states is 0: it is a number of bytes. Give more than 0.",
    ),
    (
        lambda x: Value("a"),
        TypeError,
        "got str: a Value holds one number. Pass an int, a float or a Value.",
    ),
    (
        lambda x: Value(1.0, (Value(2.0),)),
        ValueError,
        (
            "children: 1, slopes: 0. The chain rule needs d(this)/d(child) for each child: pass one slope a "
            "child."
        ),
    ),
    (
        lambda x: Value(0.0) ** -1,
        ZeroDivisionError,
        "0 ** -1 divides by zero: its value and its slope are infinite. Keep the base away from 0.",
    ),
    (
        lambda x: Value(-2.0) ** 0.5,
        ValueError,
        (
            "(-2) ** 0.5 is no real number: a negative base has real powers only for whole exponents. Use a "
            "positive base."
        ),
    ),
    (
        lambda x: Value(-2.0) ** Value(2.0),
        ValueError,
        (
            "(-2) ** Value(2) has no slope in its exponent: that slope is a**n * log(a), and log needs a base "
            "above 0. Use a positive base, or a plain number as the exponent."
        ),
    ),
    (
        lambda x: Value(1000.0).exp(),
        OverflowError,
        (
            "exp(1000) is beyond the largest float (about 1.8e308). Make the number smaller before the "
            "exponential."
        ),
    ),
    (
        lambda x: Value(0.0).log(),
        ValueError,
        (
            "log(0) does not exist: the logarithm needs a number above 0. Check what feeds it, or add a small "
            "positive constant."
        ),
    ),
    (
        lambda x: Value(10**400),
        OverflowError,
        "got an int beyond the largest float (about 1.8e308): a Value holds one float. Use a smaller number.",
    ),
    (
        lambda x: used(x).backward(),
        bg.GraphError,
        (
            "the graph at SumBackward is gone, and what it saved: a backward pass frees the graph as it goes. "
            "Call the first backward with retain_graph=True, or compute the result again."
        ),
    ),
    (
        lambda x: list(freed(x).saved_tensors),
        bg.GraphError,
        (
            "a rule reached for its saved arrays, but a backward pass has freed them. Call that backward with "
            "retain_graph=True, or compute the result again."
        ),
    ),
]


@pytest.mark.parametrize(("compute", "error", "text"), ERRORS)
def test_errors_word_for_word(compute: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        compute(Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True))
    assert str(raised.value) == text
