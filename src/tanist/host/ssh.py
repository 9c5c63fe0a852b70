"""Asking the other node over OpenSSH. Status 255 is ssh's own failure (not reachable, refused, wrong host key): the
complaint says which; any other status is the remote command's. A peer that keeps silent ends at the time limit.

The host key is looked up under an alias of the node (ssh_config(5), HostKeyAlias), whatever address was used, in one
file that holds all keys that the node may show: in mode `host` the active node shows the controller's.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.conversation import Conversation
    from tanist.host.host import Host
    from tanist.model.definition import Node
    from tanist.model.host import Ran

SSH_FAILED = 255
# OpenSSH 9 prefers a key exchange that no quantum computer will break; it takes 0.08 s of processor time at each end,
# 0.3 s more on a busy machine. What is said in a takeover is no secret by then. Servers without it agree on another.
QUICK_KEYS = "KexAlgorithms=^curve25519-sha256"


def host_key_alias(node: Node) -> str:
    """The name in the known hosts file."""
    return f"tanist-{node.name}"


def ssh_command(
    node: Node, argv: Sequence[str], *, known_hosts: str, connect_timeout: int = 3, secret: bool = True
) -> tuple[str, ...]:
    """ssh joins its arguments and hands them to the remote shell: quoted here, so that it finds `argv` again.

    `secret`: keys or passwords travel. Without, the connection is made with quicker keys."""
    options = (
        "BatchMode=yes",
        f"ConnectTimeout={connect_timeout}",
        "StrictHostKeyChecking=yes",
        f"HostKeyAlias={host_key_alias(node)}",
        f"UserKnownHostsFile={known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
        "UpdateHostKeys=no",
        "ControlMaster=no",
        "ControlPath=none",
        "ServerAliveInterval=2",
        "ServerAliveCountMax=2",
        "LogLevel=ERROR",
        *(() if secret else (QUICK_KEYS,)),
    )
    return ("ssh", *(f"-o{option}" for option in options), "-T", "--", node.ssh, shlex.join(argv))


def run_on_peer(
    host: Host,
    node: Node,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float,
    known_hosts: str,
    connect_timeout: int = 3,
    secret: bool = True,
) -> Ran:
    """Every status is an answer; OSError(ETIMEDOUT) at `timeout` seconds."""
    command = ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout, secret=secret)
    return host.run(command, stdin=stdin, timeout=timeout, ok=None)


def open_peer(
    node: Node, argv: Sequence[str], *, known_hosts: str, connect_timeout: int = 3, secret: bool = False
) -> Conversation:
    """A long conversation with a command on the peer, as a context manager. `secret` as in ssh_command()."""
    from tanist.host.conversation import Conversation

    command = ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout, secret=secret)
    return Conversation(command)
