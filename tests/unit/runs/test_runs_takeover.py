"""Takeover as an operator sees it: two machines, one disk, one wire."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tanist.host.fake import FakeHost
from tanist.model.errors import Failed, NotProved, Refused
from tanist.model.host import Address, Ran
from tanist.plan.assume import derive_fsid
from tanist.runs.backup import backup
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.history import load_history
from tanist.runs.release import release
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.world import ADDRESSES, TREE, UNITS, World, said

ATTEST = TakeoverOptions(attest="I saw its lamps go out", reason="power failed")


def claim_of(world: World, name: str) -> object:
    return take(world, name)["claim"]


def is_active(world: World, name: str) -> bool:
    node = world.nodes[name]
    own = {one.address for interface in node.interfaces() for one in interface.addresses}
    return (
        set(ADDRESSES) <= own
        and all(node.units[unit].state == "active" for unit in UNITS)
        and any(mount.target == TREE for mount in node.mounts())
        and claim_of(world, name) == (name, claim_of(world, name)[1], "held")  # type: ignore[index]
    )


def is_unchanged(world: World, name: str, before: dict[str, object]) -> bool:
    """But for the claim, whose epoch never goes back."""
    found = differences(before, take(world, name))
    found.pop("claim", None)
    assert found == {}
    return True


@pytest.mark.requirement("A39", "A48", "A49", "A50", "A51", "A52", "A63")
def test_after_a_release_the_other_node_takes_over_without_a_persons_word(world: World) -> None:
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b") and not is_active(world, "ec-a")
    assert world.b.hostname() == "ec"
    assert world.b.shown == b"the controller's /etc/tanist/identity/oc/ssh_host_ed25519_key"
    assert claim_of(world, "ec-b") == ("ec-b", 2, "held")
    assert world.b.files.read("/etc/oc/main.conf") == b"configured on ec-a\n"
    assert world.b.exported == (f"/var/opt/oc/share 10.88.0.0/24(ro,fsid={derive_fsid('oc', 'share')})\n",)


@pytest.mark.requirement("A53", "A56", "A57", "A58")
def test_the_nodes_own_accounts_and_files_are_the_same_before_and_after(orphan: World) -> None:
    before = take(orphan, "ec-b")["files"]
    takeover(orphan.session("ec-b"), ATTEST)
    release(orphan.session("ec-b"))
    assert take(orphan, "ec-b")["files"] == before
    assert orphan.b.files.read("/etc/passwd") == b"root:secret of ec-b:0:0\n"


@pytest.mark.requirement("A54", "A55")
def test_files_belong_to_the_local_number_of_the_same_account(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    info = orphan.b.files.stat("/etc/oc/main.conf")
    assert info is not None and info.st_uid == orphan.b.users["oc"] == 102
    idmap = orphan.b.read_idmap(TREE)
    assert idmap is not None and (101, 102, 1) in idmap.users and (102, 101, 1) in idmap.users


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("attest", ["", "surely it is off"])
def test_a_living_owner_is_not_taken_from_whatever_a_person_says(world: World, attest: str) -> None:
    before = take(world, "ec-b")
    with pytest.raises(NotProved, match="shows life") as caught:
        takeover(world.session("ec-b"), TakeoverOptions(attest=attest))
    assert "switchover" in caught.value.next_step
    assert differences(before, take(world, "ec-b")) == {}


@pytest.mark.requirement("A61")
def test_an_owner_whose_ssh_is_dead_still_shows_life_on_the_wire(world: World) -> None:
    world.ssh_works = False
    with pytest.raises(NotProved, match="shows life"):
        takeover(world.session("ec-b"), ATTEST)
    assert "10.88.0.60" in world.said("ec-b") and "02:00:00:00:00:a0" in world.said("ec-b")


@pytest.mark.requirement("A01")
def test_silence_alone_is_never_death(orphan: World) -> None:
    before = take(orphan, "ec-b")
    with pytest.raises(NotProved, match="not proved") as caught:
        takeover(orphan.session("ec-b"), TakeoverOptions())
    assert "--attest" in caught.value.next_step
    assert differences(before, take(orphan, "ec-b")) == {}
    assert find_open_run(orphan.session("ec-b")) is None


@pytest.mark.requirement("A36", "A42")
def test_an_attested_takeover_keeps_the_word_for_good(orphan: World) -> None:
    takeover(orphan.session("ec-b", who="jan from 10.0.0.9"), ATTEST)
    assert is_active(orphan, "ec-b")
    entry = load_history(orphan.session("ec-b"))[-1]
    assert (entry["attested"], entry["who"], entry["verdict"]) == (ATTEST.attest, "jan from 10.0.0.9", "PROVED")
    lines = (orphan.top / "disk/.tanist/history.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["attested"] == ATTEST.attest


@pytest.mark.requirement("A61")
def test_a_taken_address_undoes_everything(orphan: World, tmp_path: Path) -> None:
    before = take(orphan, "ec-b")
    thief = FakeHost(str(tmp_path / "thief"), "thief", wire=orphan.wire)
    address = Address(interface="eth0", address=ADDRESSES[1], prefix=24)
    orphan.b.then.append(("set_hostname ec", lambda: thief.add_address(address)))
    with pytest.raises(Failed, match=r"10\.88\.0\.61 is in use by 02:00:00:00:03:01.*Everything was undone"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert is_unchanged(orphan, "ec-b", before)
    assert claim_of(orphan, "ec-b") == ("ec-b", 2, "released")


@pytest.mark.requirement("A11", "A25", "A26", "A27", "A28", "A29")
def test_another_version_is_refused_and_everything_taken_back(orphan: World) -> None:
    orphan.b.files.write("/n1gc-setup/.version.properties", b"version=2.1\nproduct.version=2.1.0.821\n", 0o644)
    before = take(orphan, "ec-b")
    with pytest.raises(Refused, match=r"2\.1\.0\.820 on ec-a and 2\.1\.0\.821 on ec-b"):
        takeover(orphan.session("ec-b"), ATTEST)
    assert is_unchanged(orphan, "ec-b", before)


@pytest.mark.requirement("A04", "A06", "A07", "A09", "A10", "A55")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda b: b.files.write("/etc/opt/oc/users.json", b"{}"), "configured on its own"),
        (lambda b: setattr(b.units["oc-ec.service"], "state", "active"), "runs on this node on its own"),
        (lambda b: b.files.remove("/opt/oc/bin/check"), "the software is not installed"),
        (lambda b: b.files.write("/n1gc-setup/role", b"role=pc\n"), "stand-alone Proxy Controller"),
        (lambda b: b.units.pop("oc-proxy.service"), "there is no unit oc-proxy.service"),
        (lambda b: b.network.ports.pop("ens3"), 'belongs on interface "ens3"'),
        (lambda b: b.users.pop("ocproxy"), "ocproxy"),
        (lambda b: b.answer(["uname", "-m"], "aarch64\n"), "processor"),
        (lambda b: b.files.write("/etc/os-release", b"ID=debian\nVERSION_ID=13\n"), "operating system"),
    ],
)
def test_a_node_that_is_no_fit_standby_is_refused(orphan: World, spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    spoil(orphan.b)
    before = take(orphan, "ec-b")
    with pytest.raises(Refused, match=says):
        takeover(orphan.session("ec-b"), ATTEST)
    assert is_unchanged(orphan, "ec-b", before)


def test_a_dry_run_prints_both_plans_and_changes_nothing(orphan: World) -> None:
    before, changes = take(orphan, "ec-b"), lasting_changes(orphan)
    observation, text = dry_run(orphan.session("ec-b"), ATTEST)
    assert observation.verdict.outcome.value == "PROVED"
    assert "acquire:" in text and "assume:" in text and "start oc-ec.service" in text
    assert differences(before, take(orphan, "ec-b")) == {}
    assert lasting_changes(orphan) == changes


def lasting_changes(world: World) -> list[str]:
    return [what for what in world.b.log if " /run/" not in what]


def test_a_service_that_does_not_start_holds_the_run_until_it_is_mended(orphan: World) -> None:
    orphan.b.units["oc-proxy.service"].fails = True
    with pytest.raises(Failed, match=r"start oc-proxy.service: .*result exit-code") as caught:
        takeover(orphan.session("ec-b"), ATTEST)
    assert "tanist resume oc" in caught.value.next_step
    with pytest.raises(Refused, match="was cut off on this node"):
        takeover(orphan.session("ec-b"), ATTEST)
    orphan.b.units["oc-proxy.service"].fails = False
    resume(orphan.session("ec-b"))
    assert is_active(orphan, "ec-b") and find_open_run(orphan.session("ec-b")) is None


def test_a_held_takeover_can_be_undone(orphan: World) -> None:
    before = take(orphan, "ec-b")
    orphan.b.answer(["/opt/oc/bin/check"], status=1, stderr="sick")
    with pytest.raises(Failed, match="it did not pass within 2 s: sick"):
        takeover(orphan.session("ec-b"), ATTEST)
    undo(orphan.session("ec-b"))
    assert is_unchanged(orphan, "ec-b", before)
    entry = load_history(orphan.session("ec-b"))[-1]
    assert entry["outcome"] == "undone"


def test_the_active_node_takes_nothing_over_and_an_idle_one_releases_nothing(world: World) -> None:
    with pytest.raises(Refused, match="is the active node of oc already"):
        takeover(world.session("ec-a"), ATTEST)
    with pytest.raises(Refused, match="there is nothing to release"):
        release(world.session("ec-b"))
    for act in (resume, undo):
        with pytest.raises(Refused, match="nothing to resume or undo"):
            act(world.session("ec-b"))


@pytest.mark.requirement("A67")
def test_the_new_owner_captures_so_that_a_way_home_knows_its_numbers(orphan: World) -> None:
    takeover(orphan.session("ec-b"), ATTEST)
    names = [path.name for path in (orphan.top / "disk/.tanist/captures").iterdir() if "-e2-ec-b" in path.name]
    assert len(names) == 1


@pytest.mark.requirement("A37")
def test_a_standby_captures_nothing(world: World) -> None:
    changes = len(world.b.log)
    backup(world.session("ec-b"), mirror=True)
    assert len(world.b.log) == changes


@pytest.mark.requirement("A14")
@pytest.mark.parametrize(
    ("at", "data", "says"),
    [
        (1024 + 0x38, b"\0\0", "no ext4 super block; its copies are not where mkfs usually puts them"),
        (1024 + 0x60, b"\0\0\0\x40", "incompatible:0x40000000 (of a newer Linux), which this node's kernel 6.1.0"),
    ],
)
def test_a_file_system_that_this_node_cannot_mount_is_refused_before_anything_is_changed(
    world: World, at: int, data: bytes, says: str
) -> None:
    release(world.session("ec-a"))
    honest = world.b._dd

    def spoilt(argv: Sequence[str], stdin: bytes) -> Ran:
        block = bytearray(honest(argv, stdin).stdout)
        block[at : at + len(data)] = data
        return said(argv, bytes(block))

    world.b.answer_with(["dd"], spoilt)
    world.b.files.make_directory("/proc/sys/kernel")
    world.b.files.write("/proc/sys/kernel/osrelease", b"6.1.0-18-amd64\n")
    before = take(world, "ec-b")
    with pytest.raises(Refused) as refused:
        takeover(world.session("ec-b"), TakeoverOptions())
    assert says in refused.value.message
    assert is_unchanged(world, "ec-b", before)
    world.b.answer_with(["dd"], honest)
    takeover(world.session("ec-b"), TakeoverOptions())
    assert is_active(world, "ec-b")


LOG = "[1.0] EXT4-fs (sda): recovery complete\n[1.1] EXT4-fs (sda): mounted filesystem x r/w with ordered data mode.\n"


def tells_of_replay(world: World) -> bool:
    return any("was not unmounted by its last user" in one.says for one in world.events["ec-b"])


def test_after_a_power_cut_it_is_told_what_the_kernel_replayed(orphan: World) -> None:
    orphan.b.answer(["dmesg"], LOG)
    takeover(orphan.session("ec-b"), ATTEST)
    assert tells_of_replay(orphan)


def test_after_a_release_nothing_was_replayed(world: World) -> None:
    world.b.answer(["dmesg"], LOG)
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), TakeoverOptions())
    assert not tells_of_replay(world)
