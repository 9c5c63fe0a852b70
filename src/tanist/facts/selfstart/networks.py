"""Network profiles -> the addresses that they bring up at boot. Pure: the text of one file, of each of five kinds.

systemd.network(5), nm-settings-keyfile(5), ifcfg (Red Hat's, and wicked's of SUSE), interfaces(5), netplan(5).
Addresses come without their prefix length, IPv6 in its short form.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

AUTOMATIC = ("auto", "allow-auto", "allow-hotplug")
INNER = re.compile(r"[\s,;'\"\[\]{}()=]+")


def parse_address(text: str) -> str:
    """The plain address, "" for what is none."""
    try:
        return str(ipaddress.ip_address(text.strip().split("/")[0].split("%")[0]))
    except ValueError:
        return ""


def _plain(found: Iterable[str]) -> frozenset[str]:
    return frozenset(address for one in found if (address := parse_address(one)))


def parse_ini(text: str) -> Iterator[tuple[str, str, str]]:
    """(section, key, value)"""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        elif "=" in line and not line.startswith(("#", ";")):
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


def parse_networkd(text: str) -> frozenset[str]:
    return _plain(value for section, key, value in parse_ini(text) if key == "Address" and section in NETWORKD)


NETWORKD = ("Network", "Address")


def parse_keyfile(text: str) -> frozenset[str]:
    """A connection with autoconnect=false is a person's to bring up."""
    lines = tuple(parse_ini(text))
    if ("connection", "autoconnect", "false") in lines:
        return frozenset()
    values = (value for section, key, value in lines if section in ("ipv4", "ipv6") and key.startswith("address"))
    return _plain(part.split(",")[0] for value in values for part in value.split(";"))


def parse_ifcfg(text: str) -> frozenset[str]:
    """KEY=VALUE as a shell reads it."""
    fields = {}
    for line in map(str.strip, text.splitlines()):
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            fields[key.strip()] = value.split(" #")[0].strip().strip("'\"")
    if fields.get("ONBOOT", "yes").lower() == "no" or fields.get("STARTMODE", "auto") in ("manual", "off"):
        return frozenset()
    keys = [key for key in fields if re.fullmatch(r"IPADDR_?\w*|IPV6ADDR(_SECONDARIES)?", key)]
    return _plain(part for key in keys for part in fields[key].split())


def parse_interfaces(text: str) -> frozenset[str]:
    """Of the interfaces that come up by themselves: `address`, and addresses that a command of the stanza names."""
    automatic: set[str] = set()
    stanzas: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0] in AUTOMATIC:
            automatic.update(words[1:])
        elif words[0] == "iface" and len(words) > 1:
            current = stanzas.setdefault(words[1], [])
        elif words[0] in ("mapping", "source", "source-directory", "template"):
            current = []
        elif words[0] in ("address", "up", "pre-up", "post-up"):
            current += words[1:]
    brought = [name for name in stanzas if name in automatic or name.split(":")[0] in automatic]
    return _plain(word for name in brought for word in stanzas[name])


def parse_netplan(text: str) -> frozenset[str]:
    """Lists under `addresses`, as lines or in brackets, but not those of name servers."""
    found: list[str] = []
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        body = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not body.strip():
            continue
        indent = len(body) - len(body.lstrip(" "))
        item = body.strip().startswith("- ")
        while above and (above[-1][0] > indent or (above[-1][0] == indent and not item)):
            above.pop()
        if item:
            found += _words(body) if _is_wanted(above) else []
            continue
        key, _, value = body.strip().partition(":")
        above.append((indent, key.strip("'\"")))
        if value.strip():
            found += _words(value) if _is_wanted(above) else []
    return _plain(found)


def _is_wanted(above: list[tuple[int, str]]) -> bool:
    keys = [key for _, key in above]
    return keys[-1:] == ["addresses"] and "nameservers" not in keys


def _words(text: str) -> list[str]:
    return [word.rstrip(":") for word in INNER.split(text) if word]
