"""Import and export of a pool: what zpool(8) is told, and when it is not even asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tanist.facts.zfs.kind import find_ends, find_room, parse_values, read_guards, read_room, read_states
from tanist.host.fake import FakeHost
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.growing import GrowPool, Room
from tanist.model.host import Ran
from tanist.model.layer_steps import ImportPool
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.zfs import (
    apply_grow_pool,
    apply_import_pool,
    demand_pool,
    is_grow_pool_applied,
    is_import_pool_applied,
    undo_import_pool,
)
from tests.unit.facts.zfs.pools import LAYER, PATHS, SIZE, Devices, read_case

SPEC = ImportPool(pool="ledger", devices=PATHS)
STATE = "/proc/spl/kstat/zfs/ledger/state"


class World:
    """A node with the pool's devices, and a zpool(8) that takes it or refuses."""

    def __init__(self, root: Path, case: str) -> None:
        self.host = FakeHost(str(root))
        self.devices = Devices(self.host, a=read_case(f"{case}-a"), b=read_case(f"{case}-b"))
        self.refusal = ""
        self.guid = ""
        self.host.answer_with(["zpool"], self._zpool)

    def _zpool(self, argv: Sequence[str], _: bytes) -> Ran:
        if self.refusal:
            return Ran(argv=tuple(argv), status=1, stdout=b"", stderr=self.refusal.encode())
        if argv[1] == "get":
            return Ran(argv=tuple(argv), status=0, stdout=f"{self.guid}\n".encode(), stderr=b"")
        if argv[1] == "import":
            self.guid = argv[-1]
            self.host.files.make_directory(STATE.rpartition("/")[0])
            self.host.files.write(STATE, b"ONLINE\n")
            for name, path in zip("ab", PATHS, strict=True):
                self.devices.put(path, read_case(f"imported-{name}"))
        elif argv[1] == "export":
            self.host.files.remove(STATE)
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"")

    @property
    def context(self) -> Context:
        return Context(host=self.host, controller=None, node="ec-b")  # type: ignore[arg-type]

    @property
    def asked(self) -> list[tuple[str, ...]]:
        return [argv for argv in self.host.ran if argv[0] == "zpool" and argv[1] != "get"]


@pytest.fixture
def exported(tmp_path: Path) -> World:
    return World(tmp_path, "exported")


@pytest.fixture
def left(tmp_path: Path) -> World:
    """By an owner that did not export it."""
    return World(tmp_path, "imported")


def test_an_exported_pool_is_imported_without_force_and_once(exported: World) -> None:
    for _ in range(2):
        apply_import_pool(SPEC, exported.context)
    (argv,) = exported.asked
    assert argv[:5] == ("zpool", "import", "-N", "-o", "cachefile=none")
    assert "-f" not in argv
    assert argv[-1].isdigit(), "by its id: no other pool of that name is taken"
    assert is_import_pool_applied(SPEC, exported.context)


def test_a_pool_that_was_left_imported_is_taken_by_force(left: World) -> None:
    apply_import_pool(SPEC, left.context)
    (argv,) = left.asked
    assert "-f" in argv


def test_a_refusal_is_told_in_its_own_words(left: World) -> None:
    left.refusal = "cannot import 'ledger': pool is imported on host 'ec-a'\nExport the pool on the other system\n"
    with pytest.raises(Failed, match="pool is imported on host 'ec-a'"):
        apply_import_pool(SPEC, left.context)
    assert not is_import_pool_applied(SPEC, left.context)


def test_an_export_is_never_forced_and_busy_is_told(exported: World) -> None:
    apply_import_pool(SPEC, exported.context)
    exported.refusal = "cannot export 'ledger': pool is busy"
    with pytest.raises(Failed, match="pool is busy"):
        undo_import_pool(SPEC, exported.context)
    assert all("-f" not in argv for argv in exported.asked)
    exported.refusal = ""
    for _ in range(2):
        undo_import_pool(SPEC, exported.context)
    assert exported.asked[-1] == ("zpool", "export", "ledger")
    assert not is_import_pool_applied(SPEC, exported.context)


def test_another_pool_of_that_name_is_neither_used_nor_exported(exported: World) -> None:
    apply_import_pool(SPEC, exported.context)
    exported.guid = "1"
    with pytest.raises(Failed, match="another pool called ledger"):
        apply_import_pool(SPEC, exported.context)
    undo_import_pool(SPEC, exported.context)
    assert is_import_pool_applied(SPEC, exported.context), "left as it is"


