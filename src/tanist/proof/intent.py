"""Two operators, two nodes, one moment: at most one goes on (Dekker's flags, with a fixed order instead of a turn).

A run must write its intent before it asks for the other node's word, and the word carries the other's intent: of two
runs that overlap, at least one sees the other. It must commit only on "go", and remove its intent when it gives way,
ends or fails. `order` is the definition's order of nodes, the same on both.

/run forgets intents at a boot. One that a killed run left behind is none: whoever gives a node's word tells an intent
only while the lock of its run is held (flock(2) ends with the process).

This keeps apart runs that can talk. Where the nodes cannot reach each other it says nothing; there the evidence does.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from tanist.model.codec import decode, encode
from tanist.model.dataclasses import replace
from tanist.model.peer import Intent
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

Judgement = Literal["go", "wait", "give-way"]


def judge(mine: Intent, theirs: Intent | None, order: tuple[str, ...]) -> Judgement:
    """`wait`: ask again, until their intent is gone or committed. With several peers: go only where all say go.

    That two never go together does not hang on `order`; it only says who waits. After a wait, look at the evidence
    anew: the other run may have come and gone.
    """
    if theirs is None:
        return "go"
    if theirs.phase == "committed" or mine.node not in order or theirs.node not in order:
        return "give-way"
    return "wait" if order.index(mine.node) < order.index(theirs.node) else "give-way"


def intent_path(controller: str) -> str:
    return f"/run/tanist/{controller}/intent.json"


def load_intent(host: Host, controller: str) -> Intent | Unread | None:
    """The file's content, whether its run lives or not."""
    path = intent_path(controller)
    try:
        return decode(Intent, json.loads(host.files.read(path)), "intent")
    except FileNotFoundError:
        return None
    except OSError as error:
        return Unread(f"{path}: {error.strerror or error}")
    except ValueError as error:
        return Unread(f"{path}: {error}")


def save_intent(host: Host, controller: str, intent: Intent) -> None:
    """There when it returns: only then may the other node be asked."""
    path = intent_path(controller)
    host.files.make_directory(path.rpartition("/")[0], 0o700)
    host.files.write(path, json.dumps(encode(intent)).encode() + b"\n")


def commit_intent(host: Host, controller: str, intent: Intent) -> Intent:
    """After "go", before the first change."""
    committed = replace(intent, phase="committed")
    save_intent(host, controller, committed)
    return committed


def clear_intent(host: Host, controller: str, run: str) -> None:
    """Removes this run's intent, and no other's."""
    found = load_intent(host, controller)
    if isinstance(found, Intent) and found.run == run:
        host.files.remove(intent_path(controller))
