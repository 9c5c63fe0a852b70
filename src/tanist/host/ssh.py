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


def host_key_alias(node: Node) -> str:
    """The name in the known hosts file."""
    return f"tanist-{node.name}"


def ssh_command(node: Node, argv: Sequence[str], *, known_hosts: str, connect_timeout: int = 3) -> tuple[str, ...]:
    """ssh joins its arguments and hands them to the remote shell: quoted here, so that it finds `argv` again."""
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
) -> Ran:
    """Every status is an answer; OSError(ETIMEDOUT) at `timeout` seconds."""
    command = ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout)
    return host.run(command, stdin=stdin, timeout=timeout, ok=None)


def open_peer(node: Node, argv: Sequence[str], *, known_hosts: str, connect_timeout: int = 3) -> Conversation:
    """A long conversation with a command on the peer, as a context manager."""
    from tanist.host.conversation import Conversation

    return Conversation(ssh_command(node, argv, known_hosts=known_hosts, connect_timeout=connect_timeout))
