"""What did not change is neither read nor written again: later generations share layers with earlier ones."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tanist.capture import save
from tanist.capture.generations import GenerationInfo
from tanist.capture.manifest import Manifest
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.save import Base, can_go_on, save_changes, save_whole
from tanist.capture.seen import Noting, open_seen
from tanist.capture.store import load_head, load_manifest, verify_store
from tanist.host.fake import FakeHost
from tanist.model.errors import BadCapture
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.test_capture_generations import CAPTURES, run
from tests.unit.capture.test_capture_generations import active as active
from tests.unit.capture.test_capture_random import KEPT, Tree, plant, trees
from tests.unit.capture.trees import CAPABILITY, Seen, acl_with, make_rich, set_flags, snapshot

PG = "/etc/pg"
Parts = dict[int, set[int] | None]


class Line:
    """Generations of /etc/pg on one host, each from the one before."""

    def __init__(self, host: FakeHost) -> None:
        self.host, self.number = host, 0
        self.seen = host.files.real("/etc") + "/../seen"

    @property
    def top(self) -> Path:
        return Path(self.host.root + PG)

    @property
    def store(self) -> str:
        return f"/stores/{self.number:03d}"

    def whole(self) -> Manifest:
        self.number += 1
        noting = Noting(self.seen)
        try:
            manifest = save_whole(self.host, self.store, (PG,), ABOUT, {}, noting)
            noting.save({})
        finally:
            noting.close()
        return manifest

    def changes(self) -> Manifest | None:
        base = self.store
        found = open_seen(self.seen)
        assert found is not None
        self.number += 1
        noting = Noting(self.seen, found[0])
        try:
            manifest = load_head(self.host, base)
            assert can_go_on(self.host, manifest, (PG,))
            going = Base(store=base, manifest=manifest, seen=found[0], share_from=0)
            made = save_changes(self.host, self.store, (PG,), ABOUT, {}, noting, going)
            if noting.is_changed():
                noting.save({})
        finally:
            noting.close()
            found[0].close()
        if made is None:
            self.number -= 1
        return made

    def check(self) -> None:
        """The newest generation is good and restores what is there now; by hand, too."""
        verify_store(self.host, self.store)
        assert compare_path(self.host, self.store, PG) == ()


@pytest.fixture
def line(host: FakeHost) -> Line:
    make_rich(Path(host.root + PG), uid=2001, gid=2001)
    made = Line(host)
    made.whole()
    return made


def _touch(top: Path) -> None:
    (top / "tool").write_text("other")


def _in_a_directory(top: Path) -> None:
    (top / "conf.d" / "big").write_text("small now")


def _new_directory(top: Path) -> None:
    (top / "new" / "deeper").mkdir(parents=True)
    (top / "new" / "deeper" / "f").write_text("1")


def _rename_directory(top: Path) -> None:
    """Hard links and all: what is inside has not changed."""
    (top / "conf.d").rename(top / "zz.d")


def _first_name_goes(top: Path) -> None:
    (top / "conf.d" / "same.conf").unlink()


def _one_more_name(top: Path) -> None:
    os.link(top / "main.conf", top / "aaa")


def _same_time(top: Path) -> None:
    times = (top / "tool").stat()
    (top / "tool").write_bytes(b"#!/bin/evil\n")
    os.utime(top / "tool", ns=(times.st_atime_ns, times.st_mtime_ns))


def _linked_content(top: Path) -> None:
    """Through one name, with its time put back: the other name's line is the same as before."""
    times = (top / "main.conf").stat()
    with (top / "main.conf").open("r+") as file:
        file.write("PORT")
    os.utime(top / "main.conf", ns=(times.st_atime_ns, times.st_mtime_ns))


def _kinds(top: Path) -> None:
    shutil.rmtree(top / "conf.d")
    (top / "conf.d").write_text("a file")
    (top / "fifo").unlink()
    (top / "fifo").mkdir()
    (top / "fifo" / "inside").write_text("1")


