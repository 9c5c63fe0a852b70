"""Commands of the definition: their output taken while it can be, and given back where the controller goes to."""

from __future__ import annotations

from tanist.capture.commands import give_back, take_output, take_outputs
from tanist.capture.habackup import capturing
from tanist.model.steps import FeedCommand, RunCommands
from tanist.steps.context import Context
from tanist.steps.waiting import PATIENCE, wait_while_busy


def apply_run_commands(spec: RunCommands, context: Context) -> None:
    host, controller = context.host, context.controller

    def take() -> None:
        with capturing(host, controller.name, context.node):
            take_outputs(host, controller, spec.commands)

    wait_while_busy(host, take, PATIENCE + sum(command.timeout for command in spec.commands))


def apply_feed_command(spec: FeedCommand, context: Context) -> None:
    """What the node has of its own is saved first, by the same command. May run twice, as the tool itself must."""
    host, name = context.host, context.controller.name
    if not host.files.exists(spec.own):
        take_output(host, name, spec.command, spec.own)
    give_back(host, name, spec.command, spec.source)


def undo_feed_command(spec: FeedCommand, context: Context) -> None:
    """Without own output nothing was given: it comes first. What is there now stays beside it."""
    host, name = context.host, context.controller.name
    if not host.files.exists(spec.own):
        return
    if not host.files.exists(f"{spec.own}.left"):
        take_output(host, name, spec.command, f"{spec.own}.left")
    give_back(host, name, spec.command, spec.own)
