"""Devices of pools as ZFS 2.1.11 wrote them: their labels stand in cases/, the rest of each is empty."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.facts.zfs.label import SIZE as LABEL
from tanist.host.fake import FakeHost
from tanist.model.definition import Asset
from tanist.model.host import Ran
from tanist.model.layers import ZfsLayer
from tests.vm.definitions import TREE, render_definition

CASES = Path(__file__).parent / "cases"
SIZE = 1071644672  # bytes of each device
PATHS = ("/dev/a", "/dev/b")
LAYER = ZfsLayer(dataset="ledger/tree", devices=PATHS)
LABELS = f"bs={LABEL}"  # of a dd(1) that reads labels
ASSET = Asset(kind="filesystem", device="ledger/tree", fstype="zfs", layers=(LAYER,))

LEDGER = load_controller(
    render_definition(
        "ledger/tree",
        "zfs",
        layers='[[asset.layer]]\nkind = "zfs"\ndataset = "ledger/tree"\ndevices = ["/dev/a", "/dev/b"]\n',
    ).encode(),
    "ledger.toml",
)


def owner_of_a_pool(tmp_path: Path) -> FakeHost:
    """ec-a, the pool of LEDGER imported."""
    host = FakeHost(str(tmp_path), name="ec-a")
    Devices(host, a=read_case("imported-a"), b=read_case("imported-b"))
    host.files.make_directory("/proc/spl/kstat/zfs/ledger")
    host.files.write("/proc/spl/kstat/zfs/ledger/state", b"ONLINE\n")
    host.files.make_directory(TREE)
    return host


def read_case(name: str) -> bytes:
    """All four labels of one device, one after the other."""
    return lzma.decompress((CASES / f"{name}.xz").read_bytes())


class Devices:
    """Files in the place of devices: what dd(1) reads and what overwrite() writes is the same."""

    def __init__(self, host: FakeHost, **labels: bytes) -> None:
        self.host = host
        self.reads = 0
        host.answer_with(["dd"], self._dd)
        host.answer(["blockdev", "--getsize64"], f"{SIZE}\n")
        host.answer(["blkid"], status=2)
        host.files.make_directory("/dev")
        for name, data in labels.items():
            self.put(f"/dev/{name}", data)

    def put(self, path: str, labels: bytes) -> None:
        with self._open(path, "wb") as file:
            file.truncate(SIZE)
            for number, at in enumerate((0, LABEL, SIZE // LABEL * LABEL - 2 * LABEL, SIZE // LABEL * LABEL - LABEL)):
                file.seek(at)
                file.write(labels[number * LABEL : (number + 1) * LABEL])

    def damage(self, path: str, at: int, size: int = 1) -> None:
        with self._open(path, "r+b") as file:
            file.seek(at)
            data = file.read(size)
            file.seek(at)
            file.write(bytes(one ^ 0x40 for one in data))

    def remove(self, path: str) -> None:
        Path(self.host.files.real(path)).unlink()

    def _open(self, path: str, mode: str):  # type: ignore[no-untyped-def]
        return open(self.host.files.real(path), mode)

    def _dd(self, argv: Sequence[str], _: bytes) -> Ran:
        said = dict(word.partition("=")[::2] for word in argv[1:])
        assert said["iflag"] == "direct"
        self.reads += 1
        size = int(said["bs"])
        try:
            with self._open(said["if"], "rb") as file:
                file.seek(int(said.get("skip", 0)) * size)
                return Ran(argv=tuple(argv), status=0, stdout=file.read(int(said["count"]) * size), stderr=b"")
        except FileNotFoundError:
            return Ran(
                argv=tuple(argv), status=1, stdout=b"", stderr=b"dd: failed to open: No such file or directory\n"
            )
