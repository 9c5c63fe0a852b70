"""The machine resets itself, when what must stop does not: without a sync, so that nothing more is written.

Armed twice over: the machine's watchdog device (Documentation/watchdog/watchdog-api.rst), which needs no process of
ours to be alive, where nobody else has it and it can be disarmed again; and a thread that writes "b" to
/proc/sysrq-trigger (sysrq.rst: at once, no sync, no unmount), or calls reboot(2) where that can't be written. In a
container sysrq would reset the machine below, so that there only reboot(2) is used, which ends the container.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
import threading
from collections.abc import Callable

WATCHDOG = "/dev/watchdog"
SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT
GRACE = 10  # seconds that the watchdog is given beyond the thread's time
RESTART = 0x01234567  # LINUX_REBOOT_CMD_RESTART
FIRST_PIDS = "pid:[4026531836]"  # include/linux/proc_ns.h: PROC_PID_INIT_INO


class ResetTimer:
    """From its making on. `close` disarms it."""

    def __init__(self, seconds: float, reset: Callable[[], None] | None = None, watchdog: str = WATCHDOG) -> None:
        self._closed = threading.Event()
        self._watchdog = arm_watchdog(watchdog, int(seconds) + GRACE)
        self._reset = reset or reset_now
        self._seconds = seconds
        threading.Thread(target=self._wait, name="reset", daemon=True).start()

    def _wait(self) -> None:
        if not self._closed.wait(self._seconds):
            self._reset()

    def close(self) -> None:
        self._closed.set()
        if self._watchdog is not None:
            with contextlib.suppress(OSError):
                os.write(self._watchdog, b"V")  # "magic close": it is disarmed by the close that follows
            os.close(self._watchdog)
            self._watchdog = None


def arm_watchdog(device: str, seconds: int) -> int | None:
    """None where there is none, somebody else has it (systemd, wdmd), or it could not be disarmed again."""
    if not is_first_pid_namespace() or _read("/sys/class/watchdog/watchdog0/nowayout") not in ("0", ""):
        return None
    try:
        fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.ioctl(fd, SET_TIMEOUT, struct.pack("=i", seconds))
    except OSError:  # a fixed timeout may be shorter than what stopping needs
        with contextlib.suppress(OSError):
            os.write(fd, b"V")
        os.close(fd)
        return None
    return fd


def reset_now() -> None:
    """Does not come back, but where neither way is open."""
    if is_first_pid_namespace():
        with contextlib.suppress(OSError), open("/proc/sysrq-trigger", "w") as trigger:
            trigger.write("b")
    ctypes.CDLL(None, use_errno=True).reboot(RESTART)


def is_first_pid_namespace() -> bool:
    try:
        return os.readlink("/proc/self/ns/pid") == FIRST_PIDS
    except OSError:
        return False


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""
