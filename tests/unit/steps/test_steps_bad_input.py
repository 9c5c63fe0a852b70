"""What steps say when they can not be done, and what they wait for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tanist.host.fake import FakeHost, FakeUnit
from tanist.journal.claimfile import create_claim, load_claim, save_claim
from tanist.model import steps as s
from tanist.model.claim import Claim
from tanist.model.definition import Health
from tanist.model.errors import Failed, Rebooting
from tanist.model.host import Address, Answer
from tanist.runs.session import Session
from tanist.steps.network import LOOK
from tests.unit.runs.world import TREE, World
from tests.unit.steps.specs import (
    ADDRESS,
    EXPORTS,
    HOLD,
    INIT,
    KEYS,
    MOUNT,
    apply,
    looks_applied,
    undo,
    with_claim,
)


def test_the_source_of_a_bind_that_is_missing_is_named(session: Session) -> None:
    apply(session, MOUNT)
    with pytest.raises(Failed, match="/var/opt/oc/nowhere is not in the tree"):
        apply(session, s.BindMount(source=f"{TREE}/nowhere", target="/var/opt/oc-run"))


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        (None, "there is no unit x.service"),
        (FakeUnit(fails=True), r"x\.service did not come up: failed/failed, result exit-code; see: journalctl"),
        (FakeUnit(condition=False), "its condition failed"),
    ],
)
def test_a_unit_that_does_not_come_up_says_why(session: Session, node: FakeHost, unit: FakeUnit, says: str) -> None:
    if unit is not None:
        node.units["x.service"] = unit
    with pytest.raises(Failed, match=says):
        apply(session, s.StartService(unit="x.service", start_timeout=5, stop_timeout=5))
    undo(session, s.StartService(unit="x.service", start_timeout=5, stop_timeout=5))


def test_a_unit_that_was_started_too_often_before_is_started(session: Session, node: FakeHost) -> None:
    node.units["x.service"] = FakeUnit(limited=True)
    apply(session, s.StartService(unit="x.service", start_timeout=5, stop_timeout=5))
    assert node.units["x.service"].state == "active"


@pytest.mark.requirement("A61")
def test_an_address_in_use_names_the_mac(world: World, session: Session) -> None:
    world.a.add_address(Address(interface="svc0", address=ADDRESS.address, prefix=24))
    with pytest.raises(Failed, match="in use by 02:00:00:00:00:a0 on ens3"):
        apply(session, s.AddAddress(address=ADDRESS, probe_seconds=0.1))
    assert world.violations == ()


@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_who_only_asks_for_an_address_is_waited_for_and_does_not_have_it(
    session: Session, node: FakeHost, seconds: float
) -> None:
    """The other node's look, at the same moment. One that goes on asking means to use it."""
    ends = node.monotonic() + seconds

    def probe(asked: Sequence[Address], window: float) -> tuple[Answer, ...]:
        node.sleep(window)
        asks = Answer(address=ADDRESS.address, mac="02:00:00:00:00:a0", asks=True)
        return (asks,) if node.monotonic() < ends else ()

    node.probe_addresses = probe  # type: ignore[method-assign, assignment]
    add = s.AddAddress(address=ADDRESS, probe_seconds=0.1)
    if seconds < LOOK:
        apply(session, add)
        assert looks_applied(session, add)
        return
    with pytest.raises(Failed, match="is asked for again and again by 02:00:00:00:00:a0 on ens3"):
        apply(session, add)
    assert not looks_applied(session, add)


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        (
            Claim(controller="oc", node="ec-a", epoch=2, state="held", since="t", run="r9"),
            "the claim moved on: it is held by ec-a, epoch 2",
        ),
        (Claim(controller="oc", node="ec-b", epoch=3, state="released", since="t", run="r9"), "the claim moved on"),
        (
            Claim(controller="pg", node="ec-a", epoch=1, state="held", since="t", run="r9"),
            "belongs to the controller 'pg'",
        ),
    ],
)
def test_a_claim_that_moved_on_is_not_taken(session: Session, claim: Claim, says: str) -> None:
    apply(session, MOUNT)
    create_claim(session.host, TREE, claim)
    with pytest.raises(Failed, match=says):
        apply(session, HOLD)
    assert load_claim(session.host, TREE) == claim
    undo(session, HOLD)
    assert load_claim(session.host, TREE) == claim


def test_a_claim_that_can_not_be_read_is_not_taken(session: Session) -> None:
    apply(session, MOUNT)
    with pytest.raises(Failed, match="can't be read"):
        apply(session, HOLD)
    undo(session, HOLD)


def test_a_released_claim_of_the_same_epoch_is_held_again_and_the_epoch_never_goes_back(session: Session) -> None:
    with_claim(session)
    apply(session, HOLD)
    undo(session, HOLD)
    released = load_claim(session.host, TREE)
    assert isinstance(released, Claim) and (released.node, released.epoch, released.state) == ("ec-b", 2, "released")
    apply(session, HOLD)
    held = load_claim(session.host, TREE)
    assert isinstance(held, Claim) and (held.state, held.epoch) == ("held", 2)


def test_an_asset_that_is_in_use_is_not_begun_again(session: Session) -> None:
    with_claim(session)
    with pytest.raises(Failed, match="in use already: oc, held by ec-a, epoch 1"):
        apply(session, INIT)
    session.host.files.write(f"{TREE}/.tanist/claim", b"garbage")
    with pytest.raises(Failed, match="is there and can't be read"):
        apply(session, INIT)


