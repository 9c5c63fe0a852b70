"""Commands that did not go well."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Sequence

from tanist.model.host import Ran


class CommandFailed(OSError):
    """A program ended with a status that was not expected."""

    def __init__(self, ran: Ran) -> None:
        super().__init__(errno.EIO, f"{shlex.join(ran.argv)}: {ran.complaint} (exit status {ran.status})")
        self.ran = ran


def demand_status(ran: Ran, ok: Sequence[int] | None) -> Ran:
    """CommandFailed for a status outside `ok`; None accepts every one."""
    if ok is not None and ran.status not in ok:
        raise CommandFailed(ran)
    return ran
