"""What this node tells of itself for a readiness check, and what is remembered of the other nodes.

The other node's readout comes over ssh and is kept, so that a check can compare when that node is dead (A29).
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tanist.definition.load import DIRECTORY
from tanist.facts.accounts import read_missing, read_numbers
from tanist.facts.clock import read_in_step
from tanist.facts.disk import read_disk
from tanist.facts.edited import read_edited
from tanist.facts.expiries import read_expiries
from tanist.facts.firewall import read_firewall
from tanist.facts.hardware import read_hardware
from tanist.facts.layers import read_layers
from tanist.facts.links import read_links
from tanist.facts.listeners import read_listeners
from tanist.facts.memory import read_memory
from tanist.facts.names import read_names
from tanist.facts.nfs import read_nfs
from tanist.facts.node import read_node_facts
from tanist.facts.packages import read_packages
from tanist.facts.security import read_security
from tanist.facts.settings import read_settings
from tanist.facts.space import read_space
from tanist.facts.storage import read_claim_offline
from tanist.facts.units import read_programs, read_units
from tanist.host.ssh import run_on_peer
from tanist.journal.journal import done_directory
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import replace
from tanist.model.errors import Refused
from tanist.model.readout import Captures, Edited, ExportReadout, Reach, Readout
from tanist.model.replica import ReplicaReadout
from tanist.model.unread import Unread
from tanist.parity.nfs import NFS_UNITS
from tanist.parity.standby import CRON_UNITS, ROOM
from tanist.plan import places
from tanist.runs.drills import read_drilled
from tanist.runs.measured import load_measured
from tanist.runs.mirrored import capture_directory
from tanist.runs.others import read_clashes
from tanist.runs.pairing import find_not_enabled, find_self_starting, try_peer
from tanist.runs.peers import CONNECT_TIMEOUT, find_activity, write_known_hosts
from tanist.runs.prechecks import check_node, check_unconfigured
from tanist.runs.promised import load_promises
from tanist.runs.proofs_kept import read_proofs
from tanist.runs.serving import read_faults
from tanist.runs.session import TOOL, Session, read_active
from tanist.runs.verification import read_verified
from tanist.steps.services import is_running

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.host.host import Host
    from tanist.model.definition import Controller

AGENT = "tanist-agent.service"
TIMEOUT = 45.0  # seconds that another node's readout may take


def read_readout(session: Session, answered: tuple[str, ...] = ()) -> Readout:
    """`answered`: nodes that answered over ssh a moment ago, and are not asked again whether they do."""
    host, controller = session.host, session.controller
    active = bool(read_active(session) or find_activity(session))
    units = read_units(host, (*(one.unit for one in controller.services), *helpers(session)))
    called = (controller.identity.hostname, *(one.name for one in controller.nodes))
    with_pool = see_pool_once(host, controller)
    names, reverse = read_names(host, called, tuple(one.address for one in controller.identity.addresses))
    return Readout(
        node=session.node,
        tool=TOOL,
        boot_id=host.boot_id(),
        active=active,
        definition=hashlib.sha256(host.files.read(f"{DIRECTORY}/{controller.name}.toml")).hexdigest(),
        facts=read_node_facts(host, controller, session.node),
        in_step=read_in_step(host),
        links=read_links(host),
        packages=read_packages(host, read_programs(units)),
        units=units,
        listeners=read_listeners(host),
        missing_accounts=read_missing(host, controller.accounts),
        space=read_space(host, find_room(host.files, controller.own_paths)),
        settings=read_settings(host),
        security=read_security(host),
        firewall=read_firewall(host),
        names=names,
        reverse=reverse,
        expiries=read_expiries(host, controller.captured_paths) if active else (),
        edited=() if active else read_edited_here(session),
        disk=read_disk(host, with_pool.asset),
        captures=read_captures(session),
        gate_lacks=find_not_enabled(session),
        self_starting=find_self_starting(session),
        unfit=() if active else find_unfit(session),
        reach=tuple(
            Reach(node=node.name, why="" if node.name in answered else try_peer(session, node))
            for node in controller.peers(session.node)
        ),
        proofs=read_proofs(session),
        verified=read_verified(session),
        layers=read_layers(host, with_pool.asset),
        clashes=read_clashes(session),
        memory=read_memory(host, tuple(one.unit for one in controller.services) if active else ()),
        drilled=read_drilled(session),
        numbers=read_numbers(host, controller),
        storage=read_hardware(host, with_pool, session.node),
        measured=load_measured(session),
        replica=read_copy(session),
        nfs=read_nfs(host, controller.name) if controller.exports else None,
        export=read_export(session),
        agent=read_agent(session),
        faults=read_faults(session) if active else None,
        promised=read_owed(session),
        clock=host.now(),
    )


def see_pool_once(host: Host, controller: Controller) -> Controller:
    """All labels of a pool are read for each look at it: three parts of a readout share one."""
    if controller.asset.zfs is None:
        return controller
    from tanist.facts.zfs.pool import see_pool  # most assets are not, and each start would pay for it

    return replace(controller, asset=see_pool(host, controller.asset))


def read_export(session: Session) -> ExportReadout | Unread | None:
    if session.controller.asset.kind != "nfs":
        return None
    from tanist.facts import exports  # most assets are not, and each start would pay for it

    return exports.read_export(session.host, session.controller.asset)


def read_owed(session: Session) -> tuple[str, ...] | Unread:
    """By the claim on the disk; where that can't be read, whatever was promised is owed still."""
    owed = load_promises(session.host, session.name)
    if isinstance(owed, Unread):
        return owed
    if not owed:
        return ()
    controller = session.controller
    seen = read_claim_offline(session.host, controller.asset, controller.tree)
    epoch = 0 if isinstance(seen, Unread) or controller.asset.kind == "directory" else seen.epoch
    return tuple(one.describe() for one in owed if not one.is_past(epoch))


