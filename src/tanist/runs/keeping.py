"""What a look found, kept on this node for the checks that come later."""

from __future__ import annotations

import json
from typing import TypeVar

from tanist.model.codec import decode, encode
from tanist.model.errors import TanistError
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.session import Session

FORMAT = 1
LIMIT = 1 << 20
T = TypeVar("T")


def keep(session: Session, path: str, what: str, value: object) -> None:
    """A disk that is full must not spoil the look: it is said instead."""
    body = {"format": FORMAT, what: encode(value)}
    try:
        session.host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)
        session.host.files.write(path, json.dumps(body).encode() + b"\n", 0o600)
    except (OSError, TanistError) as error:
        session.note(f"warning: what was found could not be kept: {error}")


def load_kept(session: Session, path: str, what: str, kind: type[T], title: str) -> T | Unread | None:
    """None where nothing was kept yet; `title`: of the file, in the reason why it can't be read."""
    try:
        body = json.loads(session.host.files.read(path, LIMIT))
        if body["format"] != FORMAT:
            raise ValueError("unknown format")
        return decode(kind, body[what], what)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Unread(f"{title} can't be read: {error}")
