"""Ranks: one function, started as several processes of MPI, and what each of them returns.

A rank is another process, so it sees nothing of the program that starts it. `launch` sends the text of the function and
its arguments as a file, and every rank writes what it returns into a file of its own. What a rank may be given and may
return is therefore what JSON holds, and arrays: numbers, text, lists and dictionaries of them.

Each rank runs in a child of the process that mpiexec started. The parent stays out of MPI and sees how the child ends,
so whatever ends it can be named, whereas those that wait for it never learn.
"""

import __future__

import faulthandler
import hashlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from bytegrad.errors import RankError

INSTALL = "python -m pip install mpi4py mpich"
_RANK = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK")
_POLL_SECONDS = 0.02
_START_SECONDS = 60
# On a busy machine mpiexec now and then ends before its ranks have begun, without a word of any of them.
_STARTS = 3
_SWITCH = "BYTEGRAD_MPI"


def find_mpiexec() -> str | None:
    """Return the program that starts ranks: the one beside this Python, else the one on the PATH; None without MPI.

    `BYTEGRAD_MPI=off` in the environment hides it.

    >>> mpiexec = find_mpiexec()
    >>> mpiexec is None or "mpiexec" in mpiexec
    True
    """
    if os.environ.get(_SWITCH) == "off" or find_spec("mpi4py") is None:
        return None
    return shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")


def launch(
    worker: Callable[..., Any],
    ranks: int,
    *arguments: Any,
    helpers: Sequence[Callable[..., Any]] = (),
    timeout: float = 60.0,
    record: str | os.PathLike[str] | None = None,
) -> list[Any]:
    """Run ``worker(comm, *arguments)`` as several processes of MPI, and return what each returned, by rank.

    The text of `worker` is sent, so it has to bring all that it uses: its arguments, its own imports, the `helpers`,
    and the names `np`, `bg` and `MPI`, which are there. Autograd is on.

    Args:
        worker: a function that was written with ``def``, and whose first argument is the communicator.
        ranks: how many processes.
        arguments: what else each rank is given: numbers, text, arrays, lists and dictionaries of them.
        helpers: functions that the worker calls.
        timeout: how many seconds the worker may take before the ranks are stopped, and an error says where they are.
        record: a file with the results of earlier runs, which are used where MPI is not installed; that is printed.

    Raises:
        RankError: no MPI and no record of this very program, a rank that failed or was killed, or time ran out.
        TypeError: the worker is no function with a text of its own.

    >>> def own_rank(comm):
    ...     return comm.rank
    >>> launch(own_rank, 2)  # doctest: +SKIP
    [0, 1]
    """
    program = "\n\n".join(_source(function) for function in (*helpers, worker))
    given = json.dumps(_plain([worker.__name__, *arguments]))
    key = hashlib.sha256(f"{ranks} {given} {program}".encode()).hexdigest()[:16]
    mpiexec = find_mpiexec()
    if mpiexec is None:
        return _recorded(record, key, f"launch() of {worker.__name__!r} on {ranks} ranks")
    for _ in range(_STARTS):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "worker.py").write_text(program, encoding="utf-8")
            (folder / "given.json").write_text(given, encoding="utf-8")
            (folder / "limits").write_text(f"{timeout} {ranks}", encoding="utf-8")
            error = _run(mpiexec, ranks, folder, timeout)
            found = [] if error else [_read(folder / f"{r}.result") for r in range(ranks)]
            began = any((folder / f"{r}.began").exists() for r in range(ranks))
        if began or not error.startswith("mpiexec"):
            break
    if record is not None and os.environ.get(_SWITCH) == "record":
        _write_down(Path(record), key, {"error": error} if error else {"results": found})
    if error:
        raise RankError(error)
    return [_rich(each) for each in found]


def _source(function: Callable[..., Any]) -> str:
    """Return the text of a function, set to the left.

    Raises:
        TypeError: there is none.
    """
    name = getattr(function, "__name__", repr(function))
    if not inspect.isfunction(function) or name == "<lambda>" or function.__code__.co_freevars:
        raise TypeError(
            f"launch() of {name!r}: its text has to make sense in another process, and that of a lambda, a class or a "
            "function inside a function does not. Write it with def, outside of functions."
        )
    return textwrap.dedent(inspect.getsource(function)).strip()


# The side of the program that launches.


