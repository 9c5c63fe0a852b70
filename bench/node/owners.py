"""Taking ownership of a tree, several ways, on an ext4 of its own: `python -m bench.node.owners IMAGE FILES ROUNDS`.

Runs in a mount namespace that ends with it (bench/ownership.py). Says each measurement as a line of JSON: what, files,
seconds. Whole processes, but for the id map, which is what the takeover calls.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time

from tanist.host.mounting import mount_device, unmount
from tanist.plan.idmap import find_moves

TOP, SEEN, IN_ONE = "/mnt/top", "/mnt/seen", 100
NAMES = tuple(f"account{n}" for n in range(10))
DISK = tuple((name, 100 + n) for n, name in enumerate(NAMES))
HERE = tuple((name, 100 + (n + 3) % 10) for n, name in enumerate(NAMES))  # rings: everything moves
ELSEWHERE = (
    tuple((name, 60100 + n) for n, name in enumerate(NAMES)),
    tuple((name, 60200 + n) for n, name in enumerate(NAMES)),
)
WALK = """
import sys, json
sys.path[:0] = {path!r}
from tanist.host import reowning
from tanist.model.host import Renumber
reowning.begin({tree!r}, "t")
print(reowning.reown({tree!r}, "t", Renumber(users={users!r}, groups={groups!r})))
reowning.forget({tree!r})
"""
STAT = """
import os, sys
def walk(path):
    for entry in os.scandir(path):
        entry.stat(follow_symlinks=False)
        if entry.is_dir(follow_symlinks=False):
            walk(entry.path)
walk(sys.argv[1])
"""


def main(image: str, files: int, rounds: int) -> None:
    shell(f"mount --make-rprivate / && mount -t tmpfs bench /mnt && mkdir {TOP} {SEEN}")
    shell(f"truncate -s {600 * files + (1 << 30)} {image}")
    shell(f"mkfs.ext4 -q -F -N {files + files // 10 + 20000} {image} && mount -o loop,noatime {image} {TOP}")
    sizes = [size for size in (1000, 10_000, 100_000, 1_000_000) if size < files] + [files]
    for size in sizes:
        grow(size)
        shell(f"sync -f {TOP}")
        for _ in range(rounds if size == files else 1):
            measure(size)
    say("peak memory, MiB", files, peak())
    shell(f"umount {TOP}")


def grow(files: int) -> None:
    """Directories of a hundred, ten to a hundred below one; owners in turn."""
    for n in range(files // IN_ONE):
        place = f"{TOP}/{n // 100}/{n}"
        if os.path.isdir(place):
            continue
        os.makedirs(place)
        for k in range(IN_ONE):
            os.close(os.open(f"{place}/{k}", os.O_CREAT | os.O_WRONLY, 0o640))


def measure(files: int) -> None:
    shell(f"chown -hR 100:100 {TOP} && sync -f {TOP}")
    say("chown -hR", files, timed(["chown", "-hR", "103:103", TOP]))
    say("sync -f after it", files, timed(["sync", "-f", TOP]))
    moves = find_moves(DISK, HERE, DISK, HERE)
    walk = WALK.format(path=sys.path, tree=TOP, users=moves.renumber.users, groups=moves.renumber.groups)
    say("walk, all change", files, timed([sys.executable, "-I", "-c", walk]))
    say("stat walk (Python)", files, timed([sys.executable, "-I", "-c", STAT, TOP]))
    none = find_moves(*(ELSEWHERE * 2)).renumber
    walk = WALK.format(path=sys.path, tree=TOP, users=none.users, groups=none.groups)
    say("walk, none change", files, timed([sys.executable, "-I", "-c", walk]))
    say("find -printf", files, timed(["find", TOP, "-printf", "%U"]))
    idmap = moves.build_idmap()
    device = subprocess.check_output(["findmnt", "-n", "-o", "SOURCE", TOP], text=True).strip()
    for _ in range(5):
        begun = time.perf_counter()
        mount_device(device, SEEN, "ext4", ("noatime",), idmap)
        say("id map", files, time.perf_counter() - begun)
        unmount(SEEN)


def timed(argv: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def peak() -> float:
    """MiB, of the largest process that was waited for, and those that it waited for."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def shell(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True)


def say(what: str, files: int, seconds: float) -> None:
    print(json.dumps({"what": what, "files": files, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
