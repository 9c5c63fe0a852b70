"""Switchover: a planned change of the active node, by one command from either. Failback is the same command.

The target prepares itself before anything stops (its checks, its capture, its ssh session), then waits. The owner
releases; the moment it lets the asset go it says so, and the target goes on while the owner becomes itself again.
If the target is not ready, nothing is stopped.
"""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Callable, Iterator
from functools import partial

from tanist.facts.storage import read_claim_offline, read_marks
from tanist.host.conversation import Conversation
from tanist.host.ssh import run_on_peer
from tanist.model.claim import Claim
from tanist.model.definition import Node
from tanist.model.errors import Failed, Refused
from tanist.model.evidence import Evidence, Says
from tanist.model.peer import PeerWord
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tanist.proof.decide import PERSON
from tanist.proof.looks import Looks
from tanist.proof.probes import judge_claim, judge_marks
from tanist.runs.backup import backup
from tanist.runs.choose import check_fitness, choose_capture
from tanist.runs.mirrored import readable
from tanist.runs.observe import Observation, judge
from tanist.runs.peers import ask_peer, write_known_hosts
from tanist.runs.promise import read_promised
from tanist.runs.release import release
from tanist.runs.replica import demand_peer_copy
from tanist.runs.session import Session, read_active
from tanist.runs.takeover import TakeoverOptions, takeover

READY, LET_GO, DONE = "TANIST READY", "TANIST LET-GO", "TANIST DONE"
READY_TIMEOUT = 30.0  # seconds the target may take to check itself
RELEASE_TIMEOUT = 600.0  # seconds the owner may take to stop its services and let go
TAKE_TIMEOUT = 600.0
ASK_EVERY = 5.0  # seconds between two questions to an owner that is to let go, and says nothing
READ_TIMEOUT = 30.0  # seconds that the disk may take to show what the owner left


def switchover(session: Session, to: str, reason: str) -> None:
    """Refused when the target is not fit, before anything was stopped."""
    owner = find_owner(session)
    target = choose_target(session, owner, to)
    if owner == session.node:
        push_away(session, session.controller.node(target), reason)
    elif target == session.node:
        pull_here(session, session.controller.node(owner), reason)
    else:
        raise Refused(
            f"{session.name} moves from {owner} to {target}, and this is {session.node}",
            next_step=f"type the same on {owner} or on {target}",
        )


def find_owner(session: Session) -> str:
    if read_active(session):
        return session.node
    silent = []
    for peer in session.controller.peers(session.node):
        word = ask_peer(session, peer.name)
        if isinstance(word, Unread):
            silent.append(f"{peer.name}: {word.why}")
        elif word.state == "active":
            return peer.name
    why = f" ({'; '.join(silent)})" if silent else ""
    raise Refused(
        f"no node says that it is the active one of {session.name}{why}; a switchover needs a living owner",
        next_step=f"tanist takeover {session.name} --dry-run   shows what is known and what would suffice",
    )


def choose_target(session: Session, owner: str, to: str) -> str:
    names = [node.name for node in session.controller.nodes]
    if to and to not in names:
        raise Refused(f"there is no node {to!r}; the definition has {', '.join(names)}")
    if to == owner:
        raise Refused(f"{owner} is the active node of {session.name} already")
    others = [name for name in names if name != owner]
    if not to and len(others) > 1:
        raise Refused(f"which node? --to {' or --to '.join(others)}")
    return to or others[0]


# -- the owner's side
def push_away(session: Session, target: Node, reason: str) -> None:
    """This node is the owner: the target waits at the other end of an ssh session."""
    demand_peer_copy(session)
    backup(session, mirror=True)
    argv = ["tanist", "takeover", session.name, "--planned", "--reason", reason or "switchover"]
    with session.open_peer(target, argv, known_hosts=write_known_hosts(session)) as peer:
        until(session, peer, READY, READY_TIMEOUT, target.name, started=False)
        release(session, reason or f"switchover to {target.name}", on_let_go=lambda: peer.write_line(LET_GO, 10))
        until(session, peer, DONE, TAKE_TIMEOUT, target.name, started=True)
        peer.finish(30)


def until(session: Session, peer: Conversation, word: str, timeout: float, name: str, *, started: bool) -> None:
    """Relay what the other node says until it says `word`."""
    try:
        while (line := peer.read_line(timeout)) != word:
            session.note(f"[{name}] {line}")
    except OSError as error:
        said = last_answer(peer.last_words) or str(error)
        if not started:
            raise Refused(f"{name} is not ready: {said}\nNothing was changed") from error
        raise Failed(
            f"{session.name} was released, but {name} did not take it: {said}",
            node=name,
            next_step=f"take it back here: tanist takeover {session.name}   or look there: tanist status",
        ) from error


def last_answer(words: str) -> str:
    """From the other tanist's `refused:` or `failed:` on; everything when it said neither."""
    starts = [words.rfind(f"{word}: ") for word in ("refused", "failed")]
    return words[max(starts) :] if max(starts) >= 0 else words


class Line:
    """The other end of an ssh session, at this process's standard input and output."""

    def say(self, word: str) -> None:
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()

    def hear(self, timeout: float) -> str | None:
        """ "" at its end; None where nothing came in `timeout` seconds."""
        heard, _, _ = select.select([sys.stdin], [], [], timeout)
        return sys.stdin.readline().strip() if heard else None


STANDARD = Line()