def _run(mpiexec: str, ranks: int, folder: Path, timeout: float) -> str:
    """Run the ranks; return what went wrong, in words, or ""."""
    source = str(Path(__file__).parents[1])
    paths = [source, os.environ.get("PYTHONPATH", "")]
    # One thread a rank, and ranks on this machine only, whatever system of queues it may belong to.
    own = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HYDRA_LAUNCHER": "fork"}
    own["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = [mpiexec, "-n", str(ranks), sys.executable, "-m", "bytegrad.launching", str(folder)]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            env=os.environ | own,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        limit = time.monotonic() + _START_SECONDS
        began = False
        while True:
            over = process.poll() is not None
            if error := _failure(ranks, folder):
                return error
            if over and _all(folder, ranks, "result"):
                return ""
            if over:
                ended = f"mpiexec ended with exit code {process.returncode}"
                return f"{ended} before all of {ranks} ranks had a result{_last_lines(folder)}"
            if not began and _all(folder, ranks, "began"):
                began, limit = True, time.monotonic() + timeout
            if time.monotonic() > limit and not began:
                return (
                    f"{ranks} ranks had not started after {_START_SECONDS} s{_last_lines(folder)}"
                )
            if time.monotonic() > limit:
                return _where(ranks, folder, timeout)
            time.sleep(_POLL_SECONDS)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _all(folder: Path, ranks: int, what: str) -> bool:
    return all((folder / f"{rank}.{what}").exists() for rank in range(ranks))


def _failure(ranks: int, folder: Path) -> str:
    """Return which rank failed and how, or ""."""
    for rank in range(ranks):
        who = f"rank {rank} of {ranks}"
        others = "; the others could only have waited for it, and were stopped"
        others = others if ranks > 1 else ""
        if (folder / f"{rank}.raised").exists():
            return f"{who} raised {_read(folder / f'{rank}.raised')}{others}"
        if (folder / f"{rank}.ended").exists() and not (folder / f"{rank}.result").exists():
            code = _read(folder / f"{rank}.ended")
            how = f"exited with code {code} and without a result"
            if code < 0:
                how = f"was killed by signal {-code} ({signal.Signals(-code).name})"
            return f"{who} {how}{others}{_last_lines(folder)}"
    return ""


def _where(ranks: int, folder: Path, timeout: float) -> str:
    """Return which ranks wait in which line, asking each of them for its stack."""
    waiting = [rank for rank in range(ranks) if not (folder / f"{rank}.result").exists()]
    lines = dict.fromkeys(waiting, "")
    for rank in waiting:
        if (folder / f"{rank}.pid").exists():
            with suppress(ProcessLookupError):  # it ended since, or what started it did
                os.kill(_read(folder / f"{rank}.pid"), signal.SIGUSR1)
    limit = time.monotonic() + 1
    while time.monotonic() < limit and not all(lines.values()):
        lines = {rank: _asked(folder, rank) for rank in waiting}
        time.sleep(_POLL_SECONDS)
    done = [rank for rank in range(ranks) if rank not in waiting]
    told = [
        f"rank {rank} is in `{line or 'no line of the worker'}`" for rank, line in lines.items()
    ]
    told += [f"rank {rank} has returned" for rank in done]
    return (
        f"{ranks} ranks were not done after {timeout:g} s: {', '.join(sorted(told))}. A call of MPI returns when all "
        "who take part have made it; see which of them cannot, or pass a longer timeout"
    )


def _asked(folder: Path, rank: int) -> str:
    """Return the innermost line of the worker that a rank reported, or ""."""
    report = folder / f"{rank}.stack"
    for line in report.read_text(encoding="utf-8").splitlines() if report.exists() else ():
        if "worker.py" in line and "line " in line:
            number = int(line.split("line ")[1].split()[0])
            program = (folder / "worker.py").read_text(encoding="utf-8").splitlines()
            return program[number - 1].strip()
    return ""


def _last_lines(folder: Path) -> str:
    """Return the end of what the ranks said, without what mpiexec says of itself."""
    lines = (folder / "said").read_text(encoding="utf-8", errors="replace").splitlines()
    kept = [line for line in lines if line.strip() and line[0] != "=" and "EXIT STRING" not in line]
    kept = [line for line in kept if not line.startswith(("This typically", "Please see"))]
    return "; the last it said: " + " / ".join(kept[-3:]) if kept else ""


# The side of a rank.


def _serve(folder: Path) -> None:
    """Be one rank: run the worker in a child, and leave word of how it ended."""
    rank = next(os.environ[name] for name in _RANK if name in os.environ)
    child = os.fork()
    if child == 0:
        _work(folder, rank)
    running = True

    def stop(number: int, frame: FrameType | None) -> None:
        if running:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    _write(folder / f"{rank}.pid", child)
    status = os.waitpid(child, 0)[1]
    running = False
    code = os.waitstatus_to_exitcode(status)
    if code or not (folder / f"{rank}.result").exists():
        # Whoever launched this may be gone, and the folder as well.
        with suppress(FileNotFoundError):
            _write(folder / f"{rank}.ended", code)
        signal.alarm(_START_SECONDS)
        signal.pause()  # were this process to end, mpiexec would end the others, and they too would look dead
    os._exit(0)


def _work(folder: Path, rank: str) -> NoReturn:
    """Run the worker, write what it returns or raises, and end the process."""
    seconds, ranks = (folder / "limits").read_text(encoding="utf-8").split()
    # Whoever launched this may be gone; nobody waits for ever.
    signal.alarm(int(float(seconds)) + 70)
    with (folder / f"{rank}.stack").open("w", encoding="utf-8") as stack:
        faulthandler.register(signal.SIGUSR1, file=stack, all_threads=False)
        path = folder / "worker.py"
        try:
            from mpi4py import MPI

            import bytegrad as bg
            import bytegrad.parallel

            if int(ranks) != (size := MPI.COMM_WORLD.size):
                raise RankError(
                    f"mpi4py sees {size} of {ranks} ranks: it belongs to another MPI than the mpiexec that was found. "
                    f"Run `{INSTALL}`"
                )
            bg.enable_autograd(quiet=True)
            name, *arguments = map(_rich, _read(folder / "given.json"))
            names: dict[str, Any] = {"np": np, "bg": bg, "MPI": MPI}
            program = path.read_text(encoding="utf-8")
            # Annotations stay text: what they name need not be known here.
            flags = __future__.annotations.compiler_flag
            exec(compile(program, str(path), "exec", flags, dont_inherit=True), names)
            _write(folder / f"{rank}.began", True)
            returned = _plain(names[name](MPI.COMM_WORLD, *arguments))
            _write(folder / f"{rank}.result", returned)
            MPI.Finalize()
        except BaseException as error:  # noqa: BLE001 (also SystemExit: the others wait all the same)
            frames = traceback.extract_tb(error.__traceback__)
            lines = [frame.line for frame in frames if frame.filename == str(path)]
            place = f", in `{lines[-1]}`" if lines else ""
            (folder / f"{rank}.result").unlink(missing_ok=True)
            _write(folder / f"{rank}.raised", f"{type(error).__name__}: {error}{place}")
            signal.pause()
        sys.stdout.flush()
        os._exit(0)


# What travels.


def _plain(value: Any) -> Any:
    """Return what JSON can hold for a value: arrays become a dictionary.

    Raises:
        TypeError: something else.
    """
    if isinstance(value, np.ndarray):
        return {"dtype": str(value.dtype), "array": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Iterable):
        return [_plain(each) for each in value]
    raise TypeError(
        f"a rank cannot be given, or return, {type(value).__name__!r}: it goes through a file. Use numbers, text, "
        "arrays, and lists or dictionaries of them."
    )


def _rich(value: Any) -> Any:
    """Return the value for which this is what JSON holds."""
    if isinstance(value, dict) and value.keys() == {"dtype", "array"}:
        return np.array(value["array"], dtype=value["dtype"])
    if isinstance(value, dict):
        return {name: _rich(each) for name, each in value.items()}
    return [_rich(each) for each in value] if isinstance(value, list) else value


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _write(path: Path, value: Any) -> None:
    """Write a file that appears whole: the other side looks for it all the time."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


# What was recorded for those who have no MPI.


def _recorded(record: str | os.PathLike[str] | None, key: str, what: str) -> list[Any]:
    """Return the results on record, and print that they are.

    Raises:
        RankError: there are none of this program, or the program ended in one.
    """
    path = Path(record) if record is not None else None
    told = _read(path) if path and path.is_file() else {"runs": {}}
    run = told["runs"].get(key)
    if run is None:
        why = "and no record holds this very program" if record else "so nothing can be started"
        raise RankError(
            f"{what}: mpi4py or mpiexec is not installed here, {why}. Run `{INSTALL}` and try again."
        )
    print(f"MPI is not installed here. What follows was recorded with {told['with']}.")
    if "error" in run:
        raise RankError(run["error"])
    return [_rich(each) for each in run["results"]]


def _write_down(path: Path, key: str, run: dict[str, Any]) -> None:
    """Add one run to a record; runs stand in the order of their keys, each on a line of its own."""
    told = _read(path) if path.is_file() else {"runs": {}}
    runs = {**told["runs"], key: run}
    lines = [f"{json.dumps(name)}: {json.dumps(runs[name])}" for name in sorted(runs)]
    made = json.dumps(f"mpi4py {version('mpi4py')} and mpich {version('mpich')}")
    text = f'{{"with": {made},\n"runs": {{\n' + ",\n".join(lines) + "\n}}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
