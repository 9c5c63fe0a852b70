"""The chained history in its copies: on both nodes and on the asset, after runs, cuts, partitions and other hands."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tanist.cli.history import show
from tanist.journal.chain import parse_copy, render_entry
from tanist.journal.journal import Journal
from tanist.model.errors import Busy
from tanist.model.host import Ran
from tanist.model.run import RunEnded
from tanist.plan import places
from tanist.runs.drills import first_record, name_drill
from tanist.runs.exchange import PIECE, exchange_with_peers, verify_history
from tanist.runs.filing import find_open_run
from tanist.runs.history import load_history, save_history, take_entries
from tanist.runs.release import release
from tanist.runs.session import Session, load_run
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.test_runs_takeover import ATTEST
from tests.unit.runs.world import World, said


def asset_copy(world: World) -> Path:
    return world.top / "disk/.tanist/history.jsonl"


def node_copy(world: World, name: str) -> Path:
    return world.top / name / places.history("oc")[1:]


def kinds(path: Path) -> list[tuple[str, str]]:
    return [(one.fields["kind"], one.node) for one in parse_copy(path.read_bytes()).entries]


def grave(session: Session) -> list[str]:
    return [f"{one.copy}: {one.says}" for one in verify_history(session)[1] if one.grave]


def notes(session: Session) -> str:
    return "\n".join(f"{one.copy}: {one.says}" for one in verify_history(session)[1] if not one.grave)


def switch(world: World) -> None:
    """init on ec-a, released there, taken by ec-b."""
    release(world.session("ec-a"), "to move it")
    takeover(world.session("ec-b"), TakeoverOptions(reason="moved"))
    assert exchange_with_peers(world.session("ec-b"))  # the watch does it within a second


@pytest.mark.requirement("A08")
def test_after_a_move_the_three_copies_are_one_and_the_same_release_included(world: World) -> None:
    switch(world)
    expected = [("init", "ec-a"), ("release", "ec-a"), ("takeover", "ec-b")]
    for path in (node_copy(world, "ec-a"), node_copy(world, "ec-b"), asset_copy(world)):
        assert sorted(kinds(path)) == sorted(expected)
        assert {entry["kind"] for entry in map(json.loads, path.read_bytes().splitlines())} == {k for k, _ in expected}
    assert [entry["kind"] for entry in load_history(world.session("ec-a"))] == ["init", "release", "takeover"]
    assert grave(world.session("ec-a")) == grave(world.session("ec-b")) == []
    assert "written apart from each other" in notes(world.session("ec-a"))


def test_an_entry_says_who_why_what_was_seen_when_with_what_tool_and_what_was_planned(orphan: World) -> None:
    takeover(orphan.session("ec-b", "maria"), ATTEST)
    last = load_history(orphan.session("ec-b"))[-1]
    assert (last["who"], last["attested"], last["verdict"]) == ("maria", ATTEST.attest, "PROVED")
    assert {one["source"] for one in last["evidence"]} >= {"claim", "peer", "attestation"}
    assert last["tool"].startswith("tanist ") and last["ended"] >= last["began"]
    assert set(last["plans"]) == {"acquire", "claim", "assume"} and all(len(x) == 64 for x in last["plans"].values())
    assert len(last["journal"]) == 64 and last["outcome"] == "done"


def test_a_run_that_is_filed_again_after_a_cut_is_entered_once(world: World) -> None:
    session = world.session("ec-a")
    before = node_copy(world, "ec-a").read_bytes()
    directory = f"{places.STATE}/oc/runs"
    (name,) = [one for one in world.a.files.list(f"{directory}/done") if "init" in one]
    world.a.files.move(f"{directory}/done/{name}", f"{directory}/{name}")
    assert find_open_run(session) is None
    assert node_copy(world, "ec-a").read_bytes() == before
    assert load_run(session, name.removesuffix(".jsonl")).ended is not None


def test_a_history_torn_at_every_byte_is_whole_again_after_the_run_is_filed(world: World) -> None:
    """Cut in the write of the last entry: its journal is not filed yet, so the next look enters it again."""
    session = world.session("ec-a")
    path, directory = node_copy(world, "ec-a"), f"{places.STATE}/oc/runs"
    whole = path.read_bytes()
    (name,) = [one for one in world.a.files.list(f"{directory}/done") if "init" in one]
    for cut in range(0, len(whole), 41):
        path.write_bytes(whole[:cut])
        asset_copy(world).write_bytes(whole[:cut])
        world.a.files.move(f"{directory}/done/{name}", f"{directory}/{name}")
        assert find_open_run(session) is None
        assert path.read_bytes() == asset_copy(world).read_bytes() == whole, cut
    path.write_bytes(whole[:-1])  # all but the newline
    take_entries(session, ())
    assert path.read_bytes() == whole


def test_entries_made_in_a_partition_are_two_branches_that_are_told_and_joined(world: World) -> None:
    switch(world)
    world.ssh_works = False
    world.b.power_off()
    takeover(world.session("ec-a"), ATTEST)
    world.b.boot()
    assert exchange_with_peers(world.session("ec-a")) is False
    assert "not exchanged with ec-b" in world.said("ec-a")
    assert "lacks" not in notes(world.session("ec-a")) and "not looked at" in notes(world.session("ec-a"))
    world.ssh_works = True
    assert "ec-b: lacks 1 that other copies have" in notes(world.session("ec-a"))
    assert exchange_with_peers(world.session("ec-b")) is True
    assert kinds(node_copy(world, "ec-b"))[-1] == ("takeover", "ec-a")
    assert grave(world.session("ec-b")) == []


def test_a_large_history_travels_in_pieces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tanist.runs.exchange.PIECE", 2000)
    switch(world)
    node_copy(world, "ec-a").unlink()
    assert exchange_with_peers(world.session("ec-a")) is True
    assert sorted(kinds(node_copy(world, "ec-a"))) == sorted(kinds(node_copy(world, "ec-b")))
    node_copy(world, "ec-b").unlink()
    assert exchange_with_peers(world.session("ec-a")) is True
    assert sorted(kinds(node_copy(world, "ec-a"))) == sorted(kinds(node_copy(world, "ec-b")))
    assert PIECE > 2000


@pytest.mark.parametrize(
    ("hurt", "says"),
    [
        (lambda lines: [lines[0].replace(b'"reason":"', b'"reason":"x'), *lines[1:]], "altered: line 1"),
        (lambda lines: lines[1:], "removed: "),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "reordered: "),
        (lambda lines: lines[:1], "removed: "),
        (lambda lines: [*lines, b"{}"], "altered: line"),
    ],
    ids=["altered", "removed", "reordered", "cut off", "added"],
)
def test_a_copy_that_was_tampered_with_is_named(world: World, hurt: object, says: str) -> None:
    switch(world)
    path = node_copy(world, "ec-b")
    lines = path.read_bytes().splitlines()
    assert len(lines) == 3 and callable(hurt)
    path.write_bytes(b"".join(line + b"\n" for line in hurt(lines)))
    for asked in ("ec-a", "ec-b"):
        found = grave(world.session(asked))
        assert found and found[0].startswith(f"ec-b: {says}"), found


def line_of(fields: dict[str, object], **changes: object) -> bytes:
    """With a sum that fits."""
    body = {**fields, **changes}
    previous = [(str(run), str(sum_)) for run, sum_ in body["previous"]]  # type: ignore[attr-defined]
    rest = {key: value for key, value in body.items() if key not in ("sum", "previous")}
    return render_entry(rest, previous).rstrip(b"\n")


def forge(lines: list[bytes], node: str) -> list[bytes]:
    """A run that never was, behind the last one."""
    last = json.loads(lines[-1])
    previous = [[last["run"], last["sum"]]]
    return [*lines, line_of(last, run=f"20270101T000000000-release-{node}", node=node, previous=previous)]


HURTS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "a byte": (lambda lines: [lines[0], lines[1].replace(b'"who":"', b'"who":"x'), *lines[2:]], "altered: line 2"),
    "with its sum": (lambda lines: [line_of(json.loads(lines[0]), who="nobody"), *lines[1:]], "is told in 2 ways"),
    "the last with its sum": (lambda lines: [*lines[:-1], line_of(json.loads(lines[-1]), who="x")], "told in 2 ways"),
    "the first is gone": (lambda lines: lines[1:], "removed: "),
    "one in between is gone": (lambda lines: [lines[0], *lines[2:]], "removed: "),
    "the last is gone": (lambda lines: lines[:-1], "removed: |lacks 1 that other copies have"),
    "all are gone": (lambda _lines: [], "removed: |lacks 4 that other copies have"),
    "turned round": (lambda lines: lines[::-1], "reordered: "),
    "repeated": (lambda lines: [*lines, lines[0]], "repeated: "),
    "a line of rubbish": (lambda lines: [*lines, b"\xff\xfe"], "altered: line 5"),
    "a run of ec-a that never was": (lambda lines: forge(lines, "ec-a"), "removed: |added: |lacks 1"),
    "a run of ec-b that never was": (lambda lines: forge(lines, "ec-b"), "removed: |added: |lacks 1"),
    "cut within the last": (lambda lines: [*lines[:-1], lines[-1][:-7]], "altered: line 4"),
}


ONLY_TOLD = {  # what a copy that is merely behind looks like, too; a run of ec-a's own is known for none on ec-a only
    ("the last is gone", "ec-a"),
    ("the last is gone", "the asset"),
    ("all are gone", "the asset"),
    ("a run of ec-a that never was", "ec-a"),
}


@pytest.mark.requirement("A08")
@pytest.mark.parametrize("where", ["ec-a", "ec-b", "the asset"])
def test_whatever_is_done_to_one_copy_is_told_with_its_name(world: World, where: str) -> None:
    """On one node only, or on the asset only; asked on the node that has the tree, whose copy it may be."""
    switch(world)
    release(world.session("ec-b"))
    takeover(world.session("ec-b"), TakeoverOptions())
    lines = asset_copy(world).read_bytes().splitlines()[:4]
    paths = {name: node_copy(world, name) for name in ("ec-a", "ec-b")} | {"the asset": asset_copy(world)}
    for kind, (hurt, says) in {"nothing": (list[bytes], "written apart"), **HURTS}.items():
        for name, path in paths.items():
            path.write_bytes(b"".join(line + b"\n" for line in (hurt(lines) if name == where else lines)))
        worst, told = grave(world.session("ec-b")), notes(world.session("ec-b"))
        assert any(re.search(says, one) for one in (*worst, told)), (kind, worst, told)
        assert bool(worst) is (kind != "nothing" and (kind, where) not in ONLY_TOLD), (kind, worst, told)
        if (kind, where) == ("a run of ec-a that never was", "ec-a"):
            assert grave(world.session("ec-a"))[0].startswith("ec-a: added: ")
            world.ssh_works = False
            assert "ec-a: added: " in notes(world.session("ec-a"))
            world.ssh_works = True


def test_a_journal_changed_after_its_run_ended_is_named(world: World) -> None:
    directory = world.top / "ec-a/var/lib/tanist/oc/runs/done"
    (path,) = list(directory.iterdir())
    path.write_bytes(path.read_bytes().replace(b"operator", b"0perator"))
    assert grave(world.session("ec-a")) == [
        f"ec-a: altered: the journal /var/lib/tanist/oc/runs/done/{path.name} is not what it was when its run ended"
    ]


def test_a_drill_that_the_other_node_has_not_heard_of_is_no_forgery_and_its_journal_counts(world: World) -> None:
    """It lies with the drill's result, not among the runs."""
    session = world.session("ec-b")
    journal = Journal(session.host, f"{places.drills('oc')}/{name_drill(session)}.jsonl")
    session.host.files.make_directory(places.drills("oc"), 0o700)
    journal.append(first_record(session, name_drill(session), reason="", capture=""))
    journal.append(RunEnded(outcome="done", summary="passed", seconds=1.0))
    save_history(session, journal)
    assert grave(session) == []
    path = world.top / "ec-b" / journal.path[1:]
    path.write_bytes(path.read_bytes().replace(b"passed", b"failed"))
    (found,) = grave(session)
    assert found.startswith("ec-b: altered: the journal /var/lib/tanist/oc/drills/")


