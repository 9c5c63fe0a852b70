"""A host's time as tanist writes it down."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.host import Host


def timestamp(host: Host) -> str:
    """Wall clock in UTC, ISO 8601 to the millisecond."""
    return datetime.fromtimestamp(host.now(), UTC).isoformat(timespec="milliseconds")
