"""What the demo prints, and when it says that a promise was kept."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from lab.demo.leftovers import find_new
from lab.demo.looks import squeeze
from lab.demo.pair import read_phase
from lab.demo.promises import OF_THE_PAIR, Finding, Promise, Verdict
from lab.demo.screen import Screen, fold_steps, render_seconds, shorten
from lab.demo.story import read_evidence


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Stream(io.StringIO):
    encoding = "utf-8"


class Terminal(Stream):
    def isatty(self) -> bool:  # type: ignore[explicit-override]  # typing has it from Python 3.12 on
        return True


def test_a_line_appears_at_the_begin_and_its_duration_at_the_end() -> None:
    clock, out = Clock(), Stream()
    screen = Screen(out, clock)
    with screen.doing("ec-a boots"):
        assert out.getvalue() == "   0.0 s  ec-a boots "
        assert screen.doing_now == "ec-a boots"
        clock.now += 2.5
    assert out.getvalue().endswith(".   2.50 s\n")
    assert not screen.doing_now


def test_what_was_being_done_is_still_known_after_an_interruption() -> None:
    screen = Screen(Stream(), Clock())
    with pytest.raises(KeyboardInterrupt), screen.doing("the load runs"):
        raise KeyboardInterrupt
    assert screen.doing_now == "the load runs"


def test_colours_only_on_a_terminal() -> None:
    plain, coloured = Stream(), Terminal()
    for out in (plain, coloured):
        Screen(out, Clock()).check(False, "3 missing")
    assert "\033" not in plain.getvalue()
    assert "\033[1;31mNOT" in coloured.getvalue()


def test_a_stream_without_unicode_gets_none() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    screen = Screen(out, Clock())
    screen.steps([("mount “it”", 1.0)])
    screen.table(("promised", "seen"), [])
    out.flush()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2049, "0.20 s"), (9.96, "10.0 s"), (119.94, "119.9 s"), (125, "2 min 05 s")]
)
def test_seconds_are_told_as_people_read_them(seconds: float, text: str) -> None:
    assert render_seconds(seconds) == text


def test_short_steps_are_one_line_and_no_time_is_lost() -> None:
    steps = [("start", 3.0), ("bind", 0.001), ("probe", 0.2), ("arm", 0.002)]
    assert fold_steps(steps) == [("start", 3.0), ("probe", 0.2), ("2 more steps, each under 20 ms", 0.003)]
    assert shorten("abcdefgh", 6) == "abc..."


def make_verdict(*, kept: bool = False) -> Verdict:
    verdict = Verdict(["postgresql", "opscenter"], kept=kept)
    for promise in Promise:
        for subject in ("",) if promise in OF_THE_PAIR else ("postgresql", "opscenter"):
            verdict.seen.append(Finding(promise, subject, "as it should be", True))
    return verdict


def test_all_promises_seen_kept_is_good() -> None:
    assert make_verdict().good


@pytest.mark.parametrize("promise", list(Promise))
def test_a_promise_never_looked_at_is_not_kept(promise: Promise) -> None:
    verdict = make_verdict()
    verdict.seen.remove(next(one for one in verdict.seen if one.promise is promise))
    assert not verdict.good
    assert any("never came to it" in line for _, lines, good in verdict.rows() if not good for line in lines)


@pytest.mark.parametrize("promise", list(Promise))
def test_one_bad_look_is_not_made_good_by_a_later_one(promise: Promise) -> None:
    verdict = make_verdict()
    bad = Finding(promise, "" if promise in OF_THE_PAIR else "opscenter", "3 missing", False, ["missing 7, 8, 9"])
    verdict.seen.insert(0, bad)
    assert not verdict.good
    assert next(lines for _, lines, good in verdict.rows() if not good)[-2:] == [
        bad.text if promise in OF_THE_PAIR else "opscenter: 3 missing",
        "missing 7, 8, 9",
    ]


def test_nothing_is_promised_of_what_is_kept_up() -> None:
    verdict = make_verdict(kept=True)
    assert Promise.CLEAN not in verdict.promises()
    assert verdict.good


def test_a_return_to_a_former_owner_shows() -> None:
    assert squeeze(["ec-a", "ec-a", "ec-b", "ec-a", "ec-b"]) == ["ec-a", "ec-b", "ec-a", "ec-b"]


def test_the_evidence_is_what_stands_before_the_verdict() -> None:
    lines = ["evidence:", "  claim  ec-a  held", "  peer  ec-a  unknown", "verdict: NOT_PROVED", "  claim ec-a: held"]
    assert read_evidence(lines) == ["claim  ec-a  held", "peer  ec-a  unknown"]


def test_the_build_says_what_it_does(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    assert read_phase(log, 0) == "preparing"
    log.write_text("+ chroot /x apt-get -q update\n")
    old = log.stat().st_size
    log.write_text(log.read_text() + "+ debootstrap --variant=minbase bookworm /x\nI: Retrieving\n")
    assert "debootstrap" in read_phase(log, old)


def test_what_another_lab_does_meanwhile_is_not_ours() -> None:
    nothing = dict.fromkeys(("mounts", "network namespaces", "loop devices", "processes"), frozenset[str]())
    after = {
        **nothing,
        "network namespaces": frozenset({"tl-main-ec-a", "tl-demo-ec-a", "other"}),
        "loop devices": frozenset({"loop7 /var/lib/tanist-lab/t12/disks/asset0.img"}),
    }
    assert find_new(nothing, after, "demo") == ["network namespaces: other", "network namespaces: tl-demo-ec-a"]
