"""`busy` of the table [tree]: what is done about who keeps the tree busy, one act after the other."""

from __future__ import annotations

from typing import Literal

from tanist.definition.table import Table
from tanist.model.definition import BusyAct

ACTS: dict[str, Literal["", "TERM", "KILL"]] = {"wait": "", "TERM": "TERM", "KILL": "KILL"}
LONGEST = 600  # seconds
MOST = 5  # acts: all of it is bounded


def build_busy(table: Table) -> tuple[BusyAct, ...]:
    texts = table.texts("busy", check_act)
    if len(texts) > MOST:
        table.complain("busy", f"has {len(texts)} acts; allowed: at most {MOST}")
    return tuple(
        BusyAct(signal=ACTS[act], seconds=float(seconds))
        for act, seconds in map(split, texts)
        if not check_act(f"{act} {seconds}")
    )


def split(text: str) -> tuple[str, str]:
    act, _, seconds = text.partition(" ")
    return act, seconds


def check_act(text: str) -> str:
    act, seconds = split(text)
    if act in ACTS and seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= LONGEST:
        return ""
    return f'"{text}" is no act; allowed: "wait N", "TERM N" or "KILL N", N from 1 to {LONGEST} seconds'
