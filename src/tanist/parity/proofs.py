"""Could an owner that hangs be stopped from the standby, was its capture read, who else comes here? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.times import DAY, is_to_come, render_span, render_time
from tanist.model.unread import Unread
from tanist.model.verified import Verified
from tanist.parity.finding import good, untold, wrong

OLD = DAY  # proofs that were not looked at for longer: the agent looks every six hours
UNREAD = 2 * DAY  # captures that were not read for longer: the timer reads them every day
MIB = 1 << 20


def check_proofs(pair: Pair) -> Iterator[Found]:
    taker = pair.taker
    if taker.active:
        return
    yield from _check_policy(pair)
    yield from _check_promised(pair)
    yield _check_verified(pair)


def _check_policy(pair: Pair) -> Iterator[Found]:
    node, proofs = pair.taker.node, pair.taker.proofs
    if proofs is None or isinstance(proofs, Unread):
        why = proofs.why if proofs else "its tanist does not tell"
        yield wrong("fence", f"cannot tell what could stop {pair.owner_name} from {node}: {why}")
        return
    age = max(pair.now - proofs.at, 0.0)
    ago = f"looked at {render_span(age)} ago"
    works = ", ".join(proofs.works) or "nothing strong"
    if proofs.enough:
        yield good("proofs", f"{node} could have a set of what [proof] asks for ({ago})")
    else:
        yield wrong("proofs", f"no set that [proof] asks for can be had on {node} ({ago}): {works} works")
    if proofs.broken:
        yield wrong("fence", f"on {node}: {'; '.join(proofs.broken)} ({ago})")
    elif proofs.lacking:
        yield wrong("fence", f"{', '.join(proofs.lacking)} could not be stopped from {node} if it hangs ({ago})")
    elif is_to_come(proofs.at, pair.now):
        yield wrong("fence", f"{works} on {node}, but that was {render_time(proofs.at)}, which is still to come")
    elif age > OLD:
        yield wrong("fence", f"{works} on {node}, but that was {ago}")
    else:
        yield good("fence", f"{node} could stop {pair.owner_name}: {works} ({ago})")
    if proofs.guard:
        yield wrong("mount guard", proofs.guard, mend=proofs.guard_mend)


def _check_promised(pair: Pair) -> Iterator[Found]:
    node, owed = pair.taker.node, pair.taker.promised
    if isinstance(owed, Unread):
        yield untold("word", [(node, owed.why)])
    elif owed:
        yield wrong("word", f"{node} told that it runs nothing, and starts nothing until it knows: {'; '.join(owed)}")


def _check_verified(pair: Pair) -> Found:
    node, verified = pair.taker.node, pair.taker.verified
    if not isinstance(verified, Verified):
        return untold("verification", [(node, verified.why if verified else "its tanist does not tell")])
    if verified.result == "bad" and verified.generation == pair.taker.captures.newest:
        return wrong("bad capture", f"{verified.generation or 'no capture'} on {node}: {verified.says}")
    checked = datetime.fromisoformat(verified.checked).timestamp()
    age = max(pair.now - checked, 0.0)
    says = f"{verified.generation} was read whole on {node} {render_span(age)} ago"
    if verified.result == "bad":
        return wrong("verification", f"{verified.generation} was bad on {node}, and no newer one was read")
    if is_to_come(checked, pair.now):
        says = f"{verified.generation} was read whole on {node} {render_time(checked)}, which is still to come"
        return wrong("verification", says)
    return wrong("verification", says) if age > UNREAD else good("verification", says)


def check_layers(pair: Pair) -> Iterator[Found]:
    told = [(one.node, one.layers) for one in pair.known if not isinstance(one.layers, Unread)]
    owned = [(node, layer.own) for node, layers in told for layer in layers]
    for one in pair.known:
        if isinstance(one.layers, Unread):
            yield untold("array", [(one.node, one.layers.why)], subject=one.node)
            continue
        for layer in one.layers:
            subject = f"{layer.name} on {one.node}"
            if layer.wrong:
                yield wrong(layer.kind, f"{one.node}: {layer.wrong}", subject=subject, mend=layer.mend)
            elif others := [name for name, own in owned if layer.own and own == layer.own and name != one.node]:
                says = f"{one.node}: {layer.says}, and so is that of {others[0]}"
                yield wrong(layer.kind, says, subject=subject, mend=layer.mend)
            else:
                yield good(layer.kind, f"{one.node}: {layer.says}", subject=subject)


def check_others(pair: Pair) -> Iterator[Found]:
    """The other controllers of the node that would take over."""
    clashes, node = pair.taker.clashes, pair.taker.node
    if isinstance(clashes, Unread):
        yield untold("shared standby", [(node, clashes.why)])
        return
    for one in clashes:
        kind = "conflict" if one.here and not pair.taker.active else "shared standby"
        where = f"is active on {node}" if one.here else f"may come to {node}, too"
        yield wrong(kind, f"{one.other} {where}: {'; '.join(one.what)}", subject=one.other)
    if not clashes:
        yield good("shared standby", f"no other controller of {node} wants what this one has")
    yield from _check_memory(pair)


def _check_memory(pair: Pair) -> Iterator[Found]:
    """Where the services run and are counted, against what the taker could give now."""
    mine, theirs = pair.taker.memory, pair.owner.memory if pair.owner is not None else None
    if isinstance(mine, Unread):
        yield untold("memory", [(pair.taker.node, mine.why)])
    elif mine is not None and theirs is not None and not isinstance(theirs, Unread) and theirs.used:
        says = (
            f"the services use {theirs.used // MIB} MiB on {pair.owner_name}, and {mine.available // MIB} MiB are "
            f"available on {pair.taker.node}"
        )
        yield wrong("memory", says) if theirs.used > mine.available else good("memory", says)
