"""The other controllers of this node, as far as they could be in this one's way. Quick for hundreds: what a definition
wants is kept in /run with the marks of the files that it was read from."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from tanist.definition.load import list_controllers, read_controller
from tanist.definition.summary import DIRECTORY, file_key
from tanist.model.codec import decode, encode
from tanist.model.errors import TanistError
from tanist.model.readout import Clash, Readout
from tanist.model.wants import Wants
from tanist.parity.clashes import find_clashes, read_wants
from tanist.plan import places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tanist.host.files import Files
    from tanist.model.definition import Controller
    from tanist.runs.session import Session


def read_clashes(session: Session) -> tuple[Clash, ...]:
    """With every other controller that has this node among its own. A definition that can't be read is left out: its
    own check tells of it."""
    files = session.host.files
    mine, found = read_wants(session.controller, recall(files, session.controller)), []
    for name in list_controllers(files):
        if name == session.name:
            continue
        try:
            theirs = load_wants(files, name)
        except (OSError, TanistError):
            continue
        what = find_clashes(mine, theirs) if session.node in theirs.nodes else ()
        if what:
            found.append(Clash(other=name, what=what, here=files.exists(places.active_file(name))))
    return tuple(found)


def load_wants(files: Files, name: str) -> Wants:
    place = f"{places.runtime(name)}/wants.json"
    key = [file_key(files, path) for path in (f"{DIRECTORY}/{name}.toml", *remembered(files, name))]
    try:
        body = json.loads(files.read(place))
        if body["key"] == key:
            return decode(Wants, body["wants"], "wants")
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or not of this tanist: made again below
    controller = read_controller(files, name)
    wants = read_wants(controller, recall(files, controller))
    files.make_directory(places.runtime(name), 0o700)
    files.write(place, json.dumps({"key": key, "wants": encode(wants)}).encode() + b"\n")
    return wants


def remembered(files: Files, name: str) -> tuple[str, ...]:
    """What the other nodes of a controller told of themselves when they were asked last."""
    directory = f"{places.STATE}/{name}"
    names = files.list(directory) if files.exists(directory) else ()
    return tuple(f"{directory}/{one}" for one in sorted(names) if one.startswith("readout-"))


def recall(files: Files, controller: Controller) -> Iterator[Readout]:
    for path in remembered(files, controller.name):
        with contextlib.suppress(OSError, ValueError):  # of an older tanist: as good as none
            yield decode(Readout, json.loads(files.read(path)), "readout")
