"""Layers of real definitions -> the steps of a takeover below its file system, in their order, and the way down."""

from __future__ import annotations

import pytest

from tanist.definition.load import load_controller
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset
from tanist.model.layer_steps import (
    ActivateVolume,
    AssembleArray,
    AttachDisk,
    GatherPaths,
    ImportPool,
    LogIn,
    PromoteReplica,
)
from tanist.model.layers import ProgramLayer
from tanist.model.steps import FreeMmp
from tanist.plan.layers import build_attach, build_disks, build_layers, build_stack, describe_down, stays
from tests.vm.definitions import render_definition

A, B = "/dev/disk/by-id/wwn-0xa", "/dev/disk/by-id/wwn-0xb"
UUID = "01234567:89abcdef:01234567:89abcdef"
MD = f'[[asset.layer]]\nkind = "md"\ndevice = "/dev/md/ledger"\nuuid = "{UUID}"\nmembers = ["{A}", "{B}"]\n'
LVM = '[[asset.layer]]\nkind = "lvm"\ngroup = "vg0"\nvolume = "tree"\n'
TARGET = "iqn.2026-01.org.example:store"
ISCSI = f'[[asset.layer]]\nkind = "iscsi"\ntarget = "{TARGET}"\nportals = ["10.66.0.21:3260", "10.66.0.22:3260"]\n'
PATHS = '[[asset.layer]]\nkind = "multipath"\ndevice = "/dev/mapper/ledger"\nwwid = "36001405ab"\npaths = 2\n'
VOLUME = '[[asset.layer]]\nkind = "program"\nprogram = "/usr/local/sbin/volume"\ndevice = "/dev/vol"\ntimeout = 45\n'
DRBD = '[[asset.layer]]\nkind = "drbd"\nresource = "r0"\ndevice = "/dev/drbd0"\n'
ZFS = f'[[asset.layer]]\nkind = "zfs"\ndataset = "ledger/tree"\ndevices = ["{A}", "{B}"]\n'


def define(device: str, layers: str, fstype: str = "ext4") -> Asset:
    return load_controller(render_definition(device, fstype, layers=layers).encode(), "ledger.toml").asset


def test_a_mirror_and_a_volume_on_it_come_up_from_the_lowest() -> None:
    built = [*build_layers(define("/dev/vg0/tree", MD + LVM, "xfs"))]
    assert built == [
        (f"assemble /dev/md/ledger from {A}, {B}", AssembleArray(device="/dev/md/ledger", uuid=UUID, members=(A, B))),
        (
            "take the volume group vg0 and activate /dev/vg0/tree",
            ActivateVolume(group="vg0", volume="tree", device="/dev/vg0/tree"),
        ),
    ]


def test_what_makes_disks_appear_comes_before_what_is_put_together_on_them() -> None:
    """A reservation is taken between the two."""
    asset = define("/dev/vg0/tree", ISCSI + PATHS + LVM)
    assert [type(step) for _, step in build_disks(asset)] == [LogIn, GatherPaths]
    assert [type(step) for _, step in build_stack(asset)] == [ActivateVolume]
    assert [*build_layers(asset)] == [*build_disks(asset), *build_stack(asset)]


@pytest.mark.parametrize(("more", "left"), [("", True), ("logout = true\n", False)])
def test_a_log_in_waits_for_the_disk_that_it_names_and_stays_unless_the_definition_says_otherwise(
    more: str, left: bool
) -> None:
    portals = ("10.66.0.21:3260", "10.66.0.22:3260")
    ((says, step),) = build_layers(define(A, f'{ISCSI}device = "{A}"\n{more}'))
    assert says == f"log in to {TARGET} by 10.66.0.21:3260, 10.66.0.22:3260, until {A} is there"
    assert step == LogIn(target=TARGET, portals=portals, device=A, stays=left)
    assert stays(step) is left
    assert describe_down(step) == (f"stay logged in to {TARGET}" if left else f"log out of {TARGET}")


@pytest.mark.parametrize(("more", "left"), [("", True), ("flush = true\n", False)])
def test_paths_that_are_missing_are_not_waited_for_until_the_map_fails(more: str, left: bool) -> None:
    login, (says, step) = build_layers(define("/dev/mapper/ledger", ISCSI + PATHS + more))
    assert login[0].endswith("10.66.0.22:3260"), "the layer above names what is waited for"
    assert says == "gather the paths to /dev/mapper/ledger, 2 if they are there"
    assert step == GatherPaths(device="/dev/mapper/ledger", wwid="36001405ab", paths=2, stays=left)
    assert stays(step) is left
    assert describe_down(step) == ("leave /dev/mapper/ledger as it is" if left else "flush /dev/mapper/ledger")


def test_a_copy_is_promoted_without_the_other_one_only_where_that_was_decided() -> None:
    asset = define("/dev/drbd0", DRBD)
    ((says, step),) = build_layers(asset)
    assert says == "promote this node's copy of r0, which follows the other one: /dev/drbd0 is written here"
    assert step == PromoteReplica(resource="r0", device="/dev/drbd0", alone=False)
    assert [*build_stack(asset)] == [(says, step)]
    ((says, step),) = build_layers(asset, alone=True)
    assert says == "promote this node's copy of r0, without the other copy: /dev/drbd0 is written here"
    assert step == PromoteReplica(resource="r0", device="/dev/drbd0", alone=True)


def test_a_pool_is_imported_from_the_devices_that_the_definition_names() -> None:
    ((says, step),) = build_layers(define("ledger/tree", ZFS, "zfs"))
    assert says.startswith(f"import the pool ledger from {A}, {B}; from an owner that did not export it, that waits")
    assert step == ImportPool(pool="ledger", devices=(A, B))


def test_a_disk_is_taken_from_another_node_only_with_a_proof() -> None:
    asset = define("/dev/vol", f'{VOLUME}settings = {{ zone = "z1" }}\n')
    ((says, step),) = build_layers(asset)
    assert says == "attach /dev/vol to this node, by /usr/local/sbin/volume"
    plain = AttachDisk(
        program="/usr/local/sbin/volume", device="/dev/vol", settings=(("zone", "z1"),), timeout=45.0, proof=""
    )
    assert step == plain
    (layer,) = asset.layers
    assert isinstance(layer, ProgramLayer)
    assert build_attach(layer, "ec-a has no power") == replace(plain, proof="ec-a has no power")


@pytest.mark.parametrize(
    ("asset", "down"),
    [
        (define("/dev/md/ledger", MD), "stop /dev/md/ledger"),
        (define("/dev/vg0/tree", f'{LVM}disk = "{A}"\n'), "deactivate /dev/vg0/tree"),
        (define("/dev/drbd0", DRBD), "demote r0: this node's copy follows the other one"),
        (define("ledger/tree", ZFS, "zfs"), "export the pool ledger"),
        (define("/dev/vol", VOLUME), "detach /dev/vol from this node"),
    ],
)
def test_what_a_release_takes_down_has_words_for_it(asset: Asset, down: str) -> None:
    ((_, step),) = build_layers(asset)
    assert describe_down(step) == down
    assert not stays(step)


class Tape:
    kind, whole = "tape", False


def test_a_kind_of_layer_without_a_step_is_an_error_and_not_left_out() -> None:
    with pytest.raises(AssertionError, match="Tape"):
        list(build_stack(replace(define(A, ""), layers=(Tape(),))))  # type: ignore[arg-type]


def test_a_step_that_is_no_layers_has_no_words_among_theirs() -> None:
    with pytest.raises(AssertionError, match="FreeMmp"):
        describe_down(FreeMmp(device=A))  # type: ignore[arg-type]
