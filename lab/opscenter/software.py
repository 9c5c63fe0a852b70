"""install: the software of the Ops Center on this node, "installed, not configured". Runs on every node."""

import compileall
import os
import shutil
import subprocess
from pathlib import Path

from .layout import GROUP, MOUNT_POINTS, PROXY_USER, UNITS, USER, Layout

VERSION = "2.1.0.963"
FILES = Path(__file__).resolve().parent / "files"


def install(layout: Layout, *, version: str = VERSION, role: str = "ec+proxy") -> None:
    if layout.real:
        create_accounts()
    _install_code(layout)
    _write(layout.home / "bin/satadm", (FILES / "satadm").read_text(), 0o755)
    for unit in UNITS[2:] if role == "proxy" else UNITS:
        _write(layout.units / unit, (FILES / unit).read_text(), 0o644)
    text = (FILES / "version.properties").read_text().replace("@VERSION@", version)
    _write(layout.version_file, text, 0o644)
    _write(layout.role_file, f"role={role}\n", 0o644)
    for mount_point in ("/var/opt/sun/xvm", *MOUNT_POINTS):
        layout.at(mount_point).mkdir(parents=True, exist_ok=True)
    if layout.real and Path("/run/systemd/system").exists():
        subprocess.run(["systemctl", "daemon-reload"], check=True)
    make_durable(layout, layout.version_file)


def make_durable(layout: Layout, *paths: Path) -> None:
    """The file systems of these paths on disk: a power cut right after us finds whole files."""
    if layout.real:
        subprocess.run(["sync", "--file-system", *map(str, paths)], check=True)


def create_accounts() -> None:
    """Only what is missing: the numbers that a node already gave them are its own affair."""
    if subprocess.run(["getent", "group", GROUP], stdout=subprocess.DEVNULL, check=False).returncode != 0:
        subprocess.run(["groupadd", "-r", GROUP], check=True)
    for user in (USER, PROXY_USER):
        if subprocess.run(["getent", "passwd", user], stdout=subprocess.DEVNULL, check=False).returncode != 0:
            command = ["useradd", "-r", "-M", "-d", "/var/opt/sun/xvm", "-s", "/usr/sbin/nologin", "-g", GROUP, user]
            subprocess.run(command, check=True)


def _install_code(layout: Layout) -> None:
    target = layout.home / "lib/opscenter"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source in sorted(FILES.parent.glob("*.py")):
        shutil.copyfile(source, target / source.name)
    shutil.copytree(FILES, target / "files")
    if layout.real:
        compileall.compile_dir(target, quiet=1)  # the daemons may not write there, and start faster
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(mode)
    os.replace(new, path)
