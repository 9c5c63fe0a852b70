"""A machine as it is compared with the other nodes (A09-A13): Host -> NodeFacts.

Changes nothing, never raises OSError: what could not be read says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.beside import read_beside
from tanist.facts.version import read_version
from tanist.model.dataclasses import replace
from tanist.model.facts import NodeFacts
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller
    from tanist.model.host import Interface

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


def read_node_facts(host: Host, controller: Controller, node: str) -> NodeFacts:
    architecture, kernel = _read_uname(host, "-m"), _read_uname(host, "-r")
    release = read_os_release(host)
    known = {} if isinstance(release, Unread) else release
    version = read_version(host, controller.version)
    interfaces = _read_interfaces(host, controller)
    return NodeFacts(
        node=node,
        architecture=_known(architecture),
        os_id="" if isinstance(release, Unread) else known.get("ID") or "linux",  # os-release(5): its default
        os_version=known.get("VERSION_ID", ""),
        kernel=_known(kernel),
        version=_known(version),
        interfaces=() if isinstance(interfaces, Unread) else interfaces,
        architecture_unread=_why(architecture),
        os_unread=_why(release),
        kernel_unread=_why(kernel),
        version_unread=_why(version),
        interfaces_unread=_why(interfaces),
        beside=read_beside(host, controller),
    )


def read_os_release(host: Host) -> dict[str, str] | Unread:
    for path in _OS_RELEASE:
        try:
            return parse_os_release(host.files.read(path).decode("utf-8", "replace"))
        except FileNotFoundError:
            continue
        except OSError as error:
            return Unread(f"{path}: {error.strerror or error}")
    return Unread(f"neither {' nor '.join(_OS_RELEASE)} is there")


def parse_os_release(text: str) -> dict[str, str]:
    """os-release(5): lines of NAME=value as a shell would assign them; other lines do not count, the last wins."""
    values = {}
    for line in text.split("\n"):
        name, equals, value = line.strip().partition("=")
        if equals and name.replace("_", "a").isalnum() and name.isascii() and not name[0].isdigit():
            values[name] = _unquote(value)
    return values


def _unquote(value: str) -> str:
    """The value up to its end by shell rules: quotes taken away, escapes resolved, a comment behind it dropped."""
    found, quote, i = "", "", 0
    while i < len(value):
        letter = value[i]
        following = value[i + 1 : i + 2]
        if letter == "\\" and quote != "'" and following and (not quote or following in '"\\$`'):
            found += following
            i += 1
        elif quote and letter == quote:
            quote = ""
        elif not quote and letter in "\"'":
            quote = letter
        elif not quote and letter in " \t;":
            break
        else:
            found += letter
        i += 1
    return found


def _read_uname(host: Host, option: str) -> str | Unread:
    try:
        said = host.run(["uname", option]).text.strip()
    except OSError as error:
        return Unread(f"uname {option}: {error.strerror or error}")
    return said or Unread(f"uname {option} said nothing")


def _read_interfaces(host: Host, controller: Controller) -> tuple[Interface, ...] | Unread:
    """Without the controller's own addresses, which come and go: a capture at a release would differ by them alone."""
    service = {item.address for item in controller.identity.addresses}
    try:
        found = host.interfaces()
    except OSError as error:
        return Unread(f"network interfaces: {error.strerror or error}")
    return tuple(
        replace(one, addresses=tuple(item for item in one.addresses if item.address not in service)) for one in found
    )


def _known(value: str | Unread) -> str:
    return "" if isinstance(value, Unread) else value


def _why(value: object) -> str:
    return value.why if isinstance(value, Unread) else ""
