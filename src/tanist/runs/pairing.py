"""Making the nodes known to each other, and a controller known to the boot."""

from __future__ import annotations

from tanist.facts.selfstart.find import find_starters
from tanist.host.ssh import host_key_alias
from tanist.model.definition import Node
from tanist.model.errors import Refused
from tanist.model.unread import Unread
from tanist.runs.peers import ask_peer, read_controller_keys
from tanist.runs.session import Session

KNOWN_HOSTS = "/etc/tanist/known_hosts"


def scan_peer(session: Session, node: Node) -> tuple[str, ...]:
    """The host keys that a node shows now, as "TYPE KEY" (ssh-keyscan(1)). Refused when it does not answer."""
    target = node.ssh.rpartition("@")[2]
    ran = session.host.run(["ssh-keyscan", "-T", "5", target], timeout=20, ok=None)
    lines = [line.split(" ", 1)[1] for line in ran.text.splitlines() if line and not line.startswith("#")]
    if not lines:
        raise Refused(f"no ssh server answers at {target} ({node.name}): {ran.complaint}")
    return tuple(sorted(lines))


def fingerprints(session: Session, keys: tuple[str, ...]) -> tuple[str, ...]:
    text = "".join(f"{key}\n" for key in keys).encode()
    return tuple(session.host.run(["ssh-keygen", "-l", "-f", "-"], stdin=text).text.splitlines())


def trust_peer(session: Session, node: Node, keys: tuple[str, ...]) -> None:
    """Remember a node's own host keys; what was remembered of it before is replaced. While a node is a controller in
    mode "host" it shows the controller's keys: those are not its own, and what was remembered of it stays."""
    files = session.host.files
    alias = host_key_alias(node)
    text = files.read(KNOWN_HOSTS).decode() if files.exists(KNOWN_HOSTS) else ""
    lines = [line for line in text.splitlines() if line.split(" ", 1)[0] != alias]
    moving = {key.decode() for key in read_controller_keys(session)}
    own = [key for key in keys if " ".join(key.split()[:2]) not in moving]
    if not own and len(lines) == len(text.splitlines()):
        raise Refused(
            f"{node.name} shows the ssh keys of the controller that it runs, and its own were never seen",
            next_step=f"pair while {node.name} is a standby: tanist release there, tanist pair {session.name} here",
        )
    if not own:
        return
    lines += [f"{alias} {key}" for key in own]
    files.write(KNOWN_HOSTS, "".join(f"{line}\n" for line in lines).encode(), 0o600)


def try_peer(session: Session, node: Node) -> str:
    """ "" when the peer answers as it should; else what is in the way."""
    word = ask_peer(session, node.name)
    if isinstance(word, Unread):
        return word.why
    return "" if word.node == node.name else f"it calls itself {word.node!r}: what does /etc/tanist/node say there?"


def boot_units(controller: str) -> tuple[str, ...]:
    return (
        f"tanist@{controller}.service",
        f"habackup@{controller}.timer",
        f"tanist-gate@{controller}.service",
        f"tanist-watch@{controller}.service",
    )


def find_not_enabled(session: Session) -> tuple[str, ...]:
    """Units that a boot of this node needs and lacks: without the gate an ex-owner would not be inert."""
    units = boot_units(session.name)
    ran = session.host.run(["systemctl", "is-enabled", "--", *units], ok=None, timeout=30)
    states = ran.text.split()
    return tuple(unit for unit, state in zip(units, states, strict=False) if state != "enabled") or (
        () if len(states) == len(units) else units
    )


def enable(session: Session) -> None:
    """The boot brings the controller up again if this node holds the claim; captures run every hour and are verified
    every day."""
    if session.controller.exports:
        session.host.files.make_directory("/etc/exports.d")  # now, so that a release leaves the node as it was
    units = (*boot_units(session.name), f"tanist-verify@{session.name}.timer")
    if session.controller.drill.every:
        units = (*units, f"tanist-drill@{session.name}.timer")
    session.host.run(["systemctl", "daemon-reload"], timeout=60)
    session.host.run(["systemctl", "enable", "-q", "--", *units], timeout=60)
    now = [unit for unit in units if unit.endswith(".timer") or unit.startswith("tanist-watch@")]
    session.host.run(["systemctl", "start", "--", *now], timeout=60)


def find_self_starting(session: Session) -> tuple[str, ...]:
    """What of the operating system's own would start the controller behind the gate's back, with the mend."""
    return tuple(one.says for one in find_starters(session.host, session.controller))
