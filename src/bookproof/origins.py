"""Where a record was made: its cell's number, and of a claim the expression that the cell asserts.

myst-nb hands figures and claims to the page's roles by key, without the cell that they come from. So
each record is told before it is handed over.
"""

from typing import Any

from nbformat import NotebookNode

from bookproof.claims import assertions

FIELD = "bookproof"
"""Where the metadata of a record holds what `figure` or `claim` noted, and here also its origin."""


def mark(notebook: NotebookNode) -> None:
    """Note in each record of the executed ``notebook`` its ``cell`` (from 1) and what it ``asserts``."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    for number, cell in enumerate(cells, 1):
        asserted = {name: what for name, what, _ in assertions(cell.source)}
        for output in cell.get("outputs", ()):
            noted: dict[str, Any] | None = output.get("metadata", {}).get(FIELD)
            if noted is not None:
                noted["cell"] = number
                if "claim" in noted:
                    noted["asserts"] = asserted.get(noted["claim"], "")


def numbers(notebook: NotebookNode) -> dict[int, int]:
    """Return the number of each code cell (from 1), by its index among all cells of ``notebook``."""
    indices = (index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    return {index: number for number, index in enumerate(indices, 1)}
