"""Captures compared: one with another, or one with what a node has now."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.capture.differ import diff_manifests
from tanist.capture.generations import newest_good
from tanist.capture.restore import compare_path
from tanist.capture.store import load_manifest
from tanist.host.ssh import SSH_FAILED, run_on_peer
from tanist.model.errors import BadCapture, Failed, Refused
from tanist.runs.mirrored import find_generation, readable
from tanist.runs.peers import write_known_hosts
from tanist.runs.session import Session

LATEST = "latest"
TIMEOUT = 600.0  # seconds: the other node may have a million files to read


def diff_captures(session: Session, old: str, new: str) -> Iterator[str]:
    """A line for each difference, one after the other. `old` is a capture, `new` a capture or a node: then it is what a
    restore of `old` would change there now. `latest` is the newest good one."""
    if new in {node.name for node in session.controller.nodes}:
        yield from diff_with_node(session, old, new)
        return
    names = [find(session, old), find(session, new)]
    with readable(session, names) as directory:
        before, after = (load_manifest(session.host, f"{directory}/{name}") for name in names)
        yield from diff_manifests(before, after)


def diff_with_node(session: Session, capture: str, node: str) -> Iterator[str]:
    """Every path that the definition names, beside what `node` has at it. Another node looks at itself, with the
    capture as it was mirrored there."""
    generation = find(session, capture)
    if node != session.node:
        yield from _ask_node(session, generation, node)
        return
    with readable(session, [generation]) as directory:
        store = f"{directory}/{generation}"
        for asked in load_manifest(session.host, store).asked:
            for one in compare_path(session.host, store, asked.path):
                yield f"~ {one}"


def _ask_node(session: Session, generation: str, name: str) -> tuple[str, ...]:
    argv = ["tanist", "captures", "diff", session.name, generation, name]
    known_hosts = write_known_hosts(session)
    ran = run_on_peer(session.host, session.controller.node(name), argv, timeout=TIMEOUT, known_hosts=known_hosts)
    if ran.status == SSH_FAILED:
        raise Refused(f"{name} can't be asked: {ran.complaint}", next_step=f"on {name}: {' '.join(argv)}")
    if ran.status not in (0, 1):
        raise Failed(f"{name}: {ran.complaint}", node=name)
    return tuple(line for line in ran.text.splitlines() if line[:2] in ("+ ", "- ", "~ ", "[."))


def find(session: Session, word: str) -> str:
    """A generation of this node by its name, an unmistakable beginning of it, or "latest": the newest good one."""
    if word != LATEST:
        return find_generation(session, word)
    with readable(session) as directory:
        found = newest_good(session.host, directory).generation
    if found is None:
        raise BadCapture("there is no good capture", next_step=f"tanist captures verify {session.name} --all")
    return found.name
