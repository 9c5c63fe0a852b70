"""Points in time and spans as findings tell them."""

from __future__ import annotations

from datetime import UTC, datetime

DAY = 86400.0


def render_time(seconds: float) -> str:
    """To the minute, in UTC. `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def render_span(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"
