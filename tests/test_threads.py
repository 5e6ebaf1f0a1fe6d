"""Threads do not disturb each other, and the same program gives the same bits in every process."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import memory, nn, random
from bytegrad.data import DataLoader, TensorDataset
from bytegrad.optim import SGD, Adam

STEPS = 12

ROOT = Path(__file__).resolve().parent.parent


def train(seed: int, watch: Callable[[], Any], wait: Callable[[], Any] = lambda: None) -> str:
    """Train a small network under a watcher, with hooks, evaluations, a checkpoint, dropout and shuffling.

    Args:
        seed: decides data, first parameters and every draw.
        watch: makes the block around it.
        wait: called between the parts of each step, so that two threads can be made to alternate.

    Returns:
        The sha256 of every gradient, loss and parameter on the way.
    """
    random.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((24, 5)).astype("float32")
    loader = DataLoader(TensorDataset(x, x[:, :2] > 0), batch_size=6, shuffle=True)
    model = nn.Sequential(
        nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.25), nn.LayerNorm(8), nn.Linear(8, 2)
    )
    optimizer = (Adam if seed % 2 else SGD)(model.parameters(), lr=0.05)
    seen, digest = [], hashlib.sha256()
    model[0].weight.register_hook(lambda g: g * 0.5)
    model[4].weight.register_post_accumulate_grad_hook(lambda w: seen.append(w.grad.sum().item()))
    with watch():
        for _ in range(STEPS // 4):
            for inputs, targets in loader:
                wait()
                hidden = bg.checkpoint(model[:3], inputs)
                hidden.register_hook(lambda g: seen.append(float(g.sum())))
                loss = model[3:](hidden).bce_with_logits(targets)
                wait()
                loss.backward()
                wait()
                with bg.no_grad():
                    wait()
                    wait()
                    score = model.eval()(inputs)
                    assert not score.requires_grad
                model.train()
                grads = [parameter.grad for parameter in model.parameters()]
                for array in (loss.data, score.data, *grads):
                    digest.update(np.ascontiguousarray(array).tobytes())
                optimizer.step()
                optimizer.zero_grad()
    assert len(seen) == 2 * STEPS, "each hook is called once a step, by its own thread"
    digest.update(np.array(seen).tobytes())
    for parameter in model.parameters():
        digest.update(parameter.data.tobytes())
    return digest.hexdigest()


WATCHERS: dict[str, Callable[[], Any]] = {
    "nobody": nullcontext,
    "detect_anomaly": bg.detect_anomaly,
    "ledger": memory.ledger,
}


def together(pair: tuple[str, str], in_turns: bool) -> list[str]:
    """Train two models in two threads, and return how each ends.

    A step has five parts. In turns, the second thread is three parts late, so that each one goes forward while the
    other stays inside no_grad.
    """
    turn = threading.Barrier(2)
    found = ["", ""]

    def run(i: int) -> None:
        try:
            wait = (lambda: turn.wait(60)) if in_turns else (lambda: None)
            for _ in range(3 * i):
                wait()
            found[i] = train(i + 1, WATCHERS[pair[i]], wait)
            for _ in range(3 - 3 * i):
                wait()
        except RuntimeError as error:  # GraphError, or the other thread is gone
            turn.abort()
            found[i] = repr(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize(
    "pair", [("nobody", "nobody"), ("detect_anomaly", "ledger"), ("ledger", "nobody")]
)
@pytest.mark.parametrize("in_turns", [True, False], ids=["in turns", "freely"])
def test_two_threads_end_as_each_alone(pair: tuple[str, str], in_turns: bool) -> None:
    """Each model has the bits that it has alone, whoever watches, also where one is inside no_grad."""
    alone = [train(seed, nullcontext) for seed in (1, 2)]
    assert alone[0] != alone[1]
    assert together(pair, in_turns) == alone


SHARED = {
    "bytegrad.random._state": lambda: SimpleNamespace(
        generator=random.default_generator(), witnesses=[]
    ),
    "modes": lambda: SimpleNamespace(recording=True, probe=None, before=[]),
}


@pytest.mark.parametrize("what", SHARED)
def test_what_threads_would_share_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one generator, or one mode, for both threads the test above fails."""
    alone = [train(seed, nullcontext) for seed in (1, 2)]
    shared = SHARED[what]()
    places = [what]
    if what == "modes":
        places = [f"bytegrad.{room}.state" for room in ("modes", "record", "edits", "recompute")]
    for place in places:
        monkeypatch.setattr(place, shared)
    assert together(("nobody", "nobody"), in_turns=True) != alone


def test_a_ledger_counts_its_own_thread() -> None:
    """What another thread trains meanwhile does not stand in the ledger."""
    peaks = []

    def counted(other: bool) -> None:
        with memory.ledger() as led:
            if other:
                thread = threading.Thread(target=train, args=(2, nullcontext))
                thread.start()
            train(1, nullcontext)
            if other:
                thread.join()
        peaks.append((led.peak, led.current, len(led.timeline)))

    counted(False)
    counted(True)
    assert peaks[0] == peaks[1]


PROGRAM = """
import bytegrad as bg
bg.enable_autograd(quiet=True)
from contextlib import nullcontext
from tests.test_threads import train
print(train(3, nullcontext))
"""


def test_the_same_bits_in_every_process() -> None:
    """Twenty fresh processes, each with its own hash seed, print the same digest."""
    expected = train(3, nullcontext)
    printed: set[str] = set()
    for first in range(0, 20, 4):  # a few at a time
        running = [_start(seed) for seed in range(first, first + 4)]
        for process in running:
            out, errors = process.communicate()
            assert process.returncode == 0, errors
            printed.add(out.strip())
    assert printed == {expected}


def _start(hash_seed: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