def release_planned(session: Session, reason: str, line: Line = STANDARD) -> None:
    """The owner's side when the target leads: says when the asset is let go."""
    release(session, reason, on_let_go=lambda: line.say(LET_GO))
    line.say(DONE)


# -- the target's side
def pull_here(session: Session, owner: Node, reason: str) -> None:
    """This node is the target: it checks itself, then has the owner release."""
    known_hosts = write_known_hosts(session)
    made = run_on_peer(
        session.host, owner, ["habackup", session.name], timeout=RELEASE_TIMEOUT, known_hosts=known_hosts
    )
    if made.status != 0:
        raise Refused(f"{owner.name} could not make a capture: {last_answer(made.stderr.decode(errors='replace'))}")
    with contextlib.ExitStack() as stack:
        peers: list[Conversation] = []

        def let_go() -> None:
            argv = [
                "tanist",
                "release",
                session.name,
                "--planned",
                "--reason",
                reason or f"switchover to {session.node}",
            ]
            peers.append(stack.enter_context(session.open_peer(owner, argv, known_hosts=known_hosts)))
            until_released(session, peers[0], owner.name)

        try:
            take_when_released(session, owner.name, reason, let_go)
        except BaseException:
            hear_out(session, peers, owner.name)
            raise
        for peer in peers:
            until(session, peer, DONE, RELEASE_TIMEOUT, owner.name, started=True)
            peer.finish(30)


def hear_out(session: Session, peers: list[Conversation], name: str) -> None:
    """The owner must become itself again even when the asset was not taken here: its session is not cut off."""
    with contextlib.suppress(Failed):
        for peer in peers:
            until(session, peer, DONE, RELEASE_TIMEOUT, name, started=True)


def until_released(session: Session, peer: Conversation, name: str) -> None:
    try:
        while (line := peer.read_line(RELEASE_TIMEOUT)) != LET_GO:
            session.note(f"[{name}] {line}")
    except OSError as error:
        raise Refused(
            f"{name} did not let go: {last_answer(peer.last_words) or error}",
            next_step=f"on {name}: tanist status {session.name}",
        ) from error


def take_planned(session: Session, reason: str, line: Line = STANDARD) -> None:
    """The target's side when the owner leads: ready, wait for its word, take."""

    owner = find_owner(session)

    def let_go() -> None:
        line.say(READY)
        if hear_owner(session, owner, line) != LET_GO:
            raise Refused("the owner did not let go; nothing was changed here")

    take_when_released(session, owner, reason, let_go)
    line.say(DONE)


def hear_owner(session: Session, owner: str, line: Line) -> str:
    """Its word, "" where it will not come. A connection does not end when the owner's machine loses its power: this
    node would hold itself ready, and keep an owner that boots from starting again, until it timed out."""
    deadline, missed = session.host.monotonic() + RELEASE_TIMEOUT, 0
    while (word := line.hear(ASK_EVERY)) is None:
        said = ask_peer(session, owner)
        missed = 0 if isinstance(said, PeerWord) and said.busy_run == "release" else missed + 1
        if missed == 2 or session.host.monotonic() > deadline:
            return ""
    return word


def take_when_released(session: Session, owner: str, reason: str, let_go: Callable[[], None]) -> None:
    """A takeover whose evidence is the owner's own act: looked up on the disk once it says that it let go."""

    def look(session: Session, _: str) -> Observation:
        with prepared(session):
            let_go()
        return look_after_release(session, owner)

    takeover(session, TakeoverOptions(reason=reason or f"switchover from {owner}"), look)


@contextlib.contextmanager
def prepared(session: Session) -> Iterator[None]:
    """What can be checked beforehand, from the mirrored capture."""
    with readable(session) as directory:
        _, manifest = choose_capture(session, directory)
        check_fitness(session, manifest)  # reads the entries
    claim = read_claim_offline(session.host, session.controller.asset, session.controller.tree)
    if isinstance(claim, Unread) and session.controller.asset.mounted and not comes_later(session):
        raise Refused(f"the asset can't be read from {session.node}, so it could not be taken here: {claim.why}")
    yield


def comes_later(session: Session) -> bool:
    """A disk that is attached to one node at a time."""
    if not session.controller.asset.exclusive:
        return False
    from tanist.runs.attach import can_come  # few assets need it

    return can_come(session)


def look_after_release(session: Session, owner: str) -> Observation:
    controller = session.controller
    if session.controller.asset.exclusive:
        from tanist.runs.attach import attach  # few assets need it

        attach(session)
    looks = Looks(session.host)  # side by side: nobody is served meanwhile
    looks.begin("marks", partial(read_marks, session.host, controller.asset))
    looks.begin("claim", partial(read_claim_offline, session.host, controller.asset, controller.tree))
    looks.wait(looks.begun, READ_TIMEOUT)
    marks, found = looks.result("marks", StorageMarks), looks.result("claim", Claim)
    if isinstance(found, Unread):
        raise Refused(f"{owner} let go, but the claim can't be read here: {found.why}")
    says, about, detail = judge_claim(found, controller, session.node)
    evidence = [Evidence(source="claim", about=about, says=says, detail=detail)]
    evidence.append(
        Evidence(source="peer", about=owner, says=Says.INACTIVE, detail="let the asset go for this switchover just now")
    )
    if not isinstance(marks, Unread):
        says, detail = judge_marks(marks)
        evidence.append(Evidence(source="storage", about=controller.asset.device, says=says, detail=detail))
    items = (*evidence, *read_promised(session, found))
    return Observation(evidence=items, verdict=judge(session, items, PERSON), claim=found)
