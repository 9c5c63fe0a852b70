"""Is the node that would take over fit for it: units, ports, accounts, room, gate? Pair -> Found."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Listener, Readout, Unit
from tanist.model.times import render_time
from tanist.model.unread import Unread
from tanist.parity.finding import few, good, mark_of, untold, wrong
from tanist.parity.network import service_ports, service_sockets
from tanist.plan import places

ROOM = (places.STATE, "/etc", places.RUN)  # where every restore writes
SPARE = 64 << 20  # bytes there beyond what it writes: journals, logs
FEW = 5
CRON_UNITS = ("cron.service", "crond.service")


def check_standby(pair: Pair) -> Iterator[Found]:
    taker = pair.taker
    if taker.unfit:
        yield from (wrong("fit", says, subject=mark_of(says)) for says in taker.unfit)
    else:
        yield good("fit", f"{taker.node} has what a takeover asks for before it begins")
    yield _check_accounts(pair)
    yield from _check_units(pair)
    yield _check_ports(pair)
    yield from _check_space(pair)
    yield _check_edited(pair)
    yield from _check_helpers(pair)
    yield from _check_gate(pair)


def _check_accounts(pair: Pair) -> Found:
    missing = pair.taker.missing_accounts
    if missing:
        return wrong("accounts", f"{pair.taker.node} lacks {', '.join(missing)}")
    count = len(pair.controller.accounts.users) + len(pair.controller.accounts.groups)
    return good("accounts", f"all {count} accounts and groups are on {pair.taker.node}")


def _check_units(pair: Pair) -> Iterator[Found]:
    units = pair.taker.units
    if isinstance(units, Unread):
        yield untold("unit", [(pair.taker.node, units.why)])
        return
    wanted = {one.unit for one in pair.controller.services}
    for unit in units:
        if unit.name in wanted:
            said, mend = _wrong_with(unit, pair)
            yield (
                wrong("unit", said, subject=unit.name, mend=mend)
                if said
                else good("unit", f"{unit.name} can be started on {pair.taker.node}", subject=unit.name)
            )


def _wrong_with(unit: Unit, pair: Pair) -> tuple[str, str]:
    node = pair.taker.node
    if unit.loaded != "loaded":
        mend = f"systemctl unmask {unit.name}" if unit.loaded == "masked" else f"install it on {node}"
        return f"{unit.name} is {unit.loaded or 'unknown'} on {node}", mend
    if unit.lacks:
        return f"{unit.name} would not start on {node}: {', '.join(unit.lacks)} is missing", f"install it on {node}"
    if not pair.taker.active and unit.active in ("active", "activating", "reloading"):
        return f"{unit.name} runs on {node} by itself", f"systemctl disable --now {unit.name}"
    if unit.reload:
        return f"{unit.name} was changed on {node} and systemd has not read it", "systemctl daemon-reload"
    return "", ""


def _check_ports(pair: Pair) -> Found:
    listeners = pair.taker.listeners
    if isinstance(listeners, Unread):
        return untold("port", [(pair.taker.node, listeners.why)])
    wanted = service_ports(pair)
    own = {one.unit for one in pair.controller.services}
    taken = [one for one in listeners if one.unit not in own and _in_the_way(pair, one, wanted)]
    if taken:
        return wrong("port", f"taken on {pair.taker.node}: {', '.join(map(_tell_listener, taken))}")
    ports = ", ".join(f"{protocol} {port}" for protocol, port in wanted)
    return good("port", f"free on {pair.taker.node}: {ports}" if ports else "no port of the services is known")


def _in_the_way(pair: Pair, listener: Listener, wanted: Collection[tuple[str, int]]) -> bool:
    """bind(2): EADDRINUSE for an address that is in use, and for all of them while one is; the other way round, too.
    Who listens on an address of IPv6 alone is in nobody's way who listens on all of IPv4."""
    protocol, address, port = listener.protocol, listener.address, listener.port
    service = {one.address for one in pair.controller.identity.addresses}
    if (protocol, port) in wanted and (address == "*" or address in service):
        return True
    there = {at for how, at, number in service_sockets(pair) if (how, number) == (protocol, port)}
    return address in there or (address == "*" and bool(there)) or ("*" in there and ":" not in address)


def _tell_listener(one: Listener) -> str:
    where = "" if one.address == "*" else f" of {one.address}"
    return f"{one.protocol} {one.port}{where} by {one.unit or one.process or 'somebody'}"


def _check_space(pair: Pair) -> Iterator[Found]:
    spaces = pair.taker.space
    if isinstance(spaces, Unread):
        yield untold("space", [(pair.taker.node, spaces.why)])
        return
    size = pair.taker.captures.size
    for one in spaces:
        needed = 2 * size + SPARE if one.path in ROOM else size  # elsewhere nothing is saved, and nothing else written
        where = f"{one.path} of {pair.taker.node}"
        says = f"{one.free >> 20} MiB are free at {where}, a takeover wants {needed >> 20}"
        if one.free < needed:
            yield wrong("space", says, subject=one.path)
        elif 0 <= one.inodes_free < 1000:
            yield wrong("space", f"{one.inodes_free} inodes are free at {where}", subject=one.path)
        else:
            yield good("space", says, subject=one.path)


def _check_edited(pair: Pair) -> Found:
    edited = pair.taker.edited
    if isinstance(edited, Unread):
        return untold("edited files", [(pair.taker.node, edited.why)])
    if pair.taker.active or not edited:
        return good("edited files", f"nothing that a restore would replace was changed on {pair.taker.node}")
    said = few([f"{one.path} ({render_time(one.at)})" for one in edited], FEW, ", ")
    return wrong("edited files", f"changed on {pair.taker.node}: {said}")


def _check_helpers(pair: Pair) -> Iterator[Found]:
    """The daemons that serve what the controller brings along."""
    units = () if isinstance(pair.taker.units, Unread) else pair.taker.units
    loaded = {one.name: one for one in units if one.loaded == "loaded"}
    if pair.controller.cron:
        runs = [name for name in CRON_UNITS if name in loaded and loaded[name].active == "active"]
        yield (
            good("cron", f"{runs[0]} runs on {pair.taker.node}")
            if runs
            else wrong("cron", f"no cron daemon runs on {pair.taker.node}")
        )


def _check_gate(pair: Pair) -> Iterator[Found]:
    for one in pair.known:
        yield from _check_agent(one)
        if one.gate_lacks:
            yield wrong("gate", f"not enabled on {one.node}: {', '.join(one.gate_lacks)}", subject=one.node)
        else:
            yield good("gate", f"the gate of {one.node} is enabled", subject=one.node)
        for says in one.self_starting:
            yield wrong("self-starting", says, subject=f"{one.node} {mark_of(says)}", mend=f"on {one.node}: {says}")
        if not one.self_starting:
            yield good("self-starting", f"nothing of {one.node} starts by itself", subject=one.node)


def _check_agent(one: Readout) -> Iterator[Found]:
    if isinstance(one.agent, Unread):
        yield untold("agent", [(one.node, one.agent.why)], subject=one.node)
    elif one.agent is not None:
        says = f"tanist-agent {'runs' if one.agent else 'does not run'} on {one.node}"
        yield (good if one.agent else wrong)("agent", says, subject=one.node)
