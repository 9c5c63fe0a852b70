"""The files of a machine: atomic, synced, and never led astray by a link."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tanist.host.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "root").mkdir()
    return Files(str(tmp_path / "root"))


@pytest.fixture
def root(files: Files) -> Path:
    return Path(files.root)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[object]]:
    """Counts the calls of an os function, which still works."""

    def watch(name: str) -> list[object]:
        seen: list[object] = []
        real = getattr(os, name)

        def counting(*args: object, **more: object) -> object:
            seen.append(args[0])
            return real(*args, **more)

        monkeypatch.setattr(os, name, counting)
        return seen

    return watch


def fails_with(code: int, call: Callable[[], object]) -> None:
    with pytest.raises(OSError) as caught:
        call()
    assert caught.value.errno == code, caught.value


def test_write_leaves_nothing_but_the_file_with_its_owner_and_mode(files: Files, root: Path) -> None:
    files.write("/f", b"old", 0o644)
    files.write("/f", b"new", 0o4750, 12, 34)
    info = (root / "f").stat()
    assert (files.read("/f"), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid) == (b"new", 0o4750, 12, 34)
    assert files.list("/") == ("f",)


def test_a_write_that_fails_keeps_the_old_content(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("/f", b"old")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    fails_with(errno.ENOSPC, lambda: files.write("/f", b"new"))
    assert (files.read("/f"), files.list("/")) == (b"old", ("f",))


def test_write_replaces_a_link_instead_of_following_it(files: Files, root: Path) -> None:
    files.write("/secret", b"mine")
    (root / "f").symlink_to("secret")
    files.write("/f", b"new")
    assert (files.read("/secret"), files.read("/f"), (root / "f").is_symlink()) == (b"mine", b"new", False)


def test_write_syncs_the_file_and_its_directory(files: Files, calls: Callable[[str], list[object]]) -> None:
    synced, datasynced = calls("fsync"), calls("fdatasync")
    files.write("/f", b"x")
    assert (len(synced), len(datasynced)) == (2, 0)


def test_append_is_one_fdatasync_and_a_private_file(
    files: Files, root: Path, calls: Callable[[str], list[object]]
) -> None:
    synced, datasynced = calls("fsync"), calls("fdatasync")
    files.append("/j", b"1\n")
    files.append("/j", b"2\n")
    assert files.read("/j") == b"1\n2\n"
    assert (len(datasynced), len(synced)) == (2, 1)  # the directory, when the file is new
    assert stat.S_IMODE((root / "j").stat().st_mode) == 0o600


def test_an_append_that_fails_takes_back_what_it_wrote(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.append("/j", b"whole\n")
    real = os.write

    def half(fd: int, data: memoryview) -> int:
        if len(data) <= 3:
            raise OSError(errno.ENOSPC, "full")
        return real(fd, data[:3])

    monkeypatch.setattr(os, "write", half)
    fails_with(errno.ENOSPC, lambda: files.append("/j", b"123456"))
    assert files.read("/j") == b"whole\n"


def test_append_and_overwrite_do_not_follow_links(files: Files, root: Path) -> None:
    files.write("/secret", b"mine")
    (root / "l").symlink_to("secret")
    fails_with(errno.ELOOP, lambda: files.append("/l", b"x"))
    fails_with(errno.ELOOP, lambda: files.overwrite("/l", b"x"))
    fails_with(errno.ELOOP, lambda: files.overwrite("/l", b"x" * 4096))
    assert files.read("/secret") == b"mine"


@pytest.mark.parametrize(("offset", "data"), [(0, b"n" * 4096), (4096, b"n" * 8192), (1, b"n"), (4095, b"nn")])
def test_overwrite_changes_only_its_bytes_and_keeps_the_inode(files: Files, offset: int, data: bytes) -> None:
    old = b"o" * 3 * 4096
    files.write("/f", old)
    before = files.stat("/f")
    files.overwrite("/f", data, offset)
    after = files.stat("/f")
    assert before and after and before.st_ino == after.st_ino
    assert files.read("/f") == old[:offset] + data + old[offset + len(data) :]


def test_overwrite_never_creates(files: Files) -> None:
    fails_with(errno.ENOENT, lambda: files.overwrite("/f", b"x"))
    fails_with(errno.ENOENT, lambda: files.overwrite("/f", b"x" * 4096))
    assert not files.exists("/f")


def test_read_says_what_it_cannot_read(files: Files, root: Path) -> None:
    files.write("/f", b"12345")
    os.mkfifo(root / "fifo")
    assert files.read("/f", 5) == b"12345"
    fails_with(errno.EFBIG, lambda: files.read("/f", 4))
    fails_with(errno.EINVAL, lambda: files.read("/fifo"))
    fails_with(errno.EISDIR, lambda: files.read("/"))
    assert Files().read("/proc/self/comm")  # whose size says 0


def test_missing_is_not_empty(files: Files) -> None:
    assert files.stat("/none") is None
    assert files.stat("/none/deeper") is None
    fails_with(errno.ENOENT, lambda: files.list("/none"))
    files.remove("/none")
    files.remove_tree("/none")
    files.remove_tree("/none/deeper")


def test_exists_does_not_follow(files: Files, root: Path) -> None:
    (root / "l").symlink_to("/nowhere")
    assert files.exists("/l")
    assert files.stat("/l") is None
    assert files.stat("/l", follow=False) is not None


def test_links_lead_inside_the_root(files: Files, root: Path) -> None:
    files.make_directory("/real/deep")
    files.write("/real/deep/f", b"inside")
    (root / "absolute").symlink_to("/real")
    (root / "real" / "up").symlink_to("../../../real/deep")
    (root / "loop").symlink_to("loop")
    assert files.read("/absolute/deep/f") == b"inside"
    assert files.read("/absolute/up/f") == b"inside"
    assert files.real("/absolute/deep/f") == str(root / "real/deep/f")
    fails_with(errno.ELOOP, lambda: files.read("/loop/f"))


def test_a_redirect_is_a_mount_and_the_last_one_wins(files: Files, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    files.make_directory("/m")
    files.write("/m/below", b"covered")
    files.redirects = (("/m", str(tmp_path / "one")), ("/m/inner", str(tmp_path / "two")))
    assert files.list("/m") == ()
    files.write("/m/inner/f", b"two")
    files.write("/m/g", b"one")
    assert (tmp_path / "two" / "f").read_bytes() == b"two"
    assert (tmp_path / "one" / "g").read_bytes() == b"one"
    fd = files.open_directory("/m/inner")
    assert os.listdir(fd) == ["f"]
    os.close(fd)
    files.redirects = (*files.redirects, ("/m", str(tmp_path / "two")))
    assert files.list("/m") == ("f",)
    files.redirects = ()
    assert files.read("/m/below") == b"covered"


@pytest.mark.parametrize("path", ["relative", "/a/../b", "", "/a\0b"])
def test_a_path_that_is_not_plain_is_refused(files: Files, path: str) -> None:
    with pytest.raises(ValueError):
        files.read(path)
    with pytest.raises(ValueError):
        files.write(path, b"")


def test_make_directory_makes_parents_with_its_mode_whatever_the_umask(files: Files, root: Path) -> None:
    (root / "there").mkdir(mode=0o750)
    old = os.umask(0o077)
    try:
        files.make_directory("/there/a/b", 0o755)
        files.make_directory("/private/x", 0o700)
        files.make_directory("/there", 0o700)
    finally:
        os.umask(old)
    modes = [stat.S_IMODE((root / name).stat().st_mode) for name in ("there", "there/a", "there/a/b", "private")]
    assert modes == [0o750, 0o755, 0o755, 0o700]
    files.write("/f", b"")
    fails_with(errno.ENOTDIR, lambda: files.make_directory("/f/x"))


def test_remove_is_for_files_and_links(files: Files, root: Path) -> None:
    files.write("/kept", b"")
    (root / "l").symlink_to("kept")
    files.remove("/l")
    assert files.list("/") == ("kept",)
    files.make_directory("/d")
    fails_with(errno.EISDIR, lambda: files.remove("/d"))


def test_remove_tree_removes_links_not_what_they_lead_to(files: Files, root: Path) -> None:
    files.make_directory("/kept")
    files.write("/kept/f", b"")
    files.make_directory("/gone/deep")
    (root / "gone" / "deep" / "l").symlink_to("/kept")
    (root / "l").symlink_to("kept")
    files.remove_tree("/gone")
    files.remove_tree("/l")
    assert (files.list("/"), files.list("/kept")) == (("kept",), ("f",))


def test_move_replaces_and_syncs_both_directories(files: Files, calls: Callable[[str], list[object]]) -> None:
    files.make_directory("/a")
    files.make_directory("/b")
    files.write("/a/f", b"new")
    files.write("/b/g", b"old")
    synced = calls("fsync")
    files.move("/a/f", "/b/g")
    assert (files.list("/a"), files.read("/b/g"), len(synced)) == ((), b"new", 2)
    files.sync("/b")


@pytest.mark.requirement("A58")
def test_a_link_that_a_service_planted_is_not_followed(files: Files, root: Path) -> None:
    files.make_directory("/service")
    files.make_directory("/secret/inner")
    os.symlink("/secret", root / "service" / "l")
    os.symlink("/secret", root / "l")
    os.close(files.open_directory("/l/inner"))  # root's link in root's directory
    os.close(files.open_directory("/service/l/inner"))
    os.chown(root / "service", 1000, 1000)  # now the directory belongs to a service: root's link may have been moved in
    fails_with(errno.ELOOP, lambda: files.open_directory("/service/l/inner"))
    os.chown(root / "service", 0, 0)
    os.chown(root / "service" / "l", 1000, 1000, follow_symlinks=False)
    fails_with(errno.ELOOP, lambda: files.open_directory("/service/l/inner"))


def test_open_directory_makes_what_is_missing_when_asked(files: Files, root: Path) -> None:
    fails_with(errno.ENOENT, lambda: files.open_directory("/a/b"))
    os.close(files.open_directory("/a/b", create=0o711))
    assert stat.S_IMODE((root / "a" / "b").stat().st_mode) == 0o711


def test_no_descriptor_is_left_open(files: Files, root: Path) -> None:
    files.make_directory("/a/b")
    (root / "bad").symlink_to("a")
    os.chown(root / "bad", 5, 5, follow_symlinks=False)
    before = os.listdir("/proc/self/fd")
    os.close(files.open_directory("/a/b"))
    for path in ("/bad/b", "/a/none", "/none/x"):
        with pytest.raises(OSError):
            files.open_directory(path)
    files.write("/f", b"x")
    files.append("/f", b"x")
    files.overwrite("/f", b"x")
    files.read("/f")
    files.remove_tree("/a")
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_two_threads_may_write_one_file_at_one_time(tmp_path: Path) -> None:
    """Each part has a name of its own: one thread must not take away the other's."""
    files = Files(str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda number: files.write("/one", b"%d" % number), range(200)):
            pass
    assert os.listdir(tmp_path) == ["one"]


def test_a_file_of_sysfs_is_as_long_as_what_it_says_not_as_its_size(tmp_path: Path) -> None:
    """They all claim 4096 bytes."""
    assert Files().read("/sys/class/net/lo/mtu", 64).strip().isdigit()
    (tmp_path / "long").write_bytes(bytes(65))
    with pytest.raises(OSError, match="longer than 64 bytes"):
        Files(str(tmp_path)).read("/long", 64)
