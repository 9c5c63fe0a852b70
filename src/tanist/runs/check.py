"""tanist check: would a takeover work right now? One assessment for each node that could take over.

Changes nothing on either node (what the other one said is remembered). It works with the owner dead, from what was
remembered of it and from the mirrored capture.
"""

from __future__ import annotations

from tanist.capture.generations import list_generations
from tanist.capture.sealed import is_sealed_store
from tanist.capture.store import load_manifest
from tanist.facts.neighbours import read_gateways, read_neighbours
from tanist.model.accepted import Accepted
from tanist.model.codec import decode
from tanist.model.errors import TanistError
from tanist.model.facts import NodeFacts
from tanist.model.host import Address, Answer, Interface
from tanist.model.pair import Asked, Pair, Wire
from tanist.model.readiness import Assessment
from tanist.model.readout import Readout
from tanist.model.times import render_time
from tanist.model.unread import Unread
from tanist.parity.readiness import assess, assess_without
from tanist.plan import places
from tanist.runs.accept import load_accepted
from tanist.runs.mirrored import readable
from tanist.runs.readout import ask_readout, read_readout, recall_readout
from tanist.runs.session import Session

PROBE_SECONDS = 1.0  # that the wire is listened to


def check(session: Session) -> tuple[Assessment, ...]:
    """On a standby: of itself. On the active node: of every other node that can be asked or is remembered."""
    others = {node.name: Heard.ask(session, node.name) for node in session.controller.peers(session.node)}
    mine = read_readout(session, answered=tuple(name for name, one in others.items() if one.answered))
    accepted = load_accepted(session)
    if mine.active:
        pairs = [
            build_pair(session, taker=one.known, owner=Heard.own(session, mine), asked=one)
            for one in others.values()
            if one.known is not None
        ]
        silent = [name for name, one in others.items() if one.known is None]
        silent_ones = [unknown(session, mine, name, others[name].why, accepted) for name in silent]
        return (*(assess(pair, accepted) for pair in pairs), *silent_ones)
    owner = choose_owner(session, others)
    return (assess(build_pair(session, taker=mine, owner=owner, asked=owner), accepted),)


class Heard:
    """What is known of one node: asked now, or remembered since `since`; `why` it could not be asked."""

    def __init__(self, name: str, known: Readout | None, *, since: str = "", why: str = "") -> None:
        self.name, self.known, self.since, self.why = name, known, since, why
        self.skew: float | None = None
        self.within = 0.0

    @property
    def answered(self) -> bool:
        """Now, and by its own name."""
        return self.known is not None and not self.why and self.known.node == self.name

    @staticmethod
    def own(session: Session, mine: Readout) -> Heard:
        return Heard(session.node, mine)

    @staticmethod
    def ask(session: Session, name: str) -> Heard:
        before = session.host.now()
        said = ask_readout(session, name)
        after = session.host.now()
        if isinstance(said, Readout):
            heard = Heard(name, said)
            # the clock is the last thing that it reads: between that and `after` lies half a round trip, and its answer
            heard.skew, heard.within = said.clock - after, min(after - before, 1.0)
            return heard
        kept = recall_readout(session, name)
        return Heard(name, kept, since=render_time(kept.clock) if kept else "", why=said.why)


def choose_owner(session: Session, others: dict[str, Heard]) -> Heard:
    """Who is active now, or was when it was asked last; else the primary, else the first of the others."""
    answering = [one for one in others.values() if one.known is not None and not one.why and one.known.active]
    remembered = [one for one in others.values() if one.known is not None and one.known.active]
    for found in (answering, remembered):
        if found:
            return found[0]
    primary = session.controller.primary.name
    return others.get(primary) or next(iter(others.values()))


def build_pair(session: Session, *, taker: Readout, owner: Heard, asked: Heard) -> Pair:
    return Pair(
        controller=session.controller,
        taker=taker,
        owner_name=owner.name,
        owner=owner.known,
        captured=None if owner.known else read_captured_facts(session),
        remembered=owner.since,
        owner_why=owner.why,
        taker_why="" if owner is asked else asked.why,
        wire=ask_wire(session, asked.known),
        now=session.host.now(),
        skew=asked.skew,
        skew_within=asked.within,
        checker=session.node,
    )


def read_captured_facts(session: Session) -> NodeFacts | None:
    """Of the node that made the mirrored capture; None where there is none that can be read."""
    found = list_generations(session.host, places.mirror(session.name))
    if not found:
        return None
    try:
        if not is_sealed_store(session.host, found[0].path):
            return decode(NodeFacts, load_manifest(session.host, found[0].path).facts, "facts")
        with readable(session, [found[0].name]) as directory:
            return decode(NodeFacts, load_manifest(session.host, f"{directory}/{found[0].name}").facts, "facts")
    except (ValueError, TanistError):
        return None


def unknown(session: Session, mine: Readout, name: str, why: str, accepted: tuple[Accepted, ...]) -> Assessment:
    """A standby that cannot be asked and of which nothing is remembered."""
    alone = Pair(
        controller=session.controller,
        taker=mine,
        owner_name=session.node,
        owner=None,
        captured=None,
        remembered="",
        owner_why="",
        taker_why="",
        wire=Unread("not asked"),
        now=session.host.now(),
        skew=None,
        checker=session.node,
    )
    return assess_without(alone, name, why, accepted)


# -- the wire


def ask_wire(session: Session, other: Readout | None) -> Wire | Unread:
    """Who answers for the service addresses, for the other node's own addresses beside them, and for the gateways?"""
    try:
        interfaces = {one.name: one for one in session.host.interfaces()}
    except OSError as error:
        return Unread(error.strerror or str(error))
    asked = list(dict.fromkeys(questions(session, other, interfaces)))
    answers: list[Answer] = []
    try:
        wanted = [_address(one, interfaces) for one in asked]
        answers += session.host.probe_addresses(wanted, PROBE_SECONDS) if wanted else []
    except OSError as error:
        return Unread(error.strerror or str(error))
    return Wire(node=session.node, asked=tuple(asked), answers=tuple(answers))


def questions(session: Session, other: Readout | None, interfaces: dict[str, Interface]) -> list[Asked]:
    found = []
    gateways = read_gateways(session.host)
    for service in session.controller.identity.addresses:
        name = service.interface_on(session.node)
        if name not in interfaces:
            continue
        found.append(Asked(address=service.address, interface=name, whose="service"))  # its owner asks for a second one
        if other is not None:
            theirs = dict(service.interfaces).get(other.node, "")
            found += [
                Asked(address=item.address, interface=name, whose=other.node)
                for one in other.facts.interfaces
                if one.name == theirs
                for item in one.addresses
                if (":" in item.address) == (":" in service.address) and not item.address.startswith("fe80:")
            ]
        found += [Asked(address=address, interface=name, whose="gateway") for on, address in gateways if on == name]
        known = {one.address for one in found}
        found += [
            Asked(address=address, interface=name, whose="neighbour")
            for address in read_neighbours(session.host, name)
            if address not in known and (":" in address) == (":" in service.address)
        ]
    return found


def _address(asked: Asked, interfaces: dict[str, Interface]) -> Address:
    own = [one for one in interfaces[asked.interface].addresses if (":" in one.address) == (":" in asked.address)]
    prefix = max((one.prefix for one in own), default=128 if ":" in asked.address else 32)
    return Address(interface=asked.interface, address=asked.address, prefix=prefix)
