"""Maintenance windows: "Sat 22:00-04:00", "Mon-Fri 01:00-03:00", "daily 02:00-04:00", in the node's own time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(r"(daily|[A-Z][a-z]{2}(?:-[A-Z][a-z]{2})?) (\d\d):(\d\d)-(\d\d):(\d\d)")


def parse_window(text: str) -> tuple[frozenset[int], int, int]:
    """(days, first minute, minute after the last): an end that is not later than its begin is on the day after.
    ValueError says what is wrong."""
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError('is not like "Sat 22:00-04:00", "Mon-Fri 01:00-03:00" or "daily 02:00-04:00"')
    hours = [int(one) for one in form.groups()[1:]]
    if max(hours[0], hours[2]) > 23 or max(hours[1], hours[3]) > 59:
        raise ValueError("has a time that no clock shows")
    begin, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    return _days(form[1]), begin, end if end > begin else end + 24 * 60


def _days(text: str) -> frozenset[int]:
    if text == "daily":
        return frozenset(range(7))
    names = text.split("-")
    for name in names:
        if name not in DAYS:
            raise ValueError(f"has no day {name}; there are {', '.join(DAYS)}")
    first, last = DAYS.index(names[0]), DAYS.index(names[-1])
    return frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))


def is_open(windows: Iterable[str], weekday: int, minute: int) -> bool:
    """`weekday`: 0 is Monday; `minute`: of that day."""
    for window in windows:
        days, begin, end = parse_window(window)
        if weekday in days and begin <= minute < end:
            return True
        if (weekday - 1) % 7 in days and begin <= minute + 24 * 60 < end:
            return True
    return False
