"""NFS exports of directories in the tree, and what the server knows of its clients (docs/design/nfs.md).

The server is the distribution's own nfs-server.service, stopped and started so that it begins a grace period in which
clients get their opens and locks back. A node without one takes over all the same, and only writes the exports: a
finding says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.plan import places
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.services import is_running, read_activity, read_unit
from tanist.steps.storage import mounted_at

if TYPE_CHECKING:
    from tanist.model.steps import KeepNfsState, NotifyLocks, ServeNfs, WriteExports

STATE = "/var/lib/nfs"
SERVER, TRACKER, MONITOR = "nfs-server.service", "nfsdcld.service", "rpc-statd.service"
MOUNTD, NOTIFIER = "nfs-mountd.service", "rpc-statd-notify.service"
UNITS = (SERVER, TRACKER, MONITOR)
# Records of NFSv4 clients, by nfsdcld(8), nfsdcltrack(8) or the kernel; of NFSv3 clients with locks, by rpc.statd(8),
# which some distributions give a directory of its own.
PLACES = tuple(
    f"{STATE}/{name}" for name in ("nfsdcld", "nfsdcltrack", "v4recovery", "sm", "sm.bak", "statd/sm", "statd/sm.bak")
)
DROP_INS = "/run/systemd/system"
LONG = 300.0  # seconds; systemd's own limits are shorter


# -- the exports file
def apply_exports(spec: WriteExports, context: Context) -> None:
    files = context.host.files
    files.make_directory(spec.path.rsplit("/", 1)[0])
    files.write(spec.path, "".join(f"{line}\n" for line in spec.lines).encode(), 0o644)
    refresh(context.host)


def undo_exports(spec: WriteExports, context: Context) -> None:
    context.host.files.remove(spec.path)
    refresh(context.host)


def is_exports_applied(spec: WriteExports, context: Context) -> bool:
    return context.host.files.exists(spec.path)


def refresh(host: Host) -> None:
    """exportfs -r puts the files in force and withdraws what they no longer name. No server at work: nothing to do."""
    if is_running(host, SERVER):
        host.run(["exportfs", "-r"], timeout=60)


# -- what the server knows of its clients
def apply_keep_state(spec: KeepNfsState, context: Context) -> None:
    host = context.host
    if not has_server(host) or is_keep_state_applied(spec, context):
        return
    found = find_state(spec, host)
    for kept, own in found:
        refuse_foreign(own, kept, host)
    note_own_units(spec.controller, host)
    stop_server(host)
    for kept, own in found:
        if not host.files.exists(kept):
            copy_state(own, kept, host)
        if mounted_at(host, own) is None:
            give_to_owner_of(own, kept, host)
            host.mount_bind(kept, own)


def undo_keep_state(spec: KeepNfsState, context: Context) -> None:
    begin_undo_keep_state(spec, context)()


def begin_undo_keep_state(spec: KeepNfsState, context: Context) -> Callable[[], None]:
    """This node's own server, where one ran, comes back beside the next steps: the asset need not wait for it. Asks
    the table of mounts only: the tree may be cut off from its disk."""
    host, note = context.host, own_note(spec.controller)
    if not host.files.exists(note):
        return lambda: None
    covered = [place for place in PLACES if mounted_at(host, place) is not None]
    if covered:
        stop_server(host)
    for place in covered:
        unmount_within(place, context)
    units = host.files.read(note).decode().split()
    start = host.begin(["systemctl", "start", "--", *units], ok=None, timeout=LONG) if units else None

    def end() -> None:
        if start is not None:
            start()
        host.files.remove(note)

    return end


def is_keep_state_applied(spec: KeepNfsState, context: Context) -> bool | None:
    host = context.host
    if not has_server(host):
        return None
    covered = [mounted_at(host, own) is not None and is_same(kept, own, host) for kept, own in find_state(spec, host)]
    return host.files.exists(own_note(spec.controller)) and all(covered)


def has_server(host: Host) -> bool:
    return read_unit(host, SERVER).get("LoadState") == "loaded"


def own_note(controller: str) -> str:
    """Which units ran for this node itself; gone with a boot, as they are started anew then. While it is there,
    nothing but this controller's is mounted at the PLACES."""
    return f"{places.runtime(controller)}/nfs-own"


