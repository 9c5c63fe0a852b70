"""The files of a fake host: every change is announced to the host, which logs it and may crash after it.

Changes made through a descriptor of open_directory() are seen by fake_descriptors.py.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from tanist.host.files import Files

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


Changing = Callable[[str], AbstractContextManager[None]]


class FakeFiles(Files):
    def __init__(self, root: str, changing: Changing) -> None:
        super().__init__(root)
        self._changing = changing

    @override
    def write(self, path: str, data: bytes, mode: int = 0o600, uid: int = 0, gid: int = 0) -> None:
        self._refuse_mount_point(path)
        with self._changing(f"files.write {path}"):
            super().write(path, data, mode, uid, gid)

    @override
    def append(self, path: str, data: bytes) -> None:
        with self._changing(f"files.append {path}"):
            super().append(path, data)

    @override
    def overwrite(self, path: str, data: bytes, offset: int = 0) -> None:
        with self._changing(f"files.overwrite {path}"):
            super().overwrite(path, data, offset)

    @override
    def make_directory(self, path: str, mode: int = 0o755) -> None:
        if self.exists(path):
            super().make_directory(path, mode)
            return
        with self._changing(f"files.make_directory {path}"):
            super().make_directory(path, mode)

    @override
    def remove(self, path: str) -> None:
        if not self.exists(path):
            return
        self._refuse_mount_point(path)
        with self._changing(f"files.remove {path}"):
            super().remove(path)

    @override
    def remove_tree(self, path: str) -> None:
        if not self.exists(path):
            return
        self._refuse_mount_point(path, inside=True)
        with self._changing(f"files.remove_tree {path}"):
            super().remove_tree(path)

    @override
    def move(self, source: str, target: str) -> None:
        self._refuse_mount_point(source)
        self._refuse_mount_point(target)
        with self._changing(f"files.move {source} {target}"):
            super().move(source, target)

    @override
    def exchange(self, one: str, other: str) -> None:
        self._refuse_mount_point(one)
        self._refuse_mount_point(other)
        with self._changing(f"files.exchange {one} {other}"):
            super().exchange(one, other)

    def _refuse_mount_point(self, path: str, *, inside: bool = False) -> None:
        """As rename(2) and unlink(2) do."""
        for prefix, _ in self.redirects:
            if path == prefix or (inside and prefix.startswith(path.rstrip("/") + "/")):
                raise OSError(errno.EBUSY, "a mount point", prefix)
