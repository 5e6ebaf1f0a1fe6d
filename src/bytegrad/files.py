"""Files that appear whole or not at all, and archives of arrays that are read without executing anything."""

import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that takes the place of the one at `path` when the block ends without an error.

    A reader meets the old file or the new one, never a half.

    Raises:
        OSError: it cannot be written, for example since there is no such folder.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "letter")
    ...     with replacing(path) as file:
    ...         _ = file.write(b"Dear")
    ...         found = path.exists()
    ...     found, path.read_bytes()
    (False, b'Dear')
    """
    target = Path(path)
    unfinished = target.with_name(f".{uuid4().hex}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays in NumPy's npz format, whatever they are called: `numpy.savez` takes some names for its own.

    Raises:
        ValueError: an array of Python objects.
    """
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """Return the arrays of an npz file by name.

    Raises:
        ValueError: the file is no npz archive, is damaged, or holds Python objects.
        FileNotFoundError: there is no such file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_arrays(f"{folder}/model", {"file": np.arange(3)})
    ...     read_arrays(f"{folder}/model")
    {'file': array([0, 1, 2])}
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(os.fspath(path)) as archive:
            for name in archive.namelist():
                with archive.open(name) as entry:
                    array = np.lib.format.read_array(entry, allow_pickle=False)
                arrays[name.removesuffix(".npy")] = array
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"load() of {os.fspath(path)!r}: {why}. A model is read from an npz archive of plain arrays, and nothing "
            "else is opened, since it might be executed. Pass a whole file that save() wrote."
        ) from None
    return arrays
