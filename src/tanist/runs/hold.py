"""Looking at what this node holds of the controller, while it is active: the claim on the disk, the tree, the wire.

Every look may hang (a dead disk); each is given a time and left behind, and the next round does not begin it again
before it has ended. The claim is read past the page cache: what the disk has, not what this kernel remembers.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from tanist.host.clock import timestamp
from tanist.model.claim import Claim
from tanist.model.dataclasses import dataclass
from tanist.model.host import Answer
from tanist.model.unread import Unread
from tanist.plan.addresses import service_addresses
from tanist.proof.hold import Opinion, combine, judge_claim, judge_others, judge_tree
from tanist.proof.looks import Looks
from tanist.runs.guard import read_claim_now
from tanist.runs.peers import ask_peer
from tanist.runs.replica import is_linked
from tanist.runs.session import Session
from tanist.steps.network import has_address
from tanist.steps.storage import mounted_at

T = TypeVar("T")
NO_ANSWER = "no answer within"  # what is said of a look that hangs
LOOK = 5.0  # seconds that a look may take
PROBE = 0.3  # seconds that the wire is listened to
BLOCK = 4096
BROKEN = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.EUCLEAN, errno.ESTALE)

Extra = Callable[[Session, int], Opinion]  # another engine's look (a lease): (session, epoch) -> opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What this node believes to hold. `unfinished`: a run that was cut off worked for it."""

    run: str
    epoch: int
    unfinished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    opinion: Opinion
    claim: Claim | Unread
    others: tuple[Answer, ...] | None = None  # None: nobody asked the wire, or it could not be asked


class Eyes:
    """`extra`: further looks. A look that has not ended yet says that it can't tell."""

    def __init__(self, session: Session, extra: Sequence[Extra] = ()) -> None:
        self._session = session
        self._extra = tuple(extra)
        self._waiting: dict[str, Looks] = {}
        self._broken = ""  # what the last try to write met

    def look(self, held: Held, *, wire: bool, write: bool) -> Sight:
        """`wire`: ask who else has the addresses; `write`: try to write, once the claim was seen to be this node's."""
        session = self._session
        me, controller = session.node, session.controller
        claim = self._see("claim", partial(read_claim_now, session), Claim)
        of_claim = judge_claim(claim, me, held.epoch, unfinished=held.unfinished)
        opinions = [of_claim]
        if not held.unfinished:
            opinions.append(self._look_at_tree(write=write and of_claim.says == "kept", held=held))
        others: tuple[Answer, ...] | None = None
        if wire:
            found = self._see("wire", partial(probe, session), tuple)
            others = None if isinstance(found, Unread) else found
        answers = others or ()
        shared = is_shared(session)
        asked = [ask_peer(session, node.name) for node in controller.peers(me)] if answers and not shared else []
        opinions.append(judge_others(answers, of_claim, asked, held.epoch, shared=shared))
        opinions += [look(session, held.epoch) for look in self._extra]
        return Sight(opinion=combine(opinions), claim=claim, others=others)

    def _look_at_tree(self, *, write: bool, held: Held) -> Opinion:
        session = self._session
        tree = session.controller.tree
        mount = mounted_at(session.host, tree)
        mounted = session.controller.asset.kind == "directory" or mount is not None
        if write and mounted:
            found = self._see("write", partial(try_write, session, held.epoch), str)
            self._broken = found.why if isinstance(found, Unread) else found
        read_only = mount is not None and mount.read_only
        return judge_tree(tree, mounted=mounted, read_only=read_only, write_error=self._broken)

    def _see(self, key: str, look: Callable[[], object], kind: type[T]) -> T | Unread:
        looks = self._waiting.pop(key, None)
        if looks is None or looks.is_done(key):
            looks = Looks(self._session.host)
            looks.begin(key, look)
        looks.wait([key], LOOK)
        if not looks.is_done(key):
            self._waiting[key] = looks
            return Unread(f"{NO_ANSWER} {LOOK:g} s")  # the same words in each round, so that they are told once
        return looks.result(key, kind)


def is_shared(session: Session) -> bool:
    """Whether the claim that is read here is the one that another owner would have written."""
    asset = session.controller.asset
    return asset.mounted and (asset.replicated is None or is_linked(session))


def try_write(session: Session, epoch: int) -> str:
    """Write a block of our own in place, past the page cache: "" when it is on the disk, else what is broken. A full
    disk is not."""
    path = f"{session.controller.tree}/.tanist/watch"
    body = {"format": 1, "node": session.node, "epoch": epoch, "at": timestamp(session.host)}
    block = json.dumps(body).encode().ljust(BLOCK - 1) + b"\n"
    files = session.host.files
    try:
        if files.exists(path):
            files.overwrite(path, block)
        else:
            files.write(path, block)
    except OSError as error:
        return (error.strerror or str(error)) if error.errno in BROKEN else ""
    return ""


def probe(session: Session) -> tuple[Answer, ...]:
    """Who else has a service address that this node has."""
    host = session.host
    mine = [one for one in service_addresses(session.controller, session.node) if has_address(host, one)]
    found: list[Answer] = []
    for interface in dict.fromkeys(one.interface for one in mine):
        found += host.probe_addresses([one for one in mine if one.interface == interface], PROBE)
    return tuple(one for one in found if not one.asks)  # who asks is told by this node's kernel
