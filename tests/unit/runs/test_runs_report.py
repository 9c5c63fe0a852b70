"""A run's report: from the journal, cut off or ended, from the history; as text and as a page that stands by itself."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tanist.cli.report import write_page
from tanist.host.fake import Crash
from tanist.journal.journal import Journal
from tanist.model.drill import DrillResult, DrillStep
from tanist.model.errors import Refused
from tanist.model.evidence import Evidence, Says
from tanist.model.readiness import Assessment
from tanist.model.report import Look, Moment, RunReport, Span, Wait
from tanist.model.run import RunEnded, RunStarted
from tanist.parity.finding import good, wrong
from tanist.plan import places
from tanist.report.chart import draw_chart
from tanist.report.page import render_page
from tanist.report.style import STAGE_CLASSES
from tanist.report.text import render_text
from tanist.runs.carry_on import resume, undo
from tanist.runs.drills import IN_CELL, save_result
from tanist.runs.exchange import exchange_with_peers
from tanist.runs.history import save_history
from tanist.runs.readiness import STATES, load_readiness, save_readiness
from tanist.runs.release import release
from tanist.runs.report import build_report
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.world import World

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


class Page(HTMLParser):
    """What a page has: tags, attributes that lead somewhere, and its visible text. Each tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags, self.leads, self.text, self._open = set[str](), list[str](), "", list[str]()
        self.feed(text)
        self.close()
        assert self._open == []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.leads += [name for name, _ in attrs if name in ("src", "href", "xlink:href", "style") or name[:2] == "on"]
        if tag not in ("meta", "br"):
            self._open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


def cut(world: World, after: int) -> None:
    world.b.crash_after(after)
    with pytest.raises(Crash):
        takeover(world.session("ec-b"), ATTEST)
    world.b.revive()


