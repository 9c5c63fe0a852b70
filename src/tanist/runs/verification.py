"""Captures verified: every byte read, the newest one rendered into a scratch root and compared. The result is kept.

On the active node the captures on the tree, on a standby the mirrored ones. It never changes either of them, and it
gives way at once when a run begins: an open file would keep the tree from being unmounted.
"""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Iterator
from types import FrameType

from tanist.capture.believed import doubt
from tanist.capture.generations import GenerationInfo, list_generations, verify_generation
from tanist.capture.render import SCRATCH, render_store
from tanist.capture.seen import forget_seen
from tanist.host.clock import timestamp
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import replace
from tanist.model.errors import BadCapture, Busy, Failed, Refused
from tanist.model.unread import Unread
from tanist.model.verified import Verified
from tanist.plan import places
from tanist.runs.mirrored import capture_directory, readable
from tanist.runs.peers import read_lock
from tanist.runs.session import Session, describe_lock

GLANCE = 0.1  # seconds between two looks whether a run has begun


def verify_newest(session: Session) -> Verified:
    """The newest generation as a takeover would find it. Good or bad, the result is kept; Busy when a run is or gets
    to work, and nothing is kept."""
    begun = session.host.monotonic()
    lock = session.host.lock(f"{places.runtime(session.name)}/verify.lock", f"a verification by {session.who}")
    if isinstance(lock, str):
        raise Busy(f"{lock or 'another verification'} is at work on this node", next_step="wait for it to end")
    with contextlib.closing(lock), giving_way(session):
        generation, problem, says = _verify_newest(session)
    found = Verified(
        node=session.node,
        generation=generation,
        checked=timestamp(session.host),
        result="bad" if problem else "good",
        says=problem or says,
        seconds=round(session.host.monotonic() - begun, 3),
    )
    if found.result == "bad":
        doubt(session.host, places.mirror(session.name))  # the next one is sent whole
        forget_seen(session.host, session.name)  # or, here, made whole: it may share what is bad
    save_verified(session, found)
    return found


def _verify_newest(session: Session) -> tuple[str, str, str]:
    """(generation, what is wrong, what was compared)."""
    directory = capture_directory(session)
    found = list_generations(session.host, directory)
    if not found:
        return "", f"there is no capture in {directory}", ""
    name = found[0].name
    try:
        with readable(session) as place:
            verified = verify_generation(session.host, replace(found[0], path=f"{place}/{name}"))
            if verified.state != "good":
                return name, verified.reason, ""
            above = places.scratch(session.name) if place == directory else f"{place}/{SCRATCH}"
            return name, "", render_store(session.host, verified.path, above, session.controller.devices)
    except Busy:
        raise
    except (BadCapture, Refused, Failed) as error:
        return name, error.message, ""
    except OSError as error:
        return name, f"it could not be rendered: {error.filename or ''} {error.strerror}", ""


def verify_all(session: Session) -> tuple[tuple[str, str], ...]:
    """Each generation by name with "" or what is wrong with it, newest first: every byte of each."""
    with giving_way(session):
        found = list_generations(session.host, capture_directory(session))
        return tuple((one.name, verify_bytes(session, one)) for one in found)


def verify_bytes(session: Session, generation: GenerationInfo) -> str:
    """ "" or what is wrong."""
    try:
        with readable(session, [generation.name]) as place:
            return verify_generation(session.host, replace(generation, path=f"{place}/{generation.name}")).reason
    except Busy:
        raise
    except (BadCapture, Refused, Failed) as error:
        return error.message


@contextlib.contextmanager
def giving_way(session: Session, what: str = "verification") -> Iterator[None]:
    """Busy as soon as a run takes this node's lock, from whatever is done in the block (the main thread only)."""
    path = f"{places.runtime(session.name)}/lock"

    def noted() -> tuple[int, int]:
        """When the lock was taken last, and the length of its note: whoever only looks leaves none."""
        info = session.host.files.stat(path)
        return (info.st_mtime_ns, info.st_size) if info else (0, 0)

    def look(_: int, __: FrameType | None) -> None:
        now = noted()
        if now != before and now[1]:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise Busy(f"a run has begun on {session.name}: the {what} gave way", next_step="again later")

    at_work = read_lock(session)
    if at_work:
        raise Busy(f"{describe_lock(at_work)} is at work on {session.name} on this node: nothing was verified")
    before = noted()
    kept = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, GLANCE, GLANCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)


# -- the result, kept for readiness
def save_verified(session: Session, verified: Verified) -> None:
    body = {"format": 1, **encode(verified)}
    session.host.files.write(places.verified(session.name), json.dumps(body, indent=1).encode() + b"\n")


def read_verified(session: Session) -> Verified | Unread:
    """The last verification of this node's captures."""
    try:
        body = json.loads(session.host.files.read(places.verified(session.name), 1 << 20))
        if not isinstance(body, dict) or body.pop("format", None) != 1:
            raise ValueError("unknown format")
        return decode(Verified, body, "the last verification")
    except FileNotFoundError:
        return Unread("no capture was verified on this node yet")
    except (OSError, ValueError, RecursionError) as error:
        return Unread(f"the last verification can't be read: {error}")
