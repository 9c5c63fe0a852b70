"""An array is there when its name is, which udev makes some time after mdadm has put it together."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tanist.host.fake import FakeHost
from tanist.model.errors import Failed
from tanist.model.host import Ran
from tanist.model.layer_steps import AssembleArray
from tanist.steps.context import Context
from tanist.steps.md import APPEARS, apply_assemble_array
from tests.unit.runs.world import make_controller, said

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


ARRAY = AssembleArray(device="/dev/md/asset", uuid="01234567:89abcdef:01234567:89abcdef", members=())
LATE = b"mdadm: timeout waiting for /dev/md/asset\n"  # as seen on an emulated machine


class Slow(FakeHost):
    """Its udev needs `lag` seconds."""

    def __init__(self, root: str, lag: float) -> None:
        super().__init__(root, "ec-a")
        self.lag, self.due = lag, float("inf")
        os.makedirs(f"{root}/dev/md")
        self.answer_with(["mdadm", "--assemble"], self.assemble)

    def assemble(self, argv: Sequence[str], _: bytes) -> Ran:
        self.due = self.monotonic() + self.lag
        return said(argv, stderr=LATE)

    @override
    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.monotonic() >= self.due:
            self.due = float("inf")
            os.mknod(f"{self.root}{ARRAY.device}", stat.S_IFBLK | 0o600, os.makedev(7, 201))


def assemble(tmp_path: Path, lag: float) -> None:
    host = Slow(str(tmp_path / "ec-a"), lag)
    apply_assemble_array(ARRAY, Context(host=host, controller=make_controller(), node="ec-a"))


def test_a_name_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    assemble(tmp_path, APPEARS - 1)


def test_one_that_never_comes_is_a_failure_in_mdadms_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="timeout waiting"):
        assemble(tmp_path, APPEARS + 60)
