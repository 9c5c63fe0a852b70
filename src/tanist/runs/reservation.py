"""The reservation beside the runs: the active node's own look at it, taken now, and left-over keys explained.

Nothing here registers a key unasked: a node that lost its key must not fight for it.
"""

from __future__ import annotations

from collections.abc import Callable

from tanist.facts.reservation import read_reservation
from tanist.model.claim import Claim
from tanist.model.definition import Controller
from tanist.model.errors import Failed, Refused
from tanist.model.peer import PeerWord
from tanist.model.reservation import Reservation, build_key, describe_key, parse_key
from tanist.model.steps import Reserve
from tanist.model.unread import Unread
from tanist.plan.acquire import build_reserve
from tanist.proof.hold import KEPT, Opinion
from tanist.proof.looks import Looks
from tanist.proof.reservation import describe_reservation
from tanist.runs.filing import refuse_open_run
from tanist.runs.guard import read_claim_now
from tanist.runs.peers import ask_peer
from tanist.runs.session import Session, exclusive, load_run, read_active
from tanist.steps.registering import Disk
from tanist.steps.reservation import apply_reserve, leave, open_disk

EVERY = 5.0  # seconds between two looks at the keys
PATIENCE = 5.0  # seconds that a look may take
TEMPORARY = 0  # the epoch of the key that a clearing registers for its own time


class ReservationEye:
    """A look of the watch: is this node's key still there? A key that was never seen is not missed, and a disk that
    can't be asked is the claim's matter, which is read from the same one."""

    def __init__(self) -> None:
        self._seen = 0  # the epoch for which the key was seen
        self._last = KEPT
        self._at: float | None = None
        self._looks: Looks | None = None

    def __call__(self, session: Session, epoch: int) -> Opinion:
        if session.controller.proof.reservation is None:
            return KEPT
        now = session.host.monotonic()
        if self._at is not None and now - self._at < EVERY and self._last is KEPT:
            return KEPT
        found = self._read(session)
        if found is None:
            return self._last
        self._at = now
        if has_own(found, session.controller, session.node, epoch):
            self._seen = epoch
        armed = self._seen == epoch or was_reserved(session)
        self._last = judge_own_key(found, session.controller, session.node, epoch, armed=armed)
        return self._last

    def _read(self, session: Session) -> tuple[Reservation, ...] | None:
        """None: it has not ended yet."""
        looks = self._looks or Looks(session.host)
        if self._looks is None:
            looks.begin("keys", lambda: read_all(session))
        looks.wait(["keys"], PATIENCE)
        self._looks = None if looks.is_done("keys") else looks
        found = looks.result("keys", tuple)
        return None if isinstance(found, Unread) else found


def read_all(session: Session) -> tuple[Reservation, ...]:
    """Of the disks that can be read."""
    timeout = session.controller.proof.reservation_timeout
    found = (read_reservation(session.host, device, timeout) for device in session.controller.disks)
    return tuple(one for one in found if isinstance(one, Reservation))


def was_reserved(session: Session) -> bool:
    active = read_active(session)
    return bool(active) and any(isinstance(step.spec, Reserve) for step in load_run(session, active).steps)


def has_own(found: tuple[Reservation, ...], controller: Controller, me: str, epoch: int) -> bool:
    own = build_key(controller.name, me, epoch)
    return bool(found) and all(own in one.keys for one in found)


def judge_own_key(
    found: tuple[Reservation, ...], controller: Controller, me: str, epoch: int, *, armed: bool
) -> Opinion:
    """Pure. `armed`: this node registered its key, so that it is missed. Somebody else's newer key in its place: lost.
    No key at all (a target that forgot, a person who cleared it): cannot tell; this node does not register again."""
    names = [node.name for node in controller.nodes]
    for one in found:
        if build_key(controller.name, me, epoch) in one.keys:
            continue
        owners = [(key, parse_key(key, controller.name, names)) for key in (*one.keys, one.holder) if key]
        others = [key for key, owner in owners if owner is None or owner.node != me]
        if others and (armed or one.holder):
            who = ", ".join(describe_key(key, controller.name, names) for key in dict.fromkeys(others))
            return Opinion(says="lost", why=f"{one.device} is not this node's to write any more: {who}", foreign=True)
        if armed:
            mend = f"tanist proofs {controller.name} --reserve, if this is the owner"
            return Opinion(says="untold", why=f"{one.device} has lost this node's key, and nobody has it: {mend}")
    return KEPT


