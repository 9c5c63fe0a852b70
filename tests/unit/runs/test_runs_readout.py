"""What a node tells of itself: where a restore writes."""

from __future__ import annotations

from pathlib import Path

from tanist.host.local import LocalHost
from tanist.parity.standby import ROOM
from tanist.runs.readout import find_room, holder_of


def test_a_file_system_of_its_own_that_something_is_restored_to_is_asked_for_room(tmp_path: Path) -> None:
    files = LocalHost().files
    (tmp_path / "conf").write_text("")
    assert holder_of(files, f"{tmp_path}/conf") == holder_of(files, f"{tmp_path}/a/b") == str(tmp_path)
    found = find_room(files, ("/proc/there/is/none", "/proc/cmdline", "/etc/passwd", f"{tmp_path}/a"))
    assert found[: len(ROOM)] == ROOM and "/proc" in found, "/proc is on no file system of the others"
    assert found.count("/proc") == 1 and "/etc" not in found[len(ROOM) :]
