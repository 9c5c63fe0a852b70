"""The host name, for this boot only: what is on the disk stays the node's own, and a boot forgets the controller's."""

from __future__ import annotations

from tanist.model.steps import SetHostname
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.storage import mounted_at

FILE = "/etc/hostname"


def apply_set_hostname(spec: SetHostname, context: Context) -> None:
    host = context.host
    if mounted_at(host, FILE) is None:
        host.files.make_directory(spec.cover.rsplit("/", 1)[0], 0o700)
        host.files.write(spec.cover, f"{spec.name}\n".encode(), 0o644)
        if host.files.exists(FILE):
            host.mount_bind(spec.cover, FILE)
    host.set_hostname(spec.name)


def undo_set_hostname(spec: SetHostname, context: Context) -> None:
    unmount_within(FILE, context)
    context.host.set_hostname(spec.own)


def is_set_hostname_applied(spec: SetHostname, context: Context) -> bool:
    return context.host.hostname() == spec.name
