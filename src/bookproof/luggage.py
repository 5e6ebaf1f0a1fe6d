"""The first cell of a notebook that is handed out: with it the notebook runs wherever it is opened.

In a checkout of the course the cell goes to the book's folder. Elsewhere it unpacks the files that it carries into a
folder of its own: the packages of the course that the chapter imports, and the data that it reads. The
files travel as an xz-compressed zip in base64 inside the code, because code is all that a kernel sees of
its notebook (attachments reach only the page), and because the letters of base64 mean nothing to
IPython; on one line, because not every viewer folds the cell. So nothing is downloaded.
"""

from __future__ import annotations

import ast
import base64
import io
import lzma
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from functools import cache as remembered
from importlib.metadata import packages_distributions
from pathlib import Path

from nbformat import NotebookNode

from bookproof import cache
from bookproof.sources import Sources

HOME = Path(__file__).parents[1]
"""The folder that bookproof itself is imported from; another course may have it from a package."""

REQUIREMENTS = "requirements.txt"

_SETUP = """\
# @title Setup: run this cell first, and leave it folded. It lets the notebook run anywhere, without a network.
# In a checkout of the course it goes to the book's folder. Elsewhere it unpacks what the chapter needs of the
# course, and carries along below, into a folder that is deleted with the kernel.
def set_up():
    import base64, importlib.util, io, lzma, os, pathlib, sys, tempfile, zipfile

    wanted = {wanted}
    missing = [what for name, what in wanted.items() if importlib.util.find_spec(name) is None]
    if missing:
        command = "%pip install " + " ".join(f'"{{what}}"' for what in missing)
        raise ModuleNotFoundError(
            f"this notebook computes with packages that are not installed here; its cells cannot run without "
            f"them; run\\n    {{command}}\\nin a cell of its own, restart the kernel, and run this cell again"
        )
    marks = {marks}
    here = pathlib.Path.cwd()
    above = (folder for folder in [here, *here.parents] if all((folder / mark).exists() for mark in marks))
    course = next(above, None)
    if course is None:
        set_up.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        course = pathlib.Path(set_up.folder.name)
        archive = lzma.decompress(base64.b64decode(set_up.files))
        zipfile.ZipFile(io.BytesIO(archive)).extractall(course)
    if any(importlib.util.find_spec(name) is None for name in {packages}):
        sys.path.insert(0, str(course / "src"))
        # For the programs that a cell starts.
        paths = [str(course / "src"), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    folder = course / {folder!r}
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)


set_up.files = "{files}"
set_up()"""


def setup_cell(notebook: NotebookNode, root: Path, page: str) -> str:
    """Return the code of the first cell for the chapter ``page`` (book/value) of the course at ``root``."""
    packed = carried(notebook, root)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    programs = [data.decode("utf-8") for name, data in packed.items() if name.endswith(".py")]
    packages = sorted({name.split("/")[1] for name in packed if name.startswith("src/")})
    folder = Path(page).parent.as_posix()
    own = next((f"src/{name}" for name in packages if (root / "src" / name).is_dir()), folder)
    return _SETUP.format(
        wanted=wanted([*cells, *programs], packages, root / REQUIREMENTS),
        marks=("_toc.yml", own),
        packages=tuple(packages),
        folder=folder,
        files=base64.b64encode(_archive(packed)).decode("ascii"),
    )


def carried(notebook: NotebookNode, root: Path) -> dict[str, bytes]:
    """Return the files that the chapter needs in order to run, by their path in a checkout."""
    root = root.resolve()
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    found = {path.relative_to(root).as_posix(): path for path in cache.dependencies(notebook, root)}
    found["_toc.yml"] = root / "_toc.yml"  # what tells the root of a course
    sources = Sources(root / "src")
    found |= _imported(sources, cells, root / "book")
    if "bookproof" not in sources.packages:
        own = Sources(HOME)
        own.packages = frozenset({"bookproof"})  # beside it may lie all else that is installed
        found |= _imported(own, cells, root / "book")
        settings = root / "book" / "course.toml"
        if "src/bookproof/course.py" in found and settings.is_file():
            found["book/course.toml"] = settings
    return {name: found[name].read_bytes() for name in sorted(found)}


def _imported(sources: Sources, cells: Iterable[str], beside: Path) -> dict[str, Path]:
    """Return the files of packages that are read when the cells run, by their path below the root.

    What a result depends on is less than that: importing a module runs the ``__init__`` of its package,
    which imports others that the chapter does not use, as does a module that hands names on. The data of
    those are left behind: a module reads them when it is called.
    """
    found, before = set(sources.of_code(cells, beside)), -1
    while len(found) > before:
        before = len(found)
        folders = {folder for path in found for folder in path.parents}
        inits = {folder / "__init__.py" for folder in folders if sources.folder in folder.parents}
        found |= {path for path in inits if path.is_file()}
        programs = [path.read_text(encoding="utf-8") for path in found & inits]
        needed = sources.of_code(programs, beside) | sources.handed_on(found)
        found |= {path for path in needed if path.suffix == ".py"}
    inside = [path for path in found if path.is_relative_to(sources.folder)]
    return {f"src/{path.relative_to(sources.folder).as_posix()}": path for path in inside}


def wanted(programs: Iterable[str], packages: Iterable[str], requirements: Path) -> dict[str, str]:
    """Return what must be installed for ``programs`` to run: module to import, what to ask pip for."""
    own = {*packages, *sys.stdlib_module_names}
    modules = sorted({name for program in programs for name in _modules(program)} - own)
    listed = _listed(requirements)
    distributions = _distributions()
    asked = {name: distributions.get(name, [name])[0] for name in modules}
    # What no requirement names is there because another one, or the kernel, brings it along.
    return {name: listed[what.lower()] for name, what in asked.items() if what.lower() in listed}


@remembered
def _distributions() -> Mapping[str, list[str]]:
    """Return which distributions a module may come from; to ask all that are installed takes a while."""
    return packages_distributions()


@remembered
def _modules(program: str) -> set[str]:
    """Return the top-level modules that a program imports; none where it is no plain Python."""
    try:
        tree = ast.parse(program)
    except SyntaxError:
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _listed(requirements: Path) -> dict[str, str]:
    """Return the lines of a requirements file by the distribution that they name."""
    if not requirements.is_file():
        return {}
    lines = (
        line.split("#")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines()
    )
    named = ((re.match(r"[\w.-]+", line), line) for line in lines if not line.startswith("-"))
    return {name[0].lower(): line for name, line in named if name}


def _archive(files: dict[str, bytes]) -> bytes:
    """Return the files as one zip, compressed as a whole, with the same bytes from the same files."""
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # dated 1980, like all the others
    return lzma.compress(plain.getvalue(), preset=9 | lzma.PRESET_EXTREME)
