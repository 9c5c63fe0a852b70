"""A word that is kept: to whose takeovers this node said "I run nothing", on its own disk, until the outcome is known.

Only where power is what suffices (Proof.free_suffices): between the word and the raised claim nothing on the disk says
who has the asset. The note is there before the word is given, under the lock that every run here holds, so that no run
began beside it; each run reads it once it holds that lock. What ends it: the claim is past the note's epoch; that node
is heard again and runs nothing; it is off; its takeover says that it is over. A note that can't be read binds as one
to every other node would.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tanist.host.clock import timestamp
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import replace
from tanist.model.evidence import Evidence, Says
from tanist.model.peer import PeerWord, Promise
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.peers import ask_peer, read_word
from tanist.runs.promised import FORMAT, load_promises
from tanist.runs.session import WORD, take_run_lock

if TYPE_CHECKING:
    from tanist.model.claim import Claim
    from tanist.runs.session import Session


# -- the note
def save_promises(session: Session, promises: tuple[Promise, ...]) -> None:
    """On disk when it returns."""
    files, path = session.host.files, places.promised(session.name)
    if not promises:
        files.remove(path)
        return
    body = {"format": FORMAT, "promises": [encode(one) for one in promises]}
    files.make_directory(path.rpartition("/")[0], 0o700)
    files.write(path, json.dumps(body, indent=1).encode() + b"\n")


def add_promise(session: Session, promise: Promise) -> None:
    """The newest one to a node stands for those before it: of its runs one is at work, and over the highest epoch. In
    the place of a note that can't be read come promises to all."""
    there = load_promises(session.host, session.name)
    if isinstance(there, Unread):
        there = tuple(replace(promise, node=one.name) for one in session.controller.peers(session.node))
    save_promises(session, (*(one for one in there if one.node != promise.node), promise))


def settle(session: Session, unanswered: tuple[str, ...]) -> None:
    """Under the run's lock, once it has looked: only what these nodes were promised stays. The others were heard, are
    off, or the claim is past it."""
    if not session.host.files.exists(places.promised(session.name)):
        return
    there = load_promises(session.host, session.name)
    if not unanswered:
        save_promises(session, ())
    elif not isinstance(there, Unread):
        known = {one.name for one in session.controller.peers(session.node)}
        save_promises(session, tuple(one for one in there if one.node in unanswered or one.node not in known))


# -- the word
def parse_request(line: str) -> Promise | str | None:
    """What an asker wants besides the word: that it is noted, or that the note for a run goes. None: nothing."""
    try:
        body = json.loads(line)
        return decode(Promise, body["promise"], "promise") if "promise" in body else str(body["forget"])
    except (ValueError, KeyError, TypeError):
        return None


def request_promise(session: Session, claim: Claim) -> str:
    """The line that asks for a word to be kept, for the run that this session works for."""
    wanted = Promise(
        node=session.node,
        run=session.asks_for,
        who=session.who,
        since=timestamp(session.host),
        epoch=claim.epoch,
    )
    return json.dumps({"promise": encode(wanted)})


def give_word(session: Session, request: Promise | str | None) -> PeerWord:
    """A node with a run at work promises nothing: its word tells the run."""
    if request is None:
        return read_word(session)
    lock = take_run_lock(session, json.dumps({"what": WORD}), 0.0)
    if isinstance(lock, str):
        return read_word(session)
    try:
        if isinstance(request, str):
            forget(session, request)
            return read_word(session, alone=True)
        word = read_word(session, alone=True)
        return keep_word(session, word, request) if word.state == "inactive" else word
    finally:
        lock.close()


def keep_word(session: Session, word: PeerWord, promise: Promise) -> PeerWord:
    if promise.node not in {one.name for one in session.controller.peers(session.node)}:
        return replace(word, detail=f"{word.detail}, but knows no node {promise.node}, to keep its word to")
    try:
        add_promise(session, promise)
    except OSError as error:
        return replace(word, detail=f"{word.detail}, but can't note that it said so: {error.strerror or error}")
    return replace(word, promised=promise.run)


def forget(session: Session, run: str) -> None:
    there = load_promises(session.host, session.name)
    if not isinstance(there, Unread) and any(one.run == run for one in there):
        save_promises(session, tuple(one for one in there if one.run != run))


def judge_kept(session: Session, word: PeerWord) -> PeerWord | Unread:
    """A word that was to be kept and is not is none."""
    if word.state != "inactive" or word.intent is not None:
        return word
    if word.promised == session.asks_for:
        session.bound.append(word.node)
        return word
    return Unread(f"{word.detail}; its word is not kept there (is its tanist an older one?), so that it proves nothing")


def free_bound(session: Session, nodes: tuple[str, ...], run: str) -> None:
    """`run` is over and left nothing of the asset in use here: who kept its word for it need not wait any more."""
    for node in dict.fromkeys(nodes):
        ask_peer(session, node, json.dumps({"forget": run}))


# -- what it means to a run here
def read_promised(session: Session, claim: Claim) -> tuple[Evidence, ...]:
    """One item for each node that this one is bound to. A plain directory's claim is each node's own: its epoch says
    nothing of the other's takeover."""
    there = load_promises(session.host, session.name)
    names = tuple(one.name for one in session.controller.peers(session.node))
    if isinstance(there, Unread):
        why = f"whom this node gave its word can't be read, so that it may be {{}}: {there.why}"
        return tuple(
            Evidence(source="promise", about=name, says=Says.UNKNOWN, detail=why.format(name)) for name in names
        )
    epoch = 0 if session.controller.asset.kind == "directory" else claim.epoch
    found = {}
    for one in there:
        if not one.is_past(epoch):
            detail = f"was told that this node runs nothing, for {one.describe()}; the claim is of epoch {claim.epoch}"
            for name in (one.node,) if one.node in names else names:
                found[name] = Evidence(source="promise", about=name, says=Says.PROMISED, detail=detail)
    return tuple(found.values())
