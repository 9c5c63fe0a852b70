"""Captures travel to the other nodes over OpenSSH: of the newest one, what they lack.

One conversation: the standby says what it has (a line of JSON), a stream follows (capture/mirror.py), and it says what
it took. It writes below /var/lib/tanist/NAME only, never into the tree.
"""

from __future__ import annotations

import contextlib
import errno
import json
from collections.abc import Callable, Container, Iterator
from typing import TYPE_CHECKING, BinaryIO

from tanist.capture.believed import believe, is_believed
from tanist.capture.generations import (
    GenerationInfo,
    list_generations,
    parse_generation_name,
    retire,
    verify_generation,
)
from tanist.capture.mirror import receive, send
from tanist.capture.render import scratch_directory
from tanist.capture.sealed import is_sealed_store, seal_plain_ones, seal_store
from tanist.capture.sealing import Key
from tanist.capture.store import clean_partials, load_manifest, read_stored_files
from tanist.journal.slots import sha256
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.definition import Node
from tanist.model.errors import BadCapture, Failed, TanistError
from tanist.plan import places
from tanist.runs.glance import mirrored_file
from tanist.runs.history import read_copy
from tanist.runs.mirrored import open_store, read_keys
from tanist.runs.peers import write_known_hosts
from tanist.runs.seen import save_claim_seen
from tanist.runs.session import Session, read_active

if TYPE_CHECKING:
    from tanist.host.conversation import Conversation

GREETING_TIMEOUT = 60.0  # seconds: the other node reads every byte of its newest capture first
TRANSFER_TIMEOUT = 120.0  # for each megabyte, and for the last word
TAKEN, HISTORY = "taken", "history"


def mirror_to_peers(session: Session, names: Container[str] | None = None, *, ask_again: bool = True) -> frozenset[str]:
    """To all other nodes, or to these. One that is not reachable is noted: the next capture brings what it lacks.
    Without `ask_again`, a node that took the newest one in this boot is believed to have it still. Answers which of
    them said that they have the same history as this one."""
    same: set[str] = set()
    for node in session.controller.peers(session.node):
        if names is not None and node.name not in names:
            continue
        if not ask_again and took_newest(session, node):
            continue
        try:
            sent, history = mirror_to(session, node)
        except (OSError, TanistError) as error:
            session.note(f"not mirrored to {node.name}: {error}")
        else:
            if sent:
                session.note(f"mirrored to {node.name}: {', '.join(sent)}")
            if history and history == history_sum(session):
                same.add(node.name)
    return frozenset(same)


def mirror_to(session: Session, node: Node) -> tuple[tuple[str, ...], str]:
    """The newest generation, unless it is there; as much of it as the other node's newest one does not have. Answers
    what was sent, and what the other node says of its history."""
    here = places.captures(session.controller.tree)
    names = [one.name for one in list_generations(session.host, here)]
    if not names:
        return (), ""
    argv = ["tanist", "mirror", session.name]
    with session.open_peer(node, argv, known_hosts=write_known_hosts(session), secret=True) as peer:
        try:
            sent, history = offer(session, peer, here, names)
        except OSError as error:
            raise Failed(peer.complaint if error.errno == errno.EPIPE else error.strerror or f"{error}") from error
    session.host.files.write(mirrored_file(session, node.name), names[0].encode())
    return sent, history


def offer(session: Session, peer: Conversation, here: str, names: list[str]) -> tuple[tuple[str, ...], str]:
    there = parse_list(peer.read_line(GREETING_TIMEOUT))
    if names[0] in there:
        peer.finish(GREETING_TIMEOUT)
        return (), ""
    base = f"{here}/{there[0]}" if there and there[0] in names else ""
    for chunk in send(session.host, f"{here}/{names[0]}", base):
        peer.write(chunk, TRANSFER_TIMEOUT)
    if peer.read_line(TRANSFER_TIMEOUT) != f"{TAKEN} {names[0]}":
        raise Failed(f"the other node says that it took another capture than {names[0]}")
    history = hear_history(peer)
    peer.finish(GREETING_TIMEOUT)
    return (names[0],), history


def hear_history(peer: Conversation) -> str:
    """The sum of its history, so that another call can be spared; "" when it does not say."""
    try:
        word, _, found = peer.read_line(GREETING_TIMEOUT).partition(" ")
    except OSError:
        return ""
    return found if word == HISTORY else ""


