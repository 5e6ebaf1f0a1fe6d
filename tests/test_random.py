"""Random numbers: one generator a thread, and draws that can be had again."""

import contextlib
import re
import threading
from typing import Any

import numpy as np
import pytest

from bytegrad import random


def draw(generator: np.random.Generator | None = None) -> float:
    return float(random.witnessed(generator).random())


def in_a_thread(work: Any) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def test_the_same_seed_gives_the_same_draws() -> None:
    random.manual_seed(5)
    first = [draw(), draw()]
    random.manual_seed(np.int64(5))
    assert [draw(), draw()] == first
    assert first == np.random.default_rng(5).random(2).tolist()


def test_seeding_keeps_the_generator() -> None:
    generator = random.default_generator()
    random.manual_seed(5)
    assert random.default_generator() is generator


@pytest.mark.parametrize("seed", ["0", 1.0, None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    message = (
        f"seed is {seed!r}: the same draws can only be had again from a number that can be written down. "
        "Pass a whole number, such as 0."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        random.manual_seed(seed)


def test_a_seed_is_not_below_0() -> None:
    message = "seed is -1: a seed counts from 0. Pass a whole number, such as 0."
    with pytest.raises(ValueError, match=f"^{message}$"):
        random.manual_seed(-1)


def test_each_thread_has_its_own_seeded_with_0() -> None:
    mine = random.default_generator()
    theirs, number = in_a_thread(lambda: (random.default_generator(), draw()))
    assert theirs is not mine
    assert number == np.random.default_rng(0).random()


def test_a_generator_is_numpys() -> None:
    message = (
        "generator is 3: draws come from a numpy.random.Generator, whose state can be read and set. "
        "Pass numpy.random.default_rng(seed), or None for this thread's own."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        random.witnessed(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.MT19937, np.random.Philox])
def test_a_witness_notes_the_state_before_the_first_draw(kind: Any) -> None:
    generator = np.random.Generator(kind(3))
    draw(generator)
    with random.witness() as states:
        seen = [draw(generator), draw(), draw(generator)]
    after = draw(generator), draw()
    with random.replaying(states):
        assert [draw(generator), draw(), draw(generator)] == seen
        assert (draw(generator), draw()) == after
    assert set(states) == {generator, random.default_generator()}


def test_replaying_leaves_every_generator_as_it_stood() -> None:
    generator = np.random.default_rng(3)
    with random.witness() as states:
        draw(generator), draw()
    random.manual_seed(1)
    expected = [np.random.default_rng(1).random(), np.random.default_rng(3).random(2)[1]]
    with contextlib.suppress(KeyError), random.replaying(states):
        draw(), draw(generator)
        raise KeyError
    assert [draw(), draw(generator)] == expected


def test_witnesses_nest() -> None:
    generator = np.random.default_rng(3)
    with random.witness() as outer:
        first = draw(generator)
        with random.witness() as inner, random.witness() as twin:
            second = draw(generator)
        third = draw(generator)
    assert inner == twin
    draw(generator)
    with random.replaying(outer):
        assert draw(generator) == first
        with random.replaying(inner):
            assert [draw(generator), draw(generator)] == [second, third]
        assert [draw(generator), draw(generator)] == [second, third]


def test_a_witness_sees_no_other_thread() -> None:
    generator = np.random.default_rng(3)
    with random.witness() as states:
        in_a_thread(lambda: draw(generator))
    assert states == {}


def test_seeding_counts_as_a_draw() -> None:
    """A segment that seeds seeds again when it is replayed, and nobody outside shall notice."""
    with random.witness() as states:
        random.manual_seed(4)
        seen = draw()
    random.manual_seed(9)
    with random.replaying(states):
        random.manual_seed(4)
        assert draw() == seen
    assert draw() == np.random.default_rng(9).random()


def test_another_thread_leaves_what_this_one_draws_meanwhile() -> None:
    mine = random.default_generator()
    random.manual_seed(2)
    with random.witness() as states:
        draw()

    def replay() -> None:
        with random.replaying(states):
            mine.random()  # stands for a draw of the other thread

    in_a_thread(replay)
    assert draw() == np.random.default_rng(2).random(3)[2]


def test_another_thread_replays_without_disturbing_this_one() -> None:
    generator = np.random.default_rng(3)
    random.manual_seed(2)
    with random.witness() as states:
        seen = draw(), draw(generator)
    expected = np.random.default_rng(2).random(2)[1]

    def replay() -> tuple[Any, ...]:
        own = draw()
        with random.replaying(states):
            again = draw(), draw(generator)
        return own, again, draw()

    own, again, later = in_a_thread(replay)
    assert again == seen
    assert [own, later] == np.random.default_rng(0).random(2).tolist()
    assert draw() == expected
