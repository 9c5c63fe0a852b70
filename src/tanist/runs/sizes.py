"""How large every node sees the disks: this one here, the others by `tanist sizes NAME` over ssh."""

from __future__ import annotations

import json

from tanist.facts.sizes import read_sizes
from tanist.model.codec import encode
from tanist.model.growing import NodeSizes
from tanist.model.unread import Unread
from tanist.runs.asking import ask_all
from tanist.runs.peers import find_activity
from tanist.runs.session import Session

CONNECT_TIMEOUT = 20  # seconds: nobody waits for a grow, and a busy node's word is wanted


def read_own_sizes(session: Session) -> NodeSizes:
    standby = not find_activity(session)
    return read_sizes(session.host, session.controller.asset, session.node, standby=standby)


def read_all_sizes(session: Session) -> dict[str, NodeSizes | Unread]:
    """This node first. A disk that only its owner sees is asked for nowhere else."""
    if session.controller.asset.exclusive:
        return {session.node: read_own_sizes(session)}
    argv = ["tanist", "sizes", session.name]
    return ask_all(session, argv, NodeSizes, lambda: read_own_sizes(session), connect_timeout=CONNECT_TIMEOUT)


def render_sizes(found: NodeSizes) -> str:
    return json.dumps(encode(found))
