"""Findings accepted by a person: one by one, for a while, and kept."""

from __future__ import annotations

import pytest

from tanist.capture.generations import list_generations
from tanist.cli.history import show
from tanist.facts.node import read_node_facts
from tanist.host.fake import Crash
from tanist.journal.journal import done_directory
from tanist.model.accepted import LONGEST
from tanist.model.codec import decode
from tanist.model.errors import Busy, Failed, Refused
from tanist.model.facts import NodeFacts
from tanist.model.readiness import Assessment
from tanist.parity.finding import wrong
from tanist.parity.nodes import compare
from tanist.plan import places
from tanist.report.text import render_text
from tanist.runs.accept import accept, find_kind, load_accepted, parse_span
from tanist.runs.backup import backup
from tanist.runs.carry_on import resume
from tanist.runs.choose import check_fitness, choose_capture
from tanist.runs.exchange import exchange_with_peers, verify_history
from tanist.runs.history import load_history, writing
from tanist.runs.readiness import save_readiness
from tanist.runs.report import build_report
from tanist.runs.restore import harestore
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.world import World


def test_what_was_accepted_is_kept_with_who_and_why(world: World) -> None:
    session = world.session("ec-b", who="jo")
    assert load_accepted(session) == ()
    one = accept(session, "operating system", reason=" update on sunday ", span="2d")
    two = accept(session, "wire svc0 of ec-b", reason="cable is on its way", span="12h")
    assert load_accepted(session) == (one, two)
    assert (one.who, one.reason, one.until) == ("jo on ec-b", "update on sunday", session.host.now() + 172800)
    assert world.b.files.stat(places.accepted("oc")).st_mode & 0o777 == 0o600  # type: ignore[union-attr]


def test_it_is_an_entry_of_the_history_that_the_other_node_gets_and_no_run(world: World) -> None:
    session = world.session("ec-b", who="jo")
    kernel = wrong("kernel", "6.1 on ec-a, 6.0 on ec-b")
    found = Assessment(controller="oc", taker="ec-b", owner="ec-a", owner_seen="now", found=(kernel,))
    save_readiness(session, [found])
    accept(session, "kernel", reason="reboot on sunday", span="2d")
    accept(session, "kernel", reason="and on monday", span="2d")
    assert [one for one in verify_history(session)[1] if one.grave] == []
    assert exchange_with_peers(session)
    first, second = [one for one in load_history(world.session("ec-a")) if one["kind"] == "accept"]
    assert (first["who"], first["node"], first["reason"]) == ("jo", "ec-b", "reboot on sunday")
    assert (first["outcome"], second["reason"]) == ("accepted", "and on monday")
    assert first["summary"].startswith("kernel, until ") and first["summary"].endswith("6.1 on ec-a, 6.0 on ec-b")
    assert build_report(world.session("ec-a")).kind == "init", "the newest run"
    assert build_report(world.session("ec-a"), first["run"]).summary == first["summary"]


def test_one_that_nobody_accepted_is_told_by_verify(world: World) -> None:
    session = world.session("ec-b", who="jo")
    accept(session, "kernel", reason="x", span="2d")
    world.b.files.write(places.accepted("oc"), b"")
    (found,) = [one.says for one in verify_history(session)[1] if one.grave]
    assert found.startswith("added: ") and "-accept-ec-b" in found


def test_where_the_history_can_not_be_written_nothing_is_accepted(world: World) -> None:
    session = world.session("ec-b")
    with writing(session), pytest.raises(Busy):
        accept(session, "kernel", reason="x", span="2d")
    assert load_accepted(session) == ()


@pytest.mark.parametrize(
    ("finding", "reason", "span"),
    [
        ("everything", "x", "1d"),
        ("", "x", "1d"),
        ("kernels", "x", "1d"),
        ("kernel", " ", "1d"),
        ("kernel", "x", "91d"),
        ("kernel", "x", "0h"),
        ("kernel", "x", "forever"),
    ],
)
def test_there_is_no_force_for_all_and_none_for_ever(world: World, finding: str, reason: str, span: str) -> None:
    session = world.session("ec-b")
    with pytest.raises(Refused):
        accept(session, finding, reason=reason, span=span)
    assert load_accepted(session) == ()


