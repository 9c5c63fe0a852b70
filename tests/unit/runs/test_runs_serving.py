"""What of the controller does not do its work on the node that has it: found, told by the watch, and no loss."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tanist.model.host import Ran
from tanist.model.serving import Fault
from tanist.model.unread import Unread
from tanist.plan.addresses import service_addresses
from tanist.runs.release import release
from tanist.runs.serving import EVERY, Carer, read_faults
from tanist.runs.session import exclusive
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.watch import Watcher
from tests.unit.runs.test_runs_watch import end_looks, told
from tests.unit.runs.world import World, said


def subjects(world: World) -> list[str]:
    found = read_faults(world.session("ec-a"))
    assert isinstance(found, tuple)
    return [one.subject for one in found]


def rounds(watcher: Watcher, world: World, count: int) -> list[str]:
    """One look of the watch in each, taken up in the next."""
    found: list[str] = []
    for _ in range(count):
        opinion = watcher.round()
        end_looks()
        found.append(opinion.says if opinion else "none")
        world.clock.advance(EVERY)
    return found


def test_each_service_address_and_health_check_is_looked_at(world: World) -> None:
    assert subjects(world) == []
    world.a.units["oc-proxy.service"].state = "failed"
    world.a.units["oc-ec.service"].state = "activating"  # over and over, as Restart=always does it
    address = service_addresses(world.controller, "ec-a")[0]
    world.a.remove_address(address)
    checks = ["tcp 10.88.0.60:8080", "command /opt/oc/bin/check"]
    assert subjects(world) == ["oc-ec.service", "oc-proxy.service", "10.88.0.60", *checks]
    found = read_faults(world.session("ec-a"))
    assert isinstance(found, tuple)
    assert found[1] == Fault(
        subject="oc-proxy.service",
        says="oc-proxy.service is failed",
        mend="systemctl status oc-proxy.service",
    )
    assert (found[2].says, found[2].mend) == ("10.88.0.60 is not on svc0", "ip address add 10.88.0.60/24 dev svc0")


def test_while_a_run_is_at_work_nothing_is_said_and_silence_of_systemd_is_no_good_news(world: World) -> None:
    with exclusive(world.session("ec-b"), "test"):
        assert read_faults(world.session("ec-b")) is None

    def hang(argv: Sequence[str], _: bytes) -> Ran:
        raise TimeoutError(f"{argv[0]} did not answer")

    world.a.answer_with(["systemctl", "is-active"], hang)
    assert read_faults(world.session("ec-a")) == Unread("systemctl did not answer")


def test_the_watch_tells_what_stays_down_and_gives_nothing_up_for_it(world: World) -> None:
    watcher = Watcher(world.session("ec-a"), carer=Carer())
    assert rounds(watcher, world, 2) == ["kept", "kept"]
    world.a.units["oc-ec.service"].state = "failed"
    assert set(rounds(watcher, world, 4)) == {"kept"}
    status = told(world, "ec-a")
    assert (status.state, status.why) == ("active", "oc-ec.service is failed")
    world.a.units["oc-ec.service"].state = "active"
    rounds(watcher, world, 3)
    assert told(world, "ec-a").why == ""
    assert "all is well again" in world.said("ec-a")


def test_a_service_that_is_started_anew_is_no_news(world: World) -> None:
    watcher = Watcher(world.session("ec-a"), carer=Carer())
    rounds(watcher, world, 2)
    for _ in range(3):
        world.a.units["oc-ec.service"].state = "inactive"
        rounds(watcher, world, 1)
        world.a.units["oc-ec.service"].state = "active"
        rounds(watcher, world, 2)
    assert "oc-ec.service is" not in world.said("ec-a")


def test_what_was_down_before_a_release_is_forgotten_with_it(world: World) -> None:
    watcher = Watcher(world.session("ec-a"), carer=Carer())
    world.a.units["oc-proxy.service"].state = "failed"
    rounds(watcher, world, 4)
    assert "oc-proxy.service" in told(world, "ec-a").why
    release(world.session("ec-a"))
    rounds(watcher, world, 1)
    takeover(world.session("ec-a"), TakeoverOptions())
    rounds(watcher, world, 1)
    assert told(world, "ec-a").why == ""


def test_a_systemd_that_does_not_answer_holds_no_round_up(world: World) -> None:
    world.a.answer_with(["systemctl", "is-active"], lambda argv, _: said(argv, status=1))
    watcher = Watcher(world.session("ec-a"), carer=Carer())
    assert set(rounds(watcher, world, 4)) == {"kept"}
    assert "can't be looked at" in told(world, "ec-a").why
    assert json.loads(world.a.files.read("/run/tanist/oc/watch.json"))["node"] == "ec-a"
