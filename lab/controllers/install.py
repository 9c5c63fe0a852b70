"""tanist on the nodes, from the built wheel, as its users install it (docs/manual.md, "Set up a pair")."""

from __future__ import annotations

import fcntl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.image import build_base
from lab.lab import Lab
from lab.layers import OVERLAY_OPTIONS
from lab.run import run
from tools.build_wheel import wheel

ROOT = Path(__file__).resolve().parents[2]
NODES = ("ec-a", "ec-b")
INSTALL = """
set -e
[ -x /opt/tanist/bin/python ] || python3 -m venv /opt/tanist
/opt/tanist/bin/pip install -q --no-index --no-deps --force-reinstall \\
    --disable-pip-version-check /root/dist/tanist-*.whl
/opt/tanist/bin/tanist setup --node "$1"
"""
UNPACK = 'set -e; tar -C / -xzf -; /opt/tanist/bin/tanist setup --node "$1"'
# $1 base image, $2 scratch directory, $3 overlay options, $4 wheel, $5 target. pip compiles what it installs
PACK = """
set -e
mount -t tmpfs tmpfs "$2"
mkdir "$2/upper" "$2/work" "$2/root"
mount -t overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work,$3" overlay "$2/root"
cp "$4" "$2/root/root/"
chroot "$2/root" /bin/sh -ec 'python3 -m venv /opt/tanist
    /opt/tanist/bin/pip install -q --no-index --no-deps --disable-pip-version-check /root/tanist-*.whl
    /opt/tanist/bin/pip uninstall -q -y setuptools pip'
tar -C "$2/upper" -czf "$5.part" opt/tanist
mv "$5.part" "$5"
"""


def install_tanist(lab: Lab) -> None:
    built = wheel()
    with ThreadPoolExecutor(len(NODES)) as pool:
        list(pool.map(lambda node: install_on(lab, node, built), NODES))


def install_on(lab: Lab, node: str, built: Path) -> None:
    lab.exec(node, ["mkdir", "-p", "/root/dist"], check=True)
    lab.push(node, built, f"/root/dist/{built.name}")
    lab.exec(node, ["bash", "-c", INSTALL, "install", node], check=True, timeout=180)


def unpack_on(lab: Lab, node: str, built: Path) -> None:
    """What install_on leaves, out of an archive: an emulated machine takes minutes for pip itself."""
    packed = pack(built).read_bytes()
    lab.exec(node, ["bash", "-c", UNPACK, "unpack", node], input=packed, check=True, timeout=180)


def pack(built: Path) -> Path:
    """/opt/tanist as pip makes it in the base image, an archive beside the wheel, and gone with it."""
    packed = built.with_suffix(".tar.gz")
    with built.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            with TemporaryDirectory() as scratch:
                words: list[str | Path] = [build_base(sys.stderr), scratch, OVERLAY_OPTIONS, built, packed]
                run(["unshare", "--mount", "--propagation", "private", "sh", "-c", PACK, "sh", *words], timeout=300)
    return packed


def define(lab: Lab, name: str, text: str) -> None:
    """The definition, the same file on both nodes; the nodes know each other's ssh keys."""
    for node in NODES:
        path = f"/etc/tanist/controllers/{name}.toml"
        lab.exec(node, ["sh", "-c", f"cat > {path}"], input=text.encode(), check=True)
        lab.exec(node, ["tanist", "definition", "check", path], check=True)
    with ThreadPoolExecutor(len(NODES)) as pool:
        list(pool.map(lambda node: lab.exec(node, ["tanist", "pair", "--yes", name], check=True), NODES))


def profile(name: str, *, fstype: str = "ext4", mode: str = "host") -> str:
    """The ready definition from profiles/, for this file system and this identity mode."""
    text = (ROOT / "profiles" / f"{name}.toml").read_text()
    for before, after in (('fstype = "ext4"', f'fstype = "{fstype}"'), ('mode = "host"', f'mode = "{mode}"')):
        if text.count(before) != 1:
            raise ValueError(f"profiles/{name}.toml has not exactly one {before!r}")
        text = text.replace(before, after)
    return text


def make_file_system(lab: Lab, device: str, fstype: str, label: str) -> None:
    force = {"ext4": "-F", "xfs": "-f", "btrfs": "-f"}[fstype]
    lab.exec("ec-a", [f"mkfs.{fstype}", "-q", force, "-L", label, device], check=True)


def listen_on_management(lab: Lab) -> None:
    """Mode alias: the node's own sshd leaves the service addresses to the controller's."""
    for node in NODES:
        script = (
            "printf 'ListenAddress %s\\n' \"$(ip -4 -o addr show mgmt0 | awk '{print $4}' | cut -d/ -f1)\" "
            "> /etc/ssh/sshd_config.d/tanist-own.conf && systemctl restart ssh"
        )
        lab.exec(node, ["sh", "-c", script], check=True)


def begin(lab: Lab, name: str, mode: str) -> None:
    """The first claim on ec-a, and both nodes ready for a boot."""
    if mode == "alias":
        listen_on_management(lab)
    for node in NODES:
        lab.exec(node, ["tanist", "enable", name], check=True)
    lab.exec("ec-a", ["tanist", "init", name], check=True, timeout=120)
