"""ssh host keys. Mode host: the controller's cover the node's own until the next boot. Mode alias: a second sshd."""

from __future__ import annotations

from collections.abc import Callable

from tanist.model.errors import Failed
from tanist.model.steps import CoverSshKeys, MakeSshKeys, ServeAlias
from tanist.steps.busy import unmount_within
from tanist.steps.context import Context
from tanist.steps.services import is_running
from tanist.steps.storage import mounted_at


def apply_make_keys(spec: MakeSshKeys, context: Context) -> None:
    host = context.host
    host.files.make_directory(spec.directory, 0o700)
    for kind in spec.types:
        path = f"{spec.directory}/ssh_host_{kind}_key"
        if not host.files.exists(path):
            host.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", spec.comment, "-f", path], timeout=60)
        elif not host.files.exists(f"{path}.pub"):
            host.files.write(f"{path}.pub", host.run(["ssh-keygen", "-y", "-f", path]).stdout, 0o644)


def apply_cover(spec: CoverSshKeys, context: Context) -> None:
    host = context.host
    for key, own in spec.covers:
        if mounted_at(host, own) is None:
            host.mount_bind(key, own)
    begin_reload(spec.unit, context)()


def undo_cover(spec: CoverSshKeys, context: Context) -> None:
    begin_undo_cover(spec, context)()


def begin_undo_cover(spec: CoverSshKeys, context: Context) -> Callable[[], None]:
    for _, own in spec.covers:
        unmount_within(own, context)
    return begin_reload(spec.unit, context)


def is_cover_applied(spec: CoverSshKeys, context: Context) -> bool:
    return all(mounted_at(context.host, own) is not None for _, own in spec.covers)


def begin_reload(unit: str, context: Context) -> Callable[[], None]:
    """SIGHUP makes sshd read its keys again and keeps open sessions (sshd(8)). A stopped server is left alone. What is
    returned waits for it; OSError when it did not."""
    if not unit:
        return lambda: None
    wait = context.host.begin(["systemctl", "try-reload-or-restart", "--", unit], timeout=30)

    def end() -> None:
        wait()

    return end


def alias_unit(controller: str) -> str:
    return f"tanist-sshd@{controller}.service"


def apply_serve_alias(spec: ServeAlias, context: Context) -> None:
    host = context.host
    host.files.make_directory(spec.config.rsplit("/", 1)[0], 0o700)
    host.files.write(spec.config, spec.text.encode(), 0o600)
    unit = alias_unit(spec.controller)
    ran = host.run(["systemctl", "restart", "--", unit], ok=None, timeout=30)
    if ran.status != 0 or not is_running(host, unit):
        raise Failed(
            f"{unit} did not come up: {ran.complaint}; is another sshd listening on every address? "
            "give the node's own one a ListenAddress (see the manual, 'Mode alias')"
        )


def undo_serve_alias(spec: ServeAlias, context: Context) -> None:
    context.host.run(["systemctl", "stop", "--", alias_unit(spec.controller)], ok=None, timeout=30)
    context.host.files.remove(spec.config)


def is_serve_alias_applied(spec: ServeAlias, context: Context) -> bool:
    return is_running(context.host, alias_unit(spec.controller))