def test_the_numbers_of_the_disk_stay_when_the_owner_changes(session: Session) -> None:
    apply(session, MOUNT, INIT)
    claim = load_claim(session.host, TREE)
    assert isinstance(claim, Claim) and claim.users == (("oc", 101),) and claim.state == "released"
    apply(session, s.HoldClaim(tree=TREE, controller="oc", node="ec-b", epoch=1, run="r2", over=0))
    held = load_claim(session.host, TREE)
    assert isinstance(held, Claim) and held.users == claim.users
    save_claim(session.host, TREE, held)


def test_a_busy_mount_names_who_keeps_it(session: Session, node: FakeHost) -> None:
    apply(session, MOUNT)
    node.units["shell.service"] = FakeUnit(state="active", uses=(TREE,))
    with pytest.raises(Failed, match=r"/var/opt/oc is busy: nobody that fuser can name"):
        undo(session, MOUNT)
    node.answer(["fuser"], status=127)
    with pytest.raises(Failed, match="install psmisc"):
        undo(session, MOUNT)
    node.units["shell.service"].state = "inactive"
    apply(session, s.BindMount(source=f"{TREE}/db", target=f"{TREE}/share"))
    node.answer(["fuser"], "")
    with pytest.raises(Failed, match=f"busy: the mount {TREE}/share"):
        undo(session, MOUNT)


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (Health(kind="tcp", address="10.88.0.60", port=9, timeout=1), "did not pass within 1 s: no answer"),
        (Health(kind="http", url="http://10.88.0.60/bad", timeout=1), "HTTP status 503"),
        (Health(kind="http", url="http://10.88.0.60/none", timeout=1), "refused"),
        (Health(kind="command", argv=("/bin/sick",), timeout=1), "it hurts"),
        (Health(kind="command", argv=("/bin/sick",), user="stranger", timeout=1), "no such account: stranger"),
    ],
)
def test_a_health_check_that_does_not_pass_says_what_was_seen(
    session: Session, node: FakeHost, check: Health, says: str
) -> None:
    node.urls["http://10.88.0.60/bad"] = 503
    node.answer(["/bin/sick"], status=1, stderr="it hurts")
    begun = node.monotonic()
    with pytest.raises(Failed, match=says):
        apply(session, s.CheckHealth(check=check))
    assert 1.0 <= node.monotonic() - begun < 3.0


def test_health_is_waited_for(session: Session, node: FakeHost) -> None:
    url = "http://10.88.0.60/soon"
    node.urls[url] = 500
    looks: list[float] = []

    def answer() -> int:
        looks.append(node.monotonic())
        return 200 if len(looks) > 3 else 500

    node.answer_with(
        ["/bin/soon"], lambda argv, stdin: node.run(["/bin/yes" if answer() == 200 else "/bin/no"], ok=None)
    )
    node.answer(["/bin/yes"])
    node.answer(["/bin/no"], status=1)
    apply(session, s.CheckHealth(check=Health(kind="command", argv=("/bin/soon",), timeout=5)))
    assert len(looks) == 4


def test_an_alias_server_that_does_not_come_up_says_what_may_be_wrong(session: Session, node: FakeHost) -> None:
    node.units["tanist-sshd@oc.service"].fails = True
    with pytest.raises(Failed, match="another sshd listening"):
        apply(session, s.ServeAlias(controller="oc", config="/run/tanist/oc/sshd_config", text=""))


def test_without_an_nfs_server_exports_are_only_written(session: Session, node: FakeHost) -> None:
    node.units["nfs-server.service"].state = "inactive"
    apply(session, EXPORTS)
    assert not any(argv[0] == "exportfs" for argv in node.ran)


def test_a_lost_public_key_is_made_from_the_private_one(session: Session, node: FakeHost) -> None:
    spec = s.MakeSshKeys(directory=KEYS, types=("ed25519",), comment="ec")
    apply(session, spec)
    node.files.remove(f"{KEYS}/ssh_host_ed25519_key.pub")
    node.answer(["ssh-keygen", "-y"], "ssh-ed25519 AAAA again\n")
    apply(session, spec)
    assert node.files.read(f"{KEYS}/ssh_host_ed25519_key.pub") == b"ssh-ed25519 AAAA again\n"


def test_a_reboot_is_done_once_the_boot_id_changed(session: Session, node: FakeHost) -> None:
    spec = s.Reboot(boot_id=node.boot_id())
    with pytest.raises(Rebooting):
        apply(session, spec)
    undo(session, spec)
    assert looks_applied(session, spec) is False
    node.reboot()
    apply(session, spec)
    assert looks_applied(session, spec) is True


@pytest.mark.requirement("A35", "A38")
def test_a_last_capture_holds_parked_cron_entries(world: World, session: Session) -> None:
    apply(session, MOUNT, INIT)
    session.host.files.write("/etc/tanist/parked-oc", b"parked cron\n")
    spec = s.SaveCapture(epoch=1, run="r1", parked=(("/etc/cron.d/oc", "/etc/tanist/parked-oc"),))
    apply(session, spec)
    undo(session, spec)
    names = [path for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir()]
    assert len(names) == 1 and b"parked cron" in (names[0] / "files.tar").read_bytes()
