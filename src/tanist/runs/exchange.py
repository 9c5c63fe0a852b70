"""The histories of two nodes become one, over ssh: each gets the entries that it lacks. Safe to cut off and to repeat.

One call says what this node has and brings what it lacks, in pieces; where the other node lacks something, calls that
carry it follow. An entry is taken only when its own sum fits; whether it belongs there is for `verify` to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Iterator, Mapping

from tanist.host.ssh import run_on_peer
from tanist.journal.chain import Copy, Entry, parse_copy
from tanist.journal.check_chain import Finding, check_copies
from tanist.journal.journal import done_directory
from tanist.model.definition import Node
from tanist.model.errors import Failed, TanistError
from tanist.plan import places
from tanist.runs.history import LIMIT, read_copies, read_copy, take_entries
from tanist.runs.peers import write_known_hosts
from tanist.runs.session import Session

PIECE = 256 << 10  # bytes of one message: well below what host.run keeps of an output
TIMEOUT = 20.0  # seconds of one call


def exchange_with_peers(session: Session, names: Container[str] | None = None) -> bool:
    """With all other nodes, or with these. False where one could not be reached: it is tried again later."""
    good = True
    for node in session.controller.peers(session.node):
        if names is not None and node.name not in names:
            continue
        try:
            exchange_with(session, node)
        except (OSError, TanistError, ValueError, RecursionError) as error:
            session.note(f"the history was not exchanged with {node.name}: {error}")
            good = False
    return good


def exchange_with(session: Session, node: Node) -> None:
    have, new = fetch(session, node)
    mine = read_copy(session, places.history(session.name))
    take_entries(session, new)
    for piece in pieces(entry for entry in mine.entries if entry.sum not in have):
        call(session, node, "put", stdin=piece)


def fetch(session: Session, node: Node) -> tuple[frozenset[str], tuple[Entry, ...]]:
    """The sums of all entries of another node's copy, and those entries that this node lacks. ValueError for an answer
    that is none."""
    have = [entry.sum for entry in read_copy(session, places.history(session.name)).entries]
    found: list[Entry] = []
    while True:
        first, _, rest = call(session, node, "get", stdin=json.dumps(have).encode()).partition(b"\n")
        new = parse_copy(rest)
        if new.damaged or new.tail:
            raise ValueError(f"{node.name} sent entries that can't be read")
        if not new.entries:
            return frozenset(map(str, json.loads(first))), tuple(found)
        if {entry.sum for entry in new.entries} <= set(have):
            raise ValueError(f"{node.name} sends what it was told that it need not")
        found += new.entries
        have += [entry.sum for entry in new.entries]


def call(session: Session, node: Node, *words: str, stdin: bytes = b"") -> bytes:
    argv = ["tanist", "chain", session.name, *words]
    known_hosts = write_known_hosts(session)
    ran = run_on_peer(session.host, node, argv, stdin=stdin, timeout=TIMEOUT, known_hosts=known_hosts, secret=False)
    if ran.status != 0:
        raise Failed(ran.complaint)
    return ran.stdout


def pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    """In order, each at most PIECE bytes, or one entry."""
    waiting = b""
    for entry in entries:
        if waiting and len(waiting) + len(entry.line) > PIECE:
            yield waiting
            waiting = b""
        waiting += entry.line
    if waiting:
        yield waiting


# -- the other node's side
def answer(session: Session, what: str, start: int, stdin: bytes) -> bytes:
    """get: what this node has, and the first piece of what the asker lacks. put: how many were new. raw: a piece of the
    file, damage and all."""
    path = places.history(session.name)
    match what:
        case "get":
            mine = read_copy(session, path).entries
            asked = frozenset(json.loads(stdin))
            missing = (entry for entry in mine if entry.sum not in asked)
            return json.dumps([entry.sum for entry in mine]).encode() + b"\n" + next(pieces(missing), b"")
        case "put":
            return f"{len(take_entries(session, parse_copy(stdin).entries))}\n".encode()
        case "raw" if session.host.files.exists(path):
            return session.host.files.read(path, LIMIT)[start : start + PIECE]
        case _:
            return b""


# -- verify
def verify_history(session: Session, *, ask_peers: bool = True) -> tuple[dict[str, Copy], tuple[Finding, ...]]:
    """All copies that can be had, and what is wrong with them. Changes nothing."""
    copies = read_copies(session)
    unheard = []
    for node in session.controller.peers(session.node) if ask_peers else ():
        try:
            copies[node.name] = fetch_copy(session, node)
        except (OSError, TanistError, ValueError) as error:
            says = f"its copy was not looked at: {error}"
            unheard.append(Finding(grave=False, copy=node.name, says=says))
    return copies, (
        *check_copies(copies),
        *check_journals(session, copies[session.node]),
        *check_unfounded(session, copies, alone=bool(unheard) or not ask_peers),
        *unheard,
    )


def check_unfounded(session: Session, copies: Mapping[str, Copy], *, alone: bool) -> tuple[Finding, ...]:
    """A run of this node that no journal here and no other copy knows: written into this copy by somebody else, its sum
    made to fit. `alone`: not all other copies were seen, so it is only told."""
    accepted = digest_accepted(session)
    elsewhere = {entry.sum for name, copy in copies.items() if name != session.node for entry in copy.entries}
    unfounded = [
        entry.run
        for entry in copies[session.node].entries
        if entry.node == session.node
        and entry.fields.get("journal") is not None
        and entry.sum not in elsewhere
        and entry.fields["journal"] not in accepted
        and not find_kept(session, entry.run)
    ]
    says = "added: {}, of this node, has no journal here and is in no other copy that was seen"
    return tuple(Finding(grave=not alone, copy=session.node, says=says.format(run)) for run in unfounded)


def check_journals(session: Session, copy: Copy) -> tuple[Finding, ...]:
    """The journal of each run that this node has still, against the digest that was chained when it ended."""
    found = []
    for entry in copy.entries:
        path = find_kept(session, entry.run)
        digest = entry.fields.get("journal")
        if digest is None or entry.node != session.node or not path:
            continue
        if hashlib.sha256(session.host.files.read(path, LIMIT)).hexdigest() != digest:
            says = f"altered: the journal {path} is not what it was when its run ended"
            found.append(Finding(grave=True, copy=session.node, says=says))
    return tuple(found)


def find_kept(session: Session, run: str) -> str:
    """Where its journal was filed away, "" for nowhere; a drill's lies with its result."""
    directories = (done_directory(session.name), places.drills(session.name))
    found = (f"{directory}/{run}.jsonl" for directory in directories)
    return next((path for path in found if session.host.files.exists(path)), "")


def digest_accepted(session: Session) -> frozenset[str]:
    """What stands for a journal where a finding was accepted: its line (runs/accept.py)."""
    files, path = session.host.files, places.accepted(session.name)
    lines = files.read(path).split(b"\n") if files.exists(path) else []
    return frozenset(hashlib.sha256(line).hexdigest() for line in lines)


def fetch_copy(session: Session, node: Node) -> Copy:
    """Another node's copy as its file has it. ValueError for one that does not end."""
    data = b""
    while piece := call(session, node, "raw", f"{len(data)}"):
        data += piece
        if len(data) > LIMIT:
            raise ValueError(f"{node.name} sends more than {LIMIT} bytes")
    return parse_copy(data)
