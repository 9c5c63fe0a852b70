"""Why this node is inert: noted when it happens, told by `tanist status` and at log-in, gone when it is active."""

from __future__ import annotations

import contextlib
import json

from tanist.host.clock import timestamp
from tanist.plan import places
from tanist.runs.session import Session


def say_inert(session: Session, why: str) -> None:
    """For people, never evidence: where it can't be written, the log still has it."""
    body = {"format": 1, "since": timestamp(session.host), "node": session.node, "why": why}
    session.note(f"{session.node} is inert: {why}")
    files = session.host.files
    with contextlib.suppress(OSError):
        files.write(places.inert(session.name), json.dumps(body, indent=1).encode() + b"\n")
        files.make_directory("/run/motd.d")
        text = f"tanist: {session.name} is not up on {session.node}: {why}\n        tanist status {session.name}\n"
        files.write(places.motd(session.name), text.encode(), 0o644)
