"""The re-owning walk on this machine: two workers over one tree, one record, and nobody else at it meanwhile.

In: a tree, a token, a map. Out: every inode of the tree has the number that the map gives to what it had when the
record of that token was begun; on the disk when reown() returns. docs/design/ownership.md states why it may be killed
at any point and called again, here or on another node. It never touches the claim: its caller does, around it.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

from tanist.host import syscalls
from tanist.host.directories import fsync_directory
from tanist.host.reown_log import PLAIN, Numbering, Writer, load_record
from tanist.host.reown_walk import Counts, Point, Share, Walk
from tanist.model.host import Renumber, Reowned

PLACE = ".tanist/reowning"  # below the tree
SMALL = 20_000  # used inodes up to which a second process costs more than it saves
PATIENCE = 10.0  # seconds that workers of a killed run are given to be gone
ROOM = 4 << 20  # bytes for records beside the inodes' own


def begin(tree: str, token: str) -> None:
    """An empty record, on the disk; records of other tokens go. OSError(ENOSPC) where a full one has no room."""
    directory = f"{tree}/{PLACE}/{token}"
    for path in (f"{tree}/.tanist", f"{tree}/{PLACE}", directory):
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            fsync_directory(os.path.dirname(path))
    for name in os.listdir(f"{tree}/{PLACE}"):
        if name not in (token, "lock"):
            shutil.rmtree(f"{tree}/{PLACE}/{name}")
    space = os.statvfs(tree)
    needed = PLAIN.size * max(space.f_files - space.f_ffree, 0) + ROOM
    if space.f_bfree * space.f_frsize < needed:
        raise OSError(errno.ENOSPC, f"the record of who owned what may need {needed >> 20} MiB", directory)


def forget(tree: str) -> None:
    """No record any more; none there is fine."""
    if os.path.isdir(f"{tree}/{PLACE}"):
        shutil.rmtree(f"{tree}/{PLACE}")
        fsync_directory(f"{tree}/.tanist")


def reown(tree: str, token: str, renumber: Renumber, *, workers: int = 0, point: Point | None = None) -> Reowned:
    """`workers`: 0 for as many as help. `point` is told of each moment that a kill could part (tests; one worker)."""
    directory = f"{tree}/{PLACE}/{token}"
    if not os.path.isdir(directory):
        raise OSError(errno.ENOENT, "the claim says that the tree is half re-owned, and the record of it is gone", tree)
    lock = os.open(f"{tree}/{PLACE}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _take(lock, tree)
        attempt = _next_attempt(directory)
        workers = workers or _useful_workers(tree)
        if workers == 1:
            counts = [
                walk_share(tree, directory, attempt, Numbering.of(renumber), Share(part=0, of=1), point or _no_point)
            ]
        else:
            counts = _run_workers(tree, directory, attempt, renumber, workers, lock)
        (point or _no_point)("walked")
        _sync(tree)
        (point or _no_point)("synced")
    finally:
        os.close(lock)
    return Reowned(looked_at=sum(one.looked_at for one in counts), changed=sum(one.changed for one in counts))


def walk_share(tree: str, directory: str, attempt: int, numbering: Numbering, share: Share, point: Point) -> Counts:
    record = load_record(directory, share.mine)
    writer = Writer(f"{directory}/attempt-{attempt:04}-{share.part}", numbering)
    try:
        walk = Walk(tree, numbering, share, record, writer, point)
        walk.run()
    finally:
        writer.close()
    return walk.counts


def _no_point(what: str) -> None:
    """Only tests stop here."""


def _take(lock: int, tree: str) -> None:
    """Workers inherit the lock: it is free once the last one of a killed run is gone."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OSError(errno.EBUSY, "another process is changing owners there", tree) from None
            time.sleep(0.02)


def _next_attempt(directory: str) -> int:
    numbers = [int(name.split("-")[1]) for name in os.listdir(directory) if name.startswith("attempt-")]
    return max(numbers, default=0) + 1


def _useful_workers(tree: str) -> int:
    space = os.statvfs(tree)
    used = space.f_files - space.f_ffree
    few = 0 < used <= SMALL  # btrfs does not count: 0
    return 1 if few else min(2, len(os.sched_getaffinity(0)))


def _sync(tree: str) -> None:
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        syscalls.syncfs(fd)
    finally:
        os.close(fd)


# -- more than one process. Programs of their own, because a fork of a process with threads may do next to nothing.
def _run_workers(tree: str, directory: str, attempt: int, renumber: Renumber, workers: int, lock: int) -> list[Counts]:
    job = {
        "tree": tree,
        "directory": directory,
        "attempt": attempt,
        "users": renumber.users,
        "groups": renumber.groups,
        "of": workers,
        "parent": os.getpid(),
    }
    running: list[subprocess.Popen[bytes]] = []
    try:
        running.extend(_start({**job, "part": part}, lock) for part in range(workers))
        answers = [json.loads(process.communicate()[0] or b"{}") for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    for answer in answers:
        if "errno" in answer or not answer:
            said = answer or {"errno": errno.EIO, "text": "a worker ended without a word", "path": tree}
            raise OSError(said["errno"], said["text"], said["path"])
    return [Counts(looked_at=answer["looked_at"], changed=answer["changed"]) for answer in answers]


def _start(job: dict[str, object], lock: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-IS", "-c", f"import sys; sys.path[:0] = {sys.path!r}; from {__name__} import work; work()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[lock],
        env={"LC_ALL": "C.UTF-8"},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.close()
    process.stdin = None
    return process


def work() -> None:
    """A worker: a line of JSON in, a line of JSON out. It dies with its parent."""
    gc.disable()  # half a million small tuples, no cycles
    job = json.loads(sys.stdin.readline())
    syscalls.die_with_parent(signal.SIGKILL)
    if os.getppid() != job["parent"]:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    numbering = Numbering(users=dict(job["users"]), groups=dict(job["groups"]))
    share = Share(part=job["part"], of=job["of"])
    try:
        counts = walk_share(job["tree"], job["directory"], job["attempt"], numbering, share, _no_point)
    except OSError as error:
        path = os.fsdecode(error.filename or job["tree"])
        answer = {"errno": error.errno or errno.EIO, "text": error.strerror or str(error), "path": path}
    else:
        answer = {"looked_at": counts.looked_at, "changed": counts.changed}
    print(json.dumps(answer), flush=True)
