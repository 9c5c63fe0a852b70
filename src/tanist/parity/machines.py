"""Is the other machine alike: processor, system, product, packages, kernel, settings, limits, clock? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tanist.model.pair import Pair
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Packages, Setting, Unit
from tanist.model.unread import Unread
from tanist.parity.finding import few, gaps_of, good, untold, wrong
from tanist.parity.nodes import compare

FEW = 6  # differences that a line tells
SKEW = 2.0  # seconds between two clocks that nobody minds
Difference = tuple[str, str, str]  # name, on the owner, on the taker


def check_machines(pair: Pair) -> Iterator[Found]:
    yield from _check_facts(pair)
    yield from _check_kernel(pair)
    if pair.owner is not None:
        yield _check_same(pair, "definition", tuple(one.definition[:12] for one in pair.known))
        yield _check_same(pair, "tool", tuple(one.tool for one in pair.known))
        yield _check_packages(pair)
        yield _check_settings(pair)
        yield _check_limits(pair)
        yield _check_security(pair)
        yield from _check_numbers(pair)
    yield _check_clock(pair)


def _check_facts(pair: Pair) -> Iterator[Found]:
    """What a takeover itself compares, and refuses by (nodes.py)."""
    theirs = pair.owner.facts if pair.owner is not None else pair.captured
    if theirs is None:
        return
    for one in compare(theirs, pair.taker.facts, pair.controller):
        kind, _, subject = one.name.partition(" ") if one.name.startswith("interface ") else (one.name, "", "")
        seen = [Seen(node=theirs.node, what=one.theirs), Seen(node=pair.taker.node, what=one.mine)]
        shown = [item for item in seen if item.what]
        if one.ok:
            yield good(kind, one.says, subject=subject, seen=shown)
        else:
            yield wrong(kind, one.says, subject=subject, seen=shown, mend=one.mend)


def _check_same(pair: Pair, kind: str, values: tuple[str, ...]) -> Found:
    seen = [Seen(node=one.node, what=value) for one, value in zip(pair.known, values, strict=True)]
    if len(set(values)) == 1:
        return good(kind, f"the same {kind} on both nodes", seen=seen)
    return wrong(kind, f"the nodes have different ones: {_told(seen)}", seen=seen)


def _check_kernel(pair: Pair) -> Iterator[Found]:
    theirs, mine = pair.owner.facts if pair.owner is not None else pair.captured, pair.taker.facts
    if theirs is not None:
        seen = [Seen(node=one.node, what=one.kernel or one.kernel_unread) for one in (theirs, mine)]
        same = theirs.kernel == mine.kernel and bool(mine.kernel)
        yield good("kernel", _told(seen), seen=seen) if same else wrong("kernel", _told(seen), seen=seen)


def _check_packages(pair: Pair) -> Found:
    if gaps := gaps_of(pair.known, lambda one: one.packages):
        return untold("packages", gaps)
    theirs, mine = (one.packages for one in pair.known)
    assert isinstance(theirs, Packages) and isinstance(mine, Packages)
    wanted = (*theirs.owners, *theirs.needed)
    if not wanted:
        return good("packages", f"no package of {pair.owner_name} brought the services; [version] compares the product")
    there, here = ({one.name: one.version for one in side.installed} for side in (theirs, mine))
    differ = [name for name in wanted if here.get(name) != there.get(name)]
    said = [
        f"{name} is {there[name]} on {pair.owner_name}, "
        + (f"{here[name]} on {pair.taker.node}" if name in here else f"not on {pair.taker.node}")
        for name in differ
    ]
    if not said:
        return good("packages", f"{len(wanted)} packages, the services' and what they need, are the same on both")
    own = [f"{name}={there[name]}" for name in theirs.owners if here.get(name) != there[name]]
    mend = f"on {pair.taker.node}: apt install {' '.join(own)}" if own else "apt update && apt upgrade, on both nodes"
    seen = _seen(pair, [(name, there[name], here.get(name, "not there")) for name in differ])
    return wrong("packages", few(said, FEW), mend=mend, seen=seen)


def _seen(pair: Pair, differences: Sequence[Difference]) -> list[Seen]:
    """All of it."""
    theirs = Seen(node=pair.owner_name, what=", ".join(f"{name} {there}" for name, there, _ in differences))
    return [theirs, Seen(node=pair.taker.node, what=", ".join(f"{name} {here}" for name, _, here in differences))]


def _check_settings(pair: Pair) -> Found:
    if gaps := gaps_of(pair.known, lambda one: one.settings):
        return untold("settings", gaps)
    theirs, mine = (_by_name(one.settings) for one in pair.known)
    both = sorted(theirs.keys() & mine.keys())
    differ = [(name, theirs[name].value, mine[name].value) for name in both if theirs[name].value != mine[name].value]
    if not differ:
        return good("settings", f"{len(both)} kernel parameters are the same on both nodes")
    return wrong("settings", few(_tell_each(pair, differ), FEW), seen=_seen(pair, differ))


def _tell_each(pair: Pair, differences: Sequence[Difference]) -> list[str]:
    return [f"{name}: {there} on {pair.owner_name}, {here} on {pair.taker.node}" for name, there, here in differences]


def _by_name(settings: tuple[Setting, ...] | Unread) -> dict[str, Setting]:
    return {} if isinstance(settings, Unread) else {one.name: one for one in settings}


def _check_limits(pair: Pair) -> Found:
    if gaps := gaps_of(pair.known, lambda one: one.units):
        return untold("limits", gaps)
    theirs, mine = ({unit.name: unit for unit in _units(one.units) if unit.loaded == "loaded"} for one in pair.known)
    differ = []
    for name in (unit.unit for unit in pair.controller.services):
        if name in theirs and name in mine:
            there, here = dict(theirs[name].limits), dict(mine[name].limits)
            both = sorted(there.keys() & here.keys())
            differ += [(f"{name} {one}", there[one], here[one]) for one in both if there[one] != here[one]]
    if not differ:
        return good("limits", "the units' limits are the same on both nodes")
    return wrong("limits", "; ".join(_tell_each(pair, differ)), seen=_seen(pair, differ))


def _units(units: tuple[Unit, ...] | Unread) -> tuple[Unit, ...]:
    return () if isinstance(units, Unread) else units


def _check_security(pair: Pair) -> Found:
    if gaps := gaps_of(pair.known, lambda one: one.security):
        return untold("security module", gaps)
    seen = []
    for one in pair.known:
        assert not isinstance(one.security, Unread)
        seen.append(Seen(node=one.node, what=", ".join(one.security) or "none"))
    if len({one.what for one in seen}) == 1:
        return good("security module", _told(seen), seen=seen)
    return wrong("security module", _told(seen), seen=seen)


def _check_numbers(pair: Pair) -> Iterator[Found]:
    theirs, mine = pair.owner.numbers if pair.owner is not None else None, pair.taker.numbers
    if theirs is None or mine is None:
        return  # of an older tanist
    differ = [
        (f"{what} {name}", str(number), str(here[name]))
        for what, there, here in (
            ("account", theirs.users, dict(mine.users)),
            ("group", theirs.groups, dict(mine.groups)),
        )
        for name, number in there
        if here.get(name, number) != number
    ]
    said = [f"{name} is {there} on {pair.owner_name}, {here} on {pair.taker.node}" for name, there, here in differ]
    seen = _seen(pair, differ)
    if said and mine.no_idmap:
        yield wrong(
            "numbers", f"{few(said, FEW)}; {mine.no_idmap}: a takeover re-owns every file of the tree", seen=seen
        )
    elif said:
        yield good("numbers", f"{few(said, FEW)}; an id map of {pair.taker.node} puts that right", seen=seen)
    else:
        yield good("numbers", "the accounts have the same numbers on both nodes")


def _check_clock(pair: Pair) -> Found:
    behind = [one.node for one in pair.known if one.in_step is False]
    follows = {True: "a time source is followed", False: "no time source is followed"}
    seen = [Seen(node=one.node, what=follows[one.in_step]) for one in pair.known if isinstance(one.in_step, bool)]
    if pair.skew is not None and abs(pair.skew) > SKEW + pair.skew_within:
        return wrong("clock", f"the clocks of the nodes are {abs(pair.skew):.0f} s apart", seen=seen)
    if behind:
        return wrong("clock", f"no time source is followed on {' and '.join(behind)}", seen=seen)
    if gaps := gaps_of(pair.known, lambda one: one.in_step):
        return untold("clock", gaps)
    if pair.skew is None:
        return good("clock", f"{pair.taker.node} follows a time source")
    return good("clock", f"both follow a time source, and are within {abs(pair.skew) + pair.skew_within:.1f} s")


def _told(seen: list[Seen]) -> str:
    return ", ".join(f"{one.what} on {one.node}" for one in seen)
