"""One change by a tool of the system, or what it said."""

from __future__ import annotations

from collections.abc import Sequence

from tanist.host.host import Host
from tanist.model.errors import Failed


def run_tool(host: Host, argv: Sequence[str], timeout: float, title: str = "") -> None:
    """`title`: what the message calls it, else all of its words."""
    if why := try_tool(host, argv, timeout):
        raise Failed(f"{title or ' '.join(argv)}: {why}")


def try_tool(host: Host, argv: Sequence[str], timeout: float) -> str:
    """Why it did not do its part; "" where it did."""
    ran = host.run(argv, ok=None, timeout=timeout)
    return "" if ran.status == 0 else ran.complaint