# -- on request
def reserve_now(session: Session) -> str:
    """The active node takes its disks for itself now: after the definition got the table, or after a target forgot."""
    with exclusive(session, "reserve"):
        refuse_open_run(session)
        claim = demand_own(session)
        spec = find_spec(session, claim.epoch)
        apply_reserve(spec, session.context)
        return f"{', '.join(spec.devices)}: read back: only {session.node} may write, epoch {claim.epoch}"


def demand_own(session: Session) -> Claim:
    """Refused unless this node is the active one by the disk's own word, and nobody else is known to be."""
    if not read_active(session):
        raise Refused(
            f"{session.node} is not the active node of {session.name}: nothing is reserved for a standby",
            next_step=f"on the active node: tanist proofs {session.name} --reserve",
        )
    claim = read_claim_now(session)
    if isinstance(claim, Unread) or not claim.is_held_by(session.node):
        seen = f"can't be read: {claim.why}" if isinstance(claim, Unread) else f"is {claim.describe()}"
        raise Refused(f"the claim {seen}", next_step=f"tanist status {session.name}")
    return claim


def find_spec(session: Session, epoch: int) -> Reserve:
    found = [spec for _, spec in build_reserve(session.controller, session.node, epoch, keep=False)]
    if not found or not isinstance(found[0], Reserve):
        raise Refused(
            f"the definition of {session.name} asks for no reservation",
            next_step=f"tanist proofs {session.name} tells whether the asset's disks can do it, and what to define",
        )
    return found[0]


def clear(session: Session, named: str) -> tuple[str, ...]:
    """What was done, a line for each disk. `named`: one key that a person knows to be nobody's, "" for those of nodes
    that are inactive."""
    with exclusive(session, "clear"):
        refuse_open_run(session)
        spec = find_spec(session, TEMPORARY)
        goes = choose_keys(session, parse_named(named))
        return tuple(clear_disk(session, spec, device, goes) for device in spec.devices)


def parse_named(named: str) -> int:
    try:
        return int(named, 16) if named else 0
    except ValueError:
        raise Refused(f"{named!r} is no key", next_step="a key looks like 0x746e1a2b3c000001") from None


Goes = Callable[[int], bool]


def choose_keys(session: Session, key: int) -> Goes:
    """Which keys go: the one that was named, else those of nodes that are inactive. Refused for an active node's."""
    names = [node.name for node in session.controller.nodes]
    states = {session.node: "active" if read_active(session) else "inactive"}
    for node in session.controller.peers(session.node):
        word = ask_peer(session, node.name)
        states[node.name] = word.state if isinstance(word, PeerWord) else f"not to be asked: {word.why}"
    if not key:
        inactive = [name for name, state in states.items() if state == "inactive"]
        return lambda one: parse_key(one, session.name, inactive) is not None
    owner = parse_key(key, session.name, names)
    if owner and states[owner.node] != "inactive":
        raise Refused(
            f"{key:#x} is {owner.node}'s key, and {owner.node} is {states[owner.node]}",
            next_step=f"if {owner.node} failed: tanist takeover {session.name} --fence, which preempts its key",
        )
    return lambda one: one == key


def clear_disk(session: Session, spec: Reserve, device: str, goes: Goes) -> str:
    found = read_reservation(session.host, device, spec.timeout)
    if isinstance(found, Unread):
        raise Failed(f"{device}: {found.why}", node=session.node, next_step=f"tanist proofs {session.name}")
    victims = [key for key in dict.fromkeys(found.keys) if goes(key)]
    others = [key for key in victims if parse_key(key, session.name, [session.node]) is None]
    try:
        if others:
            preempt_all(session, open_disk(session.host, device, spec.timeout), others)
    finally:
        if victims and not read_active(session):
            leave(session.host, spec, device)  # also where it failed: a key for the moment lets a standby write
    after = read_reservation(session.host, device, spec.timeout)
    left = describe_reservation(after, session.controller) if isinstance(after, Reservation) else after.why
    names = [node.name for node in session.controller.nodes]
    gone = ", ".join(describe_key(key, session.name, names) for key in victims)
    return f"{device}: {f'gone: {gone}' if gone else 'no key that could go'}; now: {left}"


def preempt_all(session: Session, disk: Disk, victims: list[int]) -> None:
    """By this node's key: its own where it is the active node, else one for the moment."""
    epoch = demand_own(session).epoch if read_active(session) else TEMPORARY
    key = build_key(session.name, session.node, epoch)
    sent = disk.register(key)
    if sent.outcome != "done":
        raise Failed(f"no key could be registered: {sent.words}", node=session.node)
    for victim in victims:
        sent = disk.preempt(key, victim)
        if sent.outcome != "done":
            raise Failed(f"{victim:#x} could not be preempted: {sent.words}", node=session.node)
