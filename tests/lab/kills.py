"""kill -9 of tanist at a chosen place of a run, and what must be true after it and after the way out of it.

A journal record is one fdatasync(2) (Files.append), so strace kills at the Nth one. The signal comes at the call's
entry (measured, strace 6.1): the line is written, nothing after it happens. `tail` says what becomes of that last
line then: "kept", or, as a power loss could leave it, "lost" or "torn".
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.lab.subject import Pair, Seen, expect, other_node, said

Kind = Literal["takeover", "release"]
Way = Literal["resume", "undo"]
Tail = Literal["kept", "lost", "torn"]
KINDS: tuple[Kind, ...] = ("takeover", "release")
KILLED = 137
LAST = 'f=$(ls /var/lib/tanist/"$1"/runs/*.jsonl); head -n -1 "$f" > "$f.x"; '
TAILS = {
    "lost": LAST + 'cat "$f.x" > "$f"; rm "$f.x"',
    "torn": LAST + 'tail -n 1 "$f" | head -c 40 >> "$f.x"; cat "$f.x" > "$f"; rm "$f.x"',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A kill: at which record of what, and what the last record was ("StepDone undo PutPath")."""

    kind: Kind
    node: str
    at: int
    record: str
    tail: Tail = "kept"


@dataclass(slots=True)
class Tally:
    """What a pass has covered. `lengths`: how many records an undisturbed run has."""

    points: list[tuple[Point, Way]] = field(default_factory=list)
    lengths: dict[Kind, int] = field(default_factory=dict)

    def records(self, kind: Kind, way: Way) -> set[str]:
        return {point.record for point, done in self.points if point.kind == kind and done == way}

    def describe(self) -> str:
        ways = [(kind, way) for kind in ("takeover", "release") for way in ("resume", "undo")]
        return ", ".join(
            f"{kind}/{way} {n}" for kind, way in ways if (n := sum(p.kind == kind and w == way for p, w in self.points))
        )


# ---- killing


def kill_at(pair: Pair, node: str, words: tuple[str, ...], at: int) -> bool:
    """Run tanist and kill it at its `at`th record; False: it ended before, with success."""
    inject = ("-e", "trace=fdatasync", "-e", f"inject=fdatasync:signal=SIGKILL:when={at}")
    argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", *inject]
    done = pair.lab.exec(node, [*argv, "tanist", words[0], pair.subject.name, *words[1:]], timeout=120)
    assert done.returncode in (0, KILLED), f"{words} at {at}: status {done.returncode}\n{said(done)}"
    return done.returncode == KILLED


def kill_after(pair: Pair, node: str, words: tuple[str, ...], seconds: float) -> bool:
    """kill -9 of tanist alone after a time, wherever it is; what it has started lives on."""
    argv = ["timeout", "--foreground", "-s", "KILL", f"{seconds:.3f}", "tanist", words[0], pair.subject.name]
    done = pair.lab.exec(node, [*argv, *words[1:]], timeout=120)
    assert done.returncode in (0, KILLED), f"{words} after {seconds}: status {done.returncode}\n{said(done)}"
    return done.returncode == KILLED


def describe_record(lines: tuple[str, ...]) -> str:
    """ "StepDone undo PutPath", "PlanMade assume", "RunEnded": the kind of the last record."""
    bodies = [record["body"] for record in readable(lines)]
    last = bodies[-1]
    steps = {step["id"]: step for body in bodies if body["is"] == "PlanMade" for step in body["plan"]["steps"]}
    if "step" in last:
        step = steps[last["step"]]
        return f"{last['is']} {step['direction']} {step['spec']['is']}"
    return f"{last['is']} {last.get('part', '')}".strip()


def readable(lines: tuple[str, ...]) -> list[dict[str, Any]]:
    """The records; a torn last line is none."""
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def is_open(seen: Seen) -> bool:
    records = readable(seen.journal)
    return bool(records) and records[-1]["body"]["is"] != "RunEnded"


def check_cut_off(pair: Pair, node: str, at: int | None) -> Seen:
    """Just after the kill: the wanted record is the last one, a person is asked for, and nobody else is active."""
    seen, other = pair.look(node), pair.look(other_node(node))
    assert not other.up, other
    if is_open(seen):
        assert at in (None, readable(seen.journal)[-1]["n"]), (at, seen)
        check_asks_for_a_person(pair, seen)
    return seen


def check_asks_for_a_person(pair: Pair, seen: Seen) -> None:
    assert seen.status == 20, seen
    for text in ("was cut off", f"tanist resume {pair.subject.name}", f"tanist undo {pair.subject.name}"):
        assert text in seen.why, seen


# ---- the ways out


def end(pair: Pair, point: Point, way: Way, before: Seen) -> Literal["active", "released"]:
    """resume or undo: exit status and end state are those that the record allows; answers which state it is."""
    done = pair.tanist(point.node, way)
    if is_open(before):
        assert done.returncode == 0, f"{way}: status {done.returncode}\n{said(done)}"
    else:
        expect(done, 3, ["nothing to resume or undo", f"tanist status {pair.subject.name}"])
    goal = wanted_end(point.kind, way, before)
    if goal == "active":
        pair.check_active(point.node)
    else:
        pair.check_released(point.node)
    return goal