def _swap(top: Path) -> None:
    (top / "tool").rename(top / "t")
    (top / "line\nbreak").rename(top / "tool")
    (top / "t").rename(top / "line\nbreak")


def _other_link(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("x")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": _touch,
    "content of the same size and time": _same_time,
    "in a directory": _in_a_directory,
    "a new directory": _new_directory,
    "a directory renamed": _rename_directory,
    "a directory goes": lambda top: shutil.rmtree(top / "conf.d"),
    "a file goes": lambda top: (top / "tool").unlink(),
    "kinds": _kinds,
    "two swapped": _swap,
    "one more name": _one_more_name,
    "the first name goes": _first_name_goes,
    "content behind two names": _linked_content,
    "mode": lambda top: os.chmod(top / "tool", 0o600),
    "owner": lambda top: os.chown(top / "conf.d", 0, 0),
    "acl": lambda top: os.setxattr(top / "tool", "system.posix_acl_access", acl_with(2001, 0)),
    "capability": lambda top: os.setxattr(top / "line\nbreak", "security.capability", CAPABILITY),
    "xattr": lambda top: os.removexattr(top / "main.conf", "user.note"),
    "flag": lambda top: set_flags(top / "tool", ("append-only",)),
    "time": lambda top: os.utime(top / "conf.d"),
    "link": _other_link,
}


@pytest.mark.requirement("A34", "A38")
@pytest.mark.parametrize("how", CHANGES)
def test_a_later_layer_holds_whatever_changed(line: Line, how: str) -> None:
    CHANGES[how](line.top)
    made = line.changes()
    assert made is not None
    assert made.layers == 2
    line.check()
    now = snapshot(line.top)
    line.host.files.remove_tree(PG)
    restore_path(line.host, line.store, PG)
    assert snapshot(line.top) == now
    restore_path(line.host, "/stores/001", PG)
    assert line.changes() is not None
    line.check()


@pytest.mark.parametrize("how", CHANGES)
def test_layers_are_restored_by_hand_as_the_readme_says(line: Line, how: str, tmp_path: Path) -> None:
    CHANGES[how](line.top)
    line.changes()
    (line.top / "ümläut").write_text("and once more")
    line.changes()
    wanted = snapshot(line.top)
    readme = (Path(line.host.root + line.store) / "README").read_text()
    command = next(one for one in readme.splitlines() if "--numeric-owner" in one)
    target = tmp_path / "by-hand"
    target.mkdir()
    shell = command.replace("/some/directory", str(target))
    subprocess.run(["sh", "-c", shell], cwd=line.host.root + line.store, check=True, capture_output=True)
    found = snapshot(target / "etc" / "pg")
    for name, (kind, its, content, links) in list(wanted.items()):
        if stat.S_ISSOCK(kind):
            del wanted[name]
            continue
        flagless = type(its)(mode=its.mode, uid=its.uid, gid=its.gid, mtime_ns=its.mtime_ns, xattrs=its.xattrs)
        wanted[name] = (kind, flagless, content, links)
    # by number, tar leaves a file of a later layer the ACL that its directory's default gave it: the README says so
    inherited = [name for name in found if name in wanted and not _acls(wanted[name]) and _acls(found[name])]
    assert all(name.startswith(("conf.d/", "zz.d/")) for name in inherited)
    assert {name: it for name, it in found.items() if name not in inherited} == {
        name: it for name, it in wanted.items() if name not in inherited
    }


def _acls(seen: Seen) -> list[str]:
    return [name for name, _ in seen[1].xattrs if name.startswith("system.posix_acl")]


def test_what_only_looks_changed_makes_no_generation(line: Line) -> None:
    for path in line.top.rglob("*"):
        if path.name != "empty":  # immutable
            os.chown(path, 2001, 2001, follow_symlinks=False)  # another ctime, and set-id and capability are gone
    os.chmod(line.top / "tool", 0o4750)
    os.setxattr(line.top / "tool", "security.capability", CAPABILITY)
    assert line.changes() is None
    assert line.host.files.list("/stores") == ("001",)


