"""configure: make an installed Ops Center a configured one, on the node that has the tree mounted.

Lays out the tree, then the files outside it. The tree holds, on purpose, all that a copy or a re-owning can get
wrong: two owners, set-id bits, a setgid directory, symbolic and hard links, an ACL and an extended attribute.
"""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from .config import Config, render_config
from .layout import GROUP, MOUNT_POINTS, PROXY_USER, USER, Layout
from .software import FILES, make_durable
from .store import Store
from .users import render_users

_ASSETS = [
    ("web-01", "server", "192.0.2.11"),
    ("web-02", "server", "192.0.2.12"),
    ("db-01", "server", "192.0.2.21"),
    ("array-01", "storage", "192.0.2.31"),
]


class NotPossible(Exception):
    """Nothing was changed."""


class Placer:
    """Makes directories and files with owner and mode; ownership only on a real host."""

    def __init__(self, layout: Layout) -> None:
        self._real = layout.real

    def own(self, path: Path, user: str, mode: int) -> None:
        if self._real:
            shutil.chown(path, user, "root" if user == "root" else GROUP)
        path.chmod(mode)  # after chown, which clears the set-id bits

    def folder(self, path: Path, user: str = "root", mode: int = 0o755) -> Path:
        path.mkdir(parents=True, exist_ok=True)
        self.own(path, user, mode)
        return path

    def file(self, path: Path, text: str, user: str = "root", mode: int = 0o644) -> Path:
        path.write_text(text)
        self.own(path, user, mode)
        return path


def configure(layout: Layout, config: Config, passwords: dict[str, str]) -> None:
    role = check_configurable(layout)
    place = Placer(layout)
    secret = secrets.token_hex(16)
    _lay_out_proxy(layout, place, secret)
    if role == "ec+proxy":
        _lay_out_uce(layout, place, passwords)
        _lay_out_shares(layout, place)
        _create_database(layout, place)
        mount_loopbacks(layout)
        _make_certificate(layout, place, config.name)
        layout.cron.parent.mkdir(parents=True, exist_ok=True)
        place.file(layout.cron, (FILES / "cron").read_text())
    place.folder(layout.config.parent)
    place.file(layout.config, render_config(config))
    make_durable(layout, layout.tree, layout.config)


def check_configurable(layout: Layout) -> str:
    """The role of this installation."""
    if not layout.role_file.exists():
        raise NotPossible("not installed: run install first")
    if layout.config.exists() or layout.database.exists():
        raise NotPossible("already configured: run unconfigure first")
    return layout.role_file.read_text().strip().partition("=")[2]


def _lay_out_proxy(layout: Layout, place: Placer, secret: str) -> None:
    place.folder(layout.tree)
    place.folder(layout.proxy, PROXY_USER, 0o2770)
    place.file(layout.proxy_secret, secret + "\n", USER, 0o640)


def _lay_out_uce(layout: Layout, place: Placer, passwords: dict[str, str]) -> None:
    place.folder(layout.tree / "uce")
    etc, var, opt = (place.folder(layout.tree / folder) for folder in MOUNT_POINTS.values())
    place.file(etc / "users.json", render_users(passwords), USER, 0o640)
    place.file(var / "role", "role=ec+proxy\n")
    place.folder(opt / "bin")
    place.file(opt / "bin/scn-helper", "#!/bin/sh\nexec id\n", USER, 0o4750)
    place.file(opt / "bin/scn-report", "#!/bin/sh\nexec id -g\n", USER, 0o2755)


def _lay_out_shares(layout: Layout, place: Placer) -> None:
    place.folder(layout.jobs, USER, 0o2775)
    place.folder(layout.logs, USER, 0o2775)
    allstart = place.folder(layout.tree / "osp/share/allstart")
    place.file(allstart / "boot.cfg", "default install\nimage images/base.img\n")
    images = place.folder(allstart / "images", USER, 0o2775)
    place.file(images / "base.img", "base image\n" * 1000, USER)
    os.link(images / "base.img", images / "base-2.1.img")
    (images / "latest.img").symlink_to("base-2.1.img")
    if layout.real:
        os.lchown(images / "latest.img", *(os.stat(images / "base.img").st_uid, os.stat(images / "base.img").st_gid))
    shared = place.file(images / "agents.txt", "web-01\nweb-02\n", USER, 0o640)
    _decorate(layout, shared)


def _decorate(layout: Layout, path: Path) -> None:
    """An extended attribute, and an ACL for the proxy's account, where host and file system have them."""
    try:
        os.setxattr(path, "user.sun.origin", b"opscenter")
    except OSError as error:
        print(f"no user attribute on {path}: {error.strerror}")
    if layout.real and shutil.which("setfacl"):
        subprocess.run(["setfacl", "-m", f"u:{PROXY_USER}:r", str(path)], check=False)


def _create_database(layout: Layout, place: Placer) -> None:
    place.folder(layout.database.parent, USER, 0o750)
    store = Store(layout.database, create=True)
    for asset in _ASSETS:
        store.add_asset(*asset)
    store.close()
    place.own(layout.database, USER, 0o640)


def mount_loopbacks(layout: Layout) -> None:
    """As the product's installer did; in a trial a symbolic link stands for the mount."""
    for mount_point, folder in MOUNT_POINTS.items():
        source, target = layout.tree / folder, layout.at(mount_point)
        if layout.real:
            subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
        else:
            target.rmdir()
            target.symlink_to(source)


def _make_certificate(layout: Layout, place: Placer, name: str) -> None:
    place.folder(layout.config.parent)
    place.folder(layout.tls, USER, 0o700)
    key, certificate = layout.tls / "ec.key", layout.tls / "ec.crt"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "3650", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    for path in (key, certificate):
        place.own(path, USER, 0o600)


def unconfigure(layout: Layout) -> None:
    """Back to "installed, not configured". The tree stays as it is."""
    for mount_point in reversed(MOUNT_POINTS):
        target = layout.at(mount_point)
        if not layout.real and target.is_symlink():
            target.unlink()
            target.mkdir()
        elif os.path.ismount(target):
            subprocess.run(["umount", str(target)], check=True)
    shutil.rmtree(layout.config.parent, ignore_errors=True)
    layout.cron.unlink(missing_ok=True)
