"""Host x Controller -> all of the system's own that would bring a part of it up, each with its mend. Only looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tanist.facts import tool
from tanist.facts.device import parse_export
from tanist.facts.selfstart import networks
from tanist.facts.selfstart.mounts import find_in_fstab, mount_unit
from tanist.facts.selfstart.scripts import find_exports, find_lines
from tanist.facts.selfstart.stacks import Stack, in_pool_cache, lvm_activates, md_assembles, parse_lsblk, pools_below
from tanist.facts.selfstart.units import PROPERTIES, find_started, parse_show
from tanist.host.host import Host
from tanist.model.definition import Controller
from tanist.model.starter import Starter
from tanist.model.unread import Unread

LIMIT = 4 << 20
NETWORKS: tuple[tuple[tuple[str, ...], str, Callable[[str], frozenset[str]]], ...] = (
    (
        ("/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"),
        ".network",
        networks.parse_networkd,
    ),
    (
        *(("/etc/NetworkManager/system-connections", "/usr/lib/NetworkManager/system-connections"),),
        ".nmconnection",
        networks.parse_keyfile,
    ),
    (("/etc/sysconfig/network-scripts", "/etc/sysconfig/network"), "ifcfg-", networks.parse_ifcfg),
    (("/etc/network/interfaces.d",), "", networks.parse_interfaces),
    (("/etc/netplan", "/run/netplan", "/usr/lib/netplan"), ".yaml", networks.parse_netplan),
)
CRON = ("/etc/crontab", "/etc/anacrontab")
CRON_DIRECTORIES = (
    *("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
    *("/var/spool/cron/crontabs", "/var/spool/cron", "/var/spool/cron/tabs"),
)
IMPORT_SCAN = "zfs-import-scan.service"
SCRIPTS = ("/etc/rc.local", "/etc/rc.d/rc.local", "/etc/init.d/boot.local", "/etc/init.d/after.local")


def find_starters(host: Host, controller: Controller) -> tuple[Starter, ...]:
    """OSError where a command that every system has is missing; a file that is not there says nothing."""
    stack = read_stack(host, controller)
    pulled_in = read_pulled_in(host)
    fstab = tuple(look_at_fstab(host, controller, stack))
    found = [*look_at_units(host, controller, pulled_in), *fstab]
    if not fstab:
        found += look_at_mount_units(controller, pulled_in)
    found += look_at_automounts(host, controller)
    found += look_at_networks(host, controller)
    found += look_at_stack(host, stack)
    found += look_at_pools(host, controller, pulled_in)
    found += look_at_exports(host, controller)
    found += look_at_scripts(host, controller)
    return tuple(found)


def read_stack(host: Host, controller: Controller) -> Stack:
    device = controller.asset.device
    if not device:
        return Stack()
    if controller.asset.kind == "nfs":
        return Stack(names=(device, f"{device}/"))
    return parse_lsblk(ask_disk(host, ["lsblk", "-s", "-J", "-o", "NAME,PATH,TYPE,UUID,LABEL", device]), device)


def ask_disk(host: Host, argv: list[str]) -> str:
    """What a tool says that looks at disks; "" where it fails, or does not come back from one that hangs: then it is
    not known whether the system would leave it alone, and the caller goes by the configuration."""
    said = tool.read_text(host, argv)
    return "" if isinstance(said, Unread) else said


def read_pulled_in(host: Host) -> frozenset[str]:
    argv = ["systemctl", "list-dependencies", "--all", "--plain", "--no-pager", "--no-legend", "default.target"]
    return frozenset(host.run(argv, timeout=60).text.split())


def look_at_units(host: Host, controller: Controller, pulled_in: frozenset[str]) -> Iterator[Starter]:
    for one in controller.services:
        shown = parse_show(host.run(["systemctl", "show", "-p", PROPERTIES, "--", one.unit], timeout=30).text)
        yield from find_started(one.unit, next(iter(shown.values()), {}), pulled_in)


def look_at_mount_units(controller: Controller, pulled_in: frozenset[str]) -> Iterator[Starter]:
    for path in (controller.tree, *(bind.target for bind in controller.binds)):
        for kind in ("mount", "automount"):
            unit = mount_unit(path, kind)
            if unit in pulled_in:
                yield Starter(what=f"the unit {unit} mounts {path} at boot", mend=f"systemctl disable '{unit}'")


def look_at_fstab(host: Host, controller: Controller, stack: Stack) -> Iterator[Starter]:
    targets = (controller.tree, *(bind.target for bind in controller.binds))
    for line in find_in_fstab(read_text(host, "/etc/fstab"), targets, stack.names):
        yield Starter(what=f"/etc/fstab mounts {line.source} at {line.target} at boot", mend="remove that line")


def look_at_automounts(host: Host, controller: Controller) -> Iterator[Starter]:
    """autofs(5): maps that have a filer's export."""
    maps = [path for path in list_files(host, "/etc") if path.startswith("/etc/auto.")]
    for path in (*maps, *list_files(host, "/etc/auto.master.d")) if controller.asset.kind == "nfs" else ():
        for line in find_lines(read_text(host, path), [controller.asset.device]):
            what = f"{path} mounts {controller.asset.device} for whoever looks there: {shorten(line)}"
            yield Starter(what=what, mend="take that line out")