def history_sum(session: Session) -> str:
    """The same on two nodes whose copies have the same entries."""
    sums = sorted(entry.sum for entry in read_copy(session, places.history(session.name)).entries)
    return sha256("\n".join(sums).encode())


def parse_list(line: str) -> tuple[str, ...]:
    """What a node says that it has, newest first. Failed when that is no list of captures."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, list) or not all(isinstance(one, str) and parse_generation_name(one) for one in said):
        raise Failed(f"the other node's answer is no list of captures: {line[:100]!r}")
    return tuple(said)


def took_newest(session: Session, node: Node) -> bool:
    newest = [one.name for one in list_generations(session.host, places.captures(session.controller.tree))[:1]]
    try:
        return [session.host.files.read(mirrored_file(session, node.name))] == [name.encode() for name in newest]
    except FileNotFoundError:
        return False


# -- the other side
def receive_mirror(session: Session, stream: BinaryIO, say: Callable[[str], None]) -> None:
    """On the standby: says what it has, takes what comes, whole or not at all; then notes what it tells."""
    directory = places.mirror(session.name)
    keys = read_keys(session) if session.controller.mirror.at_rest == "encrypted" else ()
    with mirrored(session, encrypted=bool(keys)) as (names, place):
        say(json.dumps(names))
        taken = receive(session.host, session.name, stream, place)
        if taken is None:
            return
        note_what_it_tells(session, taken.path)
        if not keys:
            believe(session.host, directory, taken.name)
        if keys:
            keep_sealed(session, keys[0], names[0] if names else "", place, taken.name)
    retire(session.host, directory, session.controller.retention, session.host.now())
    say(f"{TAKEN} {taken.name}")
    say(f"{HISTORY} {history_sum(session)}")


@contextlib.contextmanager
def mirrored(session: Session, *, encrypted: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    """What need not be sent again, newest first, from the first one on that is good in every byte; and a directory
    where that one is plain and a new one may arrive: the mirror itself or, for sealed ones, memory."""
    directory = places.mirror(session.name)
    found = list_generations(session.host, directory)
    with contextlib.ExitStack() as stack:
        place = directory
        if encrypted:
            place = stack.enter_context(scratch_directory(session.host, places.unsealed(session.name)))
        good = next((n for n, one in enumerate(found) if _is_good(session, one, place)), len(found))
        yield tuple(one.name for one in found[good:]), place


def _is_good(session: Session, generation: GenerationInfo, place: str) -> bool:
    plain, directory = f"{place}/{generation.name}", places.mirror(session.name)
    if plain == generation.path and is_believed(session.host, directory, generation.name):
        return True
    if plain != generation.path:
        try:
            open_store(session, generation.path, plain)
        except BadCapture as error:
            session.host.files.remove_tree(plain)
            session.note(f"{error.message}: it is asked for again")
            return False
    good = verify_generation(session.host, replace(generation, path=plain)).state == "good"
    if good and plain == generation.path:
        believe(session.host, directory, generation.name)
    return good


def keep_sealed(session: Session, key: Key, base: str, place: str, name: str) -> None:
    """What arrived in memory, onto the disk; and whatever is plain there from before, sealed."""
    directory = places.mirror(session.name)
    session.host.files.make_directory(directory, 0o700)
    clean_partials(session.host, directory)
    shared = base if base and is_sealed_store(session.host, f"{directory}/{base}") else ""
    beside = (f"{place}/{base}", f"{directory}/{base}") if shared else ("", "")
    if name != base:
        seal_store(session.host, key, session.name, f"{place}/{name}", f"{directory}/{name}", beside)
    seal_plain_ones(session.host, key, session.name, directory)


def note_what_it_tells(session: Session, store: str) -> None:
    """Who is active, for `tanist status` here; and the ssh keys that this node answers with (runs/peers.py). The active
    node knows better: what comes to it was sent by an ex-owner that slept."""
    directory = session.controller.identity.ssh_host_keys
    keys = read_stored_files(session.host, store, directory, ".pub")
    manifest = load_manifest(session.host, store)
    seen = Claim(
        controller=session.name,
        node=manifest.node,
        epoch=manifest.epoch,
        state="held",
        since=manifest.created,
        run=manifest.run,
    )
    if not read_active(session):
        save_claim_seen(session, seen)
    text = b"".join(key.strip() + b"\n" for key in keys)
    session.host.files.write(places.controller_keys(session.name), text, 0o600)
