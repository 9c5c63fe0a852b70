"""Two operators on two nodes at one moment: one wins, the other is told by whom (proof/intent.py has the rule)."""

from __future__ import annotations

from tanist.host.clock import timestamp
from tanist.model.errors import Busy
from tanist.model.peer import Intent, PeerWord
from tanist.model.unread import Unread
from tanist.proof.intent import clear_intent, commit_intent, judge, save_intent
from tanist.runs.observe import Observation
from tanist.runs.peers import ask_peer
from tanist.runs.session import Session

PATIENCE = 30.0  # seconds that a node which stands behind this one may take to give way


def declare(session: Session, run: str) -> Intent:
    """Written before any peer is asked: of two that begin together, at least one sees the other."""
    intent = Intent(node=session.node, run=run, who=session.who, since=timestamp(session.host), phase="intending")
    save_intent(session.host, session.name, intent)
    return intent


def contest(session: Session, intent: Intent, words: tuple[PeerWord, ...]) -> bool:
    """Busy when another node goes first. True: this node's intent is committed. False: look at the evidence anew,
    for another run came and went meanwhile."""
    waited = [wait_for(session, intent, word) for word in words]
    if any(waited):
        return False
    commit_intent(session.host, session.name, intent)
    return True


def has_passed(session: Session, intent: Intent, observation: Observation) -> bool:
    """Whether the signs of life were another node's takeover that has given way since, so that the evidence is old.
    Busy when that one goes first: then it is told, not its traces."""
    passed = False
    for word in observation.words:
        now = ask_peer(session, word.node)
        if isinstance(now, PeerWord) and (now.intent or word.intent or is_beginning(word)):
            wait_for(session, intent, now)
            passed = True
    return passed


def wait_for(session: Session, intent: Intent, word: PeerWord) -> bool:
    """Until the other node gives way; whether there was anything to wait for. Busy when it goes first, or stays."""
    order = tuple(node.name for node in session.controller.nodes)
    waited, peer = False, word
    deadline = session.host.monotonic() + PATIENCE
    while is_beginning(peer) or (move := judge(intent, peer.intent, order)) != "go":
        if (not is_beginning(peer) and move == "give-way") or session.host.monotonic() > deadline:
            theirs = peer.intent.describe() if peer.intent else peer.node
            raise Busy(f"{theirs}, is taking {session.name} over already; nothing was changed on {session.node}")
        waited = True
        session.host.sleep(0.1)
        said = ask_peer(session, peer.node)
        if isinstance(said, Unread):
            raise Busy(f"{word.node} began a takeover of {session.name} and can't be asked any more: {said.why}")
        peer = said
    return waited


def heed_intents(session: Session, observation: Observation) -> None:
    """Busy where another node is taking it over. For runs that declare no intent (start, resume, undo): they hold this
    node's lock, which the other one sees when it asks, and must see its intent when they ask themselves."""
    heed_words(session, observation.words)


def heed_words(session: Session, words: tuple[PeerWord, ...]) -> None:
    for word in words:
        if word.intent is not None and word.intent.node != session.node:
            raise Busy(
                f"{word.intent.describe()}, is taking {session.name} over; nothing was changed on {session.node}"
            )


def is_beginning(word: PeerWord) -> bool:
    """At work, and it has not said yet on what: a takeover before its intent is written, or just a look."""
    return word.state == "busy" and word.intent is None and word.busy_run in ("takeover", "")


def withdraw(session: Session, intent: Intent) -> None:
    clear_intent(session.host, session.name, intent.run)
