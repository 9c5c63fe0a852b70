"""What a step waits for: a capture that was at work before the run began, a device of udev's, its last user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device
from tanist.facts.users import find_users
from tanist.model.errors import Busy, Failed

if TYPE_CHECKING:
    from tanist.host.host import Host

PATIENCE = 60.0  # seconds
PAUSE = 0.05
CLOSES = 5.0  # seconds that the last user of a device is given
GOES = 25.0  # seconds more that udev is given to take the device away once it was closed


def wait_while_busy(host: Host, act: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Once it is not Busy any more; Busy when that takes longer than so many seconds."""
    deadline = host.monotonic() + seconds
    while True:
        try:
            act()
            return
        except Busy:
            if host.monotonic() >= deadline:
                raise
        host.sleep(PAUSE)


def wait_until(host: Host, is_so: Callable[[], bool], seconds: float) -> bool:
    """Whether it became so within that many seconds. It is asked at least once."""
    deadline = host.monotonic() + seconds
    while not is_so():
        if host.monotonic() >= deadline:
            return False
        host.sleep(PAUSE)
    return True


def wait_for_device(host: Host, device: str, seconds: float) -> bool:
    """Whether udev made it, or had made it, within that many seconds."""
    return wait_until(host, lambda: is_block_device(host, device), seconds)


def wait_unused(host: Host, what: str, disks: Callable[[], tuple[str, ...]]) -> None:
    """Until nothing uses any of the disks (by the kernel's names). Failed, with who does, after CLOSES."""
    if not wait_until(host, lambda: not find_users(host, disks()), CLOSES):
        raise Failed(f"{what} is in use: {', '.join(find_users(host, disks()))}")


def let_go(host: Host, what: str, is_held: Callable[[], bool], close: Callable[[], str]) -> None:
    """Failed: `what`, and why."""
    if why := try_let_go(host, is_held, close):
        raise Failed(f"{what}: {why}")


def try_let_go(host: Host, is_held: Callable[[], bool], close: Callable[[], str]) -> str:
    """`close` until it is held no more. "" then; else why not: what `close` says ("": it did its part)."""
    deadline = host.monotonic() + CLOSES
    while is_held():
        why = close()
        if host.monotonic() >= (deadline if why else deadline + GOES):
            return why or "it was let go, and is still there"
        host.sleep(PAUSE)
    return ""
