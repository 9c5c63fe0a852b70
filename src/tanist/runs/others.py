"""The other controllers of this node, as far as they could be in this one's way. Quick for hundreds: what a definition
wants is kept in /run with the mark of the file that it was read from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tanist.definition.load import list_controllers, read_controller
from tanist.definition.summary import DIRECTORY, file_key
from tanist.model.codec import decode, encode
from tanist.model.errors import TanistError
from tanist.model.readout import Clash
from tanist.model.wants import Wants
from tanist.parity.clashes import find_clashes, read_wants
from tanist.plan import places

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.runs.session import Session


def read_clashes(session: Session) -> tuple[Clash, ...]:
    """With every other controller that has this node among its own. A definition that can't be read is left out: its
    own check tells of it."""
    files = session.host.files
    mine, found = read_wants(session.controller), []
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
    key = file_key(files, f"{DIRECTORY}/{name}.toml")
    try:
        body = json.loads(files.read(place))
        if body["key"] == key:
            return decode(Wants, body["wants"], "wants")
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or not of this tanist: made again below
    wants = read_wants(read_controller(files, name))
    files.make_directory(places.runtime(name), 0o700)
    files.write(place, json.dumps({"key": key, "wants": encode(wants)}).encode() + b"\n")
    return wants
