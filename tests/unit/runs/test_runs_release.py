"""Release: undone while the asset is here, forward only once it is let go."""

from __future__ import annotations

import json

import pytest

from tanist.model.errors import BadCapture, Busy, Failed
from tanist.plan.places import claim_seen
from tanist.runs.backup import backup, list_captures
from tanist.runs.release import release
from tanist.runs.restore import dry_restore, harestore
from tanist.runs.takeover import TakeoverOptions, takeover
from tanist.runs.verification import verify_all
from tests.unit.runs.picture import differences, take
from tests.unit.runs.test_runs_takeover import ATTEST, claim_of, is_active
from tests.unit.runs.world import TREE, World


@pytest.mark.requirement("A40", "A44", "A45", "A46", "A63")
def test_the_owner_lets_go_in_the_order_services_mounts_capture_claim_asset(world: World) -> None:
    start = len(world.a.log)
    release(world.session("ec-a"))
    log = world.a.log[start:]
    marks = (
        "systemctl stop oc-proxy.service",
        "systemctl stop oc-ec.service",
        "remove_address 10.88.0.60 svc0",
        "unmount /etc/opt/oc",
        "files.remove /etc/exports.d/tanist-oc.exports",
        "unmount /run/tanist/oc/unmapped",
        f"files.overwrite {TREE}/.tanist/claim",
        f"unmount {TREE}",
        "set_hostname ec-a",
    )
    places = [log.index(mark) for mark in marks]
    assert places == sorted(places)


def test_the_ex_owner_remembers_that_it_released(world: World) -> None:
    release(world.session("ec-a"))
    seen = json.loads(world.a.files.read(claim_seen("oc")))
    assert (seen["node"], seen["state"], seen["epoch"]) == ("ec-a", "released", 1)


def test_a_service_that_does_not_stop_leaves_the_controller_where_it_is(world: World) -> None:
    before = take(world, "ec-a")
    world.a.answer(["systemctl", "stop", "--", "oc-ec.service"], status=1, stderr="will not")
    with pytest.raises(Failed, match=r"oc-ec\.service did not stop.*still the active node"):
        release(world.session("ec-a"))
    assert differences(before, take(world, "ec-a")) == {}


def test_a_busy_tree_names_who_keeps_it_and_the_controller_comes_up_again(world: World) -> None:
    before = take(world, "ec-a")
    world.a.units["shell.service"] = type(world.a.units["oc-ec.service"])(state="active", uses=(TREE,))
    world.a.files.make_directory("/proc/4711")
    world.a.files.write("/proc/4711/comm", b"bash\n")
    with pytest.raises(Failed, match=r"/var/opt/oc is busy: bash \(process 4711\)"):
        release(world.session("ec-a"))
    assert is_active(world, "ec-a")
    found = differences(before, take(world, "ec-a"))
    assert {key for key in found if "proc" not in key and "shell" not in key} == set()


@pytest.mark.requirement("A32", "A36")
def test_a_release_captures_what_changed_last(world: World) -> None:
    world.a.files.write("/etc/oc/main.conf", b"changed just now\n", 0o640, 101, 101)
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), TakeoverOptions())
    assert world.b.files.read("/etc/oc/main.conf") == b"changed just now\n"


@pytest.mark.requirement("A38")
def test_an_altered_newest_capture_is_named_and_the_previous_one_offered(world: World) -> None:
    (first,) = (path.name for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir())
    world.clock.advance(3600)
    world.a.files.write("/etc/oc/main.conf", b"second\n", 0o640, 101, 101)
    backup(world.session("ec-a"), mirror=True)
    newest = max(path for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir())
    content = bytearray((newest / "files.tar").read_bytes())
    content[700] ^= 1
    (newest / "files.tar").write_bytes(content)
    world.a.power_off()
    before = take(world, "ec-b")
    with pytest.raises(BadCapture, match=newest.name) as caught:
        takeover(world.session("ec-b"), ATTEST)
    assert caught.value.next_step == f"tanist takeover oc --capture {first}"
    assert set(differences(before, take(world, "ec-b"))) <= {"claim"}
    takeover(world.session("ec-b"), TakeoverOptions(attest="seen off", capture=first))
    assert is_active(world, "ec-b")
    assert world.b.files.read("/etc/oc/main.conf") == b"configured on ec-a\n"
    assert dict(verify_all(world.session("ec-b")))[newest.name]


@pytest.mark.requirement("A48", "A51")
def test_a_restore_on_the_active_node_puts_back_what_was_captured(world: World) -> None:
    before = take(world, "ec-a")
    world.a.files.remove("/etc/oc/main.conf")
    assert "/etc/oc/main.conf is missing" in dry_restore(world.session("ec-a"), TakeoverOptions())
    harestore(world.session("ec-a"), TakeoverOptions())
    assert differences(before, take(world, "ec-a")) == {}
    assert len(list_captures(world.session("ec-a"))) == 1


def test_only_one_run_at_a_time_on_a_node(world: World) -> None:
    errors: list[Busy] = []

    def meddle() -> None:
        with pytest.raises(Busy, match="a release by operator of ec-a, begun 20") as caught:
            harestore(world.session("ec-a"), TakeoverOptions())
        errors.append(caught.value)

    world.a.then.append(("systemctl stop oc-ec.service", meddle))
    release(world.session("ec-a"))
    assert errors and claim_of(world, "ec-a") == ("ec-a", 1, "released")