def test_the_guard_is_multihost_as_the_uberblocks_tell(left: World) -> None:
    (guard,) = read_guards(left.host, LAYER)
    assert guard.ready
    assert guard.says == "multihost, written every 1 s to each device"


def test_a_node_without_a_host_id_and_one_with_it(left: World) -> None:
    first, _ = read_states(left.host, LAYER)
    assert first.wrong.endswith("ZFS can't tell this node from another")
    left.host.files.write("/etc/hostid", bytes.fromhex("02009e0a"))
    second, pool = read_states(left.host, LAYER)
    assert second.own == "0a9e0002"
    assert pool.says == "2 devices of ledger can be read"


def test_what_an_import_would_mount_and_what_loses_writes_is_told(left: World) -> None:
    apply_import_pool(SPEC, left.context)
    lines = (
        "ledger\tmountpoint\tnone",
        "ledger\tcanmount\ton",
        "ledger/tree\tmountpoint\tlegacy",
        "ledger/tree\tsync\tdisabled",
        "ledger/home\tmountpoint\t/home",
        "ledger/home\tcanmount\ton",
    )
    left.host.answer(["zfs", "get"], "\n".join(lines) + "\n")
    wrong = [state.wrong for state in read_states(left.host, LAYER) if state.kind == "pool" and state.wrong]
    assert [text.split(":")[0] for text in wrong] == [
        "ledger/home has the mount point /home",
        "sync=disabled on ledger/tree",
    ]
    assert parse_values("a\tb\n") == {}


CAPACITY = 1006632960  # bytes, as zpool list -p told of the pool in cases/


def test_the_room_of_a_pool_is_that_of_its_smallest_device(left: World) -> None:
    assert find_ends(left.host, LAYER) == {path: (path,) for path in PATHS}
    for sizes, could in (((SIZE, SIZE), CAPACITY), ((SIZE, 4 * SIZE), CAPACITY), ((2 * SIZE, 2 * SIZE), 2080374784)):
        room = read_room(left.host, LAYER, dict(zip(PATHS, sizes, strict=True)), 0)
        assert room == Room(device="ledger", now=CAPACITY, could=could)
    left.devices.remove(PATHS[1])
    room = read_room(left.host, LAYER, dict.fromkeys(PATHS, 2 * SIZE), 0)
    assert isinstance(room, Unread) and "ledger is not whole" in room.why
    left.devices.remove(PATHS[0])
    assert isinstance(read_room(left.host, LAYER, {}, 0), Unread)


def test_the_room_of_other_layouts(left: World) -> None:
    """As vdev_raidz_open tells: the smallest device's, as often as there are devices."""
    label = demand_pool(left.host, LAYER).newest
    each = SIZE // 262144 * 262144 - (4 << 20) - (512 << 10)
    raidz = replace(label, layout="raidz1", leaves=frozenset((1, 2, 3)), unit=1 << 20)
    assert find_room(raidz, SIZE) == each * 3 // (1 << 20) * (1 << 20)
    assert find_room(replace(label, layout="single"), SIZE) == CAPACITY
    draid = find_room(replace(label, layout="draid1"), SIZE)
    assert isinstance(draid, Unread) and "by hand" in draid.why


def test_a_pool_is_grown_device_by_device_and_what_zpool_says_is_not_believed(left: World) -> None:
    spec = GrowPool(pool="ledger", devices=PATHS, size=CAPACITY)
    with pytest.raises(Failed, match="ledger is not imported on this node"):
        apply_grow_pool(replace(spec, size=CAPACITY + 1), left.context)
    apply_import_pool(SPEC, left.context)
    left.host.ran.clear()
    apply_grow_pool(spec, left.context)
    assert is_grow_pool_applied(spec, left.context) and left.asked == []
    with pytest.raises(Failed, match=f"ledger should have {CAPACITY + 1} bytes at least now: {CAPACITY} bytes"):
        apply_grow_pool(replace(spec, size=CAPACITY + 1), left.context)
    ids = [f"{one.newest.device_id}" for one in demand_pool(left.host, LAYER).devices]
    online = [("zpool", "online", "-e", "ledger", one) for one in ids]
    assert left.asked == [*online, ("zpool", "sync", "ledger")]
    left.refusal = "cannot expand: no such device in pool"
    with pytest.raises(Failed, match="no such device in pool"):
        apply_grow_pool(replace(spec, size=CAPACITY + 1), left.context)
