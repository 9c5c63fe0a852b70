"""The cell of a drill: what a copy-on-write twin of this node is made of, as finished data. Pure.

The cell has the node's own root file system as it is now, under a layer in memory that takes every write; an own
network with the same interfaces, wired to nothing; and a systemd of its own that starts next to nothing by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tanist.model.dataclasses import replace
from tanist.model.definition import Asset, Controller, Gate, Proof
from tanist.model.drill import CellInterface
from tanist.model.host import Interface, Mount
from tanist.model.paths import is_inside

EXCHANGE = "/run/tanist-drill/exchange"  # inside the cell: what it is told, and what it answers
CAPTURES = "/run/tanist-drill/captures"  # inside the cell: the mirrored captures, read-only
SINCE = 250  # systemd-nspawn that knows --private-users=identity
JOB, WORD = "job.json", "word.json"
TARGET, UNIT = "tanist-drill.target", "tanist-drill-rehearse.service"
ON_DISKS = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "jfs", "reiserfs", "overlay", "erofs", "squashfs")
NOT_CLONED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/boot", "/mnt", "/media")  # noqa: S108 - nothing is made there
# What would set up a network that is there already, or wait for one that never comes; and tanist's own units, which
# would look for an asset that no cell has.
MASKED = (
    *("networking.service", "ifupdown-wait-online.service", "NetworkManager.service"),
    *("NetworkManager-wait-online.service", "systemd-networkd.service", "systemd-networkd.socket"),
    *("systemd-networkd-wait-online.service", "wicked.service", "wickedd.service", "dhcpcd.service"),
    *("cloud-init.service", "cloud-init-local.service", "cloud-config.service", "cloud-final.service"),
    *("multipathd.service", "iscsid.service", "iscsi.service", "open-iscsi.service", "sanlock.service"),
    *("wdmd.service", "watchdog.service", "chronyd.service", "chrony.service", "systemd-timesyncd.service"),
    *("lvm2-monitor.service", "lvm2-lvmpolld.service", "mdmonitor.service", "zfs-import.target", "remote-fs.target"),
    *(
        "nfs-server.service",
        "tanist-agent.service",
        "systemd-udevd.service",
        "systemd-udev-trigger.service",
        "systemd-udev-settle.service",
    ),
)
# As an own kernel's, these would reach the machine: no device nodes, no restart, no log of the machine's.
WITHHELD = ("CAP_MKNOD", "CAP_SYS_BOOT", "CAP_SYSLOG", "CAP_AUDIT_CONTROL", "CAP_LEASE")


def choose_clones(mounts: Iterable[Mount], without: Iterable[str]) -> tuple[str, ...]:
    """The mount points that the cell has again, "/" first. `without`: trees and what lies below them."""
    left_out = (*NOT_CLONED, *without)
    found = {
        mount.target
        for mount in mounts
        if mount.fstype in ON_DISKS and not any(is_inside(mount.target, one) for one in left_out)
    }
    return tuple(sorted(found - {"/"}, key=lambda path: (path.count("/"), path)))


def build_overlay(lower: str, layer: str, target: str) -> tuple[str, ...]:
    """mount(8): `lower` as it is now, all writes into `layer`."""
    plain = lower.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
    options = f"lowerdir={plain},upperdir={layer}/upper,workdir={layer}/work,redirect_dir=off,metacopy=off,index=off"
    return ("mount", "-t", "overlay", "-o", options, "tanist-drill", target)


def why_not_own_users(controller: Controller, marked: str, version: str, most: str) -> str:
    """Why the cell has no user namespace of its own, "" where it has. `marked`: a captured path with attributes that
    only the machine's own root sets. `version`: the first line of systemd-nspawn
    --version; `most`: /proc/sys/user/max_user_namespaces."""
    if not controller.drill.user_namespace:
        return "[drill] user_namespace is false"
    number = re.match(r"systemd (\d+)", version)
    if number is None or int(number[1]) < SINCE:
        return f"systemd-nspawn before {SINCE} can't do it"
    if not most.strip().isdigit() or int(most) == 0:
        return "this kernel allows none (user.max_user_namespaces)"
    return f"{marked} has attributes that only the machine's own root sets" if marked else ""


def choose_interfaces(interfaces: Iterable[Interface], wanted: Iterable[str]) -> tuple[CellInterface, ...]:
    """Those with addresses of their own, and those that the definition names."""
    named = set(wanted)
    return tuple(
        CellInterface(name=one.name, addresses=one.addresses)
        for one in interfaces
        if one.name != "lo" and (one.addresses or one.name in named)
    )


def rehearsed(controller: Controller) -> Controller:
    """The same controller, whose tree is a plain directory now, and whose owner nobody has to prove anything of."""
    return replace(controller, asset=Asset(kind="directory"), proof=Proof(), gate=Gate(reset=False))


def render_files(name: str, ssh_unit: str, program: str) -> dict[str, str]:
    """Files of the cell's own, path -> text."""
    wants = f"dbus.socket {ssh_unit}".strip()
    return {
        "/etc/fstab": "",
        "/etc/crypttab": "",
        "/etc/systemd/journald.conf.d/zz-tanist-drill.conf": "[Journal]\nStorage=volatile\n",
        f"/etc/systemd/system/{TARGET}": (
            f"[Unit]\nDescription=a drill of {name}\nRequires=sysinit.target\nWants={wants} {UNIT}\n"
            "After=sysinit.target\nAllowIsolate=yes\n"
        ),
        f"/etc/systemd/system/{UNIT}": (
            f"[Unit]\nDescription=the rehearsal of {name}\nDefaultDependencies=no\n"
            f"Requires=sysinit.target\nAfter=sysinit.target {wants}\n"
            "SuccessAction=exit-force\nFailureAction=exit-force\n"
            f"[Service]\nType=oneshot\nTimeoutStartSec=infinity\nExecStart={program} rehearse {name}\n"
            f"StandardOutput=file:{EXCHANGE}/said\nStandardError=file:{EXCHANGE}/said\n"
        ),
    }


def build_nspawn(
    root: str, machine: str, hostname: str, binds: Iterable[tuple[str, str, bool]], *, own_users: bool
) -> tuple[str, ...]:
    """systemd-nspawn(1). `binds`: (outside, inside, may be written). `own_users`: in a user namespace that maps each
    number to itself, so that root has no right outside the cell and every file its owner."""
    return (
        *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--private-network"),
        *(("--private-users=identity",) if own_users else ()),
        *("--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=read-only", "--kill-signal=SIGKILL"),
        *("--system-call-filter=@mount @privileged", f"--drop-capability={','.join(WITHHELD)}"),
        *(f"--machine={machine}", f"--hostname={hostname}", f"--directory={root}"),
        *(f"--bind{'' if write else '-ro'}={_plain(outside)}:{_plain(inside)}" for outside, inside, write in binds),
        *("--", f"--unit={TARGET}", "--show-status=no"),
    )


def _plain(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")


def build_enter(unit: str, argv: Iterable[str]) -> tuple[str, ...]:
    """A command in namespaces of its own, which end with it, and it with us: a scope for the cgroup, mounts that
    nobody else sees, and a process 1 whose end is the end of all."""
    return (
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("systemd-run", "--scope", "--quiet", "--collect", f"--unit={unit}", "--property=Delegate=yes"),
        *("--property=IOWeight=20", "--property=CPUWeight=20", "--"),
        *(
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "--pid",
            "--fork",
            "--kill-child=KILL",
            "--mount-proc",
            "--",
        ),
        *argv,
    )
