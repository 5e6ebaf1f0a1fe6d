"""Which boxes of a large graph are drawn as one, so that a picture of any graph has few.

First the middles of *runs*: chains in which each call has one user and one call among its inputs. Where that is not
enough, each run becomes one box, the calls nearest the result stay apart, and all before them go into *regions*,
cut where the graph is narrow. Inputs that only one such box uses go into it. Nothing is left out: each node is in one
group.

It knows nothing of Values, Tensors or SVG, takes time in proportion to the graph, and does not recurse.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

_NARROW = 4  # results that may cross the border of a region


@dataclass
class _Wiring:
    """What folding asks of a graph again and again.

    Attributes:
        inputs: for each node the calls and leaves that it uses.
        leaf: for each node whether it is a leaf.
        runs: the calls, run by run, in the order of their last calls.
        users: for each leaf the calls that use it.
    """

    inputs: Sequence[Sequence[int]]
    leaf: Sequence[bool]
    runs: list[list[int]]
    users: dict[int, list[int]]


def fold(inputs: Sequence[Sequence[int]], leaf: Sequence[bool], limit: int) -> list[list[int]]:
    """Return the nodes in at most `limit` groups, inputs before users, the result's group last.

    Args:
        inputs: for each node the numbers of its inputs, which are below its own.
        leaf: for each node whether it is a leaf; a group has leaves alone, or calls and the leaves that only it uses.
        limit: at least 4.

    >>> chain = [[i - 1] if i else [] for i in range(1000)]
    >>> [len(group) for group in fold(chain, [True] + [False] * 999, limit=8)]
    [1, 1, 1, 1, 993, 1, 1, 1]
    """
    if len(inputs) <= limit:
        return [[node] for node in range(len(inputs))]
    wiring = _wire(inputs, leaf)
    calls = _fold_runs(wiring, limit) or _fold_regions(wiring, limit)
    groups = _with_leaves(wiring, calls, limit)
    # a leaf stands before all that use it, a group of calls before all that use its last
    groups.sort(key=lambda group: group[0] if leaf[group[-1]] else group[-1])
    return groups


def _wire(inputs: Sequence[Sequence[int]], leaf: Sequence[bool]) -> _Wiring:
    users_of_call = [0] * len(inputs)
    users: dict[int, list[int]] = {}
    only_call = [-1] * len(inputs)  # the one call among a call's inputs
    for node, sources in enumerate(inputs):
        calls = 0
        for source in set(sources) if len(sources) > 1 else sources:
            if leaf[source]:
                users.setdefault(source, []).append(node)
            else:
                calls += 1
                users_of_call[source] += 1
                only_call[node] = source if calls == 1 else -1
    run_ending_at: dict[int, list[int]] = {}
    for node in range(len(inputs)):
        if leaf[node]:
            continue
        before = only_call[node]
        joins = before >= 0 and users_of_call[before] == 1
        run = run_ending_at.pop(before) if joins else []
        run.append(node)
        run_ending_at[node] = run
    return _Wiring(inputs, leaf, [run_ending_at[end] for end in sorted(run_ending_at)], users)


def _fold_runs(wiring: _Wiring, limit: int) -> list[list[int]] | None:
    """Fold the middle of each run that is longer than some length: the greatest at which all fits, if any."""
    runs = wiring.runs
    if len(runs) > limit:
        return None
    place = {call: (r, i) for r, run in enumerate(runs) for i, call in enumerate(run)}
    spans, shared = [], 0  # where in which run a leaf is used first and last
    for calls in wiring.users.values():
        (run, first), (last_run, last) = place[min(calls)], place[max(calls)]
        if run != last_run or any(place[call][0] != run for call in calls):
            shared += 1
        elif first < limit or last >= len(runs[run]) - limit:  # else no length shows it
            spans.append((len(runs[run]), first, last))

    def boxes(length: int) -> int:
        head, tail = _ends(length)
        seen = sum(n <= length or i < head or j >= n - tail for n, i, j in spans)
        return shared + seen + sum(min(len(run), length) for run in runs)

    length = bisect_right(range(1, limit + 1), limit, key=boxes)
    if not length:
        return None
    head, tail = _ends(length)
    groups: list[list[int]] = []
    for calls in runs:
        if len(calls) <= length:
            groups += [[call] for call in calls]
        else:
            groups += [[call] for call in calls[:head]]
            groups.append(calls[head : len(calls) - tail])
            groups += [[call] for call in calls[len(calls) - tail :]]
    return groups


def _ends(length: int) -> tuple[int, int]:
    """Return how many calls a folded run of this many boxes shows before the folded one, and after."""
    return (length - 1) // 2, length // 2


def _fold_regions(wiring: _Wiring, limit: int) -> list[list[int]]:
    """Make each run one box, keep those nearest the result, and fold the rest into at most a third of the limit."""
    runs = wiring.runs
    crossing = _crossing(wiring)
    most = max(1, limit // 3)
    start = _start_of_detail(wiring, limit - most - 1)
    start = min(range(start, (start + len(runs) + 1) // 2), key=crossing.__getitem__, default=start)
    calls = [0, *accumulate(len(run) for run in runs)]
    for width in range(1, _NARROW + 1):
        narrow = [cut for cut in range(1, start) if crossing[cut] <= width]
        if len(narrow) >= most:
            break
    cuts = [0]
    for cut in narrow:  # a region has its share of the calls, unless there are few places to cut
        if len(narrow) < most or (calls[cut] - calls[cuts[-1]]) * most >= calls[start]:
            cuts.append(cut)
    regions = [
        sorted(call for run in runs[low:high] for call in run)
        for low, high in zip(cuts, [*cuts[1:], start], strict=True)
    ]
    return [region for region in regions if region] + runs[start:]


def _crossing(wiring: _Wiring) -> list[int]:
    """Return for each run how many results of earlier runs it or a later one uses."""
    at = {run[-1]: r for r, run in enumerate(wiring.runs)}
    last_user = list(range(len(wiring.runs)))
    for r, run in enumerate(wiring.runs):
        for source in wiring.inputs[run[0]]:
            if not wiring.leaf[source]:
                last_user[at[source]] = r
    change = [0] * (len(wiring.runs) + 1)
    for r, user in enumerate(last_user):
        if user > r:
            change[r + 1] += 1
            change[user + 1] -= 1
    return list(accumulate(change[:-1]))


def _start_of_detail(wiring: _Wiring, room: int) -> int:
    """Return the first of the last runs that have room, with their leaves; there is at least one such run."""
    start = len(wiring.runs)
    seen: set[int] = set()
    while start:
        run = wiring.runs[start - 1]
        leaves = {s for call in run for s in wiring.inputs[call] if wiring.leaf[s]} - seen
        if len(run) > 1:  # it takes in what it alone uses
            own = set(run)
            leaves = {s for s in leaves if not own.issuperset(wiring.users[s])}
        room -= 1 + len(leaves)
        if room < 0 and start < len(wiring.runs):
            break
        seen |= leaves
        start -= 1
    return start


def _with_leaves(wiring: _Wiring, calls: list[list[int]], limit: int) -> list[list[int]]:
    """Give leaves to the groups that alone use them, and the others groups of their own."""
    group_of = {call: g for g, group in enumerate(calls) for call in group}
    taken: dict[int, list[int]] = {}
    alike: dict[tuple[int, ...], list[int]] = {}
    for leaf, users in wiring.users.items():
        groups = tuple(sorted({group_of[call] for call in users}))
        if len(groups) == 1 and len(calls[groups[0]]) > 1:
            taken.setdefault(groups[0], []).append(leaf)
        else:
            alike.setdefault(groups, []).append(leaf)
    whole = [sorted(taken.get(g, [])) + group for g, group in enumerate(calls)]
    return whole + _bundles(alike.values(), limit - len(calls))


def _bundles(alike: Iterable[list[int]], room: int) -> list[list[int]]:
    """Put leaves that have the same users together, most first, until there is room; all, if that is too little."""
    sets = sorted(alike, key=len, reverse=True)
    boxes = sum(map(len, sets))
    bundles: list[list[int]] = []
    for leaves in sets:
        if boxes > room:
            bundles.append(sorted(leaves))
            boxes -= len(leaves) - 1
        else:
            bundles += [[leaf] for leaf in leaves]
    return bundles if boxes <= room else [sorted(leaf for leaves in sets for leaf in leaves)]
