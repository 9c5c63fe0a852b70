"""One change by a tool of the system, or Failed with what it said."""

from __future__ import annotations

from collections.abc import Sequence

from tanist.host.host import Host
from tanist.model.errors import Failed


def run_tool(host: Host, argv: Sequence[str], timeout: float, title: str = "") -> None:
    """`title`: what the message calls it, else all of its words."""
    ran = host.run(argv, ok=None, timeout=timeout)
    if ran.status != 0:
        raise Failed(f"{title or ' '.join(argv)}: {ran.complaint}")
