"""Points in time and spans as they are told to people. The datetime module comes in where a point in time is told: a
status tells none, and must start quickly."""

from __future__ import annotations

DAY = 86400.0
AHEAD = 300.0  # seconds: clocks of two nodes may differ by less


def render_time(seconds: float) -> str:
    """To the minute, in UTC. `seconds` since the epoch."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def render_second(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def render_moment(seconds: float) -> str:
    """To the millisecond, in UTC (ISO 8601). `seconds` since the epoch."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def is_to_come(at: float, now: float) -> bool:
    """Of what has happened already: a clock was wrong then, or is now, and how long ago it was cannot be told."""
    return at > now + AHEAD


def render_span(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 0):.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * DAY else f"{seconds / DAY:.0f} days"
