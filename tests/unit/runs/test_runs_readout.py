"""What a node tells of itself: where a restore writes, and what is on the disks, read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.facts.disk import read_disk
from tanist.facts.hardware import read_hardware
from tanist.facts.layers import read_layers
from tanist.facts.storage import read_marks
from tanist.facts.zfs.pool import see_pool
from tanist.host.fake import FakeHost
from tanist.host.local import LocalHost
from tanist.model.hardware import FileSystemHealth, StorageReadout
from tanist.parity.standby import ROOM
from tanist.runs.readout import find_room, holder_of, read_readout
from tanist.runs.session import Session
from tests.unit.facts.zfs.pools import LABELS, Devices, read_case
from tests.vm.definitions import render_definition


def test_a_file_system_of_its_own_that_something_is_restored_to_is_asked_for_room(tmp_path: Path) -> None:
    files = LocalHost().files
    (tmp_path / "conf").write_text("")
    assert holder_of(files, f"{tmp_path}/conf") == holder_of(files, f"{tmp_path}/a/b") == str(tmp_path)
    found = find_room(files, ("/proc/there/is/none", "/proc/cmdline", "/etc/passwd", f"{tmp_path}/a"))
    assert found[: len(ROOM)] == ROOM and "/proc" in found, "/proc is on no file system of the others"
    assert found.count("/proc") == 1 and "/etc" not in found[len(ROOM) :]


LAYER = '[[asset.layer]]\nkind = "zfs"\ndataset = "ledger/tree"\ndevices = ["/dev/a", "/dev/b"]\n'
LEDGER = render_definition("ledger/tree", "zfs", layers=LAYER).encode()


@pytest.fixture
def pooled(tmp_path: Path) -> Session:
    host = FakeHost(str(tmp_path), name="ec-a")
    host.answer([], status=127)
    for program in ("systemctl", "uname"):
        host.answer([program])
    Devices(host, a=read_case("imported-a"), b=read_case("imported-b"))
    host.files.make_directory("/etc/tanist/controllers")
    host.files.write("/etc/tanist/controllers/ledger.toml", LEDGER)
    controller = load_controller(LEDGER, "ledger.toml")
    return Session(host=host, controller=controller, node="ec-a", who="root", report=lambda event: None)


def count_labels(host: FakeHost) -> int:
    return sum(argv[0] == "dd" and LABELS in argv for argv in host.ran)


def test_a_readout_reads_the_labels_of_a_pool_once_and_tells_what_each_look_would(pooled: Session) -> None:
    host, controller = pooled.host, pooled.controller
    assert isinstance(host, FakeHost)
    told = read_readout(pooled)
    assert count_labels(host) == 2 * len(controller.asset.disks), "at either end of each device"
    assert isinstance(told.storage, StorageReadout) and isinstance(told.storage.filesystem, FileSystemHealth)
    assert [one.what for one in told.storage.identities] == ["pool ledger"]
    assert told.storage.filesystem.profiles == ("data mirror",)
    assert told.layers == read_layers(host, controller.asset)
    assert told.disk == read_disk(host, controller.asset)
    assert told.storage == read_hardware(host, controller, "ec-a")
    assert count_labels(host) > 4 * len(controller.asset.disks), "each of these has looked by itself"


def test_a_watch_looks_anew_whatever_was_seen_before(pooled: Session) -> None:
    host = pooled.host
    assert isinstance(host, FakeHost)
    seen = see_pool(host, pooled.controller.asset)
    for name in "ab":
        Devices(host).put(f"/dev/{name}", read_case(f"later-{name}"))
    found = read_marks(host, seen, watch_seconds=1.0)
    assert getattr(found, "state", found) == "in-use"
