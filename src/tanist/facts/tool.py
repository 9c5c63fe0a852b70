"""One look with a tool of the system: its output, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

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
    try:
        ran = host.run(argv, ok=None, timeout=timeout, stdin=stdin)
    except OSError as error:
        return Unread(f"{title or argv[0]}: {error.strerror or error}")
    if ran.status == NOT_THERE:
        return Unread(f"{argv[0]}: not found")
    if ran.status not in ok:
        return Unread(f"{argv[0]}: {ran.complaint} (exit status {ran.status})")
    return ran.text
