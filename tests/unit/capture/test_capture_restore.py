"""A restore makes a path exactly what the store has: by name, as a whole, touching nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.capture.ownership import missing_accounts
from tanist.capture.put import temporary_name
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import load_manifest, save_store
from tanist.host.attributes import LABEL
from tanist.host.fake import FakeHost
from tanist.model.errors import BadCapture, Failed, Refused
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import acl_with, make_rich, set_flags, snapshot

PG = "/etc/pg"


def at(host: FakeHost, path: str = PG) -> Path:
    return Path(host.root + path)


def save(host: FakeHost, *paths: str, into: str = "/store") -> None:
    save_store(host, into, paths or (PG,), ABOUT)


def carry(source: FakeHost, target: FakeHost) -> None:
    """The store on the other node, as the asset carries it."""
    subprocess.run(["cp", "-a", source.root + "/store", target.root + "/store"], check=True)


@pytest.fixture
def rich(host: FakeHost) -> FakeHost:
    make_rich(at(host), uid=2001, gid=2001)
    return host


@pytest.mark.requirement("A34", "A52")
def test_everything_comes_back_as_it_was(rich: FakeHost) -> None:
    before = snapshot(at(rich))
    save(rich)
    assert snapshot(at(rich)) == before
    rich.files.remove_tree(PG)
    changes = restore_path(rich, "/store", PG)
    assert (len(changes.written), changes.unchanged) == (len(before), 0)
    assert snapshot(at(rich)) == before


@pytest.mark.requirement("A34")
@pytest.mark.parametrize("gone", [f"{PG}/conf.d/small.conf", PG])
@pytest.mark.parametrize("umask", [0, 0o077])
def test_what_a_directory_and_the_umask_give_to_a_new_file_does_not_stay(host: FakeHost, umask: int, gone: str) -> None:
    """A set-group-id bit gives its group, a default ACL an ACL of its own (inode(7), acl(5))."""
    top = at(host)
    (top / "conf.d").mkdir(parents=True)
    for name, mode in (("small.conf", 0o644), ("wide.conf", 0o666), ("own.conf", 0o600), ("run", 0o4755)):
        (top / "conf.d" / name).write_text(name)
        (top / "conf.d" / name).chmod(mode)
    (top / "conf.d" / "link").symlink_to("run")
    before = snapshot(top)
    save(host)
    host.files.remove_tree(gone)
    for inherits in (top.parent, top / "conf.d") if gone != PG else (top.parent,):
        os.chown(inherits, 0, 2001)
        inherits.chmod(0o2775)
        os.setxattr(inherits, "system.posix_acl_default", acl_with(2001, 2001))
    old = os.umask(umask)
    try:
        restore_path(host, "/store", PG)
    finally:
        os.umask(old)
    assert snapshot(top) == before


@pytest.mark.requirement("A66")
def test_a_second_restore_changes_nothing(rich: FakeHost) -> None:
    save(rich)
    rich.files.remove_tree(PG)
    restore_path(rich, "/store", PG)
    ctimes = {path: os.lstat(path).st_ctime_ns for path in (at(rich), *at(rich).rglob("*"))}
    changes = restore_path(rich, "/store", PG)
    assert (bool(changes), changes.unchanged) == (False, len(ctimes))
    assert {path: os.lstat(path).st_ctime_ns for path in ctimes} == ctimes
    assert compare_path(rich, "/store", PG) == ()


@pytest.mark.requirement("A54", "A55")
def test_owners_move_by_name_when_the_numbers_are_swapped(new_host: Callable[..., FakeHost]) -> None:
    here, there = new_host("a", 2001, web=2002), new_host("b", 2002, web=2001)
    for name, number in (("pg", 2001), ("web", 2002)):
        at(here, f"/etc/x/{name}").parent.mkdir(exist_ok=True)
        at(here, f"/etc/x/{name}").write_text(name)
        os.chown(at(here, f"/etc/x/{name}"), number, number)
    os.chown(at(here, "/etc/x"), 7777, 7777)
    at(here, "/etc/x/set-id").write_text("tool")
    os.chown(at(here, "/etc/x/set-id"), 0, 2001)
    os.chmod(at(here, "/etc/x/set-id"), 0o6755)
    os.setxattr(at(here, "/etc/x/web"), "system.posix_acl_access", acl_with(2001, 2002))
    save(here, "/etc/x")
    carry(here, there)
    restore_path(there, "/store", "/etc/x")
    owners = {name: os.stat(at(there, f"/etc/x/{name}")) for name in ("pg", "web", "set-id")}
    assert [(info.st_uid, info.st_gid) for info in owners.values()] == [(2002, 2002), (2001, 2001), (0, 2002)]
    assert stat.S_IMODE(owners["set-id"].st_mode) == 0o6755
    assert os.stat(at(there, "/etc/x")).st_uid == 7777  # a number without a name is all there is
    assert os.getxattr(at(there, "/etc/x/web"), "system.posix_acl_access") == acl_with(2002, 2001)
    assert not restore_path(there, "/store", "/etc/x")


@pytest.mark.requirement("A54")
def test_accounts_that_the_node_lacks_are_all_named_before_any_change(
    rich: FakeHost, new_host: Callable[..., FakeHost]
) -> None:
    os.chown(at(rich) / "tool", 2001, 2002)
    os.setxattr(at(rich) / "conf.d", "system.posix_acl_access", acl_with(2003, 2001))
    rich.users["auditor"], rich.groups["ssl-cert"] = 2003, 2002
    save(rich)
    there = new_host("b")
    there.users, there.groups = {"root": 0}, {"root": 0}
    at(there).mkdir()
    carry(rich, there)
    before = snapshot(at(there))
    with pytest.raises(Refused, match="user auditor, user postgres, group postgres, group ssl-cert"):
        restore_path(there, "/store", PG)
    assert snapshot(at(there)) == before
    assert missing_accounts(there, load_manifest(there, "/store")) == (
        "user auditor",
        "user postgres",
        "group postgres",
        "group ssl-cert",
    )
    assert "user auditor" in "".join(compare_path(there, "/store", PG))


def unlinked(top: Path) -> dict[str, object]:
    """A snapshot without the count of names, which another name's removal changes."""
    return {name: item[:3] for name, item in snapshot(top).items()}


