"""`detect_anomaly`: the operation that first made a NaN or an infinity, and the line that asked for it."""

import re
import threading

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import Tensor


def caught(error: pytest.ExceptionInfo[bg.AnomalyError]) -> str:
    return re.sub(r":\d+: ", ":LINE: ", str(error.value))


def test_the_forward_pass() -> None:
    x = Tensor([0.0, 2.0], requires_grad=True)
    with bg.detect_anomaly(), pytest.raises(bg.AnomalyError) as error:
        (x - 1).log().exp()
    assert caught(error) == (
        "Log made a NaN in its output of shape (2,), at test_anomaly.py:LINE: (x - 1).log().exp(): no input held "
        "one. They were -1 to 1; keep them where Log is defined and does not overflow."
    )


def test_calls_that_are_not_recorded_count_too() -> None:
    with bg.detect_anomaly(), pytest.raises(bg.AnomalyError, match="Exp made an infinity"):
        Tensor(1000.0).exp()


def test_what_was_there_before() -> None:
    x, bad = Tensor([1.0], requires_grad=True), Tensor([float("nan")])
    with bg.detect_anomaly(), pytest.raises(bg.AnomalyError) as error:
        x * bad
    assert caught(error) == (
        "Mul was given a NaN as input 1, at test_anomaly.py:LINE: x * bad: no operation made it under "
        "detect_anomaly(). Look at the data, or start detect_anomaly() before this number is made."
    )


def test_the_backward_pass_names_the_forward_line() -> None:
    x = Tensor([0.0, 4.0], requires_grad=True)
    with bg.detect_anomaly():
        y = x.sqrt()
        with pytest.raises(bg.AnomalyError) as error:
            y.sum().backward()
    assert caught(error) == (
        "<SqrtBackward> made an infinity in the gradient of its input 0; the call was made at "
        "test_anomaly.py:LINE: y = x.sqrt(). What came in was finite (1, 0 to 2), so its slope is not. "
        "Keep its inputs away from where that is so."
    )


def test_masks_of_minus_infinity_are_no_anomaly() -> None:
    """An infinity that the program itself hands in is meant; a NaN that comes of it is not."""
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    mask = Tensor([[0.0, -np.inf]])
    with bg.detect_anomaly():
        (x + mask).softmax().sum().backward()
        x.masked_fill([[True, False]], -np.inf).softmax().sum().backward()
        with pytest.raises(bg.AnomalyError, match="Sub made a NaN"):
            (x + mask) - mask


def test_inside_a_checkpoint_the_operation_is_named() -> None:
    x = Tensor([-1.0], requires_grad=True)
    with bg.detect_anomaly(), pytest.raises(bg.AnomalyError, match="Log made a NaN"):
        bg.checkpoint(lambda v: (v * 2).log(), x)


def test_a_graph_from_before() -> None:
    x = Tensor([0.0], requires_grad=True)
    y = x.sqrt()
    with bg.detect_anomaly(), pytest.raises(bg.AnomalyError, match=r"at a line before detect_"):
        y.sum().backward()


def test_an_infinity_that_was_handed_in_is_not_blamed_on_a_rule() -> None:
    x = Tensor([2.0], requires_grad=True)
    with bg.detect_anomaly():
        (x * 2).backward(np.array([np.inf]))
    assert x.grad is not None
    assert x.grad.tolist() == [float("inf")]


def test_second_derivatives_are_watched() -> None:
    x = Tensor([0.0], dtype="float64", requires_grad=True)
    with bg.detect_anomaly():
        (g,) = bg.grad((x**1.5).sum(), x, create_graph=True)
        assert g is not None
        with pytest.raises(bg.AnomalyError, match="PowBackward"):
            bg.grad(g.sum(), x)


def test_writes_behind_the_engines_back_are_found() -> None:
    """No version counter sees them; the checksums do."""
    x = Tensor([1.0, 2.0], requires_grad=True)
    with bg.detect_anomaly():
        y = x * x
        x.data[0] = 5.0
        with pytest.raises(bg.AnomalyError) as error:
            y.sum().backward()
    assert caught(error) == (
        "<MulBackward> saved an array at test_anomaly.py:LINE: y = x * x, and its numbers were changed since by a "
        "write straight into a NumPy array, which no version counter sees. Write into a copy, or use the in-place "
        "methods of Tensor."
    )


def test_all_is_well() -> None:
    """Nothing is raised where all is finite, and gradients are the same; embedding's sparse ones, too."""
    x = Tensor([1.0, 2.0], requires_grad=True)
    table = Tensor(np.ones((5, 2)), requires_grad=True)
    with bg.detect_anomaly():
        y = (x * table.embedding(np.array([1, 1]), sparse=True)).sum() + x.detach().sum()
        y.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 2.0]


def test_it_watches_its_own_thread_only() -> None:
    found: list[bool] = []

    def elsewhere() -> None:
        with np.errstate(all="ignore"):
            found.append(bool(np.isinf(Tensor(1000.0).exp().data)))

    with bg.detect_anomaly():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert found == [True]
    with np.errstate(all="ignore"):
        assert np.isinf(Tensor(1000.0).exp().data)  # and nobody, afterwards