def test_only_what_changed_is_read_and_written(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tanist.capture.scan.FRESH", 0)
    (line.top / "tool").write_text("other")
    line.changes()
    line.changes()
    (line.top / "tool").write_text("once more")
    read: list[int] = []
    real = os.read

    def reading(fd: int, size: int) -> bytes:
        read.append(os.fstat(fd).st_ino)
        return real(fd, size)

    monkeypatch.setattr(os, "read", reading)
    made = line.changes()
    assert made is not None
    captured = {one.lstat().st_ino for one in line.top.rglob("*")}
    assert captured & set(read) == {(line.top / "tool").stat().st_ino}
    store = Path(line.host.root + line.store)
    assert [
        one.name for one in store.iterdir() if one.stat().st_nlink == 1 and one.name[-3:] != f".{made.layers - 1:02d}"
    ]
    assert (store / "files.tar").stat().st_nlink == line.number
    subprocess.run(["tar", "-tf", store / f"files.tar.{made.layers - 1:02d}"], check=True, capture_output=True)


@settings(
    max_examples=30,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(first=trees(), second=trees(), third=trees())
def test_any_tree_after_any_other_is_one_more_layer(host: FakeHost, first: Tree, second: Tree, third: Tree) -> None:
    host.files.remove_tree("/stores")
    host.files.remove_tree(PG)
    line = Line(host)
    plant(line.top, first, [])
    line.whole()
    for tree in (second, third):
        host.files.remove_tree(PG)
        plant(line.top, tree, [])
        line.changes()
        line.check()
    host.files.remove_tree(PG)
    plant(line.top, first, [])
    line.changes()
    line.check()
    host.files.remove_tree(PG)


def test_many_names_in_one_directory_are_looked_at_in_parts(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tanist.capture.scan.TOGETHER", 8)
    for number in range(0, 200, 2):
        (line.top / "conf.d" / f"{number:03d}").write_text("1")
    line.changes()
    line.check()
    for number in range(1, 200, 2):
        (line.top / "conf.d" / f"{number:03d}").write_text("1")
    (line.top / "conf.d" / "004").unlink()
    (line.top / "conf.d" / "198").unlink()
    line.changes()
    line.check()
    assert line.changes() is None


def test_many_directories_in_one_are_looked_at_in_parts(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty or a new directory has nothing in the note of before: what lies behind it there is still to come."""
    monkeypatch.setattr("tanist.capture.scan.TOGETHER", 8)
    for number in range(100):
        (line.top / "conf.d" / f"{number:03d}").mkdir()
    line.changes()
    line.check()
    assert line.changes() is None
    (line.top / "conf.d" / "003" / "new").mkdir()
    (line.top / "conf.d" / "003" / "new" / "file").write_text("1")
    (line.top / "conf.d" / "090").rmdir()
    made = line.changes()
    assert made is not None and f"{PG}/conf.d/090" not in {entry.path for entry in made.entries}
    line.check()
    assert line.changes() is None


PARTS = st.dictionaries(st.integers(0, 11), st.none() | st.sets(st.integers(0, 3)), max_size=12)


@KEPT
@given(first=PARTS, others=st.lists(PARTS, min_size=1, max_size=3))
def test_whatever_comes_and_goes_between_the_parts_of_a_directory(
    host: FakeHost, first: Parts, others: list[Parts]
) -> None:
    """Parts of one or two names, and directories with and without something inside among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tanist.capture.scan.TOGETHER", 1)
        for place in ("/stores", PG):
            host.files.remove_tree(place)
        line = Line(host)
        line.top.mkdir()
        settle(line.top, first)
        line.whole()
        for parts in others:
            settle(line.top, parts)
            line.changes()
            line.check()
            assert line.changes() is None
        host.files.remove_tree(PG)


def settle(top: Path, parts: Parts) -> None:
    """A file for None, a directory with these files for a set; what is there already stays as it is."""
    wanted = {f"{name:02d}": inside for name, inside in parts.items()}
    for path in top.iterdir():
        if path.name not in wanted or path.is_dir() != (wanted[path.name] is not None):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, inside in wanted.items():
        if inside is None:
            (top / name).touch(exist_ok=True)
        else:
            (top / name).mkdir(exist_ok=True)
            for file in (top / name).iterdir():
                if int(file.name) not in inside:
                    file.unlink()
            for number in inside:
                (top / name / str(number)).touch(exist_ok=True)


# -- through habackup
@pytest.fixture
def sharing(active: FakeHost, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    (Path(active.root) / "etc/pg/much").write_bytes(os.urandom(save.SHARE_FROM + 1))
    return active


def change(host: FakeHost, text: bytes) -> GenerationInfo:
    host.files.write("/etc/one.conf", text, 0o644)
    made: GenerationInfo = run(host)
    return made


def test_a_large_capture_is_shared_and_a_small_one_stands_for_itself(active: FakeHost, sharing: FakeHost) -> None:
    first, second = run(active), change(active, b"two")
    there, here = (Path(active.root + one.path) / "files.tar" for one in (first, second))
    assert there.stat().st_ino == here.stat().st_ino
    active.files.remove("/etc/pg/much")
    third, fourth = change(active, b"three"), change(active, b"four")
    assert load_manifest(active, fourth.path).layers == 4  # as long as the first layer is large
    assert third.name != fourth.name


def test_small_captures_share_nothing(active: FakeHost) -> None:
    first, second = run(active), change(active, b"two")
    for one in (first, second):
        assert {path.stat().st_nlink for path in Path(active.root + one.path).iterdir()} == {1}
        verify_store(active, one.path)


@pytest.mark.requirement("A38")
def test_beside_a_damaged_base_everything_is_saved_anew(sharing: FakeHost) -> None:
    first = run(sharing)
    sharing.files.overwrite(f"{first.path}/files.tar", b"X", 600)
    second = run(sharing)
    assert (second.unchanged, load_manifest(sharing, second.path).layers) == (False, 1)
    verify_store(sharing, second.path)
    with pytest.raises(BadCapture):
        verify_store(sharing, first.path)


@pytest.mark.parametrize("damage", [b"", b"{", b"\0" * 40000, None])
def test_a_damaged_note_only_costs_time(sharing: FakeHost, damage: bytes | None) -> None:
    run(sharing)
    seen = Path(sharing.root) / "var/lib/tanist/pg/seen"
    whole = seen.read_bytes()
    seen.write_bytes(whole[:-1] + b"?" if damage is None else damage)
    made = change(sharing, b"two")
    verify_store(sharing, made.path)
    assert compare_path(sharing, made.path, "/etc/one.conf") == ()


def test_an_account_that_got_another_name_makes_everything_new(sharing: FakeHost) -> None:
    run(sharing)
    sharing.users["pgsql"] = sharing.users.pop("postgres")
    made = run(sharing)
    assert not made.unchanged
    assert {one.user for one in load_manifest(sharing, made.path).entries} == {"root", "pgsql"}


def test_after_many_layers_it_begins_again(sharing: FakeHost) -> None:
    run(sharing)
    layers = [load_manifest(sharing, change(sharing, b"%d" % number).path).layers for number in range(40)]
    assert max(layers) == 32 and layers[31:33] == [1, 2]
    assert len(sharing.files.list(CAPTURES)) == 41


def test_a_gone_list_that_leads_out_is_refused(sharing: FakeHost) -> None:
    run(sharing)
    made = change(sharing, b"two")
    assert verify_store(sharing, made.path).layers == 2
    sharing.files.write(f"{made.path}/gone.01", b"../etc/passwd\0")
    with pytest.raises(BadCapture, match=r"gone\.01"):
        restore_path(sharing, made.path, "/etc/pg")
