"""What a terminal shows of a stream in the end: of a line that was renewed in place, its last state."""

from copy import copy

from nbformat import NotebookNode


def settled(text: str) -> str:
    r"""Return ``text`` without what carriage returns let overwrite.

    >>> settled("start\n\r1/3\r2/3 \r3/3\nend")
    'start\n3/3\nend'
    """
    return "\n".join(_last(line) if "\r" in line else line for line in text.split("\n"))


def _last(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return states[-1].rstrip(" ") if states else ""


def merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Return the outputs of a cell with the pieces of each stream joined, and its renewed lines settled.

    A busy kernel may send a line in pieces, and myst-nb would begin a new line with each.
    """
    done: list[NotebookNode] = []
    for output in map(copy, outputs):
        last = done[-1] if done else output
        if output is not last and output.get("name") == last.get("name", "no stream"):
            last.text += output.text
        else:
            done.append(output)
    for output in done:
        if output.output_type == "stream":
            output.text = settled(output.text)
    return done
