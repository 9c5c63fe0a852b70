"""Whether this node's clock follows a time source (timedatectl(1))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


def read_in_step(host: Host) -> bool | Unread:
    """The kernel's own flag (adjtimex(2), STA_UNSYNC), whichever program sets it."""
    said = read_text(host, ("timedatectl", "show", "-p", "NTPSynchronized", "--value"))
    if isinstance(said, Unread):
        return said
    word = said.strip()
    return word == "yes" if word in ("yes", "no") else Unread(f"timedatectl said {word!r}")
