"""Commands of the definition, as runs see them: which can be run now, and what a person must know of the others."""

from __future__ import annotations

import shlex

from tanist.model.definition import SavedCommand
from tanist.model.steps import FeedCommand, PlannedStep
from tanist.runs.session import Session


def runnable(session: Session) -> tuple[SavedCommand, ...]:
    """Those that need no stopped service."""
    return tuple(one for one in session.controller.commands if one.when != "stopped")


def tell_kept(session: Session, in_force: tuple[PlannedStep, ...]) -> None:
    """What a release cannot give back, because the service that takes it is not this node's to start any more."""
    for step in in_force:
        if not isinstance(step.spec, FeedCommand) or step.spec.command.when != "running":
            continue
        own, command = step.spec.own, step.spec.command
        if session.host.files.exists(own):
            session.note(
                f"not given back: what {command.argv[0]} said of this node before it was the controller; it lies in "
                f"{own}, and {shlex.join(command.restore)} reads it"
            )
