"""This node's word about itself, and the other nodes' word over OpenSSH."""

from __future__ import annotations

import contextlib
import errno
import json
from typing import TYPE_CHECKING

from tanist.definition.load import list_controllers, read_controller
from tanist.definition.summary import read_keys_directory
from tanist.host.files import Files
from tanist.host.ssh import run_on_peer
from tanist.model.codec import decode, encode
from tanist.model.definition import Controller
from tanist.model.errors import Refused
from tanist.model.peer import Intent, PeerWord
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.plan.addresses import service_addresses
from tanist.proof.intent import load_intent
from tanist.runs.seen import read_epoch_seen
from tanist.runs.session import Session, take_run_lock
from tanist.steps.network import has_address
from tanist.steps.services import is_running
from tanist.steps.storage import mounted_at

if TYPE_CHECKING:
    from tanist.host.conversation import Conversation

WORD_TIMEOUT = 8.0  # seconds that a peer's answer may take before it counts as unknown
CONNECT_TIMEOUT = 3


def read_word(session: Session, *, alone: bool = False) -> PeerWord:
    """Look at this node: does it run anything of the controller? `alone`: the lock of its runs is the caller's."""
    found = find_activity(session)
    lock = "" if alone else read_lock(session)
    found_intent = load_intent(session.host, session.name) if lock else None
    intent = found_intent if isinstance(found_intent, Intent) else None
    if found and intent:
        found = (*found, f"a takeover by {intent.describe()}")
    busy = parse_lock(lock)
    return PeerWord(
        node=session.node,
        state="active" if found else "busy" if lock and intent is None else "inactive",
        detail="; ".join(found) or "runs nothing of the controller",
        epoch_seen=read_epoch_seen(session),
        boot_id=session.host.boot_id(),
        busy_run=busy.get("what", ""),
        busy_since=busy.get("since", ""),
        busy_who=busy.get("who", ""),
        intent=intent,
    )


def find_activity(session: Session) -> tuple[str, ...]:
    """What of the controller this node has in use: its tree, its addresses, its services."""
    host, controller = session.host, session.controller
    found = []
    if controller.asset.mounted:
        spots = (controller.tree, places.hidden(controller.name))
        found += [f"{one} is mounted" for one in spots if mounted_at(host, one) is not None]
    addresses = service_addresses(controller, session.node)
    found += [f"has the address {one.address}" for one in addresses if has_address(host, one)]
    found += [f"{one.unit} runs" for one in controller.services if is_running(host, one.unit)]
    return tuple(found)


def read_lock(session: Session) -> str:
    """The note of the run that is at work here, "" when none is."""
    lock = take_run_lock(session, "", 0.0)
    if isinstance(lock, str):
        return lock
    lock.close()
    return ""


def parse_lock(note: str) -> dict[str, str]:
    try:
        fields = json.loads(note)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in fields.items()} if isinstance(fields, dict) else {}


def ask_peer(session: Session, name: str, request: str = "") -> PeerWord | Unread:
    """`request`: a line of what is wanted besides (runs/promise.py)."""
    line = session.called.pop(name, None)
    said = call_peer(session, name, request) if line is None else ask_on_the_line(line, request)
    if isinstance(said, Unread):
        return said
    try:
        return decode(PeerWord, json.loads(said), "word")
    except (ValueError, RecursionError) as error:
        return Unread(f"its answer can't be read: {error}")


def ask_on_the_line(line: Conversation, request: str) -> str | Unread:
    """The node looks at itself when it is asked, not when it was called."""
    try:
        line.write_line(request or "now", WORD_TIMEOUT)
        return line.read_line(WORD_TIMEOUT)
    except OSError as error:
        ended = error.errno == errno.EPIPE and line.last_words
        return Unread(line.complaint if ended else error.strerror or f"{error}")


def call_peer(session: Session, name: str, request: str) -> str | Unread:
    node = session.controller.node(name)
    argv = ["tanist", "word", session.name, *(["--when-asked"] if request else [])]
    try:
        ran = run_on_peer(
            session.host,
            node,
            argv,
            stdin=f"{request}\n".encode() if request else b"",
            timeout=WORD_TIMEOUT,
            known_hosts=write_known_hosts(session),
            connect_timeout=CONNECT_TIMEOUT,
            secret=False,
        )
    except OSError as error:  # it took too long
        return Unread(error.strerror or f"{error}")
    return ran.text if ran.status == 0 else Unread(ran.complaint)


def render_word(word: PeerWord) -> str:
    """Without what nobody asked for: a tanist that does not know of promises reads it as well."""
    body = encode(word)
    return json.dumps(body if word.promised else {key: value for key, value in body.items() if key != "promised"})


def write_known_hosts(session: Session) -> str:
    """A peer answers with its own host key or, while it is the controller, with the controller's: both are right."""
    files = session.host.files
    lines: list[bytes] = []
    if files.exists("/etc/tanist/known_hosts"):
        lines += files.read("/etc/tanist/known_hosts").splitlines()
    for key in read_controller_keys(session):
        lines += [f"tanist-{node.name} ".encode() + key for node in session.controller.peers(session.node)]
    path = f"{places.runtime(session.name)}/known_hosts"
    files.make_directory(places.runtime(session.name), 0o700)
    text = b"\n".join(lines) + b"\n"
    if not files.exists(path) or files.read(path) != text:
        files.write(path, text, 0o600)
    return path


def read_controller_keys(session: Session) -> tuple[bytes, ...]:
    """The public host keys, "TYPE KEY", of every controller of this node: a peer that runs another one in mode "host"
    answers with that one's. From its directory here, or from what the last mirrored capture told."""
    files, own = session.host.files, session.controller.identity.ssh_host_keys
    found = dict.fromkeys(read_public_keys(files, own, places.controller_keys(session.name)))
    for name in list_controllers(files):
        if name != session.name:
            with contextlib.suppress(Refused):
                directory = read_keys_directory(files, name)
                found.update(dict.fromkeys(read_public_keys(files, directory, places.controller_keys(name))))
    return tuple(found)


def known_controllers(session: Session) -> tuple[Controller, ...]:
    """This one, and the others defined here whose definition can be read."""
    others = []
    for name in list_controllers(session.host.files):
        if name != session.name:
            with contextlib.suppress(Refused):
                others.append(read_controller(session.host.files, name))
    return (session.controller, *others)


def read_public_keys(files: Files, directory: str, noted: str) -> tuple[bytes, ...]:
    if files.exists(directory):
        names = sorted(name for name in files.list(directory) if name.endswith(".pub"))
        lines = [files.read(f"{directory}/{name}") for name in names]
    else:
        lines = files.read(noted).splitlines() if files.exists(noted) else []
    return tuple(b" ".join(line.split()[:2]) for line in lines if line.strip())
