"""Where every random number of bytegrad comes from: one generator a thread, which checkpoints can wind back.

>>> manual_seed(7)
>>> first = default_generator().random()
>>> manual_seed(7)
>>> default_generator().random() == first
True
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.random import PCG64, Generator

#: What `numpy.random.BitGenerator.state` gives: all that decides the draws to come.
States: TypeAlias = dict[Generator, Any]


class _Own(Generator):
    """A thread's own generator, told apart from those that callers made."""


class _State(threading.local):
    generator: Generator

    def __init__(self) -> None:  # runs once in each thread
        self.generator = _Own(PCG64(0))
        self.witnesses: list[States] = []


_state = _State()


def manual_seed(seed: int) -> None:
    """Start this thread's generator afresh: from here on, the same seed gives the same draws.

    Args:
        seed: a whole number, not below 0.

    Raises:
        ValueError: the seed is below 0.
        TypeError: the seed is no whole number.

    >>> manual_seed(0)
    >>> default_generator().integers(10, size=3).tolist()
    [8, 6, 5]
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(
            f"seed is {seed!r}: the same draws can only be had again from a number that can be written down. "
            "Pass a whole number, such as 0."
        )
    if seed < 0:
        raise ValueError(f"seed is {seed}: a seed counts from 0. Pass a whole number, such as 0.")
    witnessed(None).bit_generator.state = PCG64(int(seed)).state


def default_generator() -> Generator:
    """Return this thread's generator, which draws wherever no other is passed.

    It is seeded with 0 when the thread first asks: a program draws the same numbers each time it runs,
    and a thread does not disturb another one's.

    >>> default_generator() is default_generator()
    True
    """
    return _state.generator


def witnessed(generator: Generator | None = None) -> Generator:
    """Return the generator to draw from now, and let the witnesses note how it stands before its first draw.

    Everything in bytegrad that draws calls this first, once for each call of its own.

    Args:
        generator: the caller's own; None stands for `default_generator()`.

    Raises:
        TypeError: the generator is none of NumPy's.

    >>> rng = np.random.default_rng(3)
    >>> witnessed(rng) is rng
    True
    """
    if generator is None:
        generator = _state.generator
    elif not isinstance(generator, Generator):
        raise TypeError(
            f"generator is {generator!r}: draws come from a numpy.random.Generator, whose state can be read and set. "
            "Pass numpy.random.default_rng(seed), or None for this thread's own."
        )
    for states in _state.witnesses:
        if generator not in states:
            states[generator] = generator.bit_generator.state
    return generator


@contextmanager
def witness() -> Iterator[States]:
    """Note, for each generator that this thread draws from inside, its state before the first draw.

    Several may be open at once; each notes for itself.

    >>> with witness() as states:
    ...     first = witnessed().random()
    >>> with replaying(states):
    ...     witnessed().random() == first
    True
    """
    states: States = {}
    _state.witnesses.append(states)
    try:
        yield states
    finally:
        # By identity: two witnesses that noted the same are equal.
        _state.witnesses = [other for other in _state.witnesses if other is not states]


@contextmanager
def replaying(states: States) -> Iterator[None]:
    """Repeat, inside, the draws that a `witness` saw; afterwards every generator stands as it stood before.

    Args:
        states: what `witness` gave. Where another thread's own generator is among them, this thread's takes its
            place inside, so that a backward pass may run in a thread of its own while the other one goes on.

    >>> with witness() as states:
    ...     first = witnessed().random()
    >>> later = default_generator().bit_generator.state
    >>> with replaying(states):
    ...     witnessed().random() == first
    True
    >>> default_generator().bit_generator.state == later
    True
    """
    before = _state.generator, {g: g.bit_generator.state for g in states}
    foreign = next((g for g in states if isinstance(g, _Own) and g is not before[0]), None)
    if foreign is not None:
        _state.generator = _Own(PCG64())
    try:
        for generator, state in states.items():
            place = _state.generator if generator is foreign else generator
            place.bit_generator.state = state
        yield
    finally:
        _state.generator, present = before
        for generator, state in present.items():
            if generator is not foreign:
                generator.bit_generator.state = state
