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


def contest(session: Session, intent: Intent, observation: Observation) -> bool:
    """Busy when another node goes first. True: this node's intent is committed. False: look at the evidence anew,
    for another run came and went meanwhile."""
    order = tuple(node.name for node in session.controller.nodes)
    waited = False
    for word in observation.words:
        peer: PeerWord | Unread = word
        deadline = session.host.monotonic() + PATIENCE
        while isinstance(peer, PeerWord) and (move := judge(intent, peer.intent, order)) != "go":
            if move == "give-way" or session.host.monotonic() > deadline:
                theirs = peer.intent.describe() if peer.intent else peer.node
                raise Busy(f"{theirs}, is taking {session.name} over already; nothing was changed on {session.node}")
            waited = True
            session.host.sleep(0.1)
            peer = ask_peer(session, peer.node)
        if isinstance(peer, Unread):
            raise Busy(f"{word.node} began a takeover of {session.name} and can't be asked any more: {peer.why}")
    if waited:
        return False
    commit_intent(session.host, session.name, intent)
    return True


def tell_of_contest(session: Session, observation: Observation) -> None:
    """Busy when a node that said it was inactive has begun a takeover since: the signs of life are that node's."""
    for word in observation.words:
        now = ask_peer(session, word.node)
        if isinstance(now, PeerWord) and now.intent is not None:
            theirs = now.intent.describe()
            raise Busy(f"{theirs}, is taking {session.name} over already; nothing was changed on {session.node}")


def withdraw(session: Session, intent: Intent) -> None:
    clear_intent(session.host, session.name, intent.run)
