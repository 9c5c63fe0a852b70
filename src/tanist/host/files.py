"""The files of one machine.

In: absolute paths as that machine sees them (str; names that are not UTF-8 as surrogateescape). `root` and `redirects`
say where they lie for this process, so that a fake host is a directory; on a real host both are empty and the kernel
resolves paths. Every change is on disk when its method returns. All methods may raise OSError; a path that is not
absolute or holds ".." is a ValueError. Where a service account may have planted links, use open_directory() and the
*at() calls: nothing else here protects the parents of a path.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from _thread import get_native_id
from collections.abc import Iterator, Sequence

from tanist.host.directories import fsync_directory, open_walking, remove_entry, split_path

READ_LIMIT = 16 << 20
LINKS_LIMIT = 40  # as the kernel's own (path_resolution(7))
BLOCK = 4096


class Files:
    def __init__(self, root: str = "/", redirects: Sequence[tuple[str, str]] = ()) -> None:
        self.root = root.rstrip("/")
        self.redirects = tuple(redirects)  # in the order of mounting: the last one that covers a path wins

    # -- where things lie
    def place(self, path: str) -> str:
        """Where `path` lies for this process, no link on the way resolved."""
        for prefix, directory in reversed(self.redirects):
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                return directory + path[len(prefix.rstrip("/")) :]
        return (self.root + path) or "/"

    def real(self, path: str, *, follow: bool = False) -> str:
        """Where `path` lies for this process. Links on the way lead inside `root`; the last part only with `follow`."""
        parts = split_path(path)
        if not self.root and not self.redirects:
            return "/" + "/".join(parts)
        here, links = "", 0
        while parts:
            part = parts.pop(0)
            if part in ("..", "."):  # out of a link's target
                here = os.path.dirname(here) if part == ".." else here
                here = "" if here == "/" else here
                continue
            there = self.place(f"{here}/{part}")
            if (parts or follow) and os.path.islink(there):
                links += 1
                if links > LINKS_LIMIT:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = os.readlink(there)
                parts[:0] = [item for item in target.split("/") if item]
                here = "" if target.startswith("/") else here
                continue
            here = f"{here}/{part}"
        return self.place(here or "/")

    def open_directory(self, path: str, *, create: int | None = None) -> int:
        """A descriptor of a directory, opened part by part. A link on the way is followed only where nobody but root
        could have put it; any other is OSError(ELOOP). `create`: mode for what is missing (0:0, fsynced)."""
        return open_walking(self.place, tuple(prefix for prefix, _ in self.redirects), path, create)

    # -- looking
    def read(self, path: str, limit: int = READ_LIMIT) -> bytes:
        """The whole of a regular file; OSError(EFBIG) when it is longer than `limit` bytes. Read to its end, because
        sizes in /proc and /sys lie; a fifo or device is OSError(EINVAL) and never blocks."""
        fd = os.open(self.real(path, follow=True), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            info = os.fstat(fd)
            if stat.S_ISDIR(info.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            chunks, size = [], 0
            while chunk := os.read(fd, min(max(info.st_size, 65536), 1 << 20) + 1):
                chunks.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise OSError(errno.EFBIG, f"longer than {limit} bytes", path)
            return b"".join(chunks)
        finally:
            os.close(fd)

    def read_direct(self, path: str, size: int) -> bytes:
        """The first `size` bytes of a file as its disk has them, past the page cache, where the file system does that.
        `size` is a multiple of 4096. Not a regular file: OSError(EINVAL)."""
        import mmap

        target = self.real(path, follow=True)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        try:
            fd = os.open(target, flags | os.O_DIRECT)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return self.read(path, size)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", path)
            with mmap.mmap(-1, size) as aligned:
                done = os.preadv(fd, [aligned], 0)
                return bytes(aligned[:done])
        finally:
            os.close(fd)

    def stat(self, path: str, *, follow: bool = True) -> os.stat_result | None:
        """None when there is nothing (or, with `follow`, only a link to nothing)."""
        try:
            return os.stat(self.real(path, follow=follow), follow_symlinks=follow)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, path: str) -> bool:
        """True for a link to nothing, too."""
        return self.stat(path, follow=False) is not None

    def list(self, path: str) -> tuple[str, ...]:
        """The names in a directory, sorted. Not there: FileNotFoundError, never an empty answer."""
        return tuple(sorted(os.listdir(self.real(path, follow=True))))

    def read_link(self, path: str) -> str:
        return os.readlink(self.real(path))

    # -- changing
    def write(self, path: str, data: bytes, mode: int = 0o600, uid: int = 0, gid: int = 0) -> None:
        """Whole or not at all: a reader finds the old content or the new one, never a part, never wider than `mode`.
        Replaces a link instead of following it."""
        with self._parent(path) as (directory, name):
            part = f".{name[:190]}.tanist-{os.getpid()}-{get_native_id()}"  # two threads may write the same file
            with contextlib.suppress(FileNotFoundError):
                os.unlink(part, dir_fd=directory)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(part, flags, 0o600, dir_fd=directory)
            try:
                try:
                    write_all(fd, data)
                    os.fchown(fd, uid, gid)
                    os.fchmod(fd, mode)
                    os.fsync(fd)
                finally:
                    os.close(fd)
                os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(part, dir_fd=directory)
                raise
            os.fsync(directory)

    def append(self, path: str, data: bytes) -> None:
        """Added at the end and on disk, or (disk full) taken back. A run's only fdatasync(2), a walk's record aside."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with self._parent(path) as (directory, name):
            try:
                fd = os.open(name, flags, dir_fd=directory)
            except FileNotFoundError:
                fd = os.open(name, flags | os.O_CREAT, 0o600, dir_fd=directory)
                os.fsync(directory)
            try:
                before = os.fstat(fd).st_size
                try:
                    write_all(fd, data)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(fd, before)
                    raise
                os.fdatasync(fd)
            finally:
                os.close(fd)

    def overwrite(self, path: str, data: bytes, offset: int = 0) -> None:
        """Bytes of an existing file or device changed in place and on disk (O_DSYNC), past the page cache where
        alignment allows. Never creates, never follows a link."""
        target = self.real(path)
        if data and offset % BLOCK == 0 and len(data) % BLOCK == 0 and _overwrite_direct(target, data, offset):
            return
        fd = os.open(target, os.O_WRONLY | os.O_DSYNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(fd, data[done:], offset + done)
            os.fsync(fd)
        finally:
            os.close(fd)

    def make_directory(self, path: str, mode: int = 0o755) -> None:
        """With its parents, all new ones with `mode`, owned by this process. There already: left as it is."""
        missing: list[str] = []
        while (info := self.stat(path)) is None:
            missing.append(path)
            path = os.path.dirname(path)
        if not stat.S_ISDIR(info.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        for new in reversed(missing):
            target = self.real(new)
            with contextlib.suppress(FileExistsError):  # somebody else was quicker
                os.mkdir(target, mode)
                os.chmod(target, mode)  # whatever the umask
            fsync_directory(os.path.dirname(target))

    def remove(self, path: str) -> None:
        """A file or link, not a directory. Not there: fine."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (directory, name):
            os.unlink(name, dir_fd=directory)
            os.fsync(directory)

    def remove_tree(self, path: str) -> None:
        """Whatever is at `path`, links as links. OSError(EBUSY), and its content left alone, where something is
        mounted inside. Not there: fine."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (directory, name):
            remove_entry(directory, name)
            os.fsync(directory)

    def move(self, source: str, target: str) -> None:
        """rename(2): replaces a file, or an empty directory by a directory."""
        with self._parent(source) as (old, name), self._parent(target) as (new, name_there):
            os.rename(name, name_there, src_dir_fd=old, dst_dir_fd=new)
            os.fsync(new)
            if not os.path.samestat(os.fstat(old), os.fstat(new)):
                os.fsync(old)

    def exchange(self, one: str, other: str) -> None:
        """The two change places at once. OSError(EINVAL) where the file system cannot do that."""
        from tanist.host.syscalls import exchange

        with self._parent(one) as (first, name), self._parent(other) as (second, name_there):
            exchange(first, name, second, name_there)
            os.fsync(second)
            os.fsync(first)

    def sync(self, path: str) -> None:
        """syncfs(2) of the file system that holds `path`."""
        import ctypes

        fd = os.open(self.real(path, follow=True), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
                raise OSError(ctypes.get_errno(), "syncfs", path)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        directory, name = os.path.split(self.real(path))
        if not name:
            raise ValueError("/ itself cannot be changed")
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield fd, name
        finally:
            os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def begin_writeback(fd: int, offset: int = 0, size: int = 0) -> None:
    """Towards the disk, without waiting (sync_file_range(2)): an fsync(2) later finds less to do, and those of several
    files one commit for all. A hint: what goes wrong is told by that fsync. `size` 0: to the end."""
    import ctypes

    ctypes.CDLL(None).sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(size), 2)


def _overwrite_direct(target: str, data: bytes, offset: int) -> bool:
    """True when it was written with O_DIRECT (open(2)); false where the file system does not do that."""
    import mmap

    try:
        fd = os.open(target, os.O_WRONLY | os.O_DSYNC | os.O_DIRECT | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    try:
        with mmap.mmap(-1, len(data)) as aligned:
            aligned[:] = data
            if os.pwrite(fd, aligned, offset) != len(data):
                return False
        os.fsync(fd)  # what O_DSYNC leaves out: a size that grew, a device's own cache
        return True
    except OSError as error:
        if error.errno == errno.EINVAL:
            return False
        raise
    finally:
        os.close(fd)
