"""One look of all nodes at the same time: this node's here, the others' by the same command over ssh.

In: the command's words and what its answer is. Out: what each node said of itself, this node first, or why there is
nothing to be had of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tanist.host.ssh import ssh_command
from tanist.model.codec import decode
from tanist.model.definition import Node
from tanist.model.host import Ran
from tanist.model.unread import Unread
from tanist.runs.peers import write_known_hosts
from tanist.runs.session import Session

TIMEOUT = 120.0  # seconds that another node's look may take


class Said(Protocol):
    @property
    def node(self) -> str: ...


T = TypeVar("T", bound=Said)


def ask_all(
    session: Session, argv: Sequence[str], kind: type[T], mine: Callable[[], T], *, connect_timeout: int
) -> dict[str, T | Unread]:
    """`mine` looks at this node, while the others are at it."""
    known_hosts = write_known_hosts(session)
    begun = {
        node.name: begin_asking(session, node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout)
        for node in session.controller.peers(session.node)
    }
    own = mine()
    return {session.node: own, **{name: end_asking(kind, name, wait) for name, wait in begun.items()}}


def begin_asking(
    session: Session, node: Node, argv: Sequence[str], *, known_hosts: str, connect_timeout: int
) -> Callable[[], Ran]:
    command = ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout, secret=False)
    return session.host.begin(command, timeout=TIMEOUT, ok=None)


def end_asking(kind: type[T], name: str, wait: Callable[[], Ran]) -> T | Unread:
    try:
        ran = wait()
    except OSError as error:
        return Unread(error.strerror or str(error))
    if ran.status != 0:
        return Unread(ran.complaint)
    try:
        found = decode(kind, json.loads(ran.text), "answer")
    except (ValueError, RecursionError) as error:
        return Unread(f"its answer can't be read: {error}")
    return found if found.node == name else Unread(f"it calls itself {found.node!r}")
