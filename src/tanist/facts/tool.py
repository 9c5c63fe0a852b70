"""One look with a tool of the system: its output, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.host import Ran

NOT_THERE = 127


def read_text(
    host: Host,
    argv: Sequence[str],
    *,
    ok: Sequence[int] = (0,),
    timeout: float = 10.0,
    stdin: bytes = b"",
    title: str = "",
) -> str | Unread:
    """stdout as text. Unread for an exit status outside `ok`, a missing program and one that does not end; it is
    called `title` then, else by its name."""
    return finish_text(argv[0], lambda: host.run(argv, ok=None, timeout=timeout, stdin=stdin), ok=ok, title=title)


def finish_text(program: str, wait: Callable[[], Ran], *, ok: Sequence[int] = (0,), title: str = "") -> str | Unread:
    """The same of a program that was begun; `wait` accepts every exit status."""
    try:
        ran = wait()
    except OSError as error:
        return Unread(f"{title or program}: {error.strerror or error}")
    if ran.status == NOT_THERE:
        return Unread(f"{program}: not found")
    if ran.status not in ok:
        return Unread(f"{program}: {ran.complaint} (exit status {ran.status})")
    return ran.text
