"""What the snippets beside the records print and leave behind: book/torch/oracle.json."""

import contextlib
import io
import re
import traceback
import warnings
from pathlib import Path
from typing import Any

from bookproof.recorded import MOST_ELEMENTS, digest, seal

RAISES = re.compile(r"#\s*raises (\w+)\s*$")
SEEDS = (1, 2)


class SnippetError(Exception):
    """A snippet that cannot be recorded as it stands."""


def record(folder: Path) -> dict[str, Any]:
    """Run every snippet of the `folder`, and return the record of all of them."""
    import torch

    version = torch.__version__.partition("+")[0]
    paths = sorted(folder.glob("*.py"))
    entries = {}
    for number, path in enumerate(paths, 1):
        print(f"    {number}/{len(paths)} {path.name}", flush=True)
        entries[path.stem] = entry(path, version)
    return {"torch": version, "snippets": entries}


def entry(path: Path, version: str) -> dict[str, Any]:
    """Run one snippet, and return what is recorded of it.

    Raises:
        SnippetError: it fails where it does not say so, says so and does not fail, warns, differs from
            run to run, or leaves something that no record can hold.
    """
    source = path.read_text(encoding="utf-8")
    first, second = (_ran(path, source, seed) for seed in SEEDS)
    if repr(first) != repr(second):
        raise SnippetError(
            f"{path.name}: two runs differ; a record of either would be false the next time; seed what "
            "is random, torch.manual_seed(0), and print nothing that depends on the machine"
        )
    made = {**first, "source": digest(source)}
    return {**made, "seal": seal(version, made)}


def _ran(path: Path, source: str, seed: int) -> dict[str, Any]:
    """Run a snippet as a program of its own would run, and return what it printed, raised and left."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # sums of several threads may round otherwise
    torch.set_default_dtype(torch.float32)
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    raised = None
    with (
        contextlib.redirect_stdout(printed),
        warnings.catch_warnings(),
        torch.enable_grad(),
    ):
        warnings.simplefilter("error")
        try:
            exec(compile(source, str(path), "exec"), names)
        except Exception as error:  # noqa: BLE001 - what a snippet raises may be what it shows
            raised = _foretold(path, source, error)
    if raised is None and any(map(RAISES.search, source.splitlines())):
        raise SnippetError(
            f"{path.name}: a comment says what a line raises, and the snippet ran to its end; a reader "
            "would wait for an error in vain; mend the snippet, or remove the comment"
        )
    values = {
        name: _value(path, name, thing) for name, thing in names.items() if _is_shown(name, thing)
    }
    return {"printed": printed.getvalue().splitlines(), "raises": raised, "values": values}


def _foretold(path: Path, source: str, error: Exception) -> dict[str, str]:
    """Return the type and the message of an error that the snippet's own line foretells."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    at = lines[0] if lines else getattr(error, "lineno", None) or 1
    told = RAISES.search(source.splitlines()[at - 1])
    kind = type(error).__name__
    if told is None or told[1] != kind:
        raise SnippetError(
            f"{path.name}:{at}: {kind}: {error}; a snippet that stops where it does not say so shows "
            f"nothing; mend it, or end that line with the comment: # raises {kind}"
        )
    return {"type": kind, "message": str(error)}


def _is_shown(name: str, thing: Any) -> bool:
    import torch

    return not name.startswith("_") and isinstance(thing, (torch.Tensor, bool, int, float))


def _value(path: Path, name: str, thing: Any) -> dict[str, Any]:
    """Return what is recorded of a number, or of a tensor and its gradient."""
    import torch

    if not isinstance(thing, torch.Tensor):
        return {"kind": type(thing).__name__, "data": thing}
    if thing.layout != torch.strided or thing.is_complex():
        raise SnippetError(
            f"{path.name}: {name} is {thing.layout}, {thing.dtype}; a record holds dense real tensors; "
            "convert it, for example by to_dense()"
        )
    whole = thing.numel() <= MOST_ELEMENTS
    grad = thing.grad if thing.is_leaf or thing.retains_grad else None
    return {
        "kind": "tensor",
        "dtype": str(thing.dtype).removeprefix("torch."),
        "shape": list(thing.shape),
        "is_leaf": thing.is_leaf,
        "requires_grad": thing.requires_grad,
        "has_grad": grad is not None,
        "data": thing.tolist() if whole else None,
        "grad": grad.tolist() if grad is not None and whole else None,
    }