@pytest.mark.parametrize("what", ["get", "raw"])
def test_a_node_that_sends_the_same_again_and_again_is_not_listened_to_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It does not hear what this one has already, or from where on it is asked."""
    release(world.session("ec-a"))
    line = world.a.files.read(places.history("oc"))
    monkeypatch.setattr("tanist.runs.exchange.LIMIT", 10 * len(line))
    calls: list[str] = []

    def ssh(argv: Sequence[str], _: bytes) -> Ran:
        calls.append(argv[-1])
        assert len(calls) < 50
        return said(argv, (b"[]\n" if what == "get" else b"") + line)

    world.b.answer_with(["ssh"], ssh)
    session = world.session("ec-b")
    if what == "get":
        assert not exchange_with_peers(session)
        assert "sends what it was told that it need not" in world.said("ec-b")
    else:
        _, findings = verify_history(session)
        assert "its copy was not looked at" in " ".join(one.says for one in findings)


def test_a_damaged_line_hides_no_other(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    path = node_copy(world, "ec-a")
    path.write_bytes(b"rubbish\n" + path.read_bytes())
    found = load_history(world.session("ec-a"))
    assert [one["outcome"] for one in found] == ["done", "unreadable line: not JSON"]
    for one in found:
        show(one, steps=True)
    assert "ec-a:1  unreadable line" in capsys.readouterr().out


def test_a_full_asset_does_not_spoil_a_finished_run(world: World) -> None:
    asset_copy(world).unlink()
    asset_copy(world).mkdir()
    session = world.session("ec-a")
    directory = f"{places.STATE}/oc/runs/done"
    save_history(session, Journal.load(world.a, f"{directory}/{world.a.files.list(directory)[0]}"))
    assert "the asset's copy of the history could not be written" in world.said("ec-a")
    asset_copy(world).rmdir()


def test_only_one_writes_at_a_time(world: World) -> None:
    held = world.a.lock("/run/tanist/oc/history.lock", "somebody")
    assert not isinstance(held, str)
    with pytest.raises(Busy, match="is being written by somebody"):
        take_entries(world.session("ec-a"), ())
    held.close()
    take_entries(world.session("ec-a"), ())


def test_a_clock_set_back_a_year_does_not_disturb_the_order(world: World) -> None:
    world.clock.wall -= 366 * 86400
    switch(world)
    assert [entry["kind"] for entry in load_history(world.session("ec-b"))] == ["init", "release", "takeover"]
    assert "a clock was set back" in notes(world.session("ec-b"))
    assert grave(world.session("ec-b")) == []
