"""What the three daemons share: tell systemd that we serve, and wait for SIGTERM."""

import contextlib
import os
import signal
import socket
import sys

_STOP = frozenset({signal.SIGTERM, signal.SIGINT})


class StopSignal:
    """Make it before the first thread: the signals stay blocked, and are taken here, never amid other code."""

    def __init__(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
        self._stopped = False

    def wait(self, seconds: float) -> bool:
        """Sleep; True as soon as we were told to stop."""
        self._stopped = self._stopped or signal.sigtimedwait(_STOP, seconds) is not None
        return self._stopped

    def wait_forever(self) -> None:
        if not self._stopped:
            signal.sigwait(_STOP)


def notify(state: str) -> None:
    """sd_notify(3): one datagram to $NOTIFY_SOCKET, nothing without systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # nobody may listen any more: that must not keep us from serving, or from stopping cleanly
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
        channel.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