def note_own_units(controller: str, host: Host) -> None:
    note = own_note(controller)
    if not host.files.exists(note):
        host.files.make_directory(note.rsplit("/", 1)[0], 0o700)
        ran = [unit for unit in (SERVER, MONITOR) if is_running(host, unit)]
        host.files.write(note, " ".join(ran).encode())


def find_state(spec: KeepNfsState, host: Host) -> list[tuple[str, str]]:
    """(kept with the tree, this node's own)."""
    if read_unit(host, TRACKER).get("LoadState") == "loaded":
        host.files.make_directory(f"{STATE}/nfsdcld", 0o700)
    there = [place for place in PLACES if host.files.exists(place)]
    if f"{STATE}/statd/sm" in there:
        there = [place for place in there if place not in (f"{STATE}/sm", f"{STATE}/sm.bak")]
    return [(f"{spec.kept}/{place.rsplit('/', 1)[1]}", place) for place in there]


def refuse_foreign(own: str, kept: str, host: Host) -> None:
    if mounted_at(host, own) is not None and not is_same(kept, own, host):
        raise Failed(
            f"something else is mounted at {own}: a node has one record of NFS clients, so that only one controller "
            f"with exports can be active on it; see: findmnt {own}"
        )


def is_same(one: str, other: str, host: Host) -> bool:
    found = [host.files.stat(path) for path in (one, other)]
    return len({(info.st_dev, info.st_ino) for info in found if info}) == 1 and None not in found


def copy_state(own: str, kept: str, host: Host) -> None:
    """The first time: clients of a server that this node had before may claim what they had. Whole, or not there."""
    files, new = host.files, f"{kept}.new"
    files.remove_tree(new)
    files.make_directory(new, 0o700)
    for name in files.list(own):
        info = files.stat(f"{own}/{name}", follow=False)
        if info is not None and info.st_mode & 0o170000 == 0o100000:
            files.write(f"{new}/{name}", files.read(f"{own}/{name}"))
        elif own.endswith("/v4recovery"):  # the kernel's own way: an empty directory for each client
            files.make_directory(f"{new}/{name}", 0o700)
    files.move(new, kept)


def give_to_owner_of(own: str, kept: str, host: Host) -> None:
    """rpc.statd works as the owner of its directory, who has another number on each node."""
    info = host.files.stat(own)
    if info is not None and info.st_uid:  # root may write anywhere
        host.run(["chown", "-Rh", f"{info.st_uid}:{info.st_gid}", kept], timeout=60)


def stop_server(host: Host) -> None:
    """With the server all opens and locks of its clients end here, which else keep the tree busy (nfsd(7))."""
    host.run(["systemctl", "stop", "--", *UNITS], ok=None, timeout=LONG)
    left = [unit for unit in UNITS if read_activity(host, unit) not in ("inactive", "failed")]
    if left:
        raise Failed(f"{', '.join(left)} did not stop; see: systemctl status {left[0]}")


# -- the server
def apply_serve(spec: ServeNfs, context: Context) -> None:
    host = context.host
    if not has_server(host) or is_serve_applied(spec, context):
        return
    stop_server(host)
    hand_on_locked(spec, host)
    expected = any(is_expected(directory, host) for _, directory in spec.notify)
    start_server(spec, host)
    if not expected and spec.notify:  # with nobody to tell, it ends lockd's grace period (sm-notify(8), lift-grace)
        host.run(["sm-notify", "-f", "-P", spec.notify[0][1]], ok=None, timeout=60)


def start_server(spec: ServeNfs, host: Host) -> None:
    """Failed unless it is up and exports what it must."""
    for unit, text in drop_ins(spec).items():
        host.files.make_directory(f"{DROP_INS}/{unit}.d")
        host.files.write(drop_in(unit, spec.controller), text.encode(), 0o644)
    host.run(["systemctl", "daemon-reload"], timeout=LONG)
    ran = host.run(["systemctl", "start", "--", SERVER], ok=None, timeout=LONG)
    if not is_running(host, SERVER):
        raise Failed(f"{SERVER} did not come up: {ran.complaint}; see: journalctl -u {SERVER} -n 50")
    listed = {line.split()[0] for line in host.run(["exportfs", "-s"], timeout=60).text.splitlines() if line.strip()}
    if missing := [path for path in spec.paths if path not in listed]:
        raise Failed(f"the NFS server does not export {', '.join(missing)}; see: journalctl -u {SERVER} -n 50")


