from __future__ import annotations

import pytest

from tanist.definition.window import is_open, parse_window

MON, FRI, SAT, SUN = 0, 4, 5, 6


@pytest.mark.parametrize(
    ("window", "weekday", "clock", "is_it"),
    [
        ("Sat 22:00-04:00", SAT, "21:59", False),
        ("Sat 22:00-04:00", SAT, "22:00", True),
        ("Sat 22:00-04:00", SUN, "03:59", True),
        ("Sat 22:00-04:00", SUN, "04:00", False),
        ("Sat 22:00-04:00", SAT, "03:00", False),
        ("Sun 23:00-01:00", MON, "00:30", True),
        ("Mon-Fri 01:00-03:00", FRI, "02:00", True),
        ("Mon-Fri 01:00-03:00", SAT, "02:00", False),
        ("Sat-Mon 01:00-03:00", SUN, "02:00", True),
        ("Sat-Mon 01:00-03:00", FRI, "02:00", False),
        ("daily 00:00-00:00", FRI, "12:00", True),
    ],
)
def test_a_window_is_open_from_its_begin_until_before_its_end(
    window: str, weekday: int, clock: str, is_it: bool
) -> None:
    hours, minutes = clock.split(":")
    assert is_open([window], weekday, int(hours) * 60 + int(minutes)) is is_it


def test_without_a_window_it_is_never_open() -> None:
    assert not is_open([], SAT, 0)


@pytest.mark.parametrize("text", ["", "Sat", "Sat 22:00", "Sat 24:00-25:00", "Sat 10:60-11:00", "sat 10:00-11:00"])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not like|no clock shows"):
        parse_window(text)
