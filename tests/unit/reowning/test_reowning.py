"""The re-owning walk on the file system of the test: everything, once, and the same however often it is cut off."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.host import reown_walk, reowning
from tanist.host.reown_log import MAGIC, Numbering, parse_frames, render_frame
from tanist.host.reown_xattrs import CAPABILITY, map_xattrs
from tanist.model.host import Renumber
from tests.unit.reowning.trees import SWAP, clear_flags, make_file, make_tree, mapped, owners, read_tree, set_flags

NOTHING = Renumber(users=(), groups=())


class Cut(BaseException):
    """tanist is killed here."""


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[str]:
    place = f"{tmp_path}/tree"
    make_tree(place)
    yield place
    clear_flags(place)


def cut_at(number: int) -> reown_walk.Point:
    left = [number]

    def point(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Cut

    return point


def walk(tree: str, renumber: Renumber, cut: int = 0) -> bool:
    """True when it came to its end."""
    try:
        reowning.reown(tree, "t", renumber, workers=1, point=cut_at(cut))
    except Cut:
        return False
    return True


@pytest.mark.requirement("A54", "A55")
@pytest.mark.parametrize("workers", [1, 2])
def test_every_inode_gets_its_number_and_keeps_everything_else(tree: str, workers: int) -> None:
    before = read_tree(tree)
    outside = os.stat(f"{tree}/../outside")
    reowning.begin(tree, "t")
    done = reowning.reown(tree, "t", SWAP, workers=workers)
    assert owners(read_tree(tree)) == mapped(before, SWAP)
    assert os.stat(f"{tree}/one").st_nlink == 3
    assert done.looked_at == len(before) and 0 < done.changed < len(before)
    inodes = {path: os.lstat(f"{tree}/{path}").st_ino for path in before}
    wanted = mapped(before, SWAP)
    differ = {inodes[path] for path, (kind, its, _) in before.items() if wanted[path] != (kind, its)}
    assert done.changed == len(differ)  # each inode once, whatever its names
    after = os.stat(f"{tree}/../outside")
    assert (after.st_uid, after.st_ctime_ns) == (outside.st_uid, outside.st_ctime_ns)  # links are not followed


@pytest.mark.requirement("A55")
def test_only_what_must_change_is_written(tree: str) -> None:
    before = read_tree(tree)
    reowning.begin(tree, "t")
    walk(tree, SWAP)
    after, wanted = read_tree(tree), mapped(before, SWAP)
    for path, (kind, its, changed) in before.items():
        if wanted[path] == (kind, its):
            assert after[path][2] == changed, path
    again = read_tree(tree)
    walk(tree, SWAP)  # finished already: nothing at all
    assert read_tree(tree) == again


@pytest.mark.requirement("A54", "A55")
def test_cut_off_at_any_point_and_gone_on_with_nothing_is_mapped_twice(tree: str) -> None:
    before = read_tree(tree)
    wanted = mapped(before, SWAP)
    cuts = 0
    while True:
        cuts += 1
        reowning.forget(tree)
        reowning.begin(tree, "t")
        done = walk(tree, SWAP, cuts)
        if not done:
            walk(tree, SWAP, cuts // 2 + 1)  # a second time, somewhere else
            assert walk(tree, SWAP)
        assert owners(read_tree(tree)) == wanted, f"cut at {cuts}"
        back = Renumber(users=SWAP.inverse.users, groups=SWAP.inverse.groups)
        reowning.forget(tree)
        reowning.begin(tree, "t")
        assert walk(tree, back)
        assert owners(read_tree(tree)) == owners(before)
        if done:
            break
    assert cuts > 20


@pytest.mark.requirement("A54", "A55")
def test_cut_off_at_any_point_it_is_taken_back_and_another_node_makes_its_own_numbers_of_it(tree: str) -> None:
    before = read_tree(tree)
    others = Renumber(users=((113, 1000), (1000, 113)), groups=((126, 120), (120, 126)))
    cuts, done = 0, False
    while not done:
        cuts += 1
        reowning.forget(tree)
        reowning.begin(tree, "t")
        done = walk(tree, SWAP, cuts)
        walk(tree, others, cuts // 3 + 1)  # the other node was cut off as well
        assert walk(tree, others)
        assert owners(read_tree(tree)) == mapped(before, others), f"cut at {cuts}"
        assert walk(tree, NOTHING)
        assert owners(read_tree(tree)) == owners(before), f"cut at {cuts}"
    assert cuts > 20


def test_many_small_batches_and_few_open_directories_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BATCH", 3), ("CHUNK", 2), ("OPEN_LIMIT", 2)):
        monkeypatch.setattr(reown_walk, name, value)
    tree = f"{tmp_path}/tree"
    make_tree(tree)
    try:
        before = read_tree(tree)
        for cut in (2, 7, 11, 23, 31, 48, 61):
            reowning.begin(tree, "t")
            walk(tree, SWAP, cut)
            assert walk(tree, SWAP)
            assert owners(read_tree(tree)) == mapped(before, SWAP)
            assert walk(tree, NOTHING)
            reowning.forget(tree)
    finally:
        clear_flags(tree)


def test_a_torn_record_at_the_end_was_never_acknowledged_and_is_dropped(tree: str) -> None:
    before = read_tree(tree)
    reowning.begin(tree, "t")
    assert not walk(tree, SWAP, 2)  # recorded, nothing changed
    (name,) = os.listdir(f"{tree}/{reowning.PLACE}/t")
    path = f"{tree}/{reowning.PLACE}/t/{name}"
    whole = Path(path).read_bytes()
    for size in range(len(whole)):
        for other in os.listdir(os.path.dirname(path)):
            os.unlink(f"{os.path.dirname(path)}/{other}")
        Path(path).write_bytes(whole[:size])
        if size % 97 == 0:  # each size is parsed, some are walked over
            assert walk(tree, SWAP)
            assert owners(read_tree(tree)) == mapped(before, SWAP)
            assert walk(tree, NOTHING)
        else:
            assert len(list(parse_frames(whole[:size], path))) <= 2
    assert owners(read_tree(tree)) == owners(before)


@given(st.lists(st.binary(max_size=40), min_size=2, max_size=5), st.data())
def test_damage_in_the_middle_of_a_record_is_never_taken_for_its_end(
    payloads: list[bytes], data: st.DataObject
) -> None:
    frames = [render_frame(b"P", payload) for payload in payloads]
    hit = data.draw(st.integers(0, len(frames) - 2))
    at = data.draw(st.integers(0, len(frames[hit]) - 1))
    bad = bytearray(frames[hit])
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    if MAGIC in b"".join(payloads):
        return
    with pytest.raises(OSError, match="damaged") as caught:
        list(parse_frames(b"".join([*frames[:hit], bytes(bad), *frames[hit + 1 :]]), "x"))
    assert caught.value.errno == errno.EILSEQ


def test_a_record_that_the_claim_names_and_that_is_gone_is_refused(tree: str) -> None:
    before = read_tree(tree)
    with pytest.raises(OSError, match="the record of it is gone"):
        walk(tree, SWAP)
    assert read_tree(tree) == before


def test_an_owner_that_no_attempt_made_is_refused_by_name(tree: str) -> None:
    reowning.begin(tree, "t")
    walk(tree, SWAP)
    os.chown(f"{tree}/data/file0", 4242, 120)
    with pytest.raises(OSError, match="somebody else changed it; chown -h 113:120") as caught:
        walk(tree, NOTHING)
    assert caught.value.filename.endswith("/data/file0")


def test_no_room_for_a_record_is_said_before_anything_is_changed(tree: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reowning, "ROOM", 1 << 62)
    with pytest.raises(OSError, match="may need") as caught:
        reowning.begin(tree, "t")
    assert caught.value.errno == errno.ENOSPC


def test_records_of_other_tokens_go(tree: str) -> None:
    reowning.begin(tree, "old")
    reowning.begin(tree, "t")
    assert os.listdir(f"{tree}/{reowning.PLACE}") == ["t"]
    reowning.forget(tree)
    assert not os.path.exists(f"{tree}/{reowning.PLACE}")
    reowning.forget(tree)


def test_deep_and_long_paths_are_reached(tmp_path: Path) -> None:
    fds = [os.open(tmp_path, os.O_RDONLY)]
    for _ in range(40):  # 40 * 200 bytes: no path leads there
        os.mkdir("d" * 200, dir_fd=fds[-1])
        fds.append(os.open("d" * 200, os.O_RDONLY, dir_fd=fds[-1]))
        os.chown(".", 113, 120, dir_fd=fds[-1])
    reowning.begin(str(tmp_path), "t")
    walk(str(tmp_path), SWAP)
    assert {(os.fstat(fd).st_uid, os.fstat(fd).st_gid) for fd in fds[1:]} == {(118, 126)}
    for fd in fds:
        os.close(fd)
    shutil.rmtree(tmp_path)


def test_the_root_of_a_namespaced_capability_moves(tmp_path: Path) -> None:
    import struct

    data = struct.pack("<IIIIII", 0x03000001, 1, 0, 0, 0, 113)
    ((_, new),) = map_xattrs(((CAPABILITY, data),), Numbering.of(SWAP))
    assert struct.unpack("<IIIIII", new)[-1] == 118
    assert map_xattrs((("user.x", data),), Numbering.of(SWAP)) == (("user.x", data),)
    del tmp_path


KILLED = """
import sys
sys.path[:0] = {path!r}
from tanist.host import reowning
from tanist.model.host import Renumber
print("go", flush=True)
reowning.reown({tree!r}, "t", Renumber(users={users!r}, groups={groups!r}), workers=2)
"""


def test_killed_for_good_its_workers_die_too_and_the_next_one_waits_for_them(tmp_path: Path) -> None:
    tree = f"{tmp_path}/many"
    os.makedirs(f"{tree}/.tanist")
    for n in range(40):
        os.makedirs(f"{tree}/d{n}")
        for k in range(100):
            make_file(f"{tree}/d{n}/f{k}", *((113, 120) if k % 2 else (118, 126)))
    before = read_tree(tree)
    reowning.begin(tree, "t")
    text = KILLED.format(path=sys.path, tree=tree, users=SWAP.users, groups=SWAP.groups)
    for pause in (0.02, 0.08, 0.1, 0.12, 0.15, 0.2):
        process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"go\n"
        try:
            process.wait(pause)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    reowning.reown(tree, "t", SWAP, workers=2)
    assert owners(read_tree(tree)) == mapped(before, SWAP)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.permutations(range(6)), st.integers(1, 40), st.integers(1, 40))
def test_any_permutation_cut_twice_ends_where_it_should(
    tmp_path_factory: pytest.TempPathFactory, users: list[int], groups: list[int], one: int, two: int
) -> None:
    tree = f"{tmp_path_factory.mktemp('p')}/tree"
    os.makedirs(f"{tree}/.tanist")
    for n in range(36):
        make_file(f"{tree}/f{n}", 2000 + n % 6, 3000 + n // 6)
    renumber = Renumber(
        users=tuple((2000 + n, 2000 + to) for n, to in enumerate(users) if n != to),
        groups=tuple((3000 + n, 3000 + to) for n, to in enumerate(groups) if n != to),
    )
    before = read_tree(tree)
    reowning.begin(tree, "t")
    walk(tree, renumber, one)
    walk(tree, renumber, two)
    assert walk(tree, renumber)
    assert owners(read_tree(tree)) == mapped(before, renumber)


def test_immutable_is_set_again(tree: str) -> None:
    reowning.begin(tree, "t")
    walk(tree, SWAP)
    with pytest.raises(PermissionError):
        os.chown(f"{tree}/root/fixed", 1, 1)
    set_flags(f"{tree}/root/fixed", 0)
