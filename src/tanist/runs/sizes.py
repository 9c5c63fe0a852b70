"""How large every node sees the disks: this one here, the others by `tanist sizes NAME` over ssh."""

from __future__ import annotations

import json

from tanist.facts.sizes import read_sizes
from tanist.host.ssh import ssh_command
from tanist.model.codec import decode, encode
from tanist.model.definition import Node
from tanist.model.growing import NodeSizes
from tanist.model.unread import Unread
from tanist.runs.peers import find_activity, write_known_hosts
from tanist.runs.session import Session

TIMEOUT = 120.0  # seconds that another node's look may take
CONNECT_TIMEOUT = 20  # seconds: nobody waits for a grow, and a busy node's word is wanted


def read_own_sizes(session: Session) -> NodeSizes:
    standby = not find_activity(session)
    return read_sizes(session.host, session.controller.asset, session.node, standby=standby)


def read_all_sizes(session: Session) -> dict[str, NodeSizes | Unread]:
    """This node first. A disk that only its owner sees is asked for nowhere else."""
    found: dict[str, NodeSizes | Unread] = {session.node: read_own_sizes(session)}
    if session.controller.asset.exclusive:
        return found
    known_hosts = write_known_hosts(session)
    return found | {node.name: ask(session, node, known_hosts) for node in session.controller.peers(session.node)}


def ask(session: Session, node: Node, known_hosts: str) -> NodeSizes | Unread:
    argv = ["tanist", "sizes", session.name]
    command = ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=CONNECT_TIMEOUT, secret=False)
    try:
        ran = session.host.run(command, timeout=TIMEOUT, ok=None)
    except OSError as error:
        return Unread(error.strerror or str(error))
    if ran.status != 0:
        return Unread(ran.complaint)
    try:
        found = decode(NodeSizes, json.loads(ran.text), "sizes")
    except ValueError as error:
        return Unread(f"its answer can't be read: {error}")
    return found if found.node == node.name else Unread(f"it calls itself {found.node!r}")


def render_sizes(found: NodeSizes) -> str:
    return json.dumps(encode(found))
