"""What a node is besides processor and system: told without a secret, and nothing of foreign accounts."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tanist.facts.beside import read_beside, read_exports, read_mount_points
from tanist.facts.entries import judge_password, read_account_entries
from tanist.facts.features import parse_features
from tanist.facts.unitfiles import read_unit_files
from tanist.host.fake import FakeHost
from tanist.model.beside import AccountEntry, Beside, MountPoint, UnitFiles
from tanist.model.codec import decode, encode
from tanist.model.definition import Accounts
from tanist.model.host import Mount
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine
from tests.unit.runs.world import make_controller

UNIT = "pg@15-main.service"
if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


SYSTEM = "/etc/systemd/system"
FILES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\npg:x:113:120:PostgreSQL,,,:/var/lib/pg:/bin/sh\n"
    "jan:x:1000:1000::/home/jan:/bin/bash\nnot a line\n",
    "/etc/group": "root:x:0:\npg:x:120:\nssl-cert:x:102:jan,pg\nsudo:x:27:jan\n",
    "/etc/shadow": "root:$y$hash-of-root:1::::::\npg:!:1::::::\njan:$y$hash-of-jan:1::::::\n",
}


def test_of_the_controllers_accounts_everything_but_the_password_and_of_others_nothing(tmp_path: Path) -> None:
    host = Machine(tmp_path, files=FILES).host
    entries = read_account_entries(host, Accounts(users=("pg", "not-here"), groups=("pg", "ssl-cert")))
    assert entries == (
        AccountEntry(
            name="pg",
            home="/var/lib/pg",
            shell="/bin/sh",
            comment="PostgreSQL,,,",
            group="pg",
            groups=("ssl-cert",),
            password="locked",
        ),
    )
    text = json.dumps(encode(entries))
    assert not any(foreign in text for foreign in ("root", "jan", "hash", "sudo"))


def test_whether_there_is_a_password_is_all_that_is_told() -> None:
    told = {field: judge_password(field) for field in ("", "!", "!!", "*", "x", "!$y$abc", "$y$abc")}
    assert [name for name, what in told.items() if what == "set"] == ["$y$abc"]
    assert told[""] == "empty"


def test_units_are_told_with_what_was_changed_of_them(tmp_path: Path) -> None:
    files = {
        f"{SYSTEM}/{UNIT}": "[Service]\n",
        f"{SYSTEM}/{UNIT}.d/limits.conf": "[Service]\nEnvironment=PASSWORD=hunter2\n",
        f"{SYSTEM}/{UNIT}.d/README": "not read by systemd",
        f"{SYSTEM}/pg@.service.d/all.conf": "[Service]\n",
        f"{SYSTEM}/other.service.d/x.conf": "[Service]\n",
    }
    machine = Machine(tmp_path, files=files)
    for directory, name in ((f"{UNIT}.wants", "helper.service"), ("multi-user.target.wants", UNIT)):
        (tmp_path / SYSTEM[1:] / directory).mkdir()
        os.symlink(f"/usr/lib/systemd/system/{name}", tmp_path / SYSTEM[1:] / directory / name)
    os.symlink("/dev/null", tmp_path / SYSTEM[1:] / "masked.service")
    units = read_unit_files(machine.host, [UNIT, "masked.service", "plain.service"])
    assert not isinstance(units, Unread)
    assert [one.path.removeprefix(SYSTEM) for one in units[0].files] == [
        *(f"/{UNIT}", f"/{UNIT}.d/limits.conf", f"/{UNIT}.wants/helper.service", "/pg@.service.d/all.conf"),
    ]
    assert units[0].enabled_by == (f"{SYSTEM}/multi-user.target.wants/{UNIT}",)
    assert units[1] == UnitFiles(name="masked.service", masked=True, enabled_by=(), files=())
    assert units[2] == UnitFiles(name="plain.service", masked=False, enabled_by=(), files=())
    assert "hunter2" not in json.dumps(encode(units))


def test_exports_of_the_nodes_own_are_told_and_tanists_are_not(tmp_path: Path) -> None:
    files = {
        "/etc/exports": "# nothing\n/srv/a  10.0.0.0/8(ro) \\\n 11.0.0.0/8(ro) # why\n\n",
        "/etc/exports.d/b.exports": "/srv/b *(rw)\n",
        "/etc/exports.d/b.bak": "/srv/c *(rw)\n",
        "/etc/exports.d/tanist-oc.exports": "/run/x *(rw)\n",
    }
    host = Machine(tmp_path, files=files).host
    assert read_exports(host, "tanist-oc.exports") == ("/srv/a 10.0.0.0/8(ro) 11.0.0.0/8(ro)", "/srv/b *(rw)")
    assert read_exports(Machine(tmp_path / "none").host, "x") == ()


class Mounted(Machine):
    def __init__(self, root: Path, *mounts: Mount) -> None:
        super().__init__(root)
        self.found = mounts

    @override
    def mounts(self) -> tuple[Mount, ...]:
        return self.found


def mount(target: str, fstype: str, *options: str) -> Mount:
    return Mount(target=target, source="/dev/x", fstype=fstype, root="/", options=options, device="8:1")


def test_what_holds_the_captured_paths_is_told_and_the_controllers_own_mounts_are_not(tmp_path: Path) -> None:
    controller = make_controller()
    host = Mounted(
        tmp_path,
        mount("/", "ext4", "rw"),
        mount("/etc", "xfs", "rw"),
        mount("/etc", "btrfs", "rw", "nosuid"),
        mount("/home", "ext4", "rw"),
        mount(controller.tree, "ext4", "rw", "idmapped"),
    ).host
    assert read_mount_points(host, controller) == (
        MountPoint(target="/", fstype="ext4", options=("rw",)),
        MountPoint(target="/etc", fstype="btrfs", options=("nosuid", "rw")),
    )


def ext4(incompatible: int, read_only: int) -> bytes:
    data = bytearray(4096)
    struct.pack_into("<H", data, 1080, 0xEF53)
    struct.pack_into("<II", data, 1024 + 0x60, incompatible, read_only)
    return bytes(data)


def test_a_state_is_no_feature_and_an_unknown_bit_is_told() -> None:
    assert parse_features(ext4(0x2 | 0x4, 0x10000), "ext4") == ("filetype",)
    assert parse_features(ext4(1 << 30, 1 << 31), "ext4") == ("incompatible:0x40000000", "read-only:0x80000000")
    assert isinstance(parse_features(bytes(4096), "ext4"), Unread)
    assert isinstance(parse_features(ext4(0, 0), "xfs"), Unread)


NAMES = {"extents": "extent"}


@pytest.mark.parametrize("extra", ["", "large_dir,ea_inode,casefold", "metadata_csum_seed,inline_data,quota,project"])
def test_names_are_those_of_the_tools_for_ext4(tmp_path: Path, extra: str) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 64 << 20)
    features = ["-O", extra] if extra else []
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", *features, image], check=True, capture_output=True)
    said = subprocess.run(["dumpe2fs", "-h", image], check=True, capture_output=True, text=True).stdout
    (line,) = (one for one in said.splitlines() if one.startswith("Filesystem features:"))
    compatible = {"has_journal", "ext_attr", "resize_inode", "dir_index", "sparse_super2", "orphan_file", "fast_commit"}
    found = parse_features(image.read_bytes()[:4096], "ext4")
    assert set(found) == set(line.split(":")[1].split()) - compatible  # type: ignore[arg-type]


def test_names_are_those_of_the_tools_for_xfs(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"")
    os.truncate(image, 400 << 20)
    options = ["-m", "bigtime=1,inobtcount=1,reflink=1,rmapbt=1", "-i", "sparse=1"]
    subprocess.run(["mkfs.xfs", "-q", *options, image], check=True, capture_output=True)
    with image.open("rb") as file:
        found = parse_features(file.read(4096), "xfs")
    wanted = {"ftype", "sparse", "bigtime", "finobt", "rmapbt", "reflink", "inobtcount"}
    assert wanted <= set(found)  # type: ignore[arg-type]
    assert not any(":" in one for one in found)  # type: ignore[union-attr]


@pytest.mark.requirement("A29")
def test_all_of_it_survives_the_way_into_a_capture_and_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    host = FakeHost(str(tmp_path))
    host.answer(["dd"], status=1, stderr="dd: failed to open")
    host.files.make_directory("/etc/passwd")
    beside = read_beside(host, make_controller())
    assert decode(Beside, json.loads(json.dumps(encode(beside)))) == beside
    assert isinstance(beside.features, Unread)
    assert isinstance(beside.accounts, Unread)
    assert beside.exports == ()
