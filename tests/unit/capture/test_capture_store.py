"""A store is complete or it does not have its name, private at every instant, and readable without tanist."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.capture import scan
from tanist.capture.put import NAMED
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import save_store, verify_store
from tanist.host.fake import FakeHost
from tanist.model.errors import BadCapture, Failed, Refused
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import acl_with, clear_all_flags, make_rich, set_flags, snapshot

PG = "/etc/pg"


def at(host: FakeHost, path: str = PG) -> Path:
    return Path(host.root + path)


@pytest.fixture
def rich(host: FakeHost) -> FakeHost:
    make_rich(at(host), uid=2001, gid=2001)
    return host


def test_a_store_has_five_private_files(rich: FakeHost) -> None:
    old = os.umask(0)
    try:
        save_store(rich, "/new/parent/store", (PG,), ABOUT)
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in at(rich, "/new").rglob("*")}
    files = {
        "README": 0o600,
        "entries.jsonl": 0o600,
        "files.tar": 0o600,
        "manifest.json": 0o600,
        "manifest.sha256": 0o600,
    }
    assert modes == {**files, "parent": 0o700, "store": 0o700}


@pytest.mark.requirement("A33", "A35")
def test_nothing_is_wider_than_private_at_any_instant(rich: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at before every system call that writes or renames."""
    seen: set[int] = set()

    def looking(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **more: object) -> object:
            seen.update(stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in at(rich, "/").glob("store*"))
            seen.update(stat.S_IMODE(path.lstat().st_mode) & 0o077 for path in at(rich, "/").glob("store*/*"))
            return real(*args, **more)

        monkeypatch.setattr(os, name, call)

    old = os.umask(0)
    for name in ("fsync", "rename", "write", "read"):
        looking(name)
    save_store(rich, "/store", (PG,), ABOUT)
    os.umask(old)
    assert seen == {0}


def test_no_password_and_no_foreign_account_is_in_it(rich: FakeHost) -> None:
    rich.users["foreign"] = 4000
    rich.files.write("/etc/shadow", b"root:$6$secret\n")
    manifest = save_store(rich, "/store", (PG,), replace(ABOUT, users=("postgres", "later"), groups=("postgres",)))
    assert manifest.users == (("later", None), ("postgres", 2001))
    everything = b"".join(path.read_bytes() for path in at(rich, "/store").iterdir())
    assert b"foreign" not in everything and b"secret" not in everything


@pytest.mark.requirement("A38")
def test_a_complete_store_is_left_alone(rich: FakeHost) -> None:
    first = save_store(rich, "/store", (PG,), ABOUT)
    before = snapshot(at(rich, "/store"))
    (at(rich) / "tool").write_text("newer")
    assert save_store(rich, "/store", (PG,), replace(ABOUT, epoch=9)) == first
    assert snapshot(at(rich, "/store")) == before
    with pytest.raises(Refused, match="other paths"):
        save_store(rich, "/store", ("/etc/other",), ABOUT)


def test_what_the_manifest_says_can_be_checked_by_hand(rich: FakeHost) -> None:
    save_store(rich, "/store", (PG,), ABOUT)
    store = at(rich, "/store")
    subprocess.run(["sha256sum", "-c", "--quiet", "manifest.sha256"], cwd=store, check=True)
    manifest = json.loads((store / "manifest.json").read_text())
    assert (manifest["format"], manifest["created"], manifest["facts"]) == (
        2,
        "2023-11-14T22:13:20.500000000Z",
        {"a": 1},
    )
    assert manifest["parts"]["files.tar"]["sha256"] == hashlib.sha256((store / "files.tar").read_bytes()).hexdigest()
    lines = (store / "entries.jsonl").read_text().splitlines()
    assert len([line for line in lines if '"path": "/etc/pg/' in line]) == 13


@pytest.mark.requirement("A34")
def test_the_readme_says_how_to_restore_by_hand_and_it_works(rich: FakeHost, tmp_path: Path) -> None:
    """By number, into an empty directory: all but sockets and flags are the same."""
    save_store(rich, "/store", (PG, "/etc/gone"), ABOUT)
    before = snapshot(at(rich))
    readme = at(rich, "/store/README").read_text()
    command = next(line for line in readme.splitlines() if "--numeric-owner" in line)
    target = tmp_path / "by hand"
    target.mkdir()
    shell = command.replace("/some/directory", f"'{target}'")
    done = subprocess.run(shell, shell=True, cwd=at(rich, "/store"), check=True, capture_output=True)
    assert not done.stdout
    after = snapshot(target / "etc" / "pg")
    flagless = replace(before["empty"][1], flags=())
    before["empty"] = (before["empty"][0], flagless, *before["empty"][2:])
    del before["socket"]
    assert after == before
    assert "/etc/gone" in readme
    for what, path in (("  sockets: ", "socket"), ("  inode flags", "empty")):
        grep = next(line for line in readme.splitlines() if line.startswith(what)).split(": ", 1)[1]
        found = subprocess.run(grep, shell=True, cwd=at(rich, "/store"), check=True, capture_output=True, text=True)
        assert [json.loads(line)["path"] for line in found.stdout.splitlines()] == [f"{PG}/{path}"]


