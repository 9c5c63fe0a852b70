"""Room in memory: what this node could give, and what the services use where they run (proc(5), systemctl(1))."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Memory
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host


def read_memory(host: Host, units: Sequence[str]) -> Memory | Unread:
    try:
        text = host.files.read("/proc/meminfo", 65536).decode("ascii", "replace")
    except OSError as error:
        return Unread(f"/proc/meminfo: {error.strerror or error}")
    lines = [line.split() for line in text.splitlines() if line.startswith("MemAvailable:")]
    if not lines or len(lines[0]) < 2 or not lines[0][1].isdigit():
        return Unread("/proc/meminfo tells no MemAvailable")
    said = read_text(host, ("systemctl", "show", "-p", "MemoryCurrent", "--value", "--", *units)) if units else ""
    used = 0 if isinstance(said, Unread) else sum(int(word) for word in said.split() if is_amount(word))
    return Memory(available=int(lines[0][1]) << 10, used=used)


def is_amount(word: str) -> bool:
    """systemd says [not set], or the largest number, where it does not count."""
    return word.isdigit() and int(word) < 1 << 60
