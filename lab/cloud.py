"""The lab's cloud: a volume that is attached to one machine at a time, while it runs (QMP device_add, device_del).

    python -m lab.cloud LAB

Listens at 10.99.0.1, port 7778. A request is a line, and so is the answer: "holder" (a machine's name, or "none"),
"attach NODE" (refused while another one has it), "detach NODE" (without a word to that machine's kernel); "done", or
"error TEXT". The volume outlives every machine; one that lost its power keeps it until it is detached.
It ends with the lab.
"""

from __future__ import annotations

import sys
import time

from lab.bmc import PATIENCE, serve
from lab.errors import LabError, LabRefused
from lab.network import NETNS
from lab.vm.lab import VmLab
from lab.vm.layout import VmDisk
from lab.vm.qemu import qmp_socket
from lab.vm.qmp import Qmp, open_qmp

PORT = 7778
VOLUME = VmDisk("volume", 0x5000C50015EA0030, 256 << 20)


class Cloud:
    def __init__(self, lab: VmLab) -> None:
        self._lab = lab
        self._image = lab.layout.directory / "disks" / "volume.img"
        self._image.parent.mkdir(parents=True, exist_ok=True)
        with self._image.open("ab") as file:
            file.truncate(VOLUME.size)
        self._holder = ""

    def answer(self, words: list[str]) -> str:
        try:
            match words:
                case ["holder"]:
                    return self._holder or "none"
                case ["attach", node]:
                    return self._attach(node)
                case ["detach", node]:
                    return self._detach(node)
                case _:
                    return "error there is no such request"
        except (LabError, LabRefused, OSError) as error:
            return f"error {str(error).splitlines()[0]}"

    def _attach(self, node: str) -> str:
        if self._holder not in ("", node):
            return f"error {VOLUME.name} is attached to {self._holder}"
        with open_qmp(qmp_socket(self._lab.layout, node)) as qmp:
            if not _has_volume(qmp):
                file = {"driver": "file", "filename": str(self._image), "locking": "off"}
                qmp.ask("blockdev-add", **file, **{"node-name": VOLUME.name, "cache": {"no-flush": True}})
                scsi = {"driver": "scsi-hd", "bus": "scsi0.0", "scsi-id": 40, "share-rw": True, "wwn": VOLUME.wwn}
                names = {"id": f"{VOLUME.name}-dev", "serial": "LABvolume", "device_id": "volume"}
                qmp.ask("device_add", drive=VOLUME.name, **scsi, **names)
        self._holder = node
        return "done"

    def _detach(self, node: str) -> str:
        """Of a machine without power there is nothing to be taken out; at its next start it has no such disk."""
        if self._holder != node:
            return f"error {node} does not have {VOLUME.name}"
        if {one.name: one.state for one in self._lab.status().nodes}[node] != "off":
            with open_qmp(qmp_socket(self._lab.layout, node)) as qmp:
                if _has_volume(qmp):
                    qmp.ask("device_del", id=f"{VOLUME.name}-dev")
                    _forget(qmp)
        self._holder = ""
        return "done"


def _has_volume(qmp: Qmp) -> bool:
    return any(one["node-name"] == VOLUME.name for one in qmp.ask("query-named-block-nodes", flat=True))


def _forget(qmp: Qmp) -> None:
    """Once the device has gone; its event may come before the answer, and would not be heard."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            qmp.ask("blockdev-del", **{"node-name": VOLUME.name})
            return
        except LabError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def main(name: str) -> None:
    lab = VmLab(name)
    cloud = Cloud(lab)
    serve(NETNS / lab.layout.switch, PORT, cloud.answer)


if __name__ == "__main__":
    main(sys.argv[1])