@pytest.mark.requirement("A54")
def test_by_hand_it_also_goes_by_name(host: FakeHost, tmp_path: Path) -> None:
    """Accounts that every Debian has, with other numbers at the time of the capture."""
    host.users["games"], host.groups["games"] = 2345, 2346
    at(host).mkdir()
    (at(host) / "f").write_text("x")
    os.chown(at(host) / "f", 2345, 2346)
    os.setxattr(at(host) / "f", "system.posix_acl_access", acl_with(2345, 2346))
    save_store(host, "/store", (PG,), ABOUT)
    command = next(line for line in at(host, "/store/README").read_text().splitlines() if "tar -C / " in line)
    shell = command.replace("-C / ", f"-C '{tmp_path}' ")
    subprocess.run(shell, shell=True, cwd=at(host, "/store"), check=True, capture_output=True)
    info = (tmp_path / "etc/pg/f").stat()
    assert (info.st_uid, info.st_gid) == (5, 60)  # base-passwd of Debian
    assert os.getxattr(tmp_path / "etc/pg/f", "system.posix_acl_access") == acl_with(5, 60)


def test_python_reads_files_tar_too(rich: FakeHost) -> None:
    manifest = save_store(rich, "/store", (PG,), ABOUT)
    with tarfile.open(at(rich, "/store/files.tar")) as tar:
        found = {"/" + member.name: member for member in tar.getmembers()}
        assert found.keys() == {entry.path for entry in manifest.entries if entry.kind != "socket"}
        for entry in manifest.entries:
            if entry.kind == "file":
                assert found[entry.path].offset_data == entry.offset
                assert found[entry.path].uname == entry.user


def test_huge_numbers_and_odd_times_survive(host: FakeHost, tmp_path: Path) -> None:
    at(host).mkdir()
    for name, ns in (("before", -1_500_000_001), ("late", 5_000_000_000_000_000_001)):
        (at(host) / name).touch()
        os.chown(at(host) / name, 3_000_000_000, 2_097_152)
        os.utime(at(host) / name, ns=(ns, ns))
    before = snapshot(at(host))
    save_store(host, "/store", (PG,), ABOUT)
    command = ["tar", "-C", str(tmp_path), "--numeric-owner", "-xpf", str(at(host, "/store/files.tar"))]
    subprocess.run(command, check=True, capture_output=True)
    assert snapshot(tmp_path / "etc" / "pg") == before
    host.files.remove_tree(PG)
    restore_path(host, "/store", PG)
    assert snapshot(at(host)) == before


