"""Several looks at once, each in a thread of its own, none of which can hold the caller up.

A look that hangs (a dead disk, a dead peer) is left behind: its thread is a daemon and ends with the process. A look
that raises OSError or ValueError, or does not end in time, is Unread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

T = TypeVar("T")


class Looks:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._start = host.monotonic()
        self._began = time.monotonic()  # threads are waited for in real time, whatever the host's clock does
        self._changed = threading.Condition()
        self._found: dict[str, tuple[object, float]] = {}  # what, after how many seconds
        self._left_after: float | None = None
        self.begun: list[str] = []

    def begin(self, key: str, look: Callable[[], object]) -> None:
        self.begun.append(key)
        threading.Thread(target=self._look, args=(key, look), name=f"look {key}", daemon=True).start()

    def _look(self, key: str, look: Callable[[], object]) -> None:
        found: object = Unread("the look failed inside tanist")  # stays so when anything else is raised
        try:
            found = look()
        except (OSError, ValueError) as error:
            found = Unread(getattr(error, "strerror", None) or str(error) or type(error).__name__)
        finally:
            with self._changed:
                self._found[key] = (found, self._elapsed())
                self._changed.notify_all()

    def wait(self, keys: Iterable[str], until_seconds: float) -> None:
        """Until all of them are done, or until that many seconds after the first one began."""
        wanted = set(keys)
        with self._changed:
            self._changed.wait_for(
                lambda: wanted <= set(self._found), max(until_seconds - (time.monotonic() - self._began), 0.0)
            )

    def _elapsed(self) -> float:
        return self._host.monotonic() - self._start

    def is_done(self, key: str) -> bool:
        with self._changed:
            return key in self._found

    def result(self, key: str, kind: type[T]) -> T | Unread:
        with self._changed:
            if key not in self._found:
                return Unread(f"no answer within {self._elapsed():.1f} s")
            found = self._found[key][0]
        return found if isinstance(found, (kind, Unread)) else Unread(f"not a {kind.__name__}")

    def seconds(self, key: str) -> float:
        with self._changed:
            return self._found[key][1] if key in self._found else self._elapsed()
