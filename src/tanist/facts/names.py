"""What this node makes of host names: /etc/hosts, DNS and whatever else it asks (getent(1), nsswitch.conf(5))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Name
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

NOT_FOUND = 2


def read_names(host: Host, names: Sequence[str]) -> tuple[Name, ...] | Unread:
    found = []
    for name in names:
        said = read_text(host, ("getent", "ahosts", name), ok=(0, NOT_FOUND), timeout=5)
        if isinstance(said, Unread):
            return said
        found.append(Name(name=name, addresses=parse_ahosts(said)))
    return tuple(found)


def parse_ahosts(text: str) -> tuple[str, ...]:
    return tuple(sorted({line.split()[0] for line in text.splitlines() if line.strip()}))
