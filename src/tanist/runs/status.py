"""Who owns it, what this node is, and what is unfinished. Reads only what is on this node: quick, and never hangs.

A status is asked often, by people and by monitors, so its whole process must take little longer than an empty Python.
That is why there are plain classes here, and imports where they are used.
"""

from __future__ import annotations

import json

from tanist.definition.summary import read_summary
from tanist.journal.slots import PLACE, newest_slot
from tanist.plan import places

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from typing import Any

    from tanist.host.host import Host

ACTIVE, STANDBY, NEEDS_A_PERSON = "active", "standby", "needs-a-person"


class Status:
    """One controller on one node. `why`: what is the matter and what to type. `capture_age`: seconds, -1 for none.

    `claim_seen`: "here" when the claim was read from the tree, "last seen" when it is what this node remembers.
    """

    __slots__ = (
        "capture_age", "claim", "claim_seen", "controller", "epoch", "newest_capture",
        "node", "open_run", "owner", "state", "why",
    )  # fmt: skip

    def __init__(self, *, controller: str, node: str) -> None:
        self.controller = controller
        self.node = node
        self.state = STANDBY
        self.why = ""
        self.owner = ""  # node that holds the claim, "" when nobody does or it is not known
        self.epoch = 0
        self.claim = ""  # for people
        self.claim_seen = ""
        self.newest_capture = ""
        self.capture_age = -1.0
        self.open_run = ""

    def encode(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def read_status(host: Host, name: str, node: str) -> Status:
    tree, kind = read_summary(host.files, name)
    status = Status(controller=name, node=node)
    active = host.files.exists(places.active_file(name))
    hangs = active and bool(read_worry(host, name).get("hangs"))  # whoever reads what hangs, hangs too
    here = not hangs and _is_there(host, f"{tree}/{PLACE}") and (active or kind != "directory")
    claim = _read_claim(status, host, tree if here else "")
    if not hangs:
        directory = places.captures(tree) if here else places.mirror(name)
        status.newest_capture, status.capture_age = read_newest(host, directory)
    status.open_run, at_work = _find_open(host, name)
    status.state, status.why = judge(status, active=active, here=here or hangs, claim=claim, at_work=at_work)
    add_dead_drill(status, host)
    if not active or status.state != ACTIVE:
        add_promises(status, host, kind)
    if not at_work:
        add_what_was_noted(status, host, active=active)
    return status


def _is_there(host: Host, path: str) -> bool:
    """Also where its disk does not answer any more: what can't be read is told by whoever reads it."""
    try:
        return host.files.exists(path)
    except OSError:
        return True


def add_what_was_noted(status: Status, host: Host, *, active: bool) -> None:
    """Why the node is inert (runs/inert.py), or what the watch of an active one is worried about (runs/watch.py)."""
    if active and status.state == ACTIVE:
        says = str(read_worry(host, status.controller).get("says", ""))
    else:
        noted = _load(host, places.inert(status.controller))
        says = f"inert since {noted['since']}: {noted['why']}" if {"since", "why"} <= noted.keys() else ""
    status.why = "; ".join(filter(None, (status.why, says)))


def read_worry(host: Host, name: str) -> dict[str, Any]:
    """What the watch of an active node is worried about: `says`, and whether the disk `hangs`; {} for nothing."""
    return _load(host, places.worry(name))


def _load(host: Host, path: str) -> dict[str, Any]:
    try:
        found = json.loads(host.files.read(path))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def add_promises(status: Status, host: Host, kind: str) -> None:
    """To whose takeovers this node gave its word (runs/promise.py), as far as the claim seen last is not past them."""
    if not _is_there(host, places.promised(status.controller)):
        return
    from tanist.model.unread import Unread
    from tanist.runs.promised import load_promises

    there, epoch = load_promises(host, status.controller), 0 if kind == "directory" else status.epoch
    if isinstance(there, Unread):
        says = f"to whose takeover it gave its word can't be read, so it starts nothing unheard: {there.why}"
    else:
        says = "; ".join(
            f"gave {one.node} its word for its takeover {one.run} (epoch {one.epoch + 1}, since {one.since}), and "
            f"starts nothing before {one.node} answers that it runs nothing, its power is off, or the claim shows that "
            "epoch"
            for one in there
            if not one.is_past(epoch)
        )
    if says:
        status.why = f"{status.why}; {says}" if status.why else says


def add_dead_drill(status: Status, host: Host) -> None:
    """A copy of the tree that takes room: its drill was killed."""
    home = places.drill_home(status.controller)
    if not host.files.exists(home):
        return
    lock = host.lock(f"{places.runtime(status.controller)}/drill.lock", "")
    if not isinstance(lock, str):
        lock.close()
        says = f"a drill was cut off and left {home}: tanist drill {status.controller} --clean"
        status.why = f"{status.why}; {says}" if status.why else says


def _read_claim(status: Status, host: Host, tree: str) -> dict[str, Any] | str:
    """The claim's fields, or why there are none; what is known of it goes into the status."""
    try:
        if tree:
            status.claim_seen = "here"
            slot = newest_slot(host.files.read(f"{tree}/{PLACE}"))
            claim = slot if isinstance(slot, str) else slot["claim"]
        else:
            status.claim_seen = "last seen"
            claim = json.loads(host.files.read(places.claim_seen(status.controller)))
        if isinstance(claim, dict):
            status.epoch = int(claim["epoch"])
            status.owner = str(claim["node"]) if claim["state"] == "held" else ""
            verb = "held" if status.owner else "released"
            status.claim = f"{verb} by {claim['node']}, epoch {status.epoch}, since {claim['since']}"
            return claim
        why = str(claim)
    except FileNotFoundError:
        why = "this node has seen none yet"
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"it can't be read: {error}"
    status.claim = f"not known: {why}"
    return why


def judge(status: Status, *, active: bool, here: bool, claim: dict[str, Any] | str, at_work: bool) -> tuple[str, str]:
    name, node = status.controller, status.node
    if status.open_run and at_work:
        return ACTIVE if active else STANDBY, f"{status.open_run} is at work right now"
    if status.open_run:
        return NEEDS_A_PERSON, f"{status.open_run} was cut off: tanist resume {name}   or   tanist undo {name}"
    if not active:
        return STANDBY, ""
    if not here:
        return NEEDS_A_PERSON, f"{node} was active and the tree is not here: systemctl restart tanist@{name}"
    if isinstance(claim, str):
        return NEEDS_A_PERSON, f"the claim can't be read: {claim}"
    if status.owner != node:
        return NEEDS_A_PERSON, f"this node is active, but the claim is {status.claim}: tanist release {name}"
    return ACTIVE, ""


def read_newest(host: Host, directory: str) -> tuple[str, float]:
    """Name of the newest generation and seconds since it was made or last found unchanged (capture/generations.py)."""
    try:
        found = [(order, name) for name in host.files.list(directory) if (order := _order(name)) is not None]
        if not found:
            return "", -1.0
        newest = max(found)[1]
        times = [host.files.stat(f"{directory}/{one}") for one in (f"{newest}/manifest.json", "checked.json")]
    except OSError:  # none yet, or a disk that does not answer: the claim's line says so
        return "", -1.0
    return newest, round(host.now() - max((info.st_mtime for info in times if info), default=0.0), 1)


def _order(name: str) -> tuple[int, str] | None:
    """(epoch, time) of a generation's name, None for what is no generation."""
    stamp, found, rest = name.partition("Z-e")
    epoch = rest.partition("-")[0]
    return (int(epoch), stamp) if found and epoch.isdigit() and ".partial-" not in name else None


def _find_open(host: Host, name: str) -> tuple[str, bool]:
    """The newest run that has not ended, and whether it is at work right now."""
    directory = f"{places.STATE}/{name}/runs"
    try:
        names = sorted((one for one in host.files.list(directory) if one.endswith(".jsonl")), reverse=True)
    except FileNotFoundError:
        return "", False
    for one in names:
        if not _has_ended(host, f"{directory}/{one}"):
            lock = host.lock(f"{places.runtime(name)}/lock", "")
            if isinstance(lock, str):
                return one.removesuffix(".jsonl"), True
            lock.close()
            return one.removesuffix(".jsonl"), False
    return "", False


def _has_ended(host: Host, path: str) -> bool:
    from tanist.journal.records import parse_journal
    from tanist.journal.state import read_run

    try:
        text = host.files.read(path, 64 << 20)
    except FileNotFoundError:
        return True  # it was filed away this moment
    records, _ = parse_journal(text, path)
    return not records or read_run(records).ended is not None
