"""[drill] of a definition: how the tree's copy is made for a drill, how often there is one, and when it may be real."""

from __future__ import annotations

import re

from tanist.definition import values as v
from tanist.definition.table import Table
from tanist.definition.window import parse_window
from tanist.model.definition import Drill, DrillBackup

_UNITS = {"h": 3600.0, "d": 86400.0}
TIMEOUT = 1800.0  # seconds


def build_drill(table: Table | None) -> Drill:
    if table is None:
        return Drill()
    every = table.text("every", check_span, default="")
    drill = Drill(
        every=0.0 if not every or check_span(every) else parse_span(every),
        leave_out=table.texts("leave_out", v.check_in_tree),
        window=table.texts("window", check_window),
        scratch=table.text("scratch", v.check_absolute, default=""),
        timeout=table.seconds("timeout", TIMEOUT),
        user_namespace=table.flag("user_namespace", default=True),
        backups=tuple(map(_build_backup, table.tables("backup"))),
    )
    table.finish()
    return drill


def _build_backup(table: Table) -> DrillBackup:
    backup = DrillBackup(
        path=table.text("path", v.check_in_tree),
        argv=table.command("argv", v.check_program),
        user=table.text("user", v.check_account),
    )
    table.finish()
    return backup


def parse_span(text: str) -> float:
    return int(text[:-1]) * _UNITS[text[-1]]


def check_span(text: str) -> str:
    return "" if re.fullmatch(r"[1-9]\d{0,3}[hd]", text) else f'"{text}" is no span; allowed: hours or days, 12h, 7d'


def check_window(text: str) -> str:
    try:
        parse_window(text)
    except ValueError as error:
        return f'"{text}" {error}'
    return ""