# -- what goes wrong
def test_a_device_node_is_refused_by_name(rich: FakeHost) -> None:
    os.mknod(at(rich) / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    with pytest.raises(Refused, match="/etc/pg/null is a device node"):
        save_store(rich, "/store", (PG,), ABOUT)
    assert not rich.files.exists("/store") and not list(at(rich, "/").glob("*partial*"))


@pytest.mark.requirement("A34")
def test_device_nodes_that_the_definition_names_move_and_no_other(rich: FakeHost) -> None:
    """As a whole directory, by a layer, and by hand-made numbers in the store they are made nowhere else."""
    for name, minor in (("null", 3), ("zero", 5)):
        os.mknod(at(rich) / name, 0o640 | stat.S_IFCHR, os.makedev(1, minor))
    os.mknod(at(rich) / "conf.d" / "disk", 0o600 | stat.S_IFBLK, os.makedev(7, 200))
    named = (f"{PG}/null", f"{PG}/conf.d/disk")
    with pytest.raises(Refused, match="/etc/pg/zero is a device node"):
        save_store(rich, "/store", (PG,), replace(ABOUT, devices=named))
    os.unlink(at(rich) / "zero")
    save_store(rich, "/store", (PG,), replace(ABOUT, devices=named))
    rich.files.remove_tree(PG)
    with pytest.raises(BadCapture, match="is a device node, which the definition does not name"):
        restore_path(rich, "/store", PG, (f"{PG}/null",))
    assert not rich.files.exists(PG)
    restore_path(rich, "/store", PG, named)
    assert compare_path(rich, "/store", PG) == ()
    found = os.lstat(at(rich) / "conf.d" / "disk")
    assert (found.st_mode, found.st_rdev) == (0o600 | stat.S_IFBLK, os.makedev(7, 200))
    assert not restore_path(rich, "/store", PG, named)


@pytest.mark.requirement("A34")
def test_thousands_of_empty_directories_move(host: FakeHost) -> None:
    for one in range(60):
        for two in range(60):
            os.makedirs(at(host) / f"{one}" / f"{two}")
    assert save_store(host, "/store", (PG,), ABOUT).count == 3661
    host.files.remove_tree(PG)
    restore_path(host, "/store", PG)
    assert compare_path(host, "/store", PG) == ()
    assert len(list(at(host).rglob("*"))) == 3660


@pytest.mark.requirement("A34")
def test_append_only_and_immutable_flags_move_and_do_not_stop_the_way_back(host: FakeHost) -> None:
    (at(host) / "sealed").mkdir(parents=True)
    (at(host) / "sealed" / "log").write_text("so far\n")
    (at(host) / "log").write_text("so far\n")
    set_flags(at(host) / "sealed" / "log", ("append-only",))
    set_flags(at(host) / "log", ("append-only",))
    set_flags(at(host) / "sealed", ("immutable",))
    save_store(host, "/store", (PG,), ABOUT)
    seen = snapshot(at(host))
    clear_all_flags(at(host))
    (at(host) / "sealed" / "more").touch()
    (at(host) / "log").write_text("written over\n")
    set_flags(at(host) / "sealed", ("append-only",))
    set_flags(at(host) / "log", ("immutable",))
    restore_path(host, "/store", PG)
    assert snapshot(at(host)) == seen
    assert not restore_path(host, "/store", PG)


def test_a_mount_inside_is_refused_by_name(rich: FakeHost) -> None:
    program = (
        "import sys\nfrom tanist.host.fake import FakeHost\nfrom tanist.capture.manifest import About\n"
        "from tanist.capture.store import save_store\nfrom tanist.model.errors import Refused\n"
        "host = FakeHost(sys.argv[1])\n"
        "try:\n    save_store(host, '/store', ('/etc/pg',), About(controller='c', node='n', created=0.0))\n"
        "except Refused as error:\n    print(error.message)\n"
    )
    at(rich, "/elsewhere").mkdir()
    shell = f"mount --bind '{rich.root}/elsewhere' '{at(rich)}/conf.d' && exec \"$@\""
    argv = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", program, rich.root]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert "/etc/pg/conf.d has another file system mounted on it" in done.stdout


def test_hard_links_between_two_paths_are_two_files(rich: FakeHost) -> None:
    """Each path is restored at its own moment, perhaps alone."""
    os.link(at(rich) / "tool", at(rich, "/etc/two"))
    manifest = save_store(rich, "/store", (PG, "/etc/two"), ABOUT)
    kinds = {item.path: item.kind for item in manifest.entries}
    assert (kinds[f"{PG}/tool"], kinds["/etc/two"]) == ("file", "file")


def test_what_a_killed_restore_left_is_not_captured(rich: FakeHost) -> None:
    (at(rich) / ".tanist-restore-0123abcd").write_text("half")
    assert not [e for e in save_store(rich, "/store", (PG,), ABOUT).entries if "tanist-restore" in e.path]


def test_a_path_inside_another_is_refused(rich: FakeHost) -> None:
    with pytest.raises(Refused, match=r"/etc/pg/conf\.d lies inside /etc/pg"):
        save_store(rich, "/store", (PG, f"{PG}/conf.d"), ABOUT)


@pytest.mark.requirement("A38")
def test_a_full_disk_leaves_nothing_behind(rich: FakeHost) -> None:
    """A real one: a tmpfs of 64 KiB, in a mount namespace of its own."""
    program = (
        "import sys\nfrom tanist.host.fake import FakeHost\nfrom tanist.capture.manifest import About\n"
        "from tanist.capture.store import save_store\nfrom tanist.model.errors import Failed\n"
        "host = FakeHost(sys.argv[1])\n"
        "try:\n    save_store(host, '/full/store', ('/etc/pg',), About(controller='c', node='n', created=0.0))\n"
        "except Failed as error:\n    print(error.message, host.files.list('/full'))\n"
    )
    at(rich, "/full").mkdir()
    shell = f"mount -t tmpfs -o size=64k full '{rich.root}/full' && exec \"$@\""
    argv = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", program, rich.root]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert re.search(r"/full/store could not be written: No space left on device.* \(\)", done.stdout), done.stdout


def _changing(host: FakeHost, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Somebody appends to main.conf each time it is being read."""
    real, name, left = os.read, at(host) / "conf.d" / "big", [times]
    inode = name.stat().st_ino

    def read(fd: int, size: int) -> bytes:
        data = real(fd, size)
        if left[0] and os.fstat(fd).st_ino == inode:
            left[0] -= 1
            with name.open("ab") as file:
                file.write(b"more")
        return data

    monkeypatch.setattr(os, "read", read)


def test_a_file_that_changes_while_it_is_read_is_read_again(rich: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    _changing(rich, monkeypatch, 1)
    manifest = save_store(rich, "/store", (PG,), ABOUT)
    assert manifest.unsteady == ()
    entry = next(item for item in manifest.entries if item.path.endswith("big"))
    assert entry.sha256 == hashlib.sha256((at(rich) / "conf.d" / "big").read_bytes()).hexdigest()
    verify_store(rich, "/store")


def test_a_file_that_never_holds_still_is_named(rich: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    _changing(rich, monkeypatch, 1000)
    assert save_store(rich, "/store", (PG,), ABOUT).unsteady == (f"{PG}/conf.d/big",)
    verify_store(rich, "/store")
    with tarfile.open(at(rich, "/store/files.tar")) as tar:
        assert len(tar.getmembers()) == 13  # all but the socket


def test_a_file_that_shrinks_while_it_is_read_keeps_the_store_whole(
    rich: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, real = at(rich) / "conf.d" / "big", os.read
    inode, sizes = name.stat().st_ino, list(range(60_000, 10_000, -5_000))

    def read(fd: int, size: int) -> bytes:
        if os.fstat(fd).st_ino == inode and sizes:
            os.truncate(name, sizes.pop(0))
        return real(fd, size)

    monkeypatch.setattr(os, "read", read)
    manifest = save_store(rich, "/store", (PG,), ABOUT)
    entry = next(item for item in manifest.entries if item.path.endswith("big"))
    assert (manifest.unsteady, entry.size) == ((f"{PG}/conf.d/big",), 40_000)
    verify_store(rich, "/store")
    subprocess.run(["tar", "-tf", at(rich, "/store/files.tar")], check=True, capture_output=True)


def test_leftovers_of_dead_processes_go_and_those_of_the_living_stay(rich: FakeHost) -> None:
    living = subprocess.Popen(["sleep", "60"])
    try:
        for pid in (living.pid, 2**22 + 5, os.getpid()):
            rich.files.make_directory(f"/stores/old.partial-{pid}")
        save_store(rich, "/stores/new", (PG,), ABOUT)
        assert rich.files.list("/stores") == ("new", f"old.partial-{living.pid}")
    finally:
        living.kill()
        living.wait()


@pytest.mark.parametrize("part", ["README", "entries.jsonl", "files.tar", "manifest.json", "manifest.sha256"])
@pytest.mark.requirement("A38")
def test_a_missing_or_added_file_is_named(rich: FakeHost, part: str) -> None:
    save_store(rich, "/store", (PG,), ABOUT)
    rich.files.write("/store/more", b"")
    with pytest.raises(BadCapture, match="store cannot be used: more"):
        verify_store(rich, "/store")
    rich.files.remove("/store/more")
    rich.files.remove(f"/store/{part}")
    with pytest.raises(BadCapture, match=re.escape(part)):
        verify_store(rich, "/store")


def test_no_descriptor_is_left_open(rich: FakeHost, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    save_store(rich, "/store", (PG,), ABOUT)
    verify_store(rich, "/store")
    clear_all_flags(tmp_path)
    rich.files.remove_tree(PG)
    restore_path(rich, "/store", PG)
    assert len(os.listdir("/proc/self/fd")) == before


def dig(host: FakeHost, name: str, depth: int) -> None:
    fd = os.open(at(host, "/etc"), os.O_RDONLY)
    for part in ["pg", *[name] * depth]:
        os.mkdir(part, dir_fd=fd)
        deeper = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(os.open("f", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=fd))
    os.close(fd)


@pytest.mark.requirement("A34")
@pytest.mark.parametrize(("name", "depth"), [("n" * 250, 40), ("d", 1200)])
def test_paths_longer_than_the_kernel_takes_at_once_restore_the_same(host: FakeHost, name: str, depth: int) -> None:
    """10,000 bytes; 1,200 levels."""
    dig(host, name, depth)
    try:
        manifest = save_store(host, "/store", (PG,), ABOUT)
        assert manifest.count == depth + 2
        assert compare_path(host, "/store", PG) == ()
        host.files.remove_tree(PG)
        assert len(restore_path(host, "/store", PG).written) == min(depth + 2, NAMED)
        assert compare_path(host, "/store", PG) == ()
        assert not restore_path(host, "/store", PG)
    finally:
        host.files.remove_tree(PG)  # too deep for pytest, which would remove it some day


def test_far_too_deep_is_a_clear_error(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "DEPTH_LIMIT", 20)
    dig(host, "d", 30)
    with pytest.raises(Failed, match="inside one another"):
        save_store(host, "/store", (PG,), ABOUT)
