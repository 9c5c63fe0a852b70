"""A directory kept in memory and put back: only what has changed since (by ctime) is written again."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    info: os.stat_result
    content: bytes  # of a file, or where a link leads

    @property
    def kind(self) -> int:
        return stat.S_IFMT(self.info.st_mode)


class Image:
    """Files, directories and links below `top`, with owner, mode and time. No hard links, no xattrs: the fakes have
    none."""

    def __init__(self, top: str) -> None:
        self.top = top
        self.kept = {path: _keep(path) for path in _walk(top)}
        self.seen = {path: _mark(path) for path in self.kept}

    def put_back(self) -> None:
        for path in [one for one in _walk(self.top) if one not in self.kept]:
            _remove(path)
        changed = [path for path, kept in self.kept.items() if not self._is_whole(path, kept)]
        for path in changed:
            _put(path, self.kept[path])
        for path in reversed(changed):  # children first: they change the times of what is above them
            os.utime(path, ns=(0, self.kept[path].info.st_mtime_ns), follow_symlinks=False)
        for path in changed:
            self.seen[path] = _mark(path)

    def _is_whole(self, path: str, kept: Kept) -> bool:
        try:
            return _mark(path) == self.seen[path]
        except FileNotFoundError:
            return False


def _walk(top: str) -> list[str]:
    """Everything, what is above first."""
    found = [top]
    with os.scandir(top) as entries:
        for entry in sorted(entries, key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                found += _walk(entry.path)
            else:
                found.append(entry.path)
    return found


def _mark(path: str) -> tuple[int, int]:
    info = os.lstat(path)
    return info.st_ino, info.st_ctime_ns


def _keep(path: str) -> Kept:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return Kept(info, os.fsencode(os.readlink(path)))
    if stat.S_ISREG(info.st_mode):
        with open(path, "rb") as file:
            return Kept(info, file.read())
    return Kept(info, b"")


def _remove(path: str) -> None:
    if not os.path.lexists(path):
        return  # what was above it has gone
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _put(path: str, kept: Kept) -> None:
    if not (stat.S_ISDIR(kept.kind) and os.path.isdir(path) and not os.path.islink(path)):
        _remove(path)
        if stat.S_ISDIR(kept.kind):
            os.mkdir(path)
        elif stat.S_ISLNK(kept.kind):
            os.symlink(kept.content, path)
        else:
            with open(path, "wb") as file:
                file.write(kept.content)
    os.chown(path, kept.info.st_uid, kept.info.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(kept.kind):
        os.chmod(path, stat.S_IMODE(kept.info.st_mode))
