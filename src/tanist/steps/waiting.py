"""A step that must wait for a capture that was at work before the run began."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tanist.model.errors import Busy

if TYPE_CHECKING:
    from tanist.host.host import Host

PATIENCE = 60.0  # seconds
PAUSE = 0.05


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
