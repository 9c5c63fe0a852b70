"""A tree on a filer as a definition states it: what it may ask for, and what has no meaning there."""

from __future__ import annotations

import pytest

from tanist.definition.load import load_controller
from tanist.model.errors import BadDefinition
from tests.unit.definition.test_definition_load import SMALL


def definition(asset: str, more: str = "") -> bytes:
    text = SMALL.replace(b'asset = { kind = "directory" }', f'asset = {{ kind = "nfs", {asset} }}'.encode())
    return text + more.encode()


GOOD = 'export = "filer.test:/srv/small"'


@pytest.mark.parametrize(
    "export", ["filer:/srv/x", "10.0.0.9:/vol/vol1/a_b", "[fd99::9]:/srv/x", "nas-1.example.org:/ifs/data+1"]
)
def test_an_export_is_the_asset_and_has_no_disk(export: str) -> None:
    asset = load_controller(definition(f'export = "{export}", options = ["noatime", "vers=4.1"]'), "small.toml").asset
    assert (asset.kind, asset.device, asset.fstype, asset.disks, asset.layers) == ("nfs", export, "nfs4", (), ())
    assert asset.mount_options[-2:] == ("noatime", "vers=4.1")
    assert "vers=4.2" not in asset.mount_options


BAD = {
    "no export": ("options = []", "asset.export: is missing"),
    "no host": ('export = "/srv/x"', 'asset.export: "/srv/x" is no NFS export'),
    "no path": ('export = "filer:srv"', "is no NFS export"),
    "the root": ('export = "filer:/"', "is no NFS export"),
    "a slash at its end": ('export = "filer:/srv/x/"', "is no NFS export"),
    "out of it": ('export = "filer:/srv/../x"', "is no NFS export"),
    "an option in it": ('export = "filer:/srv/x,soft"', "is no NFS export"),
    "an IPv6 address without brackets": ('export = "fd99::9:/srv/x"', "is no NFS export"),
    "a device": (f'{GOOD}, device = "/dev/sda"', 'asset.device: has no meaning with kind = "nfs"'),
    "a file system": (f'{GOOD}, fstype = "ext4"', 'asset.fstype: has no meaning with kind = "nfs"'),
    "a layer": (f'{GOOD}, layer = [{{ kind = "lvm" }}]', 'asset.layer: has no meaning with kind = "nfs"'),
}


@pytest.mark.parametrize("case", BAD)
def test_one_mistake_is_named(case: str) -> None:
    asset, says = BAD[case]
    with pytest.raises(BadDefinition) as caught:
        load_controller(definition(asset), "small.toml")
    assert [says in problem for problem in caught.value.problems] == [True], caught.value.problems


@pytest.mark.parametrize(
    "option", ["soft", "softerr", "hard", "nolock", "nocto", "local_lock=all", "proto=udp", "vers=3", "vers=4.0", "ro"]
)
def test_what_harms_an_owner_or_is_tanists_own_is_no_option(option: str) -> None:
    with pytest.raises(BadDefinition) as caught:
        load_controller(definition(f'{GOOD}, options = ["{option}"]'), "small.toml")
    (problem,) = caught.value.problems
    assert f'"{option}" is tanist\'s own business, dangerous or unknown' in problem


MORE = {
    "a reservation": ("proof.reservation = {}\n", "proof.reservation: an export is no disk"),
    "an id map": ('accounts.users = ["a"]\naccounts.ownership = "map"\n', "the kernel has no id maps for NFS"),
    "an export of the tree": (
        'export = [ { path = "a", clients = ["b"], options = ["rw"] } ]\n',
        "export: the tree lies on a filer already",
    ),
}


@pytest.mark.parametrize("case", MORE)
def test_what_a_filer_does_not_have_is_refused_by_name(case: str) -> None:
    more, says = MORE[case]
    load_controller(definition(GOOD), "small.toml")
    with pytest.raises(BadDefinition) as caught:
        load_controller(definition(GOOD, more), "small.toml")
    (problem,) = caught.value.problems
    assert says in problem