def _grow(top: Path) -> None:
    (top / "conf.d" / "new").write_text("not in the store")
    (top / "extra" / "deep").mkdir(parents=True)
    set_flags(top / "extra", ("immutable",))


def _same_size(top: Path) -> None:
    times = (top / "tool").stat()
    (top / "tool").write_bytes(b"#!/bin/evil\n")
    os.utime(top / "tool", ns=(times.st_atime_ns, times.st_mtime_ns))


def _immutable_and_altered(top: Path) -> None:
    (top / "tool").write_text("altered")
    set_flags(top / "tool", ("immutable",))


def _file_to_directory(top: Path) -> None:
    (top / "main.conf").unlink()
    (top / "main.conf" / "x").mkdir(parents=True)


def _directory_to_file(top: Path) -> None:
    subprocess.run(["rm", "-r", top / "conf.d"], check=True)
    (top / "conf.d").write_text("a file")


def _directory_to_link(top: Path) -> None:
    (top / "conf.d").rename(top.parent / "elsewhere")
    (top / "conf.d").symlink_to(top.parent / "elsewhere")


def _file_to_link(top: Path) -> None:
    (top / "main.conf").rename(top.parent / "victim")
    (top / "main.conf").symlink_to(top.parent / "victim")


def _break_hard_link(top: Path) -> None:
    data = (top / "main.conf").read_bytes()
    (top / "main.conf").unlink()
    (top / "main.conf").write_bytes(data)


def _hard_link_outside(top: Path) -> None:
    os.link(top / "tool", top.parent / "outside")


