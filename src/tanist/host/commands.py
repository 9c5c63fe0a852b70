"""Commands that did not go well."""

from __future__ import annotations

import errno
import shlex

from tanist.model.host import Ran


class CommandFailed(OSError):
    """A program ended with a status that was not expected."""

    def __init__(self, ran: Ran) -> None:
        super().__init__(errno.EIO, f"{shlex.join(ran.argv)}: {ran.complaint} (exit status {ran.status})")
        self.ran = ran
