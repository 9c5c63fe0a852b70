"""Captures travel to the other nodes over OpenSSH: only generations that they lack."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import BinaryIO

from tanist.capture.generations import list_generations, retire, verify_generation
from tanist.capture.mirror import missing, receive, send
from tanist.capture.store import load_manifest, read_stored_files
from tanist.host.ssh import run_on_peer
from tanist.model.claim import Claim
from tanist.model.definition import Node
from tanist.model.errors import Failed, TanistError
from tanist.plan import places
from tanist.runs.peers import write_known_hosts
from tanist.runs.seen import save_claim_seen
from tanist.runs.session import Session

TRANSFER_TIMEOUT = 120.0  # seconds


def mirror_to_peers(session: Session, names: Container[str] | None = None, *, ask_again: bool = True) -> None:
    """To all other nodes, or to these. One that is not reachable is noted: the next capture brings what it lacks.
    Without `ask_again`, a node that took the newest one in this boot is believed to have it still."""
    for node in session.controller.peers(session.node):
        if names is not None and node.name not in names:
            continue
        if not ask_again and took_newest(session, node):
            continue
        try:
            sent = mirror_to(session, node)
        except (OSError, TanistError) as error:
            session.note(f"not mirrored to {node.name}: {error}")
        else:
            if sent:
                session.note(f"mirrored to {node.name}: {', '.join(sent)}")


def mirror_to(session: Session, node: Node) -> tuple[str, ...]:
    here = places.captures(session.controller.tree)
    names = tuple(one.name for one in list_generations(session.host, here))
    lacking = missing(names[:1], tuple(json.loads(ask(session, node, "list", b"").decode())))
    for name in lacking:
        ask(session, node, name, b"".join(send(session.host, f"{here}/{name}")))
    if names:
        session.host.files.write(noted(session, node), names[0].encode())
    return lacking


def took_newest(session: Session, node: Node) -> bool:
    newest = [one.name for one in list_generations(session.host, places.captures(session.controller.tree))[:1]]
    try:
        return [session.host.files.read(noted(session, node)).decode()] == newest
    except FileNotFoundError:
        return False


def noted(session: Session, node: Node) -> str:
    """Where the newest generation stands that a node took. A boot forgets it."""
    return f"{places.runtime(session.name)}/mirrored-{node.name}"


def ask(session: Session, node: Node, what: str, stdin: bytes) -> bytes:
    ran = run_on_peer(
        session.host,
        node,
        ["tanist", "mirror", session.name, what],
        stdin=stdin,
        timeout=TRANSFER_TIMEOUT,
        known_hosts=write_known_hosts(session),
    )
    if ran.status != 0:
        raise Failed(ran.complaint)
    return ran.stdout


def mirrored_names(session: Session) -> tuple[str, ...]:
    """What need not be sent again: the newest only if it is good in every byte."""
    found = list_generations(session.host, places.mirror(session.name))
    good = [one for one in found[:1] if verify_generation(session.host, one).state == "good"]
    return tuple(one.name for one in (*good, *found[1:]))


def receive_mirror(session: Session, stream: BinaryIO) -> None:
    """On the standby: the generation, whole or not at all; and the controller's public host keys from it."""
    note_what_it_tells(session, receive(session.host, session.name, stream).path)
    retire(session.host, places.mirror(session.name), session.controller.retention, session.host.now())


def note_what_it_tells(session: Session, store: str) -> None:
    """Who is active, for `tanist status` here; and the ssh keys that this node answers with (runs/peers.py)."""
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
    save_claim_seen(session, seen)
    text = b"".join(key.strip() + b"\n" for key in keys)
    session.host.files.write(places.controller_keys(session.name), text, 0o600)
