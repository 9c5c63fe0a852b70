"""The base image: a Debian tree in the cache, made once from the machine's own apt sources.

In: this file's package list. Out: a directory below CACHE, complete or absent. Never touches a lab.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lab import mounts
from lab.errors import LabError
from lab.layout import CACHE

SUITE = "bookworm"
RECIPE = "1"  # raise it when the steps below change what comes out
PACKAGES = (
    "systemd systemd-sysv dbus openssh-server openssh-client postgresql-15 postgresql-client-15 cron ifupdown "
    "iproute2 iputils-ping iputils-arping netcat-openbsd procps psmisc lsof kmod "
    "e2fsprogs xfsprogs btrfs-progs util-linux util-linux-extra mount fdisk acl attr libcap2-bin "
    "rsync strace python3 python3-venv python3-psycopg2 "
    "python3-cryptography curl ca-certificates openssl less sudo logrotate passwd adduser "
)
# what chroot needs of the machine to reach the mirror; taken away again at the end of the build
BORROWED = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")


def base_path() -> Path:
    recipe = " ".join([SUITE, RECIPE, *sorted(PACKAGES.split())])
    return CACHE / f"base-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def build_base(log: TextIO) -> Path:
    """Return the base tree, building it first where it is missing (about 2 minutes, needs the mirror)."""
    base = base_path()
    with cache_lock():
        if base.is_dir():
            return base
        work = base.with_name(f"{base.name}.building")
        remove_tree(work)
        _bootstrap(work, log)
        work.rename(base)
    return base


@contextmanager
def cache_lock(name: str = "lock") -> Iterator[None]:
    """One build at a time, whichever lab asks for it. `name`: another lock, for what is built beside the rest."""
    CACHE.mkdir(parents=True, exist_ok=True)
    fd = os.open(CACHE / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def remove_tree(path: Path) -> None:
    """Remove a tree of the lab; LabError where something is still mounted below it."""
    below = [m for m in mounts.read_points() if m == str(path) or m.startswith(f"{path}/")]
    if below:
        raise LabError(f"not removed, still mounted: {', '.join(below)}")
    if path.exists():
        shutil.rmtree(path)


def read_mirrors(apt: Path = Path("/etc/apt")) -> list[str]:
    """One-line apt sources for SUITE and its updates, as the machine itself has them. LabError without."""
    lines: list[str] = []
    for path in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        if path.is_file():
            lines += parse_one_line(path.read_text())
    for path in sorted((apt / "sources.list.d").glob("*.sources")):
        lines += parse_deb822(path.read_text())
    if not any(line.split()[2] == SUITE for line in lines):
        raise LabError(f"the apt sources of this machine have no Debian {SUITE}: the hosts' packages come from there")
    return lines


def parse_one_line(text: str) -> list[str]:
    found = []
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line).split()
        if len(words) >= 4 and words[0] == "deb" and _is_ours(words[2]):
            found.append(f"deb {words[1]} {words[2]} main")
    return found


def parse_deb822(text: str) -> list[str]:
    found = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = {k.lower(): v for k, v in re.findall(r"(?m)^([A-Za-z-]+):[ \t]*(.*)$", stanza)}
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            suites = [s for s in fields.get("suites", "").split() if _is_ours(s)]
            found += [f"deb {uri} {s} main" for uri in fields.get("uris", "").split() for s in suites]
    return found


def _is_ours(suite: str) -> bool:
    return suite in (SUITE, f"{SUITE}-updates", f"{SUITE}-security")


def _bootstrap(root: Path, log: TextIO) -> None:
    sources = read_mirrors()
    mirror = next(s.split()[1] for s in sources if s.split()[2] == SUITE)
    _log_run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, str(root), mirror], log)
    _write(root / "etc/apt/sources.list", "\n".join(sources) + "\n")
    _write(
        root / "etc/dpkg/dpkg.cfg.d/lab",
        "force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n",
    )
    _write(root / "etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n")
    _write(root / "usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
    borrowed = _borrow(root)
    chroot = ["chroot", str(root), "/usr/bin/env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"]
    _log_run([*chroot, "apt-get", "-q", "update"], log)
    _log_run([*chroot, "apt-get", "-q", "-y", "--no-install-recommends", "dist-upgrade"], log)
    _log_run([*chroot, "apt-get", "-q", "-y", "--no-install-recommends", "install", *PACKAGES.split()], log)
    _log_run([*chroot, "apt-get", "clean"], log)
    _give_back(root, borrowed)
    for path in (root / "usr/sbin/policy-rc.d", root / "etc/dpkg/dpkg.cfg.d/lab"):
        path.unlink()
    for lists in (root / "var/lib/apt/lists").glob("*_*"):
        lists.unlink()


def _borrow(root: Path) -> dict[Path, bytes | None]:
    """Copy the machine's way to the mirror into the tree; returns what was there before."""
    conf = [str(p) for p in Path("/etc/apt/apt.conf.d").glob("*") if "Acquire::" in p.read_text(errors="replace")]
    auth = [str(p) for p in Path("/etc/apt").glob("auth.conf*/*")]
    before: dict[Path, bytes | None] = {}
    for name in [*BORROWED, *conf, *auth, "/etc/apt/apt.conf"]:
        source, target = Path(name), root / name.lstrip("/")
        if not source.is_file():
            continue
        before[target] = target.read_bytes() if target.is_file() else None
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
    return before


def _give_back(root: Path, before: dict[Path, bytes | None]) -> None:
    for path, content in before.items():
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content)
    # the certificate bundle is made again from Debian's own certificates
    subprocess.run(["chroot", str(root), "update-ca-certificates", "--fresh"], capture_output=True, check=False)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def _log_run(argv: list[str], log: TextIO) -> None:
    log.write(f"+ {' '.join(argv)}\n")
    log.flush()
    # a mount namespace of its own: a build that is killed leaves no mount behind
    unshare = ["unshare", "--mount", "--propagation", "private"]
    done = subprocess.run(
        [*unshare, *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode != 0:
        raise LabError(f"{argv[0]} failed with status {done.returncode}; see {log.name}")
