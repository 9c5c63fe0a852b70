"""The rows of the status screen: what they tell, and that nothing is read twice."""

from __future__ import annotations

from pathlib import Path

from tanist.plan import places
from tanist.runs.board import Board, build_row, describe_age
from tanist.runs.readiness import save_readiness
from tanist.runs.status import Status
from tests.unit.runs.test_runs_report import assessment
from tests.unit.runs.world import ASSETS, World


def test_an_age_is_coarse_so_that_it_seldom_changes() -> None:
    assert {describe_age(seconds) for seconds in range(60)} == {"< 1 min"}
    assert [describe_age(one) for one in (61, 7199, 7200, 200_000)] == ["1 min", "119 min", "2 h", "2 days"]


def test_a_board_tells_state_readiness_and_what_is_wrong(world: World) -> None:
    text = (Path(__file__).parent / "oc.toml").read_text().format(mode="host", asset=ASSETS["filesystem"])
    world.b.files.make_directory("/etc/tanist/controllers")
    world.b.files.write("/etc/tanist/controllers/oc.toml", text.encode())
    save_readiness(world.session("ec-b"), [assessment("one")])
    board = Board(world.b, "ec-b")
    (found,) = board.rows(["oc"])
    assert (found.state, found.readiness) == ("standby", "READY WITH LOSS") and found.notes == ("mirror one: old",)
    read, opened = world.b.files.read, list[str]()

    def note(path: str, limit: int = 16 << 20) -> bytes:
        opened.append(path)
        return read(path, limit)

    world.b.files.read = note  # type: ignore[method-assign]
    board.rows(["oc"])
    assert places.readiness("oc") not in opened, "parsed once, until it is written again"
    world.clock.advance(4000)
    assert board.rows(["oc"])[0].readiness == "READY WITH LOSS (66 min ago)"


def test_a_controller_that_cant_be_read_is_a_row_that_says_so(world: World) -> None:
    (found,) = Board(world.b, "ec-b").rows(["nobody"])
    assert found.state == "needs-a-person" and found.notes


def test_a_run_under_way_is_shown_with_its_step() -> None:
    status = Status(controller="oc", node="ec-b")
    status.open_run = "20260101T000000000-takeover-ec-b"
    found = build_row(status, None, 0.0, "start db.service")
    assert found.run.endswith("takeover-ec-b: start db.service") and found.readiness == ""
