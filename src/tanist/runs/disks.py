"""The disks of all nodes, looked at now: this node's here, the others' by `tanist disks NAME` over ssh."""

from __future__ import annotations

import json

from tanist.facts import lvm, md
from tanist.facts.disks import read_disks
from tanist.facts.programs import read_programs
from tanist.facts.selfstart.find import look_at_fstab
from tanist.facts.selfstart.stacks import Stack
from tanist.facts.storage import read_marks
from tanist.model.codec import encode
from tanist.model.dataclasses import dataclass
from tanist.model.disks import DiskSurvey, Setting
from tanist.model.layers import LvmLayer, MdLayer
from tanist.model.readout import LayerState
from tanist.model.unread import Unread
from tanist.runs.asking import ask_all
from tanist.runs.peers import CONNECT_TIMEOUT, find_activity
from tanist.runs.session import Session, read_active


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    every: bool = False  # the content of all disks that nobody has, not only the definition's
    programs: bool = False  # versions and settings
    exclusive: bool = False  # whether the kernel would give the definition's disks away
    state: bool = False  # the asset's own marks, too

    @property
    def words(self) -> tuple[str, ...]:
        flags = ("every", self.every), ("programs", self.programs), ("exclusive", self.exclusive), ("state", self.state)
        return tuple(f"--{name}" for name, wanted in flags if wanted)


def read_survey(session: Session, look: Look) -> DiskSurvey:
    host, asset = session.host, session.controller.asset
    disks, asked = read_disks(host, asset.disks, every=look.every, exclusive=look.exclusive)
    active = [f"it is the active node of {session.name}"] if read_active(session) else []
    return DiskSurvey(
        node=session.node,
        disks=disks,
        asked=asked,
        active=(*active, *find_activity(session)),
        programs=read_programs(host) if look.programs else None,
        settings=read_settings(session) if look.programs else (),
        state=read_marks(host, asset) if look.state else None,
    )


def read_settings(session: Session) -> tuple[Setting, ...]:
    """What this node lacks for the asset that the definition states."""
    found = []
    for layer in session.controller.asset.layers:
        states: tuple[LayerState | None, ...] = ()
        if isinstance(layer, MdLayer):
            states = (md.read_start(session.host, layer),)
        elif isinstance(layer, LvmLayer):
            states = tuple(lvm.read_states(session.host, layer))
        found += [Setting(says=one.wrong, mend=one.mend) for one in states if one is not None and one.wrong]
    names = tuple(one for one in (session.controller.asset.device, *session.controller.asset.disks) if one)
    in_fstab = look_at_fstab(session.host, session.controller, Stack(names=names))
    return (*found, *(Setting(says=one.what, mend=one.mend) for one in in_fstab))


def survey_all(session: Session, look: Look) -> dict[str, DiskSurvey | Unread]:
    """This node first; all at the same time."""
    argv = ["tanist", "disks", session.name, *look.words]
    return ask_all(session, argv, DiskSurvey, lambda: read_survey(session, look), connect_timeout=CONNECT_TIMEOUT)


def render_survey(found: DiskSurvey) -> str:
    return json.dumps(encode(found))
