"""What this node makes of host names: as its programs are told (getent(1), nsswitch.conf(5)), and what /etc/hosts
and DNS say of them, each by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.resolver import read_dns, read_resolver
from tanist.facts.tool import finish_text
from tanist.model.readout import Name, Reverse
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

NOT_FOUND = 2
PATIENCE = 5.0  # seconds
HOSTS = "/etc/hosts"
Hosts = tuple[tuple[str, tuple[str, ...]], ...]


def read_names(
    host: Host, names: Sequence[str], addresses: Sequence[str]
) -> tuple[tuple[Name, ...] | Unread, tuple[Reverse, ...] | Unread]:
    """Of each name its addresses, and of each address its names. Silent name servers cost five seconds at most."""
    try:
        hosts, resolver = read_hosts(host), read_resolver(host)
    except OSError as error:
        unread = Unread(f"{error.filename or HOSTS}: {error.strerror or error}")
        return unread, unread
    begun = [(name, host.begin(("getent", "ahosts", name), ok=None, timeout=PATIENCE)) for name in names]
    dns = read_dns(host, resolver, names, addresses) if resolver.servers else {}
    told = [(name, finish_text("getent", wait, ok=(0, NOT_FOUND))) for name, wait in begun]
    reverse = tuple(
        Reverse(
            address=address,
            hosts=tuple(name for one, called in hosts if one == address for name in called),
            dns=dns.get(address),
        )
        for address in addresses
    )
    gap = next((said for _, said in told if isinstance(said, Unread)), None)
    found = (
        Name(
            name=name,
            addresses=parse_ahosts(str(said)),
            hosts=tuple(sorted({address for address, called in hosts if name.lower() in called})),
            dns=dns.get(name),
        )
        for name, said in told
    )
    return gap if gap is not None else tuple(found), reverse


def parse_ahosts(text: str) -> tuple[str, ...]:
    return tuple(sorted({line.split()[0] for line in text.splitlines() if line.strip()}))


def read_hosts(host: Host) -> Hosts:
    try:
        return parse_hosts(host.files.read(HOSTS).decode(errors="replace"))
    except FileNotFoundError:
        return ()


def parse_hosts(text: str) -> Hosts:
    """hosts(5): each line's address and names, in lower case."""
    lines = (line.partition("#")[0].lower().split() for line in text.splitlines())
    return tuple((words[0], tuple(words[1:])) for words in lines if words)
