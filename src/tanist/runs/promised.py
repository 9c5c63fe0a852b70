"""The note of whom this node gave its word (runs/promise.py), read: by runs, and by a status, which is to be quick."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tanist.model.codec import decode
from tanist.model.peer import Promise
from tanist.model.unread import Unread
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.host import Host

FORMAT = 1


def load_promises(host: Host, name: str) -> tuple[Promise, ...] | Unread:
    """() where there is none; fulfilled ones may still be among them."""
    path = places.promised(name)
    try:
        body = json.loads(host.files.read(path))
        if body["format"] != FORMAT:
            raise ValueError(f"unknown format {body['format']!r}")
        return tuple(decode(Promise, one, "promise") for one in body["promises"])
    except FileNotFoundError:
        return ()
    except OSError as error:
        return Unread(f"{path}: {error.strerror or error}")
    except (ValueError, KeyError, TypeError) as error:
        return Unread(f"{path}: {error}")
