"""What a terminal shows of a stream in the end: of a line that was renewed in place, its last state."""


def settled(text: str) -> str:
    r"""Return ``text`` without what carriage returns let overwrite.

    >>> settled("start\n\r1/3\r2/3 \r3/3\nend")
    'start\n3/3\nend'
    """
    return "\n".join(_last(line) if "\r" in line else line for line in text.split("\n"))


def _last(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return states[-1].rstrip(" ") if states else ""