def read_copy(session: Session) -> ReplicaReadout | Unread | None:
    layer = session.controller.asset.replicated
    if layer is None:
        return None
    from tanist.facts.drbd import read_readout as read_replica_readout

    return read_replica_readout(session.host, layer)


def read_agent(session: Session) -> bool | Unread:
    try:
        return is_running(session.host, AGENT)
    except OSError as error:
        return Unread(error.strerror or str(error))


def helpers(session: Session) -> tuple[str, ...]:
    """The units that serve what the controller brings along."""
    controller = session.controller
    return (*(NFS_UNITS if controller.exports else ()), *(CRON_UNITS if controller.cron else ()))


def find_unfit(session: Session) -> tuple[str, ...]:
    """What a takeover would refuse this node for, a sentence each."""
    found: list[str] = []
    for look in (check_node, check_unconfigured):
        try:
            look(session)
        except Refused as refused:
            found += refused.message.splitlines()
    return tuple(found)


def read_edited_here(session: Session) -> tuple[Edited, ...] | Unread:
    """Since this node was last the active one or, where it never was, since it was set up."""
    files = session.host.files
    done = done_directory(session.name)
    marks = [f"{done}/{name}" for name in files.list(done)] if files.exists(done) else []
    times = [info.st_mtime for path in (*marks, "/etc/tanist/node") if (info := files.stat(path)) is not None]
    own = session.controller.identity.ssh_host_keys  # made by tanist itself on the first node, and brought by it
    paths = tuple(path for path in session.controller.own_paths if path != own)
    return read_edited(session.host, paths, max(times, default=0.0) + 1)


def find_room(files: Files, paths: Iterable[str]) -> tuple[str, ...]:
    """Where a restore writes: ROOM, and of each other file system that one of these paths is on, a directory."""
    found = {info.st_dev: path for path in ROOM if (info := files.stat(path)) is not None}
    for path in (holder_of(files, one) for one in paths):
        if (info := files.stat(path)) is not None:
            found.setdefault(info.st_dev, path)
    return (*ROOM, *(path for path in found.values() if path not in ROOM))


def holder_of(files: Files, path: str) -> str:
    """The path itself where it is a directory, else the nearest one above that is there."""
    while (info := files.stat(path)) is None or not stat.S_ISDIR(info.st_mode):
        path = path.rpartition("/")[0] or "/"
    return path


def read_captures(session: Session) -> Captures:
    """Names and times only: every byte is read by `tanist captures --verify`."""
    from tanist.capture.generations import list_generations

    directory = capture_directory(session)
    found = list_generations(session.host, directory)
    if not found:
        return Captures()
    newest = found[0]
    files = session.host.files
    made = files.stat(f"{directory}/{newest.name}/manifest.json")
    checked = files.stat(f"{directory}/checked.json")
    return Captures(
        newest=newest.name,
        made=made.st_mtime if made else 0.0,
        checked=checked.st_mtime if checked else 0.0,
        size=newest.size,
    )


# -- the other nodes'


def ask_readout(session: Session, name: str) -> Readout | Unread:
    """Asked now, and remembered."""
    try:
        ran = run_on_peer(
            session.host,
            session.controller.node(name),
            ["tanist", "readout", session.name],
            timeout=TIMEOUT,
            known_hosts=write_known_hosts(session),
            connect_timeout=CONNECT_TIMEOUT,
            secret=False,
        )
    except OSError as error:
        return Unread(error.strerror or str(error))
    if ran.status != 0:
        return Unread(ran.complaint)
    found = parse_readout(ran.text)
    if isinstance(found, Readout):
        session.host.files.make_directory(f"{places.STATE}/{session.name}", 0o700)  # none before its first run
        session.host.files.write(remembered_path(session, name), ran.stdout, 0o600)
    return found


def recall_readout(session: Session, name: str) -> Readout | None:
    try:
        text = session.host.files.read(remembered_path(session, name)).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    found = parse_readout(text)
    return None if isinstance(found, Unread) else found  # of an older tanist: as good as none


def remembered_path(session: Session, name: str) -> str:
    return f"{places.STATE}/{session.name}/readout-{name}.json"


def render_readout(readout: Readout) -> str:
    return json.dumps(encode(readout))


def parse_readout(text: str) -> Readout | Unread:
    try:
        return decode(Readout, json.loads(text), "readout")
    except (ValueError, RecursionError) as error:
        return Unread(f"its answer can't be read: {error}")
