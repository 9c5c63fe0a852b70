"""Kernel parameters that servers depend on: as they are, and which the node's configuration sets (sysctl.d(5))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.readout import Setting
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
COMMON = (
    *("kernel.shmmax", "kernel.shmall", "kernel.shmmni", "kernel.sem", "kernel.msgmnb"),
    *("vm.overcommit_memory", "vm.overcommit_ratio", "vm.nr_hugepages", "vm.max_map_count", "vm.swappiness"),
    *("fs.file-max", "fs.nr_open", "fs.aio-max-nr", "fs.inotify.max_user_watches", "fs.inotify.max_user_instances"),
    *("net.core.somaxconn", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start"),
    "net.ipv4.ip_forward",
)
HUGE = "/sys/kernel/mm/transparent_hugepage/enabled"


def read_settings(host: Host) -> tuple[Setting, ...] | Unread:
    """One that this kernel does not have is left out. Unread only for configuration that can't be read."""
    try:
        stored = _read_stored(host)
    except OSError as error:
        return Unread(f"{error.filename or 'sysctl.d'}: {error.strerror or error}")
    found = []
    for name in sorted({*COMMON, *stored}):
        value = _read_value(host, name)
        if value is not None:
            found.append(Setting(name=name, value=value, stored=name in stored))
    if (huge := _read_huge(host)) is not None:
        found.append(Setting(name="transparent_hugepage", value=huge))
    return tuple(found)


def parse_sysctl(text: str) -> frozenset[str]:
    """The names that a file sets. "-" before a name (failure does not matter) is dropped; patterns do not count."""
    names = set()
    for line in text.splitlines():
        name, equals, _ = line.partition("=")
        name = name.strip().removeprefix("-").strip()
        if equals and not name.startswith(("#", ";")) and "*" not in name:
            names.add(normal_name(name))
    return frozenset(names)


def normal_name(name: str) -> str:
    """Dots between the parts: where the first separator is a slash, the two are swapped (sysctl.d(5))."""
    first = next((letter for letter in name if letter in "./"), ".")
    return name if first == "." else name.translate(str.maketrans("./", "/."))


def _read_stored(host: Host) -> frozenset[str]:
    files = ["/etc/sysctl.conf"] if host.files.exists("/etc/sysctl.conf") else []
    for directory in DIRECTORIES[:2]:  # the administrator's; what packages bring differs only with the package
        if host.files.exists(directory):
            files += [f"{directory}/{name}" for name in host.files.list(directory) if name.endswith(".conf")]
    names: set[str] = set()
    for path in files:
        if host.files.stat(path) is not None:  # a link to nothing
            names |= parse_sysctl(host.files.read(path).decode("utf-8", "replace"))
    return frozenset(names)


def _read_value(host: Host, name: str) -> str | None:
    path = "/proc/sys/" + name.translate(str.maketrans("./", "/."))
    try:
        return " ".join(host.files.read(path, 65536).decode("utf-8", "replace").split())
    except OSError:
        return None


def _read_huge(host: Host) -> str | None:
    try:
        text = host.files.read(HUGE, 4096).decode("ascii", "replace")
    except OSError:
        return None
    return text.partition("[")[2].partition("]")[0]
