"""[capture] of a definition: the commands whose output is captured, and the device nodes that may be."""

from __future__ import annotations

from tanist.definition import values as v
from tanist.definition.table import Table
from tanist.model.definition import CommandTime, SavedCommand

_TIMES: tuple[CommandTime, ...] = ("running", "stopped", "any")


def build_captured(table: Table | None) -> tuple[tuple[SavedCommand, ...], tuple[str, ...]]:
    if table is None:
        return (), ()
    commands = tuple(_build_command(inner) for inner in table.tables("command"))
    devices = table.texts("devices", v.check_absolute)
    table.finish()
    return commands, devices


def _build_command(table: Table) -> SavedCommand:
    command = SavedCommand(
        name=table.text("name", v.check_output_name),
        argv=table.command("argv", v.check_program),
        when=(table.one_of("when", _TIMES) if "when" in table else None) or "running",
        service=table.text("service", v.check_unit, default=""),
        user=table.text("user", v.check_user, default=""),
        timeout=table.seconds("timeout", 300.0),
        max_mib=table.whole("max_mib", 1, 1 << 20, default=256),
        restore=table.command("restore", v.check_program) if "restore" in table else (),
    )
    table.finish()
    return command
