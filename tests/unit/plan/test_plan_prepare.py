"""Which disks become the asset, what is in the way, the steps, and the last look before each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tanist.definition.load import load_controller
from tanist.model.asset_steps import EraseDisk, MakeArray, MakeFileSystem, MakeVolume, ProveShared
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.disks import DiskMark, DiskSurvey, Programs, SeenDisk, Setting
from tanist.model.errors import Refused
from tanist.model.layers import DrbdLayer
from tanist.model.steps import Plan
from tanist.model.unread import Unread
from tanist.plan.disks import Wanted, choose, find_advice, find_obstacles, render_seen
from tanist.plan.filesystems import build_make, describe_features
from tanist.plan.last_look import find_intruders
from tanist.plan.prepare import Fresh, build_prepare
from tanist.plan.proposal import build_proposal, find_candidates, pick
from tests.vm.definitions import render_definition

A, B = "/dev/disk/by-id/wwn-0xa", "/dev/disk/by-id/wwn-0xb"
UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/ledger"\nuuid = "{UUID}"\nmembers = ["{A}", "{B}"]\n'
LVM = '[[asset.layer]]\nkind = "lvm"\ngroup = "ledger"\nvolume = "tree"\n'
NEW = Programs(kernel="6.1.0-18", e2fsprogs="1.47.0", xfsprogs="6.1.0", mdadm="4.2", lvm="2.03.16")
OLD = Programs(kernel="5.4.0", e2fsprogs="1.45.5", xfsprogs="5.3.0", mdadm="4.1", lvm="2.03.7")
FRESH = Fresh(filesystem="6d5a0f6e-1111-4222-8333-444455556666", volume="7Zfm7X-vPhV-iTo7-xUOv-Qb0q-cbzY-fFMrFD")
EXT4 = DiskMark(kind="ext4", uuid="aaaa-1", label="old")
GPT = DiskMark(kind="gpt", uuid="bbbb-2")
PV = DiskMark(kind="LVM2_member", uuid="Theirs-1", part=1)
RAW = DiskMark(kind="data")
GIB = 1 << 30


def define(device: str = A, fstype: str = "ext4", *, layers: str = "", rest: str = "") -> Controller:
    return load_controller(render_definition(device, fstype, layers=layers, rest=rest).encode(), "ledger.toml")


MIRROR = define("/dev/md/ledger", layers=MD)
STACK = define("/dev/ledger/tree", "xfs", layers=MD + LVM)


def disk(name: str, number: str, **more: Any) -> SeenDisk:
    one = SeenDisk(
        name=name,
        kind="disk",
        size=GIB,
        wwn=f"0x{number}",
        serial=f"S{number.upper()}",
        model="rotor",
        names=(f"/dev/disk/by-id/wwn-0x{number}",),
        looked=True,
    )
    return replace(one, **more)


Nodes = dict[str, DiskSurvey | Unread]


def see(*pairs: tuple[SeenDisk, SeenDisk], programs: Programs = NEW) -> Nodes:
    """Two nodes, each with its own names of the same disks."""
    nodes: Nodes = {}
    for side, node in enumerate(("ec-a", "ec-b")):
        disks = tuple(pair[side] for pair in pairs)
        asked = tuple((path, one.name) for path, one in zip((A, B), disks, strict=False))
        nodes[node] = DiskSurvey(node=node, disks=disks, asked=asked, programs=programs)
    return nodes


def two(first: Mapping[str, Any] | None = None, second: Mapping[str, Any] | None = None) -> Nodes:
    """Disk A with `first` on both nodes, disk B with `second`; called sda and sdb here, sdc and sdd there."""
    a, b = dict(first or {}), dict(second or {})
    return see((disk("sda", "a", **a), disk("sdc", "a", **a)), (disk("sdb", "b", **b), disk("sdd", "b", **b)))


def change(nodes: Nodes, node: str, number: int, **more: Any) -> Nodes:
    """One node sees one disk otherwise."""
    one = nodes[node]
    assert isinstance(one, DiskSurvey) and not isinstance(one.disks, Unread)
    disks = tuple(replace(seen, **more) if at == number else seen for at, seen in enumerate(one.disks))
    return {**nodes, node: replace(one, disks=disks)}


def tell(nodes: Nodes, **more: Any) -> Nodes:
    """ec-b tells something else."""
    one = nodes["ec-b"]
    assert isinstance(one, DiskSurvey)
    return {**nodes, "ec-b": replace(one, **more)}


def obstacles(nodes: Nodes, controller: Controller = MIRROR, **said: Any) -> tuple[str, ...]:
    return find_obstacles(controller, nodes, Wanted(**said), {})


@pytest.mark.requirement("A20", "A21", "A22")
def test_blank_disks_that_both_nodes_see_are_free() -> None:
    assert obstacles(two()) == ()


CASES: dict[str, tuple[Nodes, dict[str, Any], str]] = {
    "a foreign file system": (two({"marks": (EXT4,)}), {}, "it is not blank: ext4 \"old\" aaaa-1"),
    "a partition table": (two({"marks": (GPT,)}), {}, "it is not blank: gpt"),
    "somebody's LVM in a partition": (two({"marks": (GPT, PV)}), {}, "LVM2_member Theirs-1 in partition 1"),
    "no mark, but not blank": (two({"marks": (RAW,)}), {}, "it is not blank: data without a known mark"),
    "another serial number typed": (two({"marks": (EXT4,)}), {"erase": ("SB",)}, "it is not blank"),
    "a serial number of no disk": (two(), {"erase": ("S0",)}, "--erase S0: no disk of this asset"),
    "mounted here": (change(two(), "ec-a", 0, uses=("sda is mounted at /srv",)), {}, "in use on ec-a: sda is mounted"),
    "in use there only": (change(two(), "ec-b", 1, uses=("sdd is swap space",)), {}, "in use on ec-b: sdd is swap"),
    "assembled there": (change(two(), "ec-b", 0, holders=("md127 (raid1)",)), {}, "md127 (raid1) is assembled on it"),
    "a claim": (two({"claims": ("oc is held by ec-x, epoch 3",)}), {}, "it belongs to a controller (oc is held"),
    "read-only there": (change(two(), "ec-b", 0, read_only=True), {}, "it is read-only on ec-b"),
    "unreadable": (two({"marks": Unread("I/O error")}), {}, "what is on it can't be read on ec-a: I/O error"),
    "too small": (two({"size": 64 << 20}), {}, "it has 64 MiB; at least 300 MiB"),
    "another disk behind the name": (change(two(), "ec-b", 0, wwn="0xc"), {}, "another disk on ec-b"),
    "another size there": (change(two(), "ec-b", 0, size=2 * GIB), {}, "another disk on ec-b"),
    "other content there": (change(two(), "ec-b", 0, marks=(EXT4,)), {}, "ec-b sees other things on it than ec-a"),
    "neither WWN nor serial number": (two({"wwn": "", "serial": ""}), {}, "neither WWN nor serial number"),
    "the same serial number twice": (
        see((disk("sda", "a"), disk("sdc", "a")), (disk("sdb", "a"), disk("sdd", "a"))),
        {},
        "are one disk: a mirror on it would mirror nothing",
    ),
    "one way of several": (two({"kind": "path", "holders": ("mpatha (mpath)",)}), {}, "it is one way to mpatha"),
}  # fmt: skip


@pytest.mark.requirement("A20", "A21")
@pytest.mark.parametrize("case", list(CASES))
def test_what_is_in_the_way_is_named(case: str) -> None:
    nodes, said, wanted = CASES[case]
    assert any(wanted in one for one in obstacles(nodes, **said)), obstacles(nodes, **said)


@pytest.mark.parametrize("word", ["SA", "0xa"])
def test_the_typed_serial_number_or_wwn_lets_a_disk_go(word: str) -> None:
    assert obstacles(two({"marks": (EXT4, GPT)}), erase=(word,)) == ()


def test_a_disk_without_a_serial_number_goes_by_its_wwn() -> None:
    nodes = two({"marks": (EXT4,), "serial": ""})
    assert "type its WWN (it has no serial number)" in obstacles(nodes)[0]
    assert obstacles(nodes, erase=("0xa",)) == ()


@pytest.mark.parametrize("more", [{"uses": ("x",)}, {"holders": ("md1 (raid1)",)}, {"claims": ("oc is held",)}])
def test_no_word_takes_a_disk_that_is_in_use(more: dict[str, Any]) -> None:
    assert obstacles(change(two({"marks": (EXT4,)}), "ec-b", 0, **more), erase=("SA",))


def test_names_that_are_swapped_between_the_nodes_are_seen_and_a_common_one_is_told() -> None:
    nodes = see((disk("sda", "a"), disk("sda", "b")), (disk("sdb", "b"), disk("sdb", "a")))
    found = obstacles(nodes)
    assert "another disk on ec-b" in found[0]
    assert "a name that is the same everywhere: /dev/disk/by-id/wwn-0xa" in found[0]


def test_the_same_disk_by_two_ways_without_multipath_is_refused() -> None:
    extra = disk("sde", "a")
    nodes = two()
    one = nodes["ec-a"]
    assert isinstance(one, DiskSurvey) and not isinstance(one.disks, Unread)
    nodes["ec-a"] = replace(one, disks=(*one.disks, extra))
    assert any("sees the same disk as sde too" in what for what in obstacles(nodes))


def test_a_name_that_is_no_device_and_one_that_is_a_partition() -> None:
    nodes = two()
    one = nodes["ec-b"]
    assert isinstance(one, DiskSurvey)
    nodes["ec-b"] = replace(one, asked=((A, ""), (B, "sdd1")))
    found = obstacles(nodes)
    assert found == (
        f"{A} is no device on ec-b",
        f"{B} is sdd1 on ec-b, no whole disk: whole disks are prepared, no partitions or volumes",
    )


def test_a_node_that_cannot_be_asked_stops_it() -> None:
    assert obstacles({**two(), "ec-b": Unread("no route")}) == ("ec-b can't be asked: no route",)


def test_what_a_node_lacks_is_told_with_its_mend() -> None:
    nodes = two()
    one = nodes["ec-b"]
    assert isinstance(one, DiskSurvey)
    bare = replace(NEW, mdadm="", lvm="", xfsprogs="")
    nodes["ec-b"] = replace(
        one, programs=bare, settings=(Setting(says="MD assembles it", mend="AUTO -all"),), active=("it is active",)
    )
    found = obstacles(nodes, STACK)
    assert [what for what in found if "not installed" in what] == [
        "ec-b: lvm2 is not installed   (apt install lvm2)",
        "ec-b: mdadm is not installed   (apt install mdadm)",
        "ec-b: xfsprogs is not installed   (apt install xfsprogs)",
    ]
    assert "ec-b: MD assembles it   (to mend it: AUTO -all)" in found
    assert any(what.startswith("ec-b: it is active") for what in found)
    listed = replace(one, disks=Unread("lsblk: not found"))
    assert "ec-b: its disks can't be listed: lsblk: not found" in obstacles({**nodes, "ec-b": listed})


def test_a_node_that_did_not_tell_its_programs_is_not_said_to_lack_any() -> None:
    nodes = two()
    assert obstacles(tell(nodes, programs=None)) == ()
    assert obstacles(tell(nodes, programs=replace(NEW, mdadm=""))) == (
        "ec-b: mdadm is not installed   (apt install mdadm)",
    )


def test_what_tanist_does_not_make_is_refused_politely() -> None:
    plain = replace(MIRROR, asset=replace(MIRROR.asset, kind="directory", device=""))
    assert "there is nothing to prepare" in obstacles(two(), plain)[0]
    odd = replace(MIRROR, asset=replace(MIRROR.asset, fstype="btrfs"))
    assert "btrfs is not made by tanist" in obstacles(two(), odd)[0]
    layered = replace(MIRROR, asset=replace(MIRROR.asset, layers=(DrbdLayer(resource="r0", device="/dev/drbd0"),)))
    assert "a layer of kind drbd is not made by tanist" in obstacles(two(), layered)[0]


def test_disks_of_other_definitions_and_of_the_lease_are_left_alone() -> None:
    found = find_obstacles(MIRROR, two(), Wanted(), {"oc": (B,)})
    assert found == (f"{B}: the definition of oc names it",)
    leased = define("/dev/md/ledger", layers=MD, rest=f'[proof.lease]\ndevice = "{A}"\n')
    assert f"{A}: [proof.lease] is on it" in obstacles(two(), leased)


# -- the plan


def planned(controller: Controller, nodes: Nodes, *programs: Programs) -> Plan:
    read = [one for one in nodes.values() if isinstance(one, DiskSurvey)]
    chosen = choose(controller.asset, read)
    return build_prepare(controller, chosen, programs or (NEW, NEW), FRESH, "R1", Wanted(erase=("SA",)))


@pytest.mark.requirement("A14", "A16", "A22")
def test_the_whole_stack_in_its_order_with_the_exact_commands() -> None:
    plan = planned(STACK, two({"marks": (EXT4,)}))
    assert [(step.direction, type(step.spec).__name__) for step in plan.steps] == [
        ("apply", "EraseDisk"),
        ("apply", "EraseDisk"),
        ("apply", "ProveShared"),
        ("apply", "MakeArray"),
        ("apply", "AssembleArray"),
        ("apply", "MakeVolume"),
        ("apply", "ActivateVolume"),
        ("apply", "MakeFileSystem"),
        ("undo", "ActivateVolume"),
        ("undo", "AssembleArray"),
    ]
    text = "\n".join(step.says for step in plan.steps)
    assert 'lost for good: ext4 "old" aaaa-1' in text
    assert f"mdadm --create /dev/md/ledger --run --metadata=1.2 --level=1 --raid-devices=2 --uuid={UUID}" in text
    assert f"--data-offset=16M {A} {B}" in text
    assert "vgcreate -q -y --setautoactivation n ledger /dev/md/ledger" in text
    assert "lvcreate -q -y -n tree -l 100%FREE ledger" in text
    assert "mkfs.xfs -q -f -L ledger -m crc=1,finobt=1,reflink=1,rmapbt=0,bigtime=1,inobtcount=1,uuid=" in text
    erase = plan.steps[0].spec
    assert isinstance(erase, EraseDisk)
    assert (erase.wwn, erase.serial, erase.size, erase.marks) == ("0xa", "SA", GIB, ("ext4 aaaa1",))
    assert "setautoactivation" not in "\n".join(step.says for step in planned(STACK, two(), NEW, OLD).steps)


def test_one_bare_disk_and_lvm_upon_one() -> None:
    plan = planned(define(), see((disk("sda", "a"), disk("sdc", "a"))))
    assert [type(step.spec).__name__ for step in plan.steps] == ["EraseDisk", "ProveShared", "MakeFileSystem"]
    lvm = define("/dev/ledger/tree", layers=f'{LVM}disk = "{A}"\n')
    plan = planned(lvm, see((disk("sda", "a"), disk("sdc", "a"))))
    made = next(step.spec for step in plan.steps if isinstance(step.spec, MakeVolume))
    assert made.disk == A


def make(fstype: str, *programs: Programs, quota: bool = False) -> str:
    return " ".join(
        build_make(fstype, "/dev/x", uuid="U", label="a-long-label-of-a-server", programs=programs, quota=quota)
    )


@pytest.mark.requirement("A10", "A14")
def test_features_are_those_that_the_oldest_node_knows() -> None:
    both = make("ext4", NEW, NEW, quota=True)
    assert "-O none,has_journal," in both and "mmp,64bit,metadata_csum,metadata_csum_seed,orphan_file,quota" in both
    assert "-E mmp_update_interval=1" in both and "-L a-long-label-of- " in both
    older = make("ext4", NEW, OLD)
    assert "orphan_file" not in older and "quota" not in older and "metadata_csum_seed" in older
    assert "bigtime=1,inobtcount=1" in make("xfs", NEW, NEW)
    assert "bigtime=0,inobtcount=0" in make("xfs", NEW, OLD), "said aloud where the maker knows them"
    assert "bigtime" not in make("xfs", OLD, NEW), "an old mkfs.xfs would not know the word"
    latest = replace(NEW, kernel="6.18.1", xfsprogs="6.18.0")
    assert "nrext64=1,exchange=1 -n parent=1" in make("xfs", latest, latest)
    assert describe_features("xfs", (NEW, OLD), quota=False).startswith(
        "for kernel 5.4.0 and xfsprogs 5.3.0, the oldest"
    )
    assert "left out: orphan_file" in describe_features("ext4", (NEW, OLD), quota=True)


def test_advice_names_what_is_not_redundant_and_members_that_differ() -> None:
    one = define()
    nodes = see((disk("sda", "a"), disk("sdc", "a")))
    told = [*find_advice(one, choose(one.asset, [n for n in nodes.values() if isinstance(n, DiskSurvey)]), (NEW,))]
    assert told == [
        "one disk: it dies with all that is on it, unless its array keeps copies ([storage] redundant_by says so)"
    ]
    nodes = two({"size": 2 * GIB})
    chosen = choose(STACK.asset, [n for n in nodes.values() if isinstance(n, DiskSurvey)])
    told = [*find_advice(STACK, chosen, (NEW, OLD))]
    assert "the members differ: only 1.0 GiB of each are used" in told
    assert any(line.startswith("xfs has no multiple mount protection") for line in told)
    assert any(line.startswith("LVM before 2.03.12") for line in told)


def test_there_is_no_plan_for_a_layer_that_tanist_does_not_make() -> None:
    copied = replace(MIRROR, asset=replace(MIRROR.asset, layers=(DrbdLayer(resource="r0", device="/dev/drbd0"),)))
    chosen = choose(MIRROR.asset, [n for n in two().values() if isinstance(n, DiskSurvey)])
    with pytest.raises(Refused, match="a layer of kind drbd is not made by tanist"):
        build_prepare(copied, chosen, (NEW, NEW), FRESH, "R1", Wanted())


def test_a_group_that_every_node_can_leave_alone_at_boot_is_no_worry() -> None:
    chosen = choose(STACK.asset, [n for n in two().values() if isinstance(n, DiskSurvey)])
    told = [line for line in find_advice(STACK, chosen, (NEW, NEW)) if "LVM" in line]
    assert told == [
        "where a node has /etc/lvm/devices/system.devices, LVM sees only what lvmdevices --adddev has put there"
    ]


def test_one_disk_that_its_array_keeps_redundant_is_no_worry_and_a_mirror_says_what_its_comparison_means() -> None:
    told = define(rest='[storage]\nredundant_by = "RAID 5 in the array"\n')
    nodes = see((disk("sda", "a"), disk("sdc", "a")))
    chosen = choose(told.asset, [n for n in nodes.values() if isinstance(n, DiskSurvey)])
    assert [*find_advice(told, chosen, (NEW,))] == []
    for smaller, differs in ((GIB - (GIB >> 7), False), (GIB - (GIB >> 4), True)):
        mirrored = choose(MIRROR.asset, [n for n in two({"size": smaller}).values() if isinstance(n, DiskSurvey)])
        advice = [*find_advice(MIRROR, mirrored, (NEW,))]
        assert any(line.startswith("the members differ") for line in advice) is differs
        assert advice[-1].startswith("the mirror's first comparison goes on whenever it is assembled")


def test_the_disks_are_shown_as_each_node_calls_them_with_what_is_on_them() -> None:
    nodes = two({"marks": (EXT4, PV)}, {"serial": "", "marks": Unread("I/O error")})
    chosen = choose(MIRROR.asset, [n for n in nodes.values() if isinstance(n, DiskSurvey)])
    assert render_seen(chosen).splitlines() == [
        f"  {A}",
        "    ec-a: sda, 1.0 GiB, rotor, serial number SA, WWN 0xa",
        "    ec-b: sdc, 1.0 GiB, rotor, serial number SA, WWN 0xa",
        '    on it: ext4 "old" aaaa-1; LVM2_member Theirs-1 in partition 1',
        f"  {B}",
        "    ec-a: sdb, 1.0 GiB, rotor, WWN 0xb",
        "    ec-b: sdd, 1.0 GiB, rotor, WWN 0xb",
        "    on it: can't be read: I/O error",
    ]


def test_a_blank_disk_is_told_from_one_that_nobody_looked_at() -> None:
    for looked, says in ((True, "blank"), (False, "not looked at")):
        nodes = two({"looked": looked})
        chosen = choose(MIRROR.asset, [n for n in nodes.values() if isinstance(n, DiskSurvey)])
        assert render_seen(chosen[:1]).splitlines()[-1] == f"    on it: {says}"


# -- the last look


def look(plan: Plan, nodes: Nodes, kinds: tuple[type, ...]) -> tuple[str, ...]:
    begun = frozenset(step.id for step in plan.steps if isinstance(step.spec, kinds))
    return find_intruders(plan, begun, nodes, "ec-a")


FIRST: tuple[type, ...] = (EraseDisk,)
PROOF: tuple[type, ...] = (EraseDisk, ProveShared)
MADE: tuple[type, ...] = (EraseDisk, ProveShared, MakeArray)
OURS = DiskMark(kind="linux_raid_member", uuid="01234567-89ab-cdef-0123-456789abcdef")
LOOKS: dict[str, tuple[Callable[[Nodes], Nodes], tuple[type, ...], str]] = {
    "nothing new": (lambda n: n, FIRST, ""),
    "erased by now": (lambda n: change(change(n, "ec-a", 0, marks=()), "ec-b", 0, marks=()), PROOF, ""),
    "cut off in the middle of erasing": (lambda n: change(n, "ec-a", 0, marks=(RAW,)), FIRST, ""),
    "our own mirror, assembled here": (
        lambda n: change(change(n, "ec-a", 0, marks=(OURS,), holders=("md0 (raid1)",)), "ec-b", 0, marks=(OURS,)),
        MADE,
        "",
    ),
    "our own mirror, assembled there": (
        lambda n: change(change(n, "ec-a", 0, marks=(OURS,)), "ec-b", 0, marks=(OURS,), holders=("md0 (raid1)",)),
        MADE,
        "ec-b: md0 (raid1) is assembled on it",
    ),
    "a mirror before we made one": (
        lambda n: change(n, "ec-a", 0, marks=(), holders=("md0 (raid1)",)), PROOF, "ec-a: md0 (raid1) is assembled"
    ),
    "put on it meanwhile": (lambda n: change(n, "ec-b", 1, marks=(GPT,)), FIRST, "was put on it meanwhile: gpt"),
    "still there when it should be gone": (lambda n: n, PROOF, 'was put on it meanwhile: ext4 "old"'),
    "somebody's array in its place": (
        lambda n: change(n, "ec-a", 0, marks=(replace(OURS, uuid="fedc"),)), MADE, "was put on it meanwhile: linux_raid"
    ),
    "mounted there by now": (lambda n: change(n, "ec-b", 0, uses=("sdc is mounted",)), FIRST, "ec-b: sdc is mounted"),
    "another disk by now": (lambda n: change(n, "ec-b", 0, serial="SX"), FIRST, "it is another disk now"),
    "gone": (lambda n: tell(n, asked=()), FIRST, "is not there any more on ec-b"),
    "a node is gone": (lambda n: {**n, "ec-b": Unread("silent")}, FIRST, "ec-b can't be asked: silent"),
    "active by now": (lambda n: tell(n, active=("it is active",)), FIRST, "ec-b: it is active"),
    "a claim by now": (lambda n: change(n, "ec-a", 1, claims=("oc is held",)), FIRST, "it belongs to a controller: oc"),
    "unreadable by now": (lambda n: change(n, "ec-a", 1, marks=Unread("EIO")), FIRST, "can't be read: EIO"),
    "another prepare": (
        lambda n: change(n, "ec-a", 1, token="tanist storage prepare R2 /dev/x"), FIRST, "another prepare is at work"
    ),
    "this prepare": (lambda n: change(n, "ec-a", 1, token="tanist storage prepare R1 /dev/x"), PROOF[:1], ""),
}  # fmt: skip


@pytest.mark.parametrize("case", list(LOOKS))
def test_the_last_look_sees_who_came_meanwhile(case: str) -> None:
    meanwhile, begun, wanted = LOOKS[case]
    nodes = two({"marks": (EXT4,)})
    plan = planned(STACK, nodes)
    found = look(plan, meanwhile(nodes), begun)
    assert any(wanted in one for one in found) if wanted else found == (), found


def test_a_file_system_on_the_bare_disk_is_known_as_our_own() -> None:
    nodes = see((disk("sda", "a"), disk("sdc", "a")))
    plan = planned(define(), nodes)
    made = DiskMark(kind="ext4", uuid=FRESH.filesystem.upper())
    nodes = change(change(nodes, "ec-a", 0, marks=(made,)), "ec-b", 0, marks=(made,))
    assert look(plan, nodes, (EraseDisk, ProveShared, MakeFileSystem)) == ()


# -- a definition for bare disks


def propose(nodes: Nodes, *, lvm: bool = False) -> str:
    chosen = pick(find_candidates([one for one in nodes.values() if isinstance(one, DiskSurvey)]))
    return build_proposal("ledger", chosen, fstype="ext4", lvm=lvm, array_uuid=UUID)


@pytest.mark.requirement("A14", "A16", "A18")
@pytest.mark.parametrize("lvm", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_what_is_proposed_is_a_definition(count: int, lvm: bool) -> None:
    nodes = two() if count == 2 else see((disk("sda", "a"), disk("sdc", "a")))
    text = propose(nodes, lvm=lvm)
    whole = render_definition("X", "ext4").replace(
        '[asset]\nkind = "filesystem"\ndevice = "X"\nfstype = "ext4"\n', f"{text}\n"
    )
    asset = load_controller(whole.encode(), "ledger.toml").asset
    assert (asset.fstype, len(asset.layers)) == ("ext4", (count == 2) + lvm)
    assert asset.disks == ((A, B) if count == 2 else (A,))


def test_only_free_disks_that_both_see_by_one_name_are_candidates() -> None:
    nodes = see(
        (disk("sda", "a", uses=("mounted",)), disk("sda", "a")),
        (disk("sdb", "b"), disk("sdb", "c")),
        (disk("sdd", "d", size=1 << 20), disk("sdd", "d", size=1 << 20)),
        (disk("sde", "e", names=()), disk("sde", "e")),
        (disk("sdf", "f", kind="path"), disk("sdf", "f")),
    )
    assert find_candidates([one for one in nodes.values() if isinstance(one, DiskSurvey)]) == ()
    twice = see((disk("sda", "a"), disk("sdc", "a")), (disk("sdb", "a", names=()), disk("sdd", "a")))
    assert find_candidates([one for one in twice.values() if isinstance(one, DiskSurvey)]) == ()


def test_a_blank_pair_of_one_size_is_picked_before_others() -> None:
    pairs = [
        (disk(f"sd{n}", n, **more), disk(f"sd{n}", n, **more))
        for n, more in (("1", {"size": 4 * GIB, "marks": (EXT4,)}), ("2", {}), ("3", {}), ("4", {"size": 2 * GIB}))
    ]
    nodes = see(*pairs)
    chosen = pick(find_candidates([one for one in nodes.values() if isinstance(one, DiskSurvey)]))
    assert [one.here.name for one in chosen] == ["sd4"], "the largest blank one has no equal"
    nodes = see(*pairs[:3])
    chosen = pick(find_candidates([one for one in nodes.values() if isinstance(one, DiskSurvey)]))
    assert [one.here.name for one in chosen] == ["sd2", "sd3"]
