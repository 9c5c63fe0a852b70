"""The services' units: present, disabled, and with what a start needs (systemctl(1) show)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Unit
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

LIMITS = ("LimitNOFILE", "LimitNPROC", "LimitMEMLOCK", "LimitCORE", "LimitSTACK", "TasksMax", "MemoryMax")
PROPERTIES = (
    *("Id", "LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload", "FragmentPath", "ExecStart"),
    *("ExecStartPre", "User", "Group"),
    *LIMITS,
)
_PROGRAM = re.compile(r"\{ path=(/[^ ;]*) ;")


def read_units(host: Host, units: Sequence[str]) -> tuple[Unit, ...] | Unread:
    if not units:
        return ()
    said = read_text(host, ("systemctl", "show", "-p", ",".join(PROPERTIES), "--", *units), timeout=30)
    if isinstance(said, Unread):
        return said
    shown = parse_shown(said)
    if len(shown) != len(units):
        return Unread(f"systemctl show told of {len(shown)} units, and was asked for {len(units)}")
    return tuple(_read_unit(host, name, values) for name, values in zip(units, shown, strict=True))


def parse_shown(text: str) -> tuple[dict[str, str], ...]:
    """One block for each unit, an empty line between; a property may come several times (ExecStartPre)."""
    blocks = []
    for block in text.strip("\n").split("\n\n"):
        values: dict[str, str] = {}
        for line in block.splitlines():
            name, equals, value = line.partition("=")
            if equals:
                values[name] = f"{values[name]}\n{value}" if name in values else value
        if values:
            blocks.append(values)
    return tuple(blocks)


def read_programs(units: tuple[Unit, ...] | Unread) -> tuple[str, ...]:
    """The files that packages brought for them."""
    return () if isinstance(units, Unread) else tuple(sorted({one.fragment for one in units if one.fragment}))


def _read_unit(host: Host, name: str, values: dict[str, str]) -> Unit:
    return Unit(
        name=name,
        loaded=values.get("LoadState", ""),
        enabled=values.get("UnitFileState", ""),
        active=values.get("ActiveState", ""),
        reload=values.get("NeedDaemonReload") == "yes",
        fragment=values.get("FragmentPath", ""),
        lacks=_read_lacking(host, values),
        limits=tuple((limit, values[limit]) for limit in LIMITS if values.get(limit)),
    )


def _read_lacking(host: Host, values: dict[str, str]) -> tuple[str, ...]:
    programs = _PROGRAM.findall(f"{values.get('ExecStartPre', '')}\n{values.get('ExecStart', '')}")
    lacking = [path for path in dict.fromkeys(programs) if not _is_program(host, path)]
    user, group = values.get("User", ""), values.get("Group", "")
    if user and not user.isdigit() and host.user_id(user) is None:
        lacking.append(f"the account {user}")
    if group and not group.isdigit() and host.group_id(group) is None:
        lacking.append(f"the group {group}")
    return tuple(lacking)


def _is_program(host: Host, path: str) -> bool:
    info = host.files.stat(path)
    return info is not None and bool(info.st_mode & 0o111)
