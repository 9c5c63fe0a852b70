"""satadm backup and restore: the state of the Ops Center as one archive. The software is not in it.

A backup stops the services that run and starts them again. A restore wants a clean host of the same name, on which
the same version is installed and not configured; it leaves everything stopped.
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .configure import NotPossible, check_configurable, mount_loopbacks
from .layout import UNITS, Layout
from .properties import read_product_version
from .software import make_durable

_ABOUT = ".opscenter-backup.json"  # at the archive's end, so that one that was cut short has none
_TAR = ("tar", "--acls", "--xattrs", "--xattrs-include=*")


def backup(layout: Layout, archive: Path) -> None:
    """The archive is whole, or it is not there."""
    role = read_role(layout)
    if not layout.config.exists() or not layout.proxy.exists():
        raise NotPossible("there is nothing to back up: not configured, or the tree is not mounted")
    if archive.exists():
        raise NotPossible(f"{archive} is there already")
    new = archive.with_name(archive.name + ".new")
    places = [str(place.relative_to(layout.root)) for place in (layout.tree, layout.config.parent, layout.cron)]
    here = [place for place in places if (layout.root / place).exists()]
    with _stopped(layout), contextlib.ExitStack() as stack:
        stack.callback(new.unlink, missing_ok=True)
        tree = str(layout.tree.relative_to(layout.root))
        what = ["--create", f"--file={new}", f"--directory={layout.root}", f"--exclude={tree}/.tanist", "--", *here]
        new.touch(mode=0o600)  # it has the keys and the users
        subprocess.run([*_TAR, *what], check=True)
        _append_about(new, {"hostname": hostname(layout), "version": version(layout), "role": role})
        os.rename(new, archive)
        make_durable(layout, archive)


def restore(layout: Layout, archive: Path) -> None:
    """Nothing is changed unless host name, version and role are those of the backup."""
    role = check_configurable(layout)
    about = _read_about(archive)
    for what, ours in (("hostname", hostname(layout)), ("version", version(layout)), ("role", role)):
        if about.get(what) != ours:
            raise NotPossible(f"the backup is of {what} {about.get(what)}, this is {ours}")
    directory = [f"--directory={layout.root}", "--same-owner", "--same-permissions"]
    subprocess.run([*_TAR, "--extract", f"--file={archive}", f"--exclude={_ABOUT}", *directory], check=True)
    if role == "ec+proxy":
        mount_loopbacks(layout)
    make_durable(layout, layout.tree, layout.config)


def read_role(layout: Layout) -> str:
    if not layout.role_file.exists():
        raise NotPossible("not installed: run install first")
    return layout.role_file.read_text().strip().partition("=")[2]


def hostname(layout: Layout) -> str:
    return socket.gethostname() if layout.real else layout.at("/etc/hostname").read_text().strip()


def version(layout: Layout) -> str:
    return read_product_version(layout.version_file)


@contextlib.contextmanager
def _stopped(layout: Layout) -> Iterator[None]:
    running = _running_units() if layout.real else ()
    if running:
        subprocess.run(["systemctl", "stop", *reversed(running)], check=True)
    try:
        yield
    finally:
        if running:
            subprocess.run(["systemctl", "start", *running], check=True)


def _running_units() -> Sequence[str]:
    return [
        unit for unit in UNITS if subprocess.run(["systemctl", "-q", "is-active", unit], check=False).returncode == 0
    ]


def _append_about(archive: Path, about: dict[str, str]) -> None:
    data = json.dumps(about).encode()
    with tarfile.open(archive, "a") as tar:
        member = tarfile.TarInfo(_ABOUT)
        member.size, member.mode = len(data), 0o600
        tar.addfile(member, io.BytesIO(data))


def _read_about(archive: Path) -> dict[str, str]:
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(_ABOUT)
            found = json.load(member) if member else {}
    except (OSError, KeyError, ValueError, tarfile.TarError) as error:
        raise NotPossible(f"{archive} is no whole backup: {error}") from error
    return found if isinstance(found, dict) else {}
