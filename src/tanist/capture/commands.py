"""The output of commands that the definition names: taken into files, and given back from them.

An output is a private file that is replaced as a whole, and only where it changed: what did not change is not captured
again. What a command says of its errors may quote data: it goes to a file of root's, never into a message.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.capture.same import is_same
from tanist.model.errors import Failed
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Controller, SavedCommand
    from tanist.model.host import Ran


def take_outputs(host: Host, controller: Controller, commands: Sequence[SavedCommand]) -> None:
    """Each command's output into its file in `controller.outputs`, and no file there of a command that is no longer
    defined. Failed names the command; what the others said stays."""
    if not controller.commands:
        return
    host.files.make_directory(controller.outputs, 0o700)
    known = {command.name for command in controller.commands}
    for name in host.files.list(controller.outputs):
        if name not in known:
            host.files.remove(f"{controller.outputs}/{name}")
    for command in commands:
        take_output(host, controller.name, command, f"{controller.outputs}/{command.name}")


def take_output(host: Host, controller: str, command: SavedCommand, path: str) -> None:
    """Whole at `path`, and on disk; as it was where the command failed (Failed)."""
    directory, name = os.path.split(path)
    beside = f"{directory}.partial"  # not in it: a directory is captured as a whole
    part = f"{beside}/{name}"
    try:
        host.files.make_directory(directory, 0o700)
        host.files.make_directory(beside, 0o700)
        host.files.remove(part)
        ran = host.run_into(command.argv, part, limit=command.limit, timeout=command.timeout, user=command.user)
        _demand_success(host, controller, command, command.argv, ran)
        if not _said_the_same(host, part, path):
            host.files.move(part, path)
    except OSError as error:
        raise Failed(
            f"the output of the command {command.name} ({command.argv[0]}) could not be saved: "
            f"{error.strerror or error}; what it said before is kept"
        ) from error
    finally:
        host.files.remove_tree(beside)


def give_back(host: Host, controller: str, command: SavedCommand, source: str) -> None:
    """What the command said once, to its counterpart."""
    try:
        ran = host.run_from(command.restore, source, timeout=command.timeout, user=command.user)
    except OSError as error:
        raise Failed(
            f"the output of {command.name} could not be given to {command.restore[0]}: {error.strerror or error}"
        ) from error
    _demand_success(host, controller, command, command.restore, ran)


def _demand_success(host: Host, controller: str, command: SavedCommand, argv: Sequence[str], ran: Ran) -> None:
    said = f"{places.runtime(controller)}/said-{command.name}"
    if ran.status == 0:
        host.files.remove(said)
        return
    host.files.make_directory(os.path.dirname(said), 0o755)
    host.files.write(said, b"%b\n%b" % (ran.stdout, ran.stderr), 0o600)
    raise Failed(f"{argv[0]} (the command {command.name}) ended with exit status {ran.status}", next_step=f"cat {said}")


def _said_the_same(host: Host, new: str, old: str) -> bool:
    there = host.files.stat(old, follow=False)
    fresh = host.files.stat(new, follow=False)
    if there is None or fresh is None or there.st_size != fresh.st_size:
        return False
    with open(host.files.real(new), "rb") as one, open(host.files.real(old), "rb") as two:
        return is_same(one.fileno(), two.fileno())
