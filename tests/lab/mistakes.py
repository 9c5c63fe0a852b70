"""How a test of bad input begins, what it may not change, and what it does to captures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lab.checks import Fingerprint, diff, read_fingerprint
from tests.lab.kills import let_go
from tests.lab.subject import MAY_DIFFER, NODES, Pair, said

REFUSED, NOT_PROVED, BAD_DEFINITION, BAD_CAPTURE, BUSY, FAILED = 3, 4, 5, 6, 7, 8


def released(made: Pair) -> Pair:
    """Released, whatever a test before has left behind when it failed."""
    for node in NODES:
        if not made.is_on(node):
            made.lab.boot(node)
        seen = made.look(node)
        if seen.journal:
            made.tanist(node, "undo")
            seen = made.look(node)
        if seen.active_file:
            made.sh(node, "rm -f /var/lib/postgresql/ballast /etc/postgresql/15/main/conf.d/large.dat")
            if made.tanist(node, "release").returncode != 0:
                made.must(node, "undo")
                made.must(node, "release")
    made.own = {node: read_fingerprint(made.lab, node) for node in NODES}
    return made


@contextmanager
def unchanged(pair: Pair, *nodes: str) -> Iterator[None]:
    """Refused means: the nodes are what they were, and so is the claim."""
    before = [(read_fingerprint(pair.lab, node), pair.look(node).claim) for node in nodes]
    yield
    for (was, claim), node in zip(before, nodes, strict=True):
        assert not changes(was, read_fingerprint(pair.lab, node)), node
        assert pair.look(node).claim == claim


def changes(before: Fingerprint, after: Fingerprint) -> list[str]:
    return [one for one in diff(before, after) if not MAY_DIFFER.match(one)]


@contextmanager
def replaced(pair: Pair, node: str, path: str, script: str) -> Iterator[None]:
    """A path of a node is kept aside, `script` makes something else of it ($1), and in the end it is back."""
    keep, above = f"/var/tmp/kept{path.replace('/', '-')}", path.rsplit("/", 1)[0]
    pair.sh(node, f'touch -r {above} {keep}.time; cp -a "$1" {keep}; {script}', path)
    try:
        yield
    finally:
        pair.sh(node, f'rm -rf "$1"; mv {keep} "$1"; touch -r {keep}.time {above}; rm {keep}.time', path)


def captures(pair: Pair, node: str) -> list[str]:
    """Names, newest first."""
    return [line.split()[0] for line in said(pair.tanist(node, "captures")).splitlines() if " epoch " in line]


FLIP = """
import os, sys
with open(sys.argv[1], "r+b") as file:
    file.seek(700)
    byte = file.read(1)[0]
    file.seek(700)
    file.write(bytes([byte ^ 1]))
    file.flush()
    os.fsync(file.fileno())
"""


def flip_bit(pair: Pair, node: str, path: str) -> None:
    pair.lab.exec(node, ["python3", "-c", FLIP, path], check=True)


def come_home(pair: Pair) -> None:
    """After a cut of ec-a: it boots inert, and ec-b lets go."""
    pair.lab.boot("ec-a")
    pair.sh("ec-a", "systemctl is-active -q tanist@postgresql || systemctl status tanist@postgresql")
    pair.check_active("ec-b")
    pair.check_inert("ec-a")
    let_go(pair, "ec-b")
