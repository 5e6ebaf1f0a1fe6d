"""Ranks of MPI: what they return, gradients to the last bit, and an end for whatever keeps one from its result."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bytegrad as bg
from bytegrad import launching, parallel
from bytegrad.errors import GraphError, RankError
from bytegrad.parallel import launch
from tests.tools import program

REPO = Path(__file__).parents[1]
ranks = program("ranks")

# What runs as a rank: text that is sent, so each function brings what it uses.


def model_and_batch() -> Any:
    """Return a network, its batch and its targets, all numbers small integers or halves."""
    bg.manual_seed(0)
    model = bg.nn.Sequential(
        bg.nn.Linear(6, 8, dtype="float64"), bg.nn.ReLU(), bg.nn.Linear(8, 1, dtype="float64")
    )
    rng = np.random.default_rng(1)
    for p in model.parameters():
        p.data = rng.integers(-4, 5, p.shape) / 2
    x = rng.integers(-4, 5, (16, 6)) / 2
    return model, bg.Tensor(x), bg.Tensor(rng.integers(-4, 5, (16, 1)) / 2)


def share(comm: Any, average: bool, overlapped: bool) -> Any:
    """Return the gradients of all ranks together, and the order in which they left."""
    model, x, t = model_and_batch()
    rows = np.split(np.arange(16), comm.size)[comm.rank]
    parameters = list(model.parameters())
    reducer = bg.parallel.Reducer(parameters, comm, average) if overlapped else None
    loss = bg.functional.mse_loss(model(x[rows]), t[rows])
    loss.backward()
    order = list(reducer.started) if reducer else []
    if reducer:
        reducer.wait()
        reducer.remove()
    else:
        bg.parallel.all_reduce_gradients(parameters, comm, average)
    return {"order": order, "gradients": [p.grad for p in parameters]}


def start_apart(comm: Any) -> Any:
    """Return weights that started apart, and the gradient of a parameter that one rank does not use."""
    bg.manual_seed(comm.rank)
    w = bg.nn.Linear(3, 2).weight
    own = w.data.copy()
    bg.parallel.broadcast_parameters([w], comm, root=1)
    unused = bg.Tensor([1.0], requires_grad=True)
    reducer = bg.parallel.Reducer([unused], comm, average=False)
    if comm.rank == 0:
        (unused * 3).sum().backward()
    reducer.wait()
    return {"own": own, "common": w.data, "unused": unused.grad}


def end(comm: Any, how: str) -> None:
    """End one of the ranks, while the others wait for it."""
    import os
    import sys

    if comm.rank == 1 and how == "raise":
        raise ValueError("no such row")
    if comm.rank == 1 and how == "kill":
        os.kill(os.getpid(), 9)
    if comm.rank == 1 and how == "exit":
        os._exit(3)
    if comm.rank == 1 and how == "exit 0":
        os._exit(0)
    if comm.rank == 1 and how == "sys.exit":
        sys.exit(0)
    if comm.rank == 1 and how == "return":
        return
    comm.Barrier()


def own_name(comm: Any, given: Any) -> Any:
    return {"rank": comm.rank, "size": comm.size, "given": given, "big": np.float32(0.1)}


def unknown(comm: Any) -> Any:
    return np.sum(nowhere)  # type: ignore[name-defined]  # noqa: F821


def unsendable(comm: Any) -> Any:
    return comm


@pytest.mark.parametrize("ranks", [2, 4])
@pytest.mark.parametrize("overlapped", [False, True])
def test_gradients_are_those_of_one_process_to_the_bit(ranks: int, overlapped: bool) -> None:
    """All sums of these numbers are exact, so their order does not matter."""
    model, x, t = model_and_batch()
    bg.functional.mse_loss(model(x), t).backward()
    whole = [p.grad for p in model.parameters()]
    for found in launch(share, ranks, True, overlapped, helpers=[model_and_batch]):
        for mine, theirs in zip(whole, found["gradients"], strict=True):
            assert mine.dtype == theirs.dtype
            assert mine.tobytes() == theirs.tobytes()
        assert found["order"] == ([3, 2, 1, 0] if overlapped else [])


def test_a_sum_is_a_mean_times_the_ranks() -> None:
    (first, _), (second, _) = (
        launch(share, 2, average, False, helpers=[model_and_batch]) for average in (True, False)
    )
    for mean, total in zip(first["gradients"], second["gradients"], strict=True):
        assert np.array_equal(2 * mean, total)


def test_ranks_start_as_one_and_an_unused_parameter_keeps_nobody_waiting() -> None:
    first, second = launch(start_apart, 2)
    assert not np.array_equal(first["own"], second["own"])
    assert np.array_equal(first["common"], second["own"])
    assert np.array_equal(second["common"], second["own"])
    assert first["unused"].tolist() == second["unused"].tolist() == [3.0]


def test_what_travels_arrives_as_it_was() -> None:
    given = {"a": np.array([[0.1], [3]], "float32"), "b": [1, 0.1, "ü", None, True]}
    for rank, found in enumerate(launch(own_name, 2, given)):
        assert (found["rank"], found["size"], found["big"]) == (rank, 2, float(np.float32(0.1)))
        assert found["given"]["a"].dtype == "float32"
        assert found["given"]["a"].tobytes() == given["a"].tobytes()  # type: ignore[attr-defined]
        assert found["given"]["b"] == given["b"]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raise", 'raised ValueError: no such row, in `raise ValueError("no such row")`'),
        ("kill", "was killed by signal 9 (SIGKILL)"),
        ("exit", "exited with code 3 and without a result"),
        ("exit 0", "exited with code 0 and without a result"),
        ("sys.exit", "raised SystemExit: 0, in `sys.exit(0)`"),
    ],
)
def test_a_rank_that_ends_is_named(how: str, said: str) -> None:
    with pytest.raises(RankError) as caught:
        launch(end, 4, how)
    waiting = "the others could only have waited for it, and were stopped"
    assert str(caught.value) == f"rank 1 of 4 {said}; {waiting}"


def test_ranks_that_wait_for_ever_are_stopped_and_say_where() -> None:
    with pytest.raises(RankError) as caught:
        launch(end, 2, "return", timeout=1)
    assert str(caught.value) == (
        "2 ranks were not done after 1 s: rank 0 is in `comm.Barrier()`, rank 1 has returned. A call of MPI returns "
        "when all who take part have made it; see which of them cannot, or pass a longer timeout"
    )


def test_what_a_rank_lacks_is_said() -> None:
    with pytest.raises(RankError, match="NameError: name 'nowhere' is not defined, in `return np"):
        launch(unknown, 1)
    with pytest.raises(RankError, match=r"cannot be given, or return, 'Intracomm'.* Use numbers"):
        launch(unsendable, 1)
    with pytest.raises(TypeError, match="Write it with def"):
        launch(lambda comm: 1, 2)
    with pytest.raises(TypeError, match="cannot be given, or return, 'object'"):
        launch(own_name, 2, object())


def test_without_mpi_the_record_speaks_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = tmp_path / "deep" / "runs.json"
    monkeypatch.setenv("BYTEGRAD_MPI", "record")
    fresh = launch(own_name, 2, np.arange(3.0), record=record)
    with pytest.raises(RankError) as died:
        launch(end, 2, "kill", record=record)
    written = record.read_bytes()
    launch(own_name, 2, np.arange(3.0), record=record)
    assert record.read_bytes() == written
    monkeypatch.setenv("BYTEGRAD_MPI", "off")
    assert capsys.readouterr().out == ""
    told = launch(own_name, 2, np.arange(3.0), record=record)
    assert repr(told) == repr(fresh)
    assert capsys.readouterr().out.startswith(
        "MPI is not installed here. What follows was recorded with mpi4py 4"
    )
    with pytest.raises(RankError) as recorded:
        launch(end, 2, "kill", record=record)
    assert str(recorded.value) == str(died.value)
    with pytest.raises(RankError, match="no record holds this very program"):
        launch(own_name, 2, np.arange(4.0), record=record)
    with pytest.raises(
        RankError, match=r"nothing can be started. Run `python -m pip install mpi4p"
    ):
        launch(own_name, 2)


def test_mpiexec_is_the_one_beside_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert launching.find_mpiexec()
    for name in ("python", "mpiexec"):
        (tmp_path / name).write_text("", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(launching.sys, "executable", str(tmp_path / "python"))
    assert launching.find_mpiexec() == str(tmp_path / "mpiexec")
    (tmp_path / "mpiexec").unlink()
    monkeypatch.setenv("PATH", "")
    assert parallel.find_mpiexec() is None


def test_what_mpiexec_itself_says_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "mpiexec"
    broken.write_text("#!/bin/sh\necho no slots\nexit 7\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(launching, "find_mpiexec", lambda: str(broken))
    with pytest.raises(RankError, match=r"exit code 7 before all of 2 ranks .*: no slots$"):
        launch(own_name, 2, 0)


def test_a_program_that_began_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dying = tmp_path / "mpiexec"
    text = f'#!/bin/sh\necho once >> "{tmp_path}/trace"\necho true > "$6/0.began"\nexit 7\n'
    dying.write_text(text, encoding="utf-8")
    dying.chmod(0o755)
    monkeypatch.setattr(launching, "find_mpiexec", lambda: str(dying))
    with pytest.raises(RankError, match="mpiexec ended with exit code 7"):
        launch(own_name, 2, 0)
    assert (tmp_path / "trace").read_text(encoding="utf-8") == "once\n"


def test_the_mpiexec_of_another_mpi_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "mpiexec"
    other.write_text(
        '#!/bin/sh\nOMPI_COMM_WORLD_RANK=0 exec "$3" "$4" "$5" "$6"\n', encoding="utf-8"
    )
    other.chmod(0o755)
    monkeypatch.setattr(launching, "find_mpiexec", lambda: str(other))
    with pytest.raises(RankError, match="mpi4py sees 1 of 2 ranks: it belongs to another MPI"):
        launch(own_name, 2, 0)


def test_a_second_backward_before_waiting_is_refused() -> None:
    class Silent:
        size = 1

        def Iallreduce(self, share: Any, total: Any) -> None:  # noqa: N802 (mpi4py's name)
            pass

    w = bg.Tensor([1.0], requires_grad=True)
    reducer = parallel.Reducer([w], Silent())
    (w * 2).sum().backward()
    with pytest.raises(GraphError, match=r"parameter 0 is on its way.* Call wait\(\) first"):
        (w * 2).sum().backward()
    reducer.remove()


def test_rows_are_no_share_of_a_sum() -> None:
    table = bg.Tensor(np.ones((4, 2)), requires_grad=True)
    table.grad = bg.RowSparse(np.array([1]), np.ones((1, 2)), (4, 2))
    with pytest.raises(GraphError, match=r"all-reduce of 'RowSparse'.* Use a dense gradient"):
        parallel.all_reduce_gradients([table], None)


def test_importing_starts_nothing() -> None:
    assert "mpi4py" not in vars(parallel)
    assert "PMI_RANK" not in os.environ


def close(a: Any, b: Any) -> bool:
    """Return whether two results are equal but for rounding."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[name], b[name]) for name in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    return a == pytest.approx(b, rel=1e-4, abs=1e-9) if isinstance(a, float) else bool(a == b)


def test_the_chapters_record_is_what_mpi_says_today(tmp_path: Path) -> None:
    assert "MPI is not installed" not in ranks.run_chapter(tmp_path, "record")
    fresh, kept = (
        json.loads((folder / "book/mpi/distributed.json").read_text(encoding="utf-8"))
        for folder in (tmp_path, REPO)
    )
    assert fresh["with"] == kept["with"], "another MPI; run: make ranks"
    assert fresh["runs"].keys() == kept["runs"].keys(), "a worker was edited; run: make ranks"
    assert close(fresh["runs"], kept["runs"])


def test_without_mpi_the_chapter_runs_from_its_record_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "mpi").symlink_to(REPO / "book" / "mpi")
    printed = ranks.run_chapter(tmp_path, "off")
    record = json.loads((REPO / "book/mpi/distributed.json").read_text(encoding="utf-8"))
    told = "MPI is not installed here. What follows was recorded with mpi4py"
    assert printed.count(told) == len(record["runs"])
