"""no_grad, enable_grad and inference_mode: blocks and decorators of one thread."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import bytegrad as bg
from bytegrad import Tensor


def records() -> bool:
    return bool((Tensor(1.0, requires_grad=True) * 2).requires_grad)


def test_blocks_nest() -> None:
    assert records()
    with bg.no_grad():
        assert not records()
        with bg.enable_grad():
            assert records()
            with bg.inference_mode():
                assert not records()
                assert not bg.grad_enabled()
            assert records()
        assert not records()
    assert records()
    assert bg.grad_enabled()


def test_a_block_ends_where_an_error_leaves_it() -> None:
    with pytest.raises(KeyError), bg.no_grad():
        raise KeyError
    assert records()


@pytest.mark.parametrize("mode", [bg.no_grad, bg.no_grad(), bg.inference_mode, bg.inference_mode()])
def test_decorators(mode: Any) -> None:
    @mode
    def ask(n: int, *, more: int = 0) -> tuple[bool, int]:
        """Docstrings stay."""
        return records(), n + more

    assert ask(1, more=2) == (False, 3)
    assert ask.__doc__ == "Docstrings stay."
    assert records()

    @bg.enable_grad
    def inner() -> bool:
        return records()

    with bg.no_grad():
        assert inner()
        assert not records()


def test_generators_record_nothing_inside_and_leave_their_caller_alone() -> None:
    closed = []

    @bg.no_grad()
    def steps() -> Iterator[Any]:
        try:
            got = yield records()
            try:
                yield got, records()
            except KeyError:
                yield "caught", records()
            return
        finally:
            closed.append(records())

    generator: Any = steps()
    assert next(generator) is False
    assert records()
    assert generator.send("sent") == ("sent", False)
    assert records()
    assert generator.throw(KeyError) == ("caught", False)
    assert list(generator) == []
    stopped = steps()
    next(stopped)
    stopped.close()
    assert closed == [False, False]
    assert records()


def test_coroutines_are_refused() -> None:
    async def ask() -> None: ...

    with pytest.raises(TypeError) as raised:
        bg.no_grad()(ask)
    assert str(raised.value) == (
        "no_grad on the coroutine ask: it would hold for whatever else runs while the coroutine waits. Use "
        "`with no_grad():` around the parts between two awaits."
    )


def test_each_thread_for_itself() -> None:
    found = []
    with bg.no_grad():
        thread = threading.Thread(target=lambda: found.append(records()))
        thread.start()
        thread.join()
    assert found == [True]
