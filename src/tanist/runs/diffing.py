"""Captures compared: one with another, or one with what a node has now."""

from __future__ import annotations

from tanist.capture.differ import diff_manifests
from tanist.capture.generations import list_generations, newest_good
from tanist.capture.manifest import Manifest
from tanist.capture.restore import compare_path
from tanist.capture.store import load_manifest
from tanist.host.ssh import SSH_FAILED, run_on_peer
from tanist.model.errors import BadCapture, Failed, Refused
from tanist.runs.backup import capture_directory
from tanist.runs.peers import write_known_hosts
from tanist.runs.session import Session

LATEST = "latest"
TIMEOUT = 600.0  # seconds: the other node may have a million files to read


def diff_captures(session: Session, old: str, new: str) -> tuple[str, ...]:
    """One line for each difference. `old` is a capture, `new` a capture or a node: then it is what a restore of `old`
    would change there now. `latest` is the newest good one."""
    if new in {node.name for node in session.controller.nodes}:
        return diff_with_node(session, old, new)
    return diff_manifests(find_manifest(session, old)[1], find_manifest(session, new)[1])


def diff_with_node(session: Session, capture: str, node: str) -> tuple[str, ...]:
    """Every path that the definition names, beside what `node` has at it. Another node looks at itself, with the
    capture as it was mirrored there."""
    store, manifest = find_manifest(session, capture)
    if node != session.node:
        return _ask_node(session, store.rsplit("/", 1)[1], node)
    lines: list[str] = []
    for asked in manifest.asked:
        lines += [f"~ {one}" for one in compare_path(session.host, store, asked.path)]
    return tuple(lines)


def _ask_node(session: Session, generation: str, name: str) -> tuple[str, ...]:
    argv = ["tanist", "captures", "diff", session.name, generation, name]
    known_hosts = write_known_hosts(session)
    ran = run_on_peer(session.host, session.controller.node(name), argv, timeout=TIMEOUT, known_hosts=known_hosts)
    if ran.status == SSH_FAILED:
        raise Refused(f"{name} can't be asked: {ran.complaint}", next_step=f"on {name}: {' '.join(argv)}")
    if ran.status not in (0, 1):
        raise Failed(f"{name}: {ran.complaint}", node=name)
    return tuple(line for line in ran.text.splitlines() if line[:2] in ("+ ", "- ", "~ "))


def find_manifest(session: Session, word: str) -> tuple[str, Manifest]:
    """A store of this node by its name, an unmistakable beginning of it, or "latest"."""
    directory = capture_directory(session)
    names = [one.name for one in list_generations(session.host, directory)]
    if word == LATEST:
        found = newest_good(session.host, directory).generation
        chosen = [found.name] if found else []
    else:
        chosen = [name for name in names if name == word] or [name for name in names if name.startswith(word)]
    if len(chosen) != 1:
        what = "there is no capture" if not chosen else f"{len(chosen)} captures begin with"
        raise BadCapture(f"{what} {word!r} in {directory}", next_step=f"tanist captures {session.name}")
    store = f"{directory}/{chosen[0]}"
    return store, load_manifest(session.host, store)
