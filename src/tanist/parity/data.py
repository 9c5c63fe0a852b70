"""What a takeover would bring: the asset, the newest capture, its mirror, certificates. Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found, Seen
from tanist.model.readout import Captures, Disk, Readout
from tanist.model.times import DAY, is_to_come, render_span, render_time
from tanist.model.unread import Unread
from tanist.parity.finding import good, untold, wrong

LATE = 2 * 3600.0  # seconds: captures are made every hour, so one was missed
SOON = 30 * DAY


def check_data(pair: Pair) -> Iterator[Found]:
    if pair.controller.asset.kind == "filesystem":
        yield _check_asset(pair)
    yield _check_capture(pair)
    yield _check_mirror(pair)
    yield from _check_certificates(pair)
    yield from _check_reach(pair)


def _check_asset(pair: Pair) -> Found:
    mine = pair.taker.disk
    if isinstance(mine, Unread) and pair.controller.asset.exclusive:
        return good("asset", f"{pair.taker.node} sees it once it is the owner: {mine.why}")
    if isinstance(mine, Unread):
        return untold("asset", [(pair.taker.node, mine.why)])
    if mine is None:
        return untold("asset", [(pair.taker.node, "it was not looked at")])
    if not mine.supported:
        return wrong("asset", f"the kernel of {pair.taker.node} does not know {mine.fstype}", mend="install its module")
    theirs = pair.owner.disk if pair.owner is not None else None
    seen = [Seen(node=pair.taker.node, what=_describe(mine))]
    if not isinstance(theirs, Disk):
        return good("asset", f"{mine.device} is on {pair.taker.node}: {_describe(mine)}", seen=seen)
    seen.insert(0, Seen(node=pair.owner_name, what=_describe(theirs)))
    if (theirs.uuid, theirs.size) != (mine.uuid, mine.size):
        told = ", ".join(f"{one.what} on {one.node}" for one in seen)
        return wrong("asset", f"{mine.device} is not the same device on both nodes: {told}", seen=seen)
    return good("asset", f"both nodes see the same {mine.device}: {_describe(mine)}", seen=seen)


def _describe(disk: Disk) -> str:
    return f"{disk.fstype or 'nothing known'} {disk.uuid or 'without a UUID'}, {disk.size >> 20} MiB"


def _find_captures(pair: Pair) -> Captures:
    return pair.owner.captures if pair.owner is not None else pair.taker.captures


def find_captured(pair: Pair) -> float:
    """When the newest capture was the state of things, seconds since the epoch; 0.0: there is none."""
    there = _find_captures(pair)
    return max(there.made, there.checked) if there.newest else 0.0


def _check_capture(pair: Pair) -> Found:
    """What would be missing after a takeover now: all changes since the newest capture was the state of things."""
    there, last = _find_captures(pair), find_captured(pair)
    if not there.newest:
        return wrong("capture", f"{pair.owner_name} has no capture at all")
    if is_to_come(last, pair.now):
        says = f"{there.newest} is of {render_time(last)}, which is still to come: how old it is cannot be told"
        return wrong("capture", says)
    age = max(pair.now - last, 0.0)
    says = f"{there.newest} told all there was to save {render_span(age)} ago"
    if age > LATE:
        return wrong(
            "capture", f"changes outside the tree of the last {render_span(age)} would be lost ({there.newest})"
        )
    return good("capture", says)


def _check_mirror(pair: Pair) -> Found:
    mine, theirs = pair.taker.captures, pair.owner.captures if pair.owner is not None else None
    if pair.taker.active:
        return good("mirror", f"{pair.taker.node} is the active node: it has the captures themselves")
    if not mine.newest:
        return wrong("mirror", f"no capture was ever mirrored to {pair.taker.node}")
    if theirs is not None and theirs.newest and theirs.newest != mine.newest:
        seen = [Seen(node=pair.owner_name, what=theirs.newest), Seen(node=pair.taker.node, what=mine.newest)]
        says = f"{pair.taker.node} has {mine.newest}, {pair.owner_name} has {theirs.newest}"
        return wrong("mirror", says, seen=seen)
    return good("mirror", f"{mine.newest} is on {pair.taker.node}, made {render_span(pair.now - mine.made)} ago")


def _check_certificates(pair: Pair) -> Iterator[Found]:
    """Where they are in use: they come along."""
    source: Readout = pair.owner if pair.owner is not None else pair.taker
    if isinstance(source.expiries, Unread):
        yield untold("certificate", [(source.node, source.expiries.why)])
        return
    for one in source.expiries:
        left = one.at - pair.now
        when = render_time(one.at)
        if left < 0:
            yield wrong("certificate", f"{one.path} ({one.title}) ended {when}", subject=one.path)
        elif left < SOON:
            says = f"{one.path} ({one.title}) ends in {left / DAY:.0f} days, {when}"
            yield wrong("certificate", says, subject=one.path)
        else:
            yield good("certificate", f"{one.path} is good until {when}", subject=one.path)


def _check_reach(pair: Pair) -> Iterator[Found]:
    if pair.owner_why:
        when = f"; compared as of {pair.remembered}" if pair.remembered else "; nothing is remembered of it"
        yield wrong("owner", f"{pair.owner_name} can't be asked: {pair.owner_why}{when}")
    if pair.taker_why:
        when = render_time(pair.taker.clock)
        says = f"{pair.taker.node} can't be asked: {pair.taker_why}; the rest is as it was {when}"
        yield wrong("standby", says, subject=pair.taker.node)
    for one in pair.known:
        if (pair.remembered and one is pair.owner) or (pair.taker_why and one is pair.taker):
            continue
        for to in one.reach:
            subject = f"{one.node} to {to.node}"
            if to.why:
                yield wrong("reach", f"{one.node} does not reach {to.node}: {to.why}", subject=subject)
            else:
                yield good("reach", f"root of {one.node} reaches {to.node}", subject=subject)
