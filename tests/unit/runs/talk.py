"""The other end of a switchover's ssh session, in a thread of this process instead of on another machine."""

from __future__ import annotations

import errno
import queue
import threading
from collections.abc import Sequence
from io import BytesIO
from types import TracebackType
from typing import TYPE_CHECKING

from tanist.host.conversation import Conversation
from tanist.model.errors import Refused, TanistError
from tanist.runs.mirroring import receive_mirror
from tanist.runs.session import Session
from tanist.runs.switchover import Line, release_planned, take_planned

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


PATIENCE = 20.0  # real seconds, for a test that hangs


class Pipe(Line):
    def __init__(self) -> None:
        self.there: queue.Queue[str] = queue.Queue()
        self.back: queue.Queue[str | None] = queue.Queue()

    @override
    def say(self, word: str) -> None:
        self.back.put(word)

    @override
    def hear(self, timeout: float) -> str | None:
        return self.there.get(timeout=PATIENCE)


class Talk(Conversation):
    def __init__(self, session: Session, argv: Sequence[str]) -> None:
        super().__init__(argv)
        self.session, self.pipe, self.words = session, Pipe(), ""
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, name=f"talk {session.node}", daemon=True)

    def _run(self) -> None:
        act = take_planned if self.argv[1] == "takeover" else release_planned
        try:
            act(self.session, self.argv[-1], self.pipe)
        except TanistError as error:
            self.words = f"{'refused' if isinstance(error, Refused) else 'failed'}: {error.message}"
        except BaseException as error:  # noqa: BLE001 - given to the test
            self.failure = error
        finally:
            self.pipe.back.put(None)

    @override
    def __enter__(self) -> Talk:
        self.thread.start()
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.there.put("")  # its stdin ends
        self.thread.join(PATIENCE)
        assert self.failure is None, self.failure

    @property
    @override
    def complaint(self) -> str:
        return self.words

    @property
    @override
    def last_words(self) -> str:
        return self.words

    @override
    def write_line(self, line: str, timeout: float) -> None:
        self.pipe.there.put(line)

    @override
    def read_line(self, timeout: float) -> str:
        line = self.pipe.back.get(timeout=PATIENCE)
        if line is None:
            self.pipe.back.put(None)  # the end stays the end, however often it is read
            raise OSError(errno.EPIPE, f"{self.argv[0]} has ended: {self.words}")
        return line

    @override
    def finish(self, timeout: float) -> int:
        self.thread.join(PATIENCE)
        return 0


class MirrorTalk(Conversation):
    """`tanist mirror NAME` on the other machine: it runs when its word is asked for, on what came until then."""

    def __init__(self, session: Session, argv: Sequence[str], *, reached: bool) -> None:
        super().__init__(argv)
        self.session, self.reached = session, reached
        self.came = BytesIO()
        self.said: list[str] = []
        self.heard = 0
        self.words = "" if reached else "ssh: connect to host: No route to host"

    @override
    def __enter__(self) -> MirrorTalk:
        return self

    @override
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    @property
    @override
    def complaint(self) -> str:
        return self.words

    def _run(self) -> None:
        self.said.clear()
        self.came.seek(0)
        try:
            receive_mirror(self.session, self.came, self.said.append)
        except TanistError as error:
            self.words = f"{'refused' if isinstance(error, Refused) else 'failed'}: {error.message}"

    @override
    def write(self, data: bytes, timeout: float) -> None:
        self.came.write(data)

    @override
    def read_line(self, timeout: float) -> str:
        """The first line comes without anything sent, the others after all of it."""
        if self.reached and self.heard < 2:
            self._run()
        number, self.heard = self.heard, self.heard + 1
        if len(self.said) <= number:
            raise OSError(errno.EPIPE, f"{self.argv[0]} has ended: {self.words}")
        return self.said[number]

    @override
    def finish(self, timeout: float) -> int:
        return 0