def look_at_networks(host: Host, controller: Controller) -> Iterator[Starter]:
    ours = {networks.parse_address(one.address) for one in controller.identity.addresses}
    files = [
        (path, parse)
        for directories, mark, parse in NETWORKS
        for directory in directories
        for path in list_files(host, directory)
        if path.endswith(mark) or path.rsplit("/", 1)[1].startswith(mark)
    ]
    files += [(path, networks.parse_networkd) for path in list_drop_ins(host, "/etc/systemd/network")]
    for path, parse in (("/etc/network/interfaces", networks.parse_interfaces), *files):
        for address in sorted(parse(read_text(host, path)) & ours):
            mend = "take it out: tanist alone adds it, when this node holds the claim"
            yield Starter(what=f"{path} brings up the service address {address} at boot", mend=mend)


def list_drop_ins(host: Host, directory: str) -> Iterator[str]:
    for path in list_files(host, directory):
        if path.endswith(".network.d"):
            yield from (one for one in list_files(host, path) if one.endswith(".conf"))


def look_at_stack(host: Host, stack: Stack) -> Iterator[Starter]:
    if stack.volume:
        yield from look_at_lvm(host, *stack.volume)
    for name in stack.arrays:
        yield from look_at_md(host, name)


def look_at_pools(host: Host, controller: Controller, pulled_in: frozenset[str]) -> Iterator[Starter]:
    mounts = [(one.target, one.source, one.fstype) for one in host.mounts()]
    own = (controller.asset.zfs.pool,) if controller.asset.zfs else ()
    for pool in dict.fromkeys((*pools_below(mounts, controller.tree), *own)):
        if in_pool_cache(read_bytes(host, "/etc/zfs/zpool.cache"), pool):
            what = f"/etc/zfs/zpool.cache has the pool {pool}: it is imported and mounted at boot"
            yield Starter(what=what, mend=f"zpool set cachefile=none {pool}")
        if IMPORT_SCAN in pulled_in:
            what = f"{IMPORT_SCAN} imports every pool that it finds at boot, {pool} too once it is released"
            yield Starter(what=what, mend=f"systemctl disable {IMPORT_SCAN}")


def look_at_lvm(host: Host, group: str, volume: str) -> Iterator[Starter]:
    conf = read_text(host, "/etc/lvm/lvmlocal.conf") + "\n" + read_text(host, "/etc/lvm/lvm.conf")
    if not lvm_activates(conf, group, volume):
        return
    said = tool.read_text(host, ["vgs", "--noheadings", "-o", "vg_autoactivation", group])
    if isinstance(said, str) and not said.strip():
        return  # the group itself says no (lvm 2.03.12 and newer)
    what = f"LVM activates {group}/{volume} on this node at boot"
    yield Starter(what=what, mend=f"vgchange --setautoactivation n {group}")


def look_at_md(host: Host, name: str) -> Iterator[Starter]:
    said = ask_disk(host, ["mdadm", "--detail", "--export", f"/dev/{name}"])
    uuid = parse_export(said).get("MD_UUID", "")
    conf = read_text(host, "/etc/mdadm/mdadm.conf") + "\n" + read_text(host, "/etc/mdadm.conf")
    if md_assembles(conf, name, uuid):
        mend = f"in mdadm.conf: ARRAY <ignore> UUID={uuid}   then: update-initramfs -u (dracut -f)"
        yield Starter(what=f"MD assembles /dev/{name} on this node at boot", mend=mend)


def look_at_exports(host: Host, controller: Controller) -> Iterator[Starter]:
    own = f"/etc/exports.d/tanist-{controller.name}.exports"
    files = [one for one in list_files(host, "/etc/exports.d") if one.endswith(".exports") and one != own]
    for path in ("/etc/exports", *files):
        for exported in find_exports(read_text(host, path), controller.tree):
            mend = "take that line out; [[export]] of the definition has it where it belongs"
            yield Starter(what=f"{path} exports {exported}, whatever lies there", mend=mend)


def look_at_scripts(host: Host, controller: Controller) -> Iterator[Starter]:
    units = [one.unit for one in controller.services]
    needles = [controller.tree, controller.asset.device, *units, *(one.removesuffix(".service") for one in units)]
    needles += [one.address for one in controller.identity.addresses]
    tables = [path for directory in CRON_DIRECTORIES for path in list_files(host, directory)]
    for path in (*CRON, *tables):
        for line in find_lines(read_text(host, path), needles) if path not in controller.cron else ():
            mend = "take it out, or put the file into [cron] of the definition"
            yield Starter(what=f"{path} runs on a standby too: {shorten(line)}", mend=mend)
    for path in SCRIPTS:
        info = host.files.stat(path)
        if info is not None and info.st_mode & 0o111:
            for line in find_lines(read_text(host, path), needles):
                yield Starter(what=f"{path} runs at boot: {shorten(line)}", mend="take that line out")


def shorten(line: str) -> str:
    return line if len(line) <= 100 else f"{line[:97]}..."


def list_files(host: Host, directory: str) -> tuple[str, ...]:
    try:
        return tuple(f"{directory}/{name}" for name in host.files.list(directory))
    except OSError:
        return ()


def read_text(host: Host, path: str) -> str:
    return read_bytes(host, path).decode("utf-8", "replace")


def read_bytes(host: Host, path: str) -> bytes:
    """Not there, a directory, or something odd: empty."""
    try:
        return host.files.read(path, LIMIT)
    except OSError:
        return b""