def test_a_takeover_tells_evidence_stages_and_every_step(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    report = build_report(orphan.session("ec-b"))
    assert (report.kind, report.outcome, report.node, report.next_step) == ("takeover", "done", "ec-b", "")
    (look,) = report.looks
    assert look.verdict == "PROVED" and {one.source for one in look.evidence} >= {"claim", "attestation"}
    assert {"storage", "claim", "files and accounts", "identity", "services"} <= dict(report.stages).keys()
    assert len([one for one in report.moments if one.mark == "done"]) == len(report.spans) - count_looks(report)
    text = render_text(report)
    assert "attested  I saw its lamps go out" in text and "verdict: PROVED" in text and "stages:" in text


def count_looks(report: RunReport) -> int:
    """Spans that are no step: before the first record, and after the last step."""
    return sum(span.stage in ("evidence", "verification") for span in report.spans)


def test_the_last_run_is_meant_unless_one_is_named(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    first = build_report(orphan.session("ec-b")).run
    release(orphan.session("ec-b"))
    session = orphan.session("ec-b")
    assert build_report(session).kind == "release"
    again = build_report(session, first)
    assert (again.kind, again.earlier[0].kind) == ("takeover", "release")


def test_a_run_that_was_cut_off_says_where_and_what_to_type(orphan: World) -> None:
    cut(orphan, 25)
    report = build_report(orphan.session("ec-b"))
    assert report.outcome == "cut off" and "tanist resume oc" in report.next_step
    assert [span.mark for span in report.spans].count("begun") <= 1
    assert "cut off" in Page(render_page(report)).text and "next      tanist resume oc" in render_text(report)
    lock = orphan.b.lock(f"{places.runtime('oc')}/lock", "{}")
    assert build_report(orphan.session("ec-b")).outcome == "at work"
    assert not isinstance(lock, str)
    lock.close()


def test_the_time_until_a_person_took_it_up_is_no_time_of_a_step(orphan: World) -> None:
    cut(orphan, 25)
    orphan.clock.advance(5000)
    resume(orphan.session("ec-b"))
    report = build_report(orphan.session("ec-b"))
    (wait,) = report.waits
    assert report.outcome == "done" and 5000 <= wait.seconds < 5100 and report.boots == 1
    assert sum(seconds for _, seconds in report.stages) < 1000
    assert "it lay still for 83 min" in render_page(report)


def test_an_undone_run_tells_what_was_taken_back(orphan: World) -> None:
    cut(orphan, 25)
    undo(orphan.session("ec-b"))
    report = build_report(orphan.session("ec-b"))
    assert report.outcome == "undone" and any(one.mark == "undone" for one in report.moments)


def test_another_nodes_run_is_told_from_the_history(world: World) -> None:
    release(world.session("ec-a"), "to move it")
    takeover(world.session("ec-b"), TakeoverOptions(reason="moved"))
    assert exchange_with_peers(world.session("ec-b"))
    session = world.session("ec-b")
    released = next(one.run for one in build_report(session).earlier if one.kind == "release")
    report = build_report(session, released)
    assert (report.node, report.reason, report.outcome) == ("ec-a", "to move it", "done")
    assert "the whole journal is on ec-a" in report.source and report.spans
    assert "to move it" in Page(render_page(report)).text
    assert all(span.says in render_text(report) for span in report.spans)


def test_a_drill_is_told_from_its_own_journal_with_the_copy_that_came_before(world: World) -> None:
    session, run = world.session("ec-b"), "20231114T221300000-drill-ec-b"
    steps = (
        DrillStep(says="the newest mirrored capture is whole, and this node fits it", seconds=0.5),
        DrillStep(says="copy the tree from ec-a", seconds=4.0),
        DrillStep(says="the rehearsal in its cell", seconds=9.0, ok=False),
        DrillStep(says=f"{IN_CELL}start oc.service", seconds=1.0, ok=False),
    )
    started = RunStarted(
        run=run, kind="drill", controller="oc", node="ec-b", who="root", reason="", attested="", evidence=(),
        verdict=None, epoch=1, tool="tanist", capture="c1",
    )  # fmt: skip
    world.b.files.make_directory(places.drills("oc"))
    journal = Journal(world.b, f"{places.drills('oc')}/{run}.jsonl")
    journal.append(started)
    result = DrillResult(
        run=run, kind="isolated", node="ec-b", who="root", reason="", began=journal.records[0].at - 5.5, seconds=14.0,
        result="failed", says="oc.service did not start", words="", capture="c1", data="a copy", steps=steps,
        checked=(), forecast=(),
    )  # fmt: skip
    save_result(session, result)
    journal.append(RunEnded(outcome="failed", summary="drill failed: oc.service did not start", seconds=14.0))
    save_history(session, journal)
    report = build_report(session)
    assert (report.run, report.outcome, report.began) == (run, "failed", result.began)
    told = [(one.says, one.stage, one.seconds) for one in report.spans]
    assert told[1] == ("copy the tree from ec-a", "copy of the tree", 4.0) and len(told) == 3
    assert told[2][2] == pytest.approx(1.0), "until the cell's own journal begins"
    assert "copy the tree from ec-a" in Page(render_page(report)).text and "drills/" in report.source


def test_a_run_that_nobody_knows_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="no run 20200101"):
        build_report(world.session("ec-a"), "20200101T000000000-takeover-ec-b")
    with pytest.raises(Refused, match="no run yet"):
        build_report(world.session("ec-b"))


NASTY = "<script>alert(1)</script>&\"'<img src=x onerror=y>\x1b[31m"


def nasty_report() -> RunReport:
    evidence = Evidence(source="peer", about=NASTY, says=Says.UNKNOWN, detail=NASTY)
    return RunReport(
        run=NASTY,
        kind=NASTY,
        controller=NASTY,
        node=NASTY,
        outcome="cut off",
        summary=NASTY,
        next_step=NASTY,
        who=NASTY,
        reason=NASTY,
        attested=NASTY,
        accepted=(NASTY,),
        epoch=3,
        tool=NASTY,
        began=1.7e9,
        ended=1.7e9 + 9,
        seconds=9.0,
        source=NASTY,
        captures=(NASTY,),
        looks=(Look(title=NASTY, evidence=(evidence,), verdict=NASTY, reasons=(NASTY,), would_suffice=(NASTY,)),),
        spans=(
            Span(says=NASTY, stage="storage", at=0.0, seconds=1.0, mark="done"),
            Span(says=NASTY, stage=NASTY, at=1.0, seconds=0.0, mark="failed"),
            Span(says="after", stage="claim", at=7.0, seconds=2.0, mark="begun"),
        ),
        waits=(Wait(at=1.0, seconds=6.0),),
        moments=(Moment(at=1.7e9, after=0.0, mark="failed", says=NASTY),),
        stages=((NASTY, 1.0),),
    )


def test_nothing_that_a_machine_or_a_person_said_becomes_markup() -> None:
    text = render_page(nasty_report())
    page = Page(text)
    assert page.leads == [] and not page.tags & {"script", "img", "link", "iframe", "object"}
    assert "http" not in re.sub(r"http-equiv", "", text) and "url(" not in text.replace("url(#stripes)", "")
    assert page.text.count("<script>alert(1)</script>") > 10 and "default-src &#x27;none&#x27;" in text
    assert "\x1b" not in text and "\x1b" not in render_text(nasty_report())


def test_the_page_serves_paper_and_the_dark() -> None:
    text = render_page(nasty_report())
    assert "@media print" in text and "prefers-color-scheme: dark" in text


def test_a_chart_cuts_out_where_the_run_lay_still() -> None:
    svg = draw_chart(nasty_report(), STAGE_CLASSES)
    lefts = [float(x) for x in re.findall(r'class="bar[^"]*" x="([\d.]+)"', svg)]
    assert lefts == sorted(lefts) and 'class="cut"' in svg
    ends = [float(x) + float(w) for x, w in re.findall(r'class="bar[^"]*" x="([\d.]+)"[^>]* width="([\d.]+)"', svg)]
    assert max(ends) <= 911 and lefts[2] - ends[0] < 20, "six seconds of nothing take no room"


def test_secrets_are_in_no_report(orphan: World) -> None:
    (secret := orphan.top / "ec-b" / "etc/tanist/pdu.secret").write_text("hunter2-very-secret\n")
    secret.chmod(0o600)
    takeover(orphan.session("ec-b"), ATTEST)
    report = build_report(orphan.session("ec-b"))
    keys = [path.read_text() for path in (orphan.top / "ec-b" / "etc/tanist/identity/oc").glob("*_key")]
    assert keys
    for text in (render_page(report), render_text(report)):
        assert "hunter2" not in text and not any(line in text for key in keys for line in key.splitlines() if line)


def test_a_page_is_its_owners_alone_and_never_half_written(tmp_path: Path) -> None:
    write_page(str(tmp_path / "a.html"), "one")
    write_page(str(tmp_path / "a.html"), "two")
    assert (tmp_path / "a.html").read_text() == "two" and (tmp_path / "a.html").stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["a.html"]
    with pytest.raises(Refused, match="could not be written"):
        write_page(str(tmp_path / "none" / "a.html"), "one")


# -- the findings that stood when it began
def assessment(*bad: str) -> Assessment:
    found = (*(wrong("mirror", "old", subject=one) for one in bad), good("capture", "fine"))
    return Assessment(controller="oc", taker="ec-b", owner="ec-a", owner_seen="now", found=found)


def test_the_findings_are_those_of_when_the_run_began(orphan: World) -> None:
    session = orphan.session("ec-b")
    save_readiness(session, [assessment("one")])
    orphan.clock.advance(600)
    save_readiness(session, [assessment("one")])
    assert len(load_readiness(session)) == 1, "the same findings are one state"
    orphan.clock.advance(60)
    takeover(session, ATTEST)
    orphan.clock.advance(600)
    save_readiness(session, [assessment()])
    (checked,) = build_report(session).checked
    assert checked.verdict == "READY WITH LOSS" and "before the run began" in checked.when
    assert [one.name for one in checked.findings] == ["mirror one"] and checked.good == 1


def test_only_so_many_states_are_kept_and_a_damaged_file_is_none(world: World) -> None:
    session = world.session("ec-b")
    for number in range(STATES + 5):
        save_readiness(session, [assessment(str(number))])
    kept = load_readiness(session)
    assert len(kept) == STATES and kept[-1].found[0]["findings"][0]["name"] == f"mirror {STATES + 4}"
    path = world.top / "ec-b" / places.readiness("oc")[1:]
    path.write_text(json.dumps({"format": 99}))
    assert load_readiness(session) == ()
    path.write_text("{")
    assert load_readiness(session) == ()
