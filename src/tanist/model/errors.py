"""What can go wrong, sorted by what the caller must do about it.

    TanistError                      exit status
    ├── Refused                      3   nothing was changed; says what is in the way and what to type
    │   ├── NotProved                4   the old owner is not proved dead, or shows life
    │   ├── BadDefinition            5   the definition is wrong: every mistake with its line
    │   ├── BadCapture               6   a capture is torn, altered or missing; names the one to use instead
    │   └── Busy                     7   somebody else is at work on this controller: who, since when
    └── Failed                       8   something may have been changed: node, step and the next command
        └── Lost                         the claim is another node's: the run takes everything down (runs/loss.py)

Exit status 0 is a verified end state, 1 is an error in tanist itself or a negative answer of a checking command,
2 is a wrong command line, 9 is Rebooting; `tanist status` has its own (see docs/manual.md).
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Sequence

    from tanist.model.claim import Claim


class TanistError(Exception):
    """The root. `message` says what happened and what it means; `next_step` is what to type next."""

    exit_status = 1

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class Refused(TanistError):
    """Nothing was changed."""

    exit_status = 3


class NotProved(Refused):
    exit_status = 4


class BadDefinition(Refused):
    """Every mistake of a definition at once, one line each (`file:line: what; what is allowed`)."""

    exit_status = 5

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems), next_step="mend the definition, then: tanist definition check FILE")
        self.problems = tuple(problems)


class BadCapture(Refused):
    exit_status = 6


class Busy(Refused):
    exit_status = 7


class Failed(TanistError):
    """Something may have been changed on `node` by `step`."""

    exit_status = 8

    def __init__(self, message: str, *, node: str = "", step: str = "", next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.node = node
        self.step = step


class Lost(Failed):
    """A step was not begun: the claim on the disk is another owner's."""

    def __init__(self, message: str, claim: Claim, *, node: str, step: str) -> None:
        super().__init__(message, node=node, step=step)
        self.claim = claim


class Rebooting(BaseException):
    """The machine goes down now, and the run goes on after the boot. Not an Exception: nobody may swallow it."""

    exit_status = 9