def test_a_finding_is_known_by_its_kind_and_subject() -> None:
    assert find_kind("operating system") == "operating system"
    assert find_kind("interface 10.88.0.60") == "interface"
    assert find_kind("interfaces") == ""
    assert parse_span("90d") == LONGEST


def test_a_torn_last_line_is_none_and_a_damaged_one_is_told(world: World) -> None:
    session = world.session("ec-b")
    one = accept(session, "kernel", reason="x", span="1d")
    path = places.accepted("oc")
    whole = world.b.files.read(path)
    world.b.files.write(path, whole + whole[:20])
    assert load_accepted(session) == (one,)
    two = accept(session, "operating system", reason="y", span="1d")
    assert load_accepted(session) == (one, two)
    world.b.files.write(path, whole[:20] + b"\n" + whole)
    with pytest.raises(Failed, match="line 1"):
        load_accepted(session)


def test_a_takeover_lets_an_accepted_finding_pass_and_says_so(world: World) -> None:
    """Another release on the standby is refused; accepted by name it is told, and the takeover goes on."""
    backup(world.session("ec-a"), mirror=True)
    session = world.session("ec-b", who="jo")
    release = world.b.files.read("/etc/os-release").replace(b"12", b"13")
    world.b.files.write("/etc/os-release", release)
    _, manifest = choose_capture(session, places.mirror("oc"))
    with pytest.raises(Refused, match="13"):
        check_fitness(session, manifest)
    accept(session, "operating system", reason="tested", span="1d")
    check_fitness(session, manifest)
    assert "accepted by jo on ec-b" in world.said("ec-b")
    world.clock.advance(2 * 86400)
    with pytest.raises(Refused, match="13"):
        check_fitness(session, manifest)


def test_what_passed_because_it_was_accepted_is_in_the_evidence_of_the_run_itself(
    orphan: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A takeover, one that was cut off and resumed, and a restore of a capture of the other system."""
    session = orphan.session("ec-b", who="jo")
    release = orphan.b.files.read("/etc/os-release").replace(b"12", b"13")
    orphan.b.files.write("/etc/os-release", release)
    accept(session, "operating system", reason="tested", span="1d")
    orphan.b.then.append(("files.overwrite", lambda: orphan.b.die("the claim is being raised")))
    with pytest.raises(Crash):
        takeover(session, TakeoverOptions(attest="I saw its lamps go out"))
    orphan.b.revive()
    resume(session)
    oldest = list_generations(orphan.b, places.captures(session.controller.tree))[-1].name
    harestore(session, TakeoverOptions(capture=oldest))
    backup(session, mirror=False)
    harestore(session, TakeoverOptions())
    taken, restored, plain = [one for one in load_history(session) if one["kind"] in ("takeover", "restore")]
    for entry in (taken, restored):
        (says,) = entry["accepted"]
        assert "debian 13" in says and "accepted by jo on ec-b until " in says and says.endswith(": tested")
        assert f"  accepted  {says}\n" in render_text(build_report(session, entry["run"]))
        orphan.b.files.remove(f"{done_directory('oc')}/{entry['run']}.jsonl")
        assert build_report(session, entry["run"]).accepted == (says,), "from the entry, as on the other node"
        show(entry, steps=False)
        assert f"    accepted  {says}\n" in capsys.readouterr().out
    assert plain["accepted"] == [], "this node's own capture does not differ"


def test_another_difference_than_the_one_that_was_accepted_is_refused(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    session = world.session("ec-b", who="jo")
    release = world.b.files.read("/etc/os-release")
    world.b.files.write("/etc/os-release", release.replace(b"12", b"13"))
    _, manifest = choose_capture(session, places.mirror("oc"))
    theirs = decode(NodeFacts, manifest.facts, "facts")
    mine = read_node_facts(session.host, session.controller, "ec-b")
    (said,) = [one.says for one in compare(theirs, mine, session.controller) if not one.ok]
    found = Assessment(
        controller="oc", taker="ec-b", owner="ec-a", owner_seen="now", found=(wrong("operating system", said),)
    )
    save_readiness(session, [found])
    assert accept(session, "operating system", reason="tested", span="1d").said == (said,)
    check_fitness(session, manifest)
    world.b.files.write("/etc/os-release", release.replace(b"12", b"14"))
    with pytest.raises(Refused, match="debian 14"):
        check_fitness(session, manifest)
