"""The key that seals captures on standbys: made on one node, brought to the others over OpenSSH, on standard input."""

from __future__ import annotations

import os

from tanist.capture.sealing import KEY_SIZE, KEYS_LIMIT, Key, load_keys, load_library, parse_keys, save_keys
from tanist.host.ssh import run_on_peer
from tanist.model.errors import Refused
from tanist.plan import places
from tanist.runs.peers import write_known_hosts
from tanist.runs.session import Session

TIMEOUT = 20.0  # seconds


def share_keys(session: Session, *, new: bool) -> tuple[str, ...]:
    """This node's keys, made where there are none, on every other node too; `new`: one more, which seals from now on.
    One line for each node. Refused when a node has a key that is not known here: nothing is lost that way."""
    load_library()
    path, files = places.mirror_keys(session.name), session.host.files
    keys = load_keys(files, path)
    if new or not keys:
        keys = (Key(os.urandom(KEY_SIZE)), *keys)[:KEYS_LIMIT]
        save_keys(files, path, keys)
    told = [f"{session.node}: {describe(keys)} in {path}"]
    stdin = "".join(key.line() for key in keys).encode()
    known_hosts = write_known_hosts(session)
    failed: list[str] = []
    for node in session.controller.peers(session.node):
        argv = ["tanist", "mirror", session.name, "key"]
        ran = run_on_peer(session.host, node, argv, stdin=stdin, timeout=TIMEOUT, known_hosts=known_hosts)
        (failed if ran.status else told).append(f"{node.name}: {ran.complaint if ran.status else ran.text.strip()}")
    if failed:
        raise Refused("\n".join([*told, *failed]), next_step=f"tanist captures key {session.name}   (once more)")
    return tuple(told)


def take_keys(session: Session, text: bytes) -> str:
    """On the other node. Its own keys must be among those that come."""
    load_library()
    path, files = places.mirror_keys(session.name), session.host.files
    try:
        keys = parse_keys(text)
    except ValueError as error:
        raise Refused(f"what came is not a file of keys: {error}") from None
    own = load_keys(files, path)
    if not set(own) <= set(keys):
        raise Refused(
            f"{session.node} has a key that the other node lacks",
            next_step=f"on {session.node}: tanist captures key {session.name}",
        )
    save_keys(files, path, keys)
    return f"{describe(keys)} in {path}"


def describe(keys: tuple[Key, ...]) -> str:
    more = f" and {len(keys) - 1} older" if len(keys) > 1 else ""
    return f"key {keys[0].name.hex()}{more}"
