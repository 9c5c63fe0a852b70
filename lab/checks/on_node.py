"""Runs in a node, piped into python3: prints what there is to compare of it as JSON. Knows nothing of tanist.

Arguments: files and directories to walk. Nothing is followed, no mount point is entered: what is mounted is listed
among the mounts. Numbers, not names, and times to the nanosecond.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator

Entry = dict[str, object]
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
UNIT_TYPES = "service,socket,timer,path,mount,swap,target"


def main(roots: list[str]) -> None:
    mounts = read_mounts()
    covered = {target for target, _ in mounts}
    paths = {path: read_entry(path) for root in roots for path in walk(root, covered)}
    print(json.dumps({"paths": paths, "state": read_state(mounts)}))


def walk(path: str, covered: set[str]) -> Iterator[str]:
    if path in covered or not os.path.lexists(path):
        return
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(f"{path}/{name}", covered)


def read_entry(path: str) -> Entry:
    found = os.lstat(path)
    kind = KINDS[stat.S_IFMT(found.st_mode)]
    entry: Entry = {
        "kind": kind,
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "owner": f"{found.st_uid}:{found.st_gid}",
        "mtime_ns": found.st_mtime_ns,
    }
    if kind == "file":
        with open(path, "rb") as file:
            entry["content"] = hashlib.file_digest(file, "sha256").hexdigest()
        entry["links"] = found.st_nlink
    elif kind == "link":
        entry["target"] = os.readlink(path)
    elif "device" in kind:
        entry["number"] = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    attributes = {name: os.getxattr(path, name, follow_symlinks=False).hex() for name in list_attributes(path)}
    if attributes:
        entry["xattrs"] = attributes
    return entry


def list_attributes(path: str) -> list[str]:
    """ACLs and capabilities among them; overlayfs's own belong to the lab."""
    return sorted(n for n in os.listxattr(path, follow_symlinks=False) if not n.startswith("trusted.overlay."))


def read_mounts() -> list[tuple[str, str]]:
    """(target, "type source") in the order of the mounts, octal escapes undone."""
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields, _, tail = line.partition(" - ")
            words, (fstype, source) = fields.split(), tail.split()[:2]
            found.append((words[4].encode().decode("unicode_escape"), f"{fstype} {source} {words[3]}"))
    return found


def read_state(mounts: list[tuple[str, str]]) -> dict[str, list[str]]:
    return {
        "host name": [os.uname().nodename],
        "address": read_addresses(),
        "route": ask("ip", "-o", "route", "show", "table", "all"),
        "mount": sorted(f"{target} ({source})" for target, source in mounts),
        "unit": sorted(set(read_units())),
        "listening": sorted({" ".join(line.split()[:1] + line.split()[4:5]) for line in ask("ss", "-Hlntu")}),
        "export": read_lines("/var/lib/nfs/etab"),
    }


def read_addresses() -> list[str]:
    words = [line.split() for line in ask("ip", "-o", "address", "show")]
    return sorted(f"{word[1]} {word[3]}" for word in words)


def read_units() -> Iterator[str]:
    """Units that run or have failed, as "NAME active|failed"; one that is starting or stopping is neither."""
    lines = ask("systemctl", "list-units", "--all", "--plain", "--no-legend", f"--type={UNIT_TYPES}")
    for name, _, active, *_ in (line.split() for line in lines):
        if active in ("active", "failed"):
            yield f"{name} {active}"


def ask(*argv: str) -> list[str]:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()]


def read_lines(path: str) -> list[str]:
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return sorted(file.read().splitlines())


if __name__ == "__main__":
    main(sys.argv[1:])
