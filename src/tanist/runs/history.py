"""Finished runs, one JSON line each, on this node and on the asset: who, why, on what evidence, how it ended."""

from __future__ import annotations

import json
from typing import Any

from tanist.host.clock import timestamp
from tanist.journal.state import RunState
from tanist.model.codec import encode
from tanist.model.errors import TanistError
from tanist.plan import places
from tanist.runs.session import Session
from tanist.steps.storage import mounted_at


def render_entry(session: Session, state: RunState) -> bytes:
    started, ended = state.started, state.ended
    entry: dict[str, Any] = {
        "format": 1,
        "run": started.run,
        "kind": started.kind,
        "controller": started.controller,
        "node": started.node,
        "who": started.who,
        "reason": started.reason,
        "attested": started.attested,
        "verdict": started.verdict.outcome.value if started.verdict else "",
        "evidence": encode(started.evidence),
        "epoch": started.epoch,
        "outcome": ended.outcome if ended else "",
        "summary": ended.summary if ended else "",
        "ended": timestamp(session.host),
        "seconds": ended.seconds if ended else 0.0,
        "steps": [[step.says, state.seconds.get(step.id, 0.0)] for step in state.steps],
        "tool": started.tool,
    }
    return json.dumps(entry, sort_keys=True).encode() + b"\n"


def save_history(session: Session, state: RunState) -> None:
    """On this node always; on the asset while the tree is here. A full asset must not spoil a finished run."""
    line = render_entry(session, state)
    session.host.files.append(places.history(session.name), line)
    tree = session.controller.tree
    here = session.controller.asset.kind == "directory" or mounted_at(session.host, tree) is not None
    if here and session.host.files.exists(f"{tree}/.tanist/claim"):
        try:
            session.host.files.append(f"{tree}/.tanist/history.jsonl", line)
        except (OSError, TanistError) as error:
            session.note(f"warning: the asset's copy of the history could not be written: {error}")


def load_history(session: Session) -> tuple[dict[str, Any], ...]:
    """This node's copy and, where the tree is here, the asset's, by time. Lines that can't be read say so."""
    entries: dict[str, dict[str, Any]] = {}
    for path in (places.history(session.name), f"{session.controller.tree}/.tanist/history.jsonl"):
        try:
            text = session.host.files.read(path, 256 << 20)
        except FileNotFoundError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                entry = json.loads(line)
                entries.setdefault(f"{entry['run']}/{entry['outcome']}", entry)
            except (ValueError, KeyError, TypeError):
                entries[f"{path}:{number}"] = {"run": f"{path}:{number}", "outcome": "unreadable line"}
    return tuple(entries[key] for key in sorted(entries))
