"""A fake host whose device answers dd(1) as a real disk did: bytes of real file systems at their places.

The cases are from mkfs.ext4 -O mmp (e2fsprogs 1.47.0) and mkfs.xfs (xfsprogs 6.1.0) on 320 MiB, copied while mounted
("dirty") and after the unmount ("clean"); only the node's name in the MMP block was changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tanist.host.fake import FakeHost
from tanist.journal.claimfile import render_slot
from tanist.model.claim import Claim
from tanist.model.definition import Asset
from tanist.model.host import Ran

CASES = Path(__file__).parent / "cases"
DEVICE = "/dev/asset"
EXT4 = Asset(kind="filesystem", device=DEVICE, fstype="ext4")
XFS = Asset(kind="filesystem", device=DEVICE, fstype="xfs")
DIRECTORY = Asset(kind="directory")
MMP_PLACE = 7987 * 1024  # of the file system in the cases
CLAIM = Claim(controller="opscenter", node="ec-a", epoch=7, state="held", since="2026-01-01T00:00:00Z", run="r7")
CLAIM_FILE = render_slot(CLAIM, 1) + render_slot(CLAIM, 2)
SIZE = 320 << 20


def case(name: str) -> bytes:
    return (CASES / name).read_bytes()


class Disk:
    def __init__(self, host: FakeHost) -> None:
        self.pieces: dict[int, bytes] = {}
        self.host = host
        host.answer_with(["dd"], self._dd)
        host.answer(["blockdev"])
        host.answer(["blkid"], status=2)

    def _dd(self, argv: Sequence[str], _: bytes) -> Ran:
        said = dict(word.partition("=")[::2] for word in argv[1:])
        assert said["iflag"] == "direct" and said["if"] == DEVICE
        size = int(said["bs"])
        start, end = int(said["skip"]) * size, (int(said["skip"]) + int(said["count"])) * size
        data = bytearray(max(min(end, SIZE) - start, 0))
        for place, piece in self.pieces.items():
            if start <= place < end:
                data[place - start : place - start + len(piece)] = piece
        return Ran(argv=tuple(argv), status=0, stdout=bytes(data[: end - start]), stderr=b"")

    def hold_ext4(self, state: str) -> None:
        self.pieces = {1024: case(f"ext4-{state}.super"), MMP_PLACE: case(f"ext4-{state}.mmp")}
        self.host.answer_with(
            ["debugfs"], lambda argv, _: Ran(argv=tuple(argv), status=0, stdout=CLAIM_FILE, stderr=b"debugfs 1.47.0\n")
        )

    def hold_xfs(self, state: str) -> None:
        self.pieces = {0: case(f"xfs-{state}.super"), 10 * 4096: CLAIM_FILE}
        self.host.answer(["sh"], case(f"xfs-{state}.logprint.txt").decode())
        self.host.answer(["xfs_db"], case("xfs.bmap.txt").decode())