def undo_serve(spec: ServeNfs, context: Context) -> None:
    host = context.host
    paths = [drop_in(unit, spec.controller) for unit in drop_ins(spec)]
    if any(host.files.exists(path) for path in paths):
        stop_server(host)
        for path in paths:
            host.files.remove(path)
        host.run(["systemctl", "daemon-reload"], timeout=LONG)


def is_serve_applied(spec: ServeNfs, context: Context) -> bool | None:
    host = context.host
    if not has_server(host):
        return None
    return is_running(host, SERVER) and all(
        host.files.exists(drop_in(unit, spec.controller)) for unit in drop_ins(spec)
    )


def drop_in(unit: str, controller: str) -> str:
    return f"{DROP_INS}/{unit}.d/tanist-{controller}.conf"


def drop_ins(spec: ServeNfs) -> dict[str, str]:
    """For this boot only. The server's name to NFSv4.1 clients is the host name that rpc.nfsd(8) sees when it starts
    the kernel's threads: under another one they take it for another server, and give up their locks. The daemons see
    the unmapped mount at the tree: an export's path is the same on every node, whatever the map. Before a stop, by
    whomever, those with locks are noted: the kernel strikes them off rpc.statd's list when it lets go of their locks.
    """
    bind = f"BindPaths={spec.source}:{spec.tree}\n" if spec.source else ""
    named = f"echo {spec.scope} >/proc/sys/kernel/hostname && exec /usr/sbin/rpc.nfsd $$RPCNFSDARGS"
    proxy = "if systemctl -q is-active gssproxy; then systemctl reload gssproxy; fi"
    own = drop_in(SERVER, spec.controller)
    known = " ".join(f'"{directory}/sm/"' for _, directory in spec.notify)
    noted = f'for into in {known}; do cp -pf "{spec.kept}/sm/"* "$$into"; done'
    return {
        SERVER: f"[Service]\nExecStart=\nExecStart=/usr/bin/unshare --uts /bin/sh -c '{named}'\n"
        f"ExecStart=-/bin/sh -c '{proxy}'\n"
        f"ExecStop=\nExecStop=-/bin/sh -c '{noted}'\nExecStop=/usr/sbin/rpc.nfsd 0\n{bind}",
        MOUNTD: f"[Service]\n{bind}",
        NOTIFIER: f"[Unit]\nConditionPathExists=!{own}\n",  # it would do so under this node's own name
    }


# -- NFSv3 clients with locks
def hand_on_locked(spec: ServeNfs, host: Host) -> None:
    """Those with locks go from the server's list to that of each address, as who is to be told that the server is
    another one. They are monitored again once they claim a lock."""
    files = host.files
    monitored = [f"{spec.kept}/{name}" for name in ("sm", "sm.bak") if files.exists(f"{spec.kept}/{name}")]
    for _, directory in spec.notify:
        for sub in ("sm", "sm.bak"):
            files.make_directory(f"{directory}/{sub}", 0o700)
        for source in monitored:
            for name in files.list(source):
                files.write(f"{directory}/sm/{name}", files.read(f"{source}/{name}"))
        if monitored:
            give_to_owner_of(monitored[0], directory, host)
    for source in monitored:
        for name in files.list(source):
            files.remove(f"{source}/{name}")


def is_expected(directory: str, host: Host) -> bool:
    places = [f"{directory}/{sub}" for sub in ("sm", "sm.bak")]
    return any(host.files.list(place) for place in places if host.files.exists(place))


def apply_notify(spec: NotifyLocks, context: Context) -> None:
    """sm-notify(8) goes on by itself for a quarter of an hour, until each client has answered."""
    for address, directory in spec.notify:
        if is_expected(directory, context.host):
            context.host.run(["sm-notify", "-f", "-v", address, "-P", directory], timeout=60)
