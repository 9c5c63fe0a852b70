"""Each kind of step on a fake machine: applied, applied twice, undone, undone twice."""

from __future__ import annotations

import typing

import pytest

from tanist.model import steps as s
from tanist.model.definition import Health
from tanist.runs.session import Session
from tanist.steps.context import leave
from tanist.steps.registry import PLACES, handler_for
from tests.unit.runs.picture import differences, take
from tests.unit.runs.world import DEVICE, TREE, World
from tests.unit.steps.specs import (
    ADDRESS,
    EXPORTS,
    HOLD,
    INIT,
    KEYS,
    MAPPED,
    MOUNT,
    OWN,
    SAVE,
    STORE,
    WHOLE,
    Prepare,
    apply,
    looks_applied,
    undo,
    with_captured,
    with_claim,
    with_keys,
)


def test_every_kind_of_step_has_a_handler() -> None:
    assert set(PLACES) == set(typing.get_args(s.StepSpec))
    handlers = {kind.__name__: handler_for(kind) for kind in PLACES}
    held = {name for name, handler in handlers.items() if handler.hold}
    assert held == {"FeedCommand", "StartService", "CheckHealth", "CoverSshKeys", "ServeAlias", "ServeNfs"}
    trusted = {name for name, handler in handlers.items() if handler.is_applied is None}
    assert trusted == {
        "InitAsset",
        "MakeSshKeys",
        "MarkCopy",
        "EraseDisk",
        "ProveShared",
        "SaveOwn",
        "PutPath",
        "RunCommands",
        "FeedCommand",
        "SaveCapture",
        "Announce",
        "NotifyLocks",
        "PowerOff",
        "FreeMmp",
        "CheckFileSystem",
        "WaitLease",
    }
    stays = {kind for kind in PLACES if handler_for(kind).undo is leave}
    assert all("undone: nothing" in (kind.__doc__ or "").lower() for kind in stays)
    assert {kind.__name__ for kind in stays} - trusted == {
        "CheckHealth",
        "Reboot",
        "CopyTree",
        "CompareTrees",
        "GrowMap",
        "GrowArray",
        "GrowReplica",
        "GrowPool",
        "GrowVolume",
        "GrowFileSystem",
    }
    assert trusted - {kind.__name__ for kind in stays} == {"PutPath", "FeedCommand", "CheckFileSystem", "ProveShared"}
    assert {name for name, handler in handlers.items() if handler.begin_undo} == {"CoverSshKeys", "KeepNfsState"}


OWN_KEY = "/etc/ssh/ssh_host_ed25519_key"
TABLE: list[tuple[s.StepSpec, Prepare]] = [
    (MOUNT, lambda _: None),
    (MAPPED, lambda _: None),
    (s.MapTree(target=TREE, idmap=WHOLE), lambda _: None),
    (s.MountUnmapped(device=DEVICE, target="/run/tanist/oc/unmapped", fstype="ext4", options=()), lambda _: None),
    (s.BindMount(source=f"{TREE}/uce/var.opt", target="/var/opt/oc-run"), lambda session: apply(session, MOUNT)),
    (HOLD, with_claim),
    (s.PutPath(path="/etc/oc", store=STORE, own=OWN), with_captured),
    (
        s.ArmCron(
            paths=("/etc/cron.d/oc", "/etc/cron.d/oc-report"), store=STORE, own=OWN, parked="/etc/tanist/parked/r1"
        ),
        with_captured,
    ),
    (EXPORTS, lambda _: None),
    (s.SetHostname(name="ec", own="ec-b", cover="/run/tanist/oc/hostname"), lambda _: None),
    (s.AddAddress(address=ADDRESS, probe_seconds=0.1), lambda _: None),
    (s.StartService(unit="oc-ec.service", start_timeout=5, stop_timeout=5), lambda _: None),
    (s.CoverSshKeys(unit="ssh.service", covers=((f"{KEYS}/ssh_host_ed25519_key", OWN_KEY),)), with_keys),
    (s.ServeAlias(controller="oc", config="/run/tanist/oc/sshd_config", text="Port 22\n"), lambda _: None),
]


@pytest.mark.parametrize(("spec", "prepare"), TABLE, ids=[type(spec).__name__ for spec, _ in TABLE])
def test_applied_and_undone_twice_is_as_once(
    world: World, session: Session, spec: s.StepSpec, prepare: Prepare
) -> None:
    prepare(session)
    before = take(world, "ec-b")
    undo(session, spec)  # as after a kill before anything was done
    assert {key for key in differences(before, take(world, "ec-b")) if key != "claim"} == set()
    apply(session, spec)
    applied = take(world, "ec-b")
    assert differences(before, applied) != {}
    assert looks_applied(session, spec) in (True, None)
    apply(session, spec)
    assert differences(applied, take(world, "ec-b")) == {}
    undo(session, spec)
    found = differences(before, take(world, "ec-b"))
    assert set(found) <= ({"claim"} if isinstance(spec, s.HoldClaim) else set())
    assert looks_applied(session, spec) in (False, None)
    undo(session, spec)
    assert differences(before, take(world, "ec-b")) == found
    apply(session, spec)
    assert set(differences(applied, take(world, "ec-b"))) == set()


NOTHING_TO_UNDO: list[tuple[s.StepSpec, Prepare]] = [
    (SAVE, lambda _: None),
    (INIT, lambda session: apply(session, MOUNT)),
    (s.MakeSshKeys(directory=KEYS, types=("ed25519",), comment="ec"), lambda _: None),
    (s.Announce(addresses=(ADDRESS,)), lambda _: None),
    (s.CheckHealth(check=Health(kind="command", argv=("/bin/true",))), lambda session: None),
]


@pytest.mark.parametrize(("spec", "prepare"), NOTHING_TO_UNDO, ids=[type(spec).__name__ for spec, _ in NOTHING_TO_UNDO])
def test_what_is_not_undone_may_still_run_twice(
    world: World, session: Session, spec: s.StepSpec, prepare: Prepare
) -> None:
    world.b.answer(["/bin/true"])
    prepare(session)
    apply(session, spec)
    once = take(world, "ec-b")
    apply(session, spec)
    undo(session, spec)
    assert differences(once, take(world, "ec-b")) == {}
