"""Single moments at which a run is cut off or the world changes: each one was, or would be, a bug of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tanist.host.fake import Crash
from tanist.model.errors import Failed, Refused
from tanist.model.event import Event
from tanist.runs.boot import boot, gate
from tanist.runs.carry_on import resume, undo
from tanist.runs.release import release
from tanist.runs.restore import harestore
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.test_runs_takeover import ATTEST, claim_of, is_active, is_unchanged
from tests.unit.runs.world import TREE, World


def killed_at(world: World, kind: str, says: str) -> None:
    """ec-b's takeover, killed when it tells that."""
    session = world.session("ec-b")

    def report(event: Event) -> None:
        session.report(event)
        if event.kind == kind and event.says.startswith(says):
            world.b.gone = True
            raise Crash(f"{kind} {says}")

    with pytest.raises(Crash):
        takeover(replace(session, report=report), ATTEST)
    world.b.revive()


@pytest.mark.requirement("A63")
def test_the_claim_is_raised_before_anything_of_this_node_is_replaced_or_shown(orphan: World) -> None:
    start = len(orphan.b.log)
    takeover(orphan.session("ec-b"), ATTEST)
    log = orphan.b.log[start:]
    claim = log.index(f"files.overwrite {TREE}/.tanist/claim")
    mount = log.index(f"mount_device /dev/asset {TREE}")
    own = next(n for n, what in enumerate(log) if "/oc/own/" in what)
    assert mount < claim < own < log.index("add_address 10.88.0.60 ens3")


def test_a_takeover_killed_once_it_calls_itself_active_is_undone_all_the_same(orphan: World) -> None:
    before = take(orphan, "ec-b")

    def die() -> None:
        orphan.b.gone = True
        raise Crash("active.json")

    orphan.b.then.append(("files.write /var/lib/tanist/oc/active.json", die))
    with pytest.raises(Crash):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.revive()
    undo(orphan.session("ec-b"))
    assert is_unchanged(orphan, "ec-b", before)


@pytest.mark.parametrize("kind", ["begun", "done"])
@pytest.mark.parametrize("end", [resume, undo])
def test_a_power_cut_around_cron_leaves_each_node_its_own_entries(orphan: World, kind: str, end: object) -> None:
    """What a boot parks is the controller's and not the node's own; and what it parked is armed again."""
    before = take(orphan, "ec-b")
    killed_at(orphan, kind, "arm cron")
    orphan.b.reboot()
    gate(orphan.session("ec-b"))
    with pytest.raises(Refused, match="stays inert"):
        boot(orphan.session("ec-b"))
    assert not orphan.b.files.exists("/etc/cron.d/oc")
    if end is resume:
        resume(orphan.session("ec-b"))
        assert orphan.b.files.read("/etc/cron.d/oc-report") == b"# ec-a's own report\n"
        assert orphan.b.files.read("/etc/cron.d/oc") == b"0 * * * * root work\n"
        release(orphan.session("ec-b"))
    else:
        undo(orphan.session("ec-b"))
    assert is_unchanged(orphan, "ec-b", before)


def test_a_service_that_dies_behind_the_last_step_is_no_success(orphan: World) -> None:
    unit = orphan.b.units["oc-ec.service"]
    last = "announce 10.88.0.60 10.88.0.61"
    orphan.b.then.append((last, lambda: setattr(unit, "state", "failed")))
    with pytest.raises(Failed, match=r"the host does not show: start oc-ec\.service") as caught:
        takeover(orphan.session("ec-b"), ATTEST)
    assert "tanist resume oc" in caught.value.next_step
    assert not take(orphan, "ec-b")["active"]
    resume(orphan.session("ec-b"))
    assert is_active(orphan, "ec-b")


def test_a_release_killed_after_the_asset_is_gone_is_finished_by_undo(world: World) -> None:
    def die() -> None:
        world.a.gone = True
        raise Crash("unmounted")

    world.a.then.append((f"unmount {TREE} ", die))
    with pytest.raises(Crash):
        release(world.session("ec-a"))
    world.a.revive()
    undo(world.session("ec-a"))
    assert "the release is finished instead" in world.said("ec-a")
    assert claim_of(world, "ec-a") == ("ec-a", 1, "released")
    assert world.a.hostname() == "ec-a" and not take(world, "ec-a")["active"]


def test_a_claim_that_can_not_be_read_is_refused(orphan: World) -> None:
    path = orphan.top / "disk/.tanist/claim"
    data = path.read_bytes()
    path.write_bytes(data[:100])
    before = take(orphan, "ec-b")
    with pytest.raises(Refused, match="the claim on the asset can't be read"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert differences(before, take(orphan, "ec-b")) == {}


@pytest.mark.requirement("A66")
def test_a_restore_killed_before_its_plan_was_made_goes_on_with_the_capture_that_was_chosen(world: World) -> None:
    before = take(world, "ec-a")
    world.a.files.remove("/etc/oc/main.conf")

    def die() -> None:
        world.a.gone = True
        raise Crash("the first record")

    world.a.then.append(("files.append /var/lib/tanist/oc/runs/", die))
    with pytest.raises(Crash):
        harestore(world.session("ec-a"), TakeoverOptions())
    world.a.revive()
    resume(world.session("ec-a"))
    assert differences(before, take(world, "ec-a")) == {}
