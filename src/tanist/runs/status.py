"""Who owns it, what this node is, and what is unfinished. Reads only what is on this node: quick, and never hangs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from tanist.host.host import Host
from tanist.model.claim import Claim
from tanist.model.codec import decode
from tanist.model.definition import Controller
from tanist.model.unread import Unread
from tanist.plan import places

State = Literal["active", "standby", "needs-a-person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    controller: str
    node: str
    state: State
    why: str  # needs-a-person: what is the matter, and what to type
    owner: str  # node that holds or last held the claim, "" when that is not known here
    epoch: int
    claim: str  # for people
    claim_seen: str  # "here" or "last seen": how the claim is known
    newest_capture: str
    capture_age: float  # seconds; -1: none
    open_run: str


def read_status(host: Host, controller: Controller, node: str) -> Status:
    name = controller.name
    active = _read_active(host, name)
    open_run, at_work = _find_open(host, name)
    here = is_tree_here(host, controller)
    claim, seen = read_claim(host, controller) if here else read_claim_seen(host, name)
    directory = places.captures(controller.tree) if here else places.mirror(name)
    newest, age = read_newest(host, directory)
    state, why = judge(controller, node, active=active, open_run="" if at_work else open_run, here=here, claim=claim)
    known = claim if isinstance(claim, Claim) else None
    return Status(
        controller=name,
        node=node,
        state=state,
        why=f"{open_run} is at work right now" if at_work else why,
        owner=known.node if known and known.state == "held" else "",
        epoch=known.epoch if known else 0,
        claim=known.describe() if known else f"not known here: {claim.why}" if isinstance(claim, Unread) else "",
        claim_seen=seen,
        newest_capture=newest,
        capture_age=age,
        open_run=open_run,
    )


def judge(
    controller: Controller, node: str, *, active: str, open_run: str, here: bool, claim: Claim | Unread
) -> tuple[State, str]:
    name = controller.name
    if open_run:
        return "needs-a-person", f"{open_run} was cut off: tanist resume {name}   or   tanist undo {name}"
    if active and not here:
        return "needs-a-person", f"{node} was active and the tree is not here: systemctl start tanist@{name}"
    if active and isinstance(claim, Unread):
        return "needs-a-person", f"the claim can't be read: {claim.why}"
    if active and isinstance(claim, Claim) and (claim.node != node or claim.state != "held"):
        return "needs-a-person", f"this node is active, but the claim is {claim.describe()}: tanist release {name}"
    return ("active", "") if active else ("standby", "")


def is_tree_here(host: Host, controller: Controller) -> bool:
    if controller.asset.kind == "directory":
        return bool(_read_active(host, controller.name))
    return any(mount.target == controller.tree for mount in host.mounts())


def read_claim(host: Host, controller: Controller) -> tuple[Claim | Unread, str]:
    from tanist.journal.claimfile import load_claim

    return load_claim(host, controller.tree), "here"


def read_claim_seen(host: Host, name: str) -> tuple[Claim | Unread, str]:
    try:
        return decode(Claim, json.loads(host.files.read(places.claim_seen(name))), "claim"), "last seen"
    except FileNotFoundError:
        return Unread("this node has seen none yet"), "last seen"
    except ValueError as error:
        return Unread(str(error)), "last seen"


def read_newest(host: Host, directory: str) -> tuple[str, float]:
    """Name of the newest generation and seconds since it was made or last found unchanged; -1: there is none."""
    from datetime import datetime

    from tanist.capture.generations import list_generations, read_checked

    found = list_generations(host, directory)
    if not found:
        return "", -1.0
    checked = read_checked(host, directory)
    when = found[0].created_seconds
    if checked and checked[0] == found[0].name:
        when = max(when, datetime.fromisoformat(checked[1][:23] + "+00:00").timestamp())
    return found[0].name, round(host.now() - when, 1)


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

    records, _ = parse_journal(host.files.read(path, 64 << 20), path)
    return not records or read_run(records).ended is not None


def _read_active(host: Host, name: str) -> str:
    try:
        return str(json.loads(host.files.read(places.active_file(name)))["run"])
    except FileNotFoundError:
        return ""