def wanted_end(kind: Kind, way: Way, before: Seen) -> Literal["active", "released"]:
    if not is_open(before):  # nothing had begun, or all was done: it is what it looks like
        return "active" if before.active_file else "released"
    if kind == "takeover":
        return "active" if way == "resume" else "released"
    return "active" if way == "undo" and before.mounts else "released"


def run_point(pair: Pair, kind: Kind, node: str, at: int, way: Way, tally: Tally, tail: Tail = "kept") -> str:
    """One kill and its way out. "" when the run was shorter than that: then it was not killed."""
    if kind == "takeover":
        pair.turn(node)
    if not kill_at(pair, node, (kind,), at):
        return ""
    seen = check_cut_off(pair, node, at)
    point = Point(kind=kind, node=node, at=at, record=describe_record(seen.journal), tail=tail)
    try:
        if tail != "kept":
            pair.sh(node, TAILS[tail], pair.subject.name)
            seen = pair.look(node)
        found = end(pair, point, way, seen)
    except AssertionError as error:
        raise AssertionError(f"{point}, then {way}:\n{error}\njournal:\n" + "\n".join(seen.journal)) from error
    tally.points.append((point, way))
    return found


# ---- passes: each begins and ends with the controller released


def take(pair: Pair, node: str, *options: str) -> None:
    pair.turn(node)
    pair.must(node, "takeover", *options)


def let_go(pair: Pair, node: str) -> None:
    pair.must(node, "release")
    pair.check_released(node)


def resume_pass(pair: Pair, seed: int) -> Tally:
    """Takeover and release are killed at each record in turn, on one node and then on the other, and resumed."""
    tally, node = Tally(), "ec-b"
    pick = random.Random(seed)
    at = {"takeover": 1, "release": 1}
    going: set[Kind] = {"takeover", "release"}
    while going:
        for kind in KINDS:
            if kind not in going:
                (take if kind == "takeover" else let_go)(pair, node)
                continue
            found = run_point(pair, kind, node, at[kind], "resume", tally)
            if not found:
                tally.lengths[kind] = at[kind] - 1
                going.remove(kind)
                (pair.check_active(node) if kind == "takeover" else pair.check_released(node))
            at[kind] += 1
        node = other_node(node)
    for kind, tail in tails(tally, pick, 3):
        run_tail(pair, kind, "resume", tail, tally, pick)
    return tally


def undo_pass(pair: Pair, seed: int) -> Tally:
    tally, pick = Tally(), random.Random(seed)
    undo_takeovers(pair, tally)
    undo_releases(pair, tally)
    for kind, tail in tails(tally, pick, 3):
        run_tail(pair, kind, "undo", tail, tally, pick)
    return tally


def undo_takeovers(pair: Pair, tally: Tally) -> None:
    at, node = 1, "ec-a"
    while found := run_point(pair, "takeover", node, at, "undo", tally):
        if found == "active":
            let_go(pair, node)
        at, node = at + 1, other_node(node)
    tally.lengths["takeover"] = at - 1
    let_go(pair, node)


def undo_releases(pair: Pair, tally: Tally) -> None:
    at, node = 1, "ec-b"
    take(pair, node)
    while found := run_point(pair, "release", node, at, "undo", tally):
        if found == "released":
            node = other_node(node)
            take(pair, node)
        at += 1
    tally.lengths["release"] = at - 1
    pair.check_released(node)


def tails(tally: Tally, pick: random.Random, count: int) -> Iterator[tuple[Kind, tuple[int, Tail]]]:
    """The last record of a run, and some by chance: not on the disk, or torn."""
    for kind in KINDS:
        records = tally.lengths[kind] - FILING[kind]
        chosen = [1, records, *sorted(pick.sample(range(2, records), count))]
        for at in chosen:
            yield kind, (at, pick.choice(("lost", "torn")))


FILING: dict[Kind, int] = {"takeover": 2, "release": 1}  # lines of the history: on the node, and on a tree that is here


def run_tail(pair: Pair, kind: Kind, way: Way, where: tuple[int, Tail], tally: Tally, pick: random.Random) -> None:
    at, tail = where
    node = pick.choice(("ec-a", "ec-b"))
    if kind == "release":
        take(pair, node)
    if run_point(pair, kind, node, at, way, tally, tail) == "active":
        let_go(pair, node)


def sampled_pass(pair: Pair, seed: int, wanted: Callable[[str], bool], count: int) -> Tally:
    """Some points of each kind and way, chosen by the seed; those whose record is `wanted` first."""
    tally, pick = Tally(), random.Random(seed)
    for kind in KINDS:
        records = plain_records(pair, kind)
        tally.lengths[kind] = len(records)
        liked = [n for n, record in enumerate(records, start=1) if wanted(record)]
        for way in ("resume", "undo"):
            for at in sorted(pick.sample(liked, min(count, len(liked)))):
                run_tail(pair, kind, way, (at, "kept"), tally, pick)
    return tally


def plain_records(pair: Pair, kind: Kind) -> list[str]:
    """The records of a run that nobody disturbs."""
    take(pair, "ec-b")
    let_go(pair, "ec-b")
    script = 'cat $(ls /var/lib/tanist/"$1"/runs/done/*-"$2"-* | tail -n 1)'
    lines = tuple(pair.sh("ec-b", script, pair.subject.name, kind).splitlines())
    return [describe_record(lines[:n]) for n in range(1, len(lines) + 1)]
