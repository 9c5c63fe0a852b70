"""Copies of a history -> what is wrong with them, and what is merely to be explained. Pure.

What no chain can show: somebody who rewrites every copy, on the asset and on all nodes. Whoever fears that keeps the
last sum elsewhere (`tanist history NAME verify` prints it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from tanist.journal.chain import Copy, Entry, heads, in_order
from tanist.model.dataclasses import dataclass

SKEW = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`grave`: altered, removed, reordered, or copies that contradict each other."""

    grave: bool
    copy: str  # "ec-a", "the asset"; "" where it is about all
    says: str


def check_copies(copies: Mapping[str, Copy]) -> tuple[Finding, ...]:
    """Keys are nodes, and one that is no node's for the asset's copy."""
    found = [finding for name, copy in copies.items() for finding in check_copy(name, copy)]
    found += find_contradictions(copies)
    found += find_missing(copies)
    every = [entry for copy in copies.values() for entry in copy.entries]
    return (*found, *explain_branches(every), *explain_clocks(every))


def check_copy(name: str, copy: Copy) -> tuple[Finding, ...]:
    found = [_damaged(name, one.number, one.run, one.why) for one in copy.damaged]
    if copy.tail:
        says = "its last line is cut short: a write that was cut off; it counts for nothing, the next run mends it"
        found.append(Finding(grave=False, copy=name, says=says))
    told = {one.run for one in copy.damaged}
    sums = {entry.sum: entry.run for entry in copy.entries}
    runs = set(sums.values())
    before: set[str] = set()
    for entry in copy.entries:
        if entry.sum in before:
            found.append(_grave(name, f"repeated: {entry.run} stands there twice"))
        for run, sum_ in entry.previous:
            if sum_ in before or run in told:
                continue
            told.add(run)
            if sum_ in sums:
                found.append(_grave(name, f"reordered: {run} stands behind {entry.run}, which follows it"))
            elif run in runs:
                found.append(_grave(name, f"altered: {run} is not the entry that {entry.run} follows ({sum_[:12]})"))
            else:
                found.append(_grave(name, f"removed: {run}, which {entry.run} follows, is not there"))
        before.add(entry.sum)
    return tuple(found)


def _damaged(name: str, number: int, run: str, why: str) -> Finding:
    return _grave(name, f"altered: line {number}{f' ({run})' if run else ''}: {why}")


def _grave(name: str, says: str) -> Finding:
    return Finding(grave=True, copy=name, says=says)


def find_contradictions(copies: Mapping[str, Copy]) -> tuple[Finding, ...]:
    """One run, told in two ways."""
    told: dict[str, dict[str, list[str]]] = {}
    for name, copy in copies.items():
        for entry in copy.entries:
            told.setdefault(entry.run, {}).setdefault(entry.sum, []).append(name)
    return tuple(
        _grave("", f"{run} is told in {len(ways)} ways: {_render_ways(ways)}")
        for run, ways in told.items()
        if len(ways) > 1
    )


def _render_ways(ways: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{sum_[:12]} ({', '.join(dict.fromkeys(names))})" for sum_, names in ways.items())


def find_missing(copies: Mapping[str, Copy]) -> tuple[Finding, ...]:
    """Behind is what another node wrote and has not come yet; a node's own entry that is gone was taken out."""
    found = []
    everything = in_order([entry for copy in copies.values() for entry in copy.entries])
    for name, copy in copies.items():
        have = {entry.sum for entry in copy.entries}
        runs = {entry.run for entry in copy.entries} | {one.run for one in copy.damaged}
        named = {sum_ for entry in copy.entries for _, sum_ in entry.previous}
        missing = [one for one in everything if one.sum not in have and one.run not in runs and one.sum not in named]
        taken = [one.run for one in missing if one.node == name]
        behind = [one.run for one in missing if one.node != name]
        if taken:
            says = f"removed: {', '.join(taken)}, written on {name} itself and known to another copy"
            found.append(_grave(name, says))
        if behind:
            says = f"lacks {len(behind)} that other copies have, and gets them at the next exchange: {_some(behind)}"
            found.append(Finding(grave=False, copy=name, says=says))
    return tuple(found)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown}, ..." if len(names) > 5 else shown


def explain_branches(entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """Entries written apart from each other: by two nodes at one moment, or while they could not talk."""
    found = []
    ahead: dict[str, Entry] = {}  # heads so far
    for entry in in_order(entries):
        names = {sum_ for _, sum_ in entry.previous}
        joined = [ahead.pop(sum_) for sum_ in names if sum_ in ahead]
        if len(joined) > 1 and any(one.previous for one in joined):
            parts = " | ".join(sorted(f"{one.run}" for one in joined))
            says = f"written apart from each other: {parts}; joined by {entry.run}"
            found.append(Finding(grave=False, copy="", says=says))
        ahead[entry.sum] = entry
    if len(ahead) > 1:
        parts = " | ".join(sorted(run for run, _ in heads(entries)))
        says = f"written apart from each other: {parts}; the next run that knows both joins them"
        found.append(Finding(grave=False, copy="", says=says))
    return tuple(found)


def explain_clocks(entries: Sequence[Entry]) -> tuple[Finding, ...]:
    """Two machines' clocks differ a little; a minute is more than that."""
    known = {entry.sum: entry for entry in entries}
    found = []
    for entry in in_order(entries):
        before = [known[sum_] for _, sum_ in entry.previous if sum_ in known]
        latest = max(before, key=lambda one: read_time(one.ended), default=None)
        if latest is not None and read_time(latest.ended) - read_time(entry.ended) > SKEW:
            says = (
                f"a clock was set back: {entry.run} ended at {entry.ended}, and {latest.run}, "
                f"which it follows, at {latest.ended}; the chain has the order"
            )
            found.append(Finding(grave=False, copy="", says=says))
    return tuple(found)


def read_time(text: str) -> float:
    """Seconds since the epoch; 0 for what is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return 0.0