def _lead_elsewhere(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("x")


def _all_to_link(top: Path) -> None:
    top.rename(top.parent / "moved")
    top.symlink_to("moved")


def _swap_kinds(top: Path) -> None:
    for name in ("fifo", "socket", "link"):
        (top / name).unlink()
    (top / "fifo").symlink_to("socket")
    (top / "socket").write_text("file")
    os.mkfifo(top / "link")


ALTERED: dict[str, Callable[[Path], object]] = {
    "more files": _grow,
    "less": lambda top: (top / "conf.d" / "big").unlink(),
    "content": _same_size,
    "content that nobody may change": _immutable_and_altered,
    "mode": lambda top: os.chmod(top / "main.conf", 0o777),
    "owner": lambda top: os.chown(top / "tool", 5, 6),
    "xattr": lambda top: os.removexattr(top / "main.conf", "user.note"),
    "acl": lambda top: os.removexattr(top / "conf.d", "system.posix_acl_default"),
    "capability": lambda top: os.removexattr(top / "tool", "security.capability"),
    "flag": lambda top: set_flags(top / "empty", ()),
    "more flags": lambda top: set_flags(top / "conf.d", ("immutable",)),
    "time": lambda top: os.utime(top / "conf.d"),
    "link target": _lead_elsewhere,
    "file is a directory": _file_to_directory,
    "directory is a file": _directory_to_file,
    "directory is a link": _directory_to_link,
    "file is a link": _file_to_link,
    "hard link broken": _break_hard_link,
    "hard link leads outside": _hard_link_outside,
    "kinds swapped": _swap_kinds,
    "all is a file": lambda top: (top.rename(top.parent / "moved"), top.write_text("x")),
    "all is a link": _all_to_link,
}


@pytest.mark.requirement("A34", "A66")
@pytest.mark.parametrize("how", ALTERED)
def test_whatever_was_altered_is_found_and_put_back(rich: FakeHost, how: str) -> None:
    before = snapshot(at(rich))
    save(rich)
    ALTERED[how](at(rich))
    beside = {name: unlinked(at(rich).parent / name) for name in ("elsewhere", "victim", "moved")}
    assert compare_path(rich, "/store", PG)
    assert restore_path(rich, "/store", PG)
    assert snapshot(at(rich)) == before
    assert {name: unlinked(at(rich).parent / name) for name in beside} == beside


def test_only_what_differs_is_written(rich: FakeHost) -> None:
    save(rich)
    (at(rich) / "ümläut").write_text("changed")
    os.chmod(at(rich) / "conf.d" / "big", 0o600)
    (at(rich) / "extra").mkdir()
    inodes = {path: os.lstat(path).st_ino for path in at(rich).rglob("*")}
    changes = restore_path(rich, "/store", PG)
    assert changes.written == (f"{PG}/ümläut",)
    assert changes.adjusted == (f"{PG}/conf.d/big", PG)  # the directory for its time
    assert changes.removed == (f"{PG}/extra",)
    assert [p.name for p in at(rich).rglob("*") if os.lstat(p).st_ino != inodes[p]] == ["ümläut"]


@pytest.mark.requirement("A58")
def test_a_path_that_was_absent_is_removed_with_the_parents_made_for_it(
    rich: FakeHost, new_host: Callable[..., FakeHost]
) -> None:
    own = new_host("b", 3001)
    save(own, "/etc/deep/er/pg", into="/own")
    rich.files.make_directory("/etc/deep/er", 0o711)
    rich.files.move(PG, "/etc/deep/er/pg")
    os.chown(at(rich, "/etc/deep"), 2001, 2001)
    save(rich, "/etc/deep/er/pg")
    carry(rich, own)
    before = snapshot(at(own, "/etc"))
    restore_path(own, "/store", "/etc/deep/er/pg")
    info = at(own, "/etc/deep").stat()
    assert (info.st_uid, info.st_gid, stat.S_IMODE(info.st_mode)) == (3001, 3001, 0o711)
    assert restore_path(own, "/own", "/etc/deep/er/pg").removed == ("/etc/deep/er/pg",)
    after = snapshot(at(own, "/etc"))
    assert before.keys() == after.keys() == {"."}
    assert not restore_path(own, "/own", "/etc/deep/er/pg")


def test_parents_with_something_else_in_them_stay(host: FakeHost) -> None:
    save(host, "/etc/deep/pg")
    host.files.make_directory("/etc/deep/pg")
    host.files.write("/etc/deep/foreign", b"mine")
    restore_path(host, "/store", "/etc/deep/pg")
    assert host.files.list("/etc/deep") == ("foreign",)


@pytest.mark.requirement("A58")
@pytest.mark.parametrize("planted", ["/etc/svc", "/etc/svc/conf"])
def test_a_link_that_a_service_planted_above_a_path_stops_save_and_restore(host: FakeHost, planted: str) -> None:
    host.files.make_directory("/etc/svc/conf/inner")
    save(host, "/etc/svc/conf/inner/pg")
    os.chown(at(host, "/etc/svc"), 2001, 2001)
    at(host, "/etc/victim/inner/pg").mkdir(parents=True)
    at(host, "/etc/victim/inner/pg/f").write_text("precious")
    before = snapshot(at(host, "/etc/victim"))
    at(host, planted).rename(at(host, "/etc/away"))
    os.symlink("/etc/victim", at(host, planted))
    os.chown(at(host, planted), 2001, 2001, follow_symlinks=False)
    path = "/etc/svc/conf/inner/pg"
    with pytest.raises(Failed):
        restore_path(host, "/store", path)
    with pytest.raises(Failed):
        save(host, path, into="/other")
    assert snapshot(at(host, "/etc/victim")) == before
    assert not host.files.exists("/other")


def test_a_path_that_the_store_was_not_asked_for_is_refused(rich: FakeHost) -> None:
    save(rich)
    for path in ("/etc", f"{PG}/tool", "/etc/other"):
        with pytest.raises(BadCapture, match="does not hold"):
            restore_path(rich, "/store", path)


def test_content_altered_in_the_store_is_noticed_before_any_change(rich: FakeHost) -> None:
    save(rich)
    tool = next(e for e in load_manifest(rich, "/store").entries if e.path.endswith("tool"))
    rich.files.overwrite("/store/files.tar", b"X", tool.offset + 3)
    (at(rich) / "tool").unlink()
    (at(rich) / "main.conf").unlink()
    before = snapshot(at(rich))
    with pytest.raises(BadCapture, match="tool"):
        restore_path(rich, "/store", PG)
    assert snapshot(at(rich)) == before


def test_a_single_file_is_a_path_too(host: FakeHost) -> None:
    host.files.write("/etc/one", b"1", 0o640, 2001, 0)
    before = snapshot(at(host, "/etc"))
    save(host, "/etc/one", "/etc/two")
    host.files.write("/etc/one", b"2")
    host.files.write("/etc/two", b"2")
    host.files.write("/etc/three", b"foreign")
    restore_path(host, "/store", "/etc/one")
    restore_path(host, "/store", "/etc/two")
    host.files.remove("/etc/three")
    after = snapshot(at(host, "/etc"))
    assert {name: after[name] for name in after if name != "."} == {n: before[n] for n in before if n != "."}


@pytest.mark.requirement("A58")
def test_a_mount_inside_an_owned_directory_is_never_emptied(rich: FakeHost) -> None:
    save(rich)
    at(rich, "/kept").mkdir()
    at(rich, "/kept/f").write_text("precious")
    (at(rich) / "extra" / "m").mkdir(parents=True)
    program = (
        "import sys\nfrom tanist.host.fake import FakeHost\nfrom tanist.capture.restore import restore_path\n"
        "from tanist.model.errors import Failed\n"
        "host = FakeHost(sys.argv[1], users={'root': 0, 'postgres': 2001}, groups={'root': 0, 'postgres': 2001})\n"
        "try:\n    restore_path(host, '/store', '/etc/pg')\nexcept Failed as error:\n    print(error.message)\n"
    )
    shell = f"mount --bind '{rich.root}/kept' '{at(rich)}/extra/m' && exec \"$@\""
    argv = ["unshare", "-m", "sh", "-c", shell, "sh", sys.executable, "-c", program, rich.root]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    assert "mounted" in done.stdout
    assert at(rich, "/kept/f").read_text() == "precious"


def test_hard_links_of_an_immutable_file_come_back(host: FakeHost) -> None:
    at(host).mkdir()
    (at(host) / "a").write_text("x")
    os.link(at(host) / "a", at(host) / "b")
    set_flags(at(host) / "a", ("immutable",))
    before = snapshot(at(host))
    save(host)
    host.files.remove_tree(PG)
    restore_path(host, "/store", PG)
    assert snapshot(at(host)) == before


def test_what_a_killed_restore_left_goes_even_when_nothing_differs(host: FakeHost) -> None:
    """As after an undo: the node's own file was still in place."""
    host.files.write("/etc/one", b"1")
    save(host, "/etc/one")
    host.files.write(f"/etc/{temporary_name('/etc/one')}", b"half of it")
    restore_path(host, "/store", "/etc/one")
    assert host.files.list("/etc") == ("one",)


def test_an_account_that_only_a_missing_parent_needs_is_named_too(host: FakeHost) -> None:
    host.files.make_directory("/etc/deep")
    host.files.write("/etc/deep/one", b"1")
    os.chown(at(host, "/etc/deep"), 2001, 2001)
    save(host, "/etc/deep/one")
    host.files.remove_tree("/etc/deep")
    del host.users["postgres"]
    with pytest.raises(Refused, match="lacks user postgres:"):
        restore_path(host, "/store", "/etc/deep/one")
    assert host.files.list("/etc") == ()


def test_a_restore_is_on_disk_when_it_returns(rich: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(type(rich.files), "sync", lambda self, path: synced.append(path))
    save(rich)
    restore_path(rich, "/store", PG)
    assert synced == []
    (at(rich) / "tool").unlink()
    restore_path(rich, "/store", PG)
    assert synced == ["/etc"]


def test_success_is_what_was_looked_at(rich: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    save(rich)
    os.chmod(at(rich) / "tool", 0o700)
    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)
    with pytest.raises(Failed, match=r"/etc/pg/tool still has mode 0700, not 4750"):
        restore_path(rich, "/store", PG)


CONTEXT = b"system_u:object_r:etc_t:s0\0"


@pytest.mark.requirement("A34", "A52")
def test_a_selinux_label_is_captured_and_comes_back(rich: FakeHost) -> None:
    """A label is an extended attribute that any kernel keeps for root, with or without a policy that reads it."""
    labelled = [at(rich) / name for name in ("main.conf", "conf.d", "link", "fifo")]
    for path in labelled:
        os.setxattr(path, LABEL, CONTEXT, follow_symlinks=False)
    save(rich)
    before = snapshot(at(rich))
    os.removexattr(labelled[1], LABEL)
    os.setxattr(labelled[0], LABEL, b"system_u:object_r:tmp_t:s0\0")
    labelled[2].unlink()  # made anew
    assert "differs in security.selinux" in "".join(compare_path(rich, "/store", PG))
    restore_path(rich, "/store", PG)
    assert snapshot(at(rich)) == before
    assert {os.getxattr(path, LABEL, follow_symlinks=False) for path in labelled} == {CONTEXT}
    assert not restore_path(rich, "/store", PG)


@pytest.mark.requirement("A58")
def test_a_label_of_the_nodes_own_policy_stays_where_the_capture_has_none(rich: FakeHost) -> None:
    save(rich)
    for name in ("tool", "conf.d"):
        os.setxattr(at(rich) / name, LABEL, CONTEXT)
    assert compare_path(rich, "/store", PG) == ()
    os.chmod(at(rich) / "conf.d", 0o700)
    changes = restore_path(rich, "/store", PG)
    assert changes.adjusted == (f"{PG}/conf.d",) and not changes.written
    assert {os.getxattr(at(rich) / name, LABEL) for name in ("tool", "conf.d")} == {CONTEXT}
