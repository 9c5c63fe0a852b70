"""A lab of two virtual machines for each test module; the modules take turns, because the computer has two cores."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

import pytest

from lab.layout import LOCKS
from lab.vm.lab import VmLab
from lab.vm.machine import why_no_vm_lab
from tests.vm.typed import Client, Pair, asking


@pytest.fixture(scope="module")
def lab() -> Iterator[VmLab]:
    """ec-a and ec-b up with empty shared disks; taken down at the end of the module."""
    reason = why_no_vm_lab()
    if reason is not None:
        pytest.skip(reason)
    made = VmLab(f"v{os.getpid()}")
    with (LOCKS / "tanist-vm-tests.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        try:
            made.up()
            yield made
        finally:
            made.down()


@pytest.fixture(scope="module")
def asked(lab: VmLab, pair: Pair) -> Iterator[Client]:
    """By a third machine, of the module's own pair, which has begun."""
    with asking(lab) as made:
        made.wait_for("ec-a")
        yield made
