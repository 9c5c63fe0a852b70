"""What two nodes are besides processor, system and version, and one difference after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.model.beside import AccountEntry, Beside, MountPoint, UnitFile, UnitFiles
from tanist.model.unread import Unread

OPSCENTER = load_controller((Path(__file__).parents[3] / "profiles/opscenter.toml").read_bytes(), "opscenter.toml")
UNITS = tuple(one.unit for one in OPSCENTER.services)
DROP_IN = f"/etc/systemd/system/{UNITS[0]}.d/limits.conf"
SAME = Beside(
    units=(
        UnitFiles(name=UNITS[0], masked=False, enabled_by=(), files=(UnitFile(path=DROP_IN, content="a" * 64),)),
        UnitFiles(name=UNITS[1], masked=False, enabled_by=(), files=()),
    ),
    accounts=(
        AccountEntry(
            name="uce", home="/var/uce", shell="/bin/sh", comment="", group="uce", groups=("ssl",), password="locked"
        ),
    ),
    exports=("/srv/a *(ro)",),
    mounts=(MountPoint(target="/", fstype="ext4", options=("rw",)),),
    features=("64bit", "metadata_csum_seed"),
)


def first(entry: Beside) -> AccountEntry:
    assert not isinstance(entry.accounts, Unread)
    return entry.accounts[0]


DIFFERENCES: dict[str, tuple[Callable[[Beside], Beside], str, str]] = {
    "a drop-in less": (
        lambda it: replace(it, units=(replace(it.units[0], files=()),)),  # type: ignore[index]
        "unit files",
        f"{DROP_IN} is on ec-a only",
    ),
    "another drop-in": (
        lambda it: replace(it, units=(replace(it.units[0], files=(UnitFile(path=DROP_IN, content="b"),)),)),  # type: ignore[index]
        "unit files",
        f"{DROP_IN} is not the same",
    ),
    "a group less": (
        lambda it: replace(it, accounts=(replace(first(it), groups=()),)),
        "account entries",
        "uce is in ssl on ec-a, not on ec-b",
    ),
    "a group more": (
        lambda it: replace(it, accounts=(replace(first(it), groups=("ssl", "sudo")),)),
        "account entries",
        "uce is in sudo on ec-b, not on ec-a",
    ),
    "another shell": (
        lambda it: replace(it, accounts=(replace(first(it), shell="/bin/false"),)),
        "account entries",
        "shell of uce: /bin/sh on ec-a, /bin/false on ec-b",
    ),
    "a password": (
        lambda it: replace(it, accounts=(replace(first(it), password="set"),)),
        "account entries",
        "password of uce: locked on ec-a, set on ec-b",
    ),
    "an export less": (
        lambda it: replace(it, exports=()),
        "exports",
        "ec-a exports by itself, and ec-b does not: /srv/a *(ro)",
    ),
    "noexec": (
        lambda it: replace(it, mounts=(MountPoint(target="/", fstype="ext4", options=("noexec", "rw")),)),
        "mounts",
        "ext4 on ec-a, ext4 noexec on ec-b",
    ),
    "a feature of tomorrow": (
        lambda it: replace(it, features=("exchange",)),
        "file system",
        "has exchange (from Linux 6.10); ec-b runs 6.1.0-18-amd64",
    ),
    "unread": (
        lambda it: replace(it, accounts=Unread("/etc/passwd: torn")),
        "account entries",
        "cannot tell: ec-b: /etc/passwd: torn",
    ),
}
