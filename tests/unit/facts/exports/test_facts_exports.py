"""A look at a tree on a filer: what it says, and that it never says more than it knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.facts.exports import look, read_export
from tanist.facts.selfstart.find import look_at_automounts, look_at_fstab, read_stack
from tanist.facts.storage import check_claim_in_place, mounted_here, read_claim_offline, read_marks
from tanist.host.fake import FakeDisk, FakeHost
from tanist.journal.claimfile import create_claim, load_claim
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset, Controller, Identity
from tanist.model.evidence import Says
from tanist.model.exports import LOCK, judge_options
from tanist.model.readout import ExportReadout
from tanist.model.storage import StorageMarks
from tanist.model.unread import Unread
from tanist.proof.probes import judge_marks

EXPORT = "filer:/srv/oc"
NFS = Asset(kind="nfs", device=EXPORT, fstype="nfs4")
TREE = "/srv/tree"
CLAIM = Claim(controller="oc", node="ec-a", epoch=3, state="held", since="2026-01-01", run="r")
IN_FORCE = ("rw", "vers=4.2", "hard", "proto=tcp", "timeo=600", "sec=sys", "local_lock=none", "addr=10.0.0.9")


@pytest.fixture
def disk(tmp_path: Path) -> FakeDisk:
    (tmp_path / "export").mkdir()
    return FakeDisk(path=str(tmp_path / "export"), fstype="nfs4", guarded=False)


def machine(tmp_path: Path, name: str, disk: FakeDisk) -> FakeHost:
    host = FakeHost(str(tmp_path / name), name, disks={EXPORT: disk})
    host.files.make_directory(TREE)
    return host


@pytest.fixture
def owner(tmp_path: Path, disk: FakeDisk) -> FakeHost:
    host = machine(tmp_path, "ec-a", disk)
    host.mount_device(EXPORT, TREE, "nfs4", NFS.mount_options, None)
    create_claim(host, TREE, CLAIM)
    return host


@pytest.fixture
def standby(tmp_path: Path, disk: FakeDisk) -> FakeHost:
    return machine(tmp_path, "ec-b", disk)


def marks_of(host: FakeHost) -> StorageMarks:
    found = read_marks(host, NFS)
    assert isinstance(found, StorageMarks)
    return found


def test_the_claim_is_read_by_the_standby_and_nothing_is_frozen_for_it(owner: FakeHost, standby: FakeHost) -> None:
    before = list(standby.log)
    assert read_claim_offline(standby, NFS) == CLAIM == load_claim(owner, TREE)
    assert standby.log == before, "a look changes nothing"
    assert check_claim_in_place(owner, NFS, CLAIM) == ""
    assert not [argv for argv in owner.ran if argv[0] == "setsid"], "NFS has no freeze"


def test_an_export_without_a_claim_has_none_that_could_be_read(standby: FakeHost) -> None:
    assert read_claim_offline(standby, NFS) == Unread(f"{EXPORT}: there is no claim on it")


def test_a_filer_that_is_away_is_cannot_tell(owner: FakeHost, standby: FakeHost, disk: FakeDisk) -> None:
    disk.away = True
    for found in (read_claim_offline(standby, NFS), read_marks(standby, NFS), look(standby, NFS)):
        assert isinstance(found, Unread)
        assert "no answer within 20 s" in found.why and EXPORT in found.why


def test_a_lock_that_is_held_is_a_sign_of_life_and_a_free_one_is_nothing(owner: FakeHost, standby: FakeHost) -> None:
    assert judge_marks(marks_of(standby))[0] is Says.UNKNOWN
    record = owner.hold_record(f"{TREE}/{LOCK}", f"ec-a {owner.boot_id()}".encode())
    assert record is not None
    assert judge_marks(marks_of(standby)) == (Says.ACTIVE, "its owner's lock is held: by ec-a, by its own note")
    record.close()
    says, detail = judge_marks(marks_of(standby))
    assert says is Says.UNKNOWN, "let go or run out: never clean"
    assert "proves nothing" in detail


def test_a_nodes_own_lock_is_no_other_owner_but_another_nodes_is_though_it_is_mounted_here(
    owner: FakeHost, standby: FakeHost
) -> None:
    owner.hold_record(f"{TREE}/{LOCK}", f"ec-a {owner.boot_id()}".encode())
    own = marks_of(owner)
    assert (own.state, own.mounted_at) == ("unknown", (TREE,))
    assert judge_marks(own)[0] is Says.UNKNOWN, "that it is mounted here says nothing of the other node"
    standby.mount_device(EXPORT, TREE, "nfs4", NFS.mount_options, None)
    assert judge_marks(marks_of(standby))[0] is Says.ACTIVE


def test_a_lock_of_this_node_but_of_another_boot_is_somebodys(owner: FakeHost) -> None:
    owner.hold_record(f"{TREE}/{LOCK}", b"ec-a another-boot")
    assert judge_marks(marks_of(owner))[0] is Says.ACTIVE


def test_it_is_found_mounted_by_its_name(owner: FakeHost, standby: FakeHost) -> None:
    assert mounted_here(owner, EXPORT) == (TREE,)
    assert mounted_here(standby, EXPORT) == ()


def test_what_is_asked_of_the_owners_mount_and_of_a_look() -> None:
    assert NFS.mount_options == ("hard", "proto=tcp", "vers=4.2")
    other = replace(NFS, options=("noatime", "vers=4.1", "sec=krb5"), device="[fd99::1]:/srv/oc")
    assert other.mount_options == ("hard", "proto=tcp6", "noatime", "vers=4.1", "sec=krb5")
    assert {"ro", "soft", "noac", "nosharecache", "proto=tcp6", "vers=4.1", "sec=krb5"} <= set(other.look_options)
    assert not {"hard", "noatime"} & set(other.look_options)
    assert NFS.disks == () and NFS.mounted


BAD = {
    "hard": "soft",
    "vers=4.2": "vers=4.0",
    "proto=tcp": "proto=udp",
    "local_lock=none": "local_lock=all",
    "timeo=600": "nocto",
    "sec=sys": "nolock",
}


def test_options_in_force_that_are_as_they_should_be_are_nothing_to_tell() -> None:
    assert judge_options(IN_FORCE) == ()
    assert judge_options([*IN_FORCE, "noac"]) == ()


@pytest.mark.parametrize("good", BAD)
def test_one_option_in_force_that_harms_is_named(good: str) -> None:
    (said,) = judge_options([BAD[good] if one == good else one for one in IN_FORCE])
    assert said.startswith(f"{BAD[good]}: ")


def test_a_mount_that_is_not_hard_by_any_word_is_told() -> None:
    assert judge_options([one for one in IN_FORCE if one != "hard"]) == (
        "not hard: the owner is to wait for its filer",
    )


def test_the_readout_tells_where_it_is_mounted_and_who_has_the_lock(owner: FakeHost, standby: FakeHost) -> None:
    owner.hold_record(f"{TREE}/{LOCK}", b"ec-a boot")
    standby.answer(["mount.nfs4"], status=127)
    found = read_export(standby, NFS)
    assert found == ExportReadout(locked="by ec-a, by its own note", helper=False, client="tanist-ec-b")
    owner.answer(["mount.nfs4"], "mount.nfs4: (linux nfs-utils 2.6.2)\n")
    here = read_export(owner, NFS)
    assert isinstance(here, ExportReadout)
    assert here.mounted_at == (TREE,) and here.helper
    assert here.wrong == (), "as tanist mounts it"


def test_fstab_and_maps_of_the_automounter_that_have_the_export_are_named(standby: FakeHost) -> None:
    controller = Controller(
        name="oc",
        asset=NFS,
        tree=TREE,
        identity=Identity(mode="alias", hostname="ec", addresses=(), ssh_host_keys="/etc/tanist/identity/oc"),
        nodes=(),
    )
    assert list(look_at_automounts(standby, controller)) == []
    standby.files.write("/etc/fstab", f"{EXPORT}/ /mnt nfs4 soft 0 0\n".encode())
    standby.files.write("/etc/auto.home", f"oc -soft {EXPORT}\n".encode())
    stack = read_stack(standby, controller)
    assert [one.what for one in look_at_fstab(standby, controller, stack)] == [
        f"/etc/fstab mounts {EXPORT}/ at /mnt at boot"
    ]
    (found,) = look_at_automounts(standby, controller)
    assert found.what.startswith(f"/etc/auto.home mounts {EXPORT} for whoever looks there")
