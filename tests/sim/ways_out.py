"""From which states of the model does no way lead out, once no further fault comes? Explores all of them.

A way out is any row of moves that go on or mend: what was lost comes back, a person types resume, undo, start,
takeover or release and says nothing that is not so. At its end no run is open and a node serves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tests.sim.protocol import HIGHEST, Found, Model, State, way_to

FAULTS = (
    "loses its power",
    "is frozen",
    "is killed",
    "network is cut",
    "loses its disk",
    "jumps",
    "it was not",
    "(it ",
)
Before = dict[State, list[State]]


def explore_ways(model: Model) -> tuple[Found, tuple[str, ...]]:
    """As explore(); and the shortest way to a state without a way out, () where each has one."""
    came: dict[State, tuple[State, str] | None] = {model.begin(): None}
    before: Before = {}
    todo = deque(came)
    while todo:
        s = todo.popleft()
        if model.is_bad(s):
            return Found(len(came), (way_to(s, came),)), ()
        for label, after in model.moves(s):
            if after not in came:
                came[after] = (s, label)
                todo.append(after)
            if not any(one in label for one in FAULTS):
                before.setdefault(after, []).append(s)
    out = with_a_way_to((s for s in came if is_out(s)), before)
    stuck = next((s for s in came if s not in out), None)
    return Found(len(came), ()), () if stuck is None else way_to(stuck, came)


def is_out(s: State) -> bool:
    """At the highest epoch that is explored nobody can take what was released."""
    ended = all(not n.run and not n.pc and n.serving == n.mounted for n in s.nodes)
    return ended and (any(n.serving for n in s.nodes) or s.epoch == HIGHEST)


def with_a_way_to(ends: Iterable[State], before: Before) -> set[State]:
    found = set(ends)
    todo = deque(found)
    while todo:
        for s in before.get(todo.popleft(), ()):
            if s not in found:
                found.add(s)
                todo.append(s)
    return found
