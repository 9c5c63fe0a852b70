"""The rehearsal: the very steps of a takeover, inside a drill's cell, on the copy of the tree.

In: the job in the exchange directory. Out: a journal like that of any run, and a word about how it went, both there.
Refused anywhere else: where there is a network, this is no cell.
"""

from __future__ import annotations

import json

from tanist.capture.restore import compare_path
from tanist.capture.store import load_manifest
from tanist.engine import Engine, StepFailure
from tanist.facts.standing import read_standing
from tanist.journal.claimfile import load_claim
from tanist.journal.journal import Journal
from tanist.model.claim import Claim
from tanist.model.codec import decode, encode
from tanist.model.dataclasses import replace
from tanist.model.drill import CellInterface, CellJob, CellWord
from tanist.model.errors import Failed, Refused, TanistError
from tanist.model.run import PlanMade, RunEnded
from tanist.model.steps import CheckHealth, StartService
from tanist.model.unread import Unread
from tanist.plan import cell
from tanist.plan.acquire import build_acquire, build_claim
from tanist.plan.addresses import service_addresses
from tanist.plan.assume import put_paths
from tanist.runs.drills import first_record
from tanist.runs.session import Session
from tanist.runs.takeover import plan_from_capture
from tanist.steps.network import has_address

LINES = "20"  # of a unit's journal


def rehearse(session: Session) -> int:
    """0 when everything was done and seen."""
    job = load_job(session)
    session = replace(session, controller=cell.rehearsed(session.controller), who=job.who)
    begun = session.host.monotonic()
    build_network(session, job.interfaces)
    claim = load_claim(session.host, session.controller.tree)
    if isinstance(claim, Unread):
        raise Refused(f"the copy of the claim can't be read: {claim.why}")
    journal = Journal(session.host, f"{cell.EXCHANGE}/journal.jsonl")
    capture = job.store.rsplit("/", 1)[1]
    journal.append(first_record(session, job.run, reason=job.reason, capture=capture, epoch=claim.epoch))
    engine = session.engine(journal, guarded=False)  # of a copy that nobody else can reach
    checked: tuple[str, ...] = ()
    failure = words = ""
    try:
        drive(session, engine, job, claim)
        checked = look(session, job.store)
    except TanistError as error:
        failure = error.message
        words = read_words(session, error.step if isinstance(error, StepFailure) else "", engine)
    seconds = round(session.host.monotonic() - begun, 3)
    journal.append(
        RunEnded(
            outcome="failed" if failure else "done",
            summary=f"drill failed: {failure}" if failure else f"drill passed: {session.node} could take over",
            seconds=seconds,
        )
    )
    word = CellWord(failure=failure, words=words, checked=checked)
    session.host.files.write(f"{cell.EXCHANGE}/{cell.WORD}", json.dumps(encode(word)).encode())
    return 1 if failure else 0


def load_job(session: Session) -> CellJob:
    files = session.host.files
    try:
        job = decode(CellJob, json.loads(files.read(f"{cell.EXCHANGE}/{cell.JOB}")), "the job")
    except FileNotFoundError as error:
        raise Refused("this is no drill's cell", next_step=f"tanist drill {session.name}   on a standby") from error
    foreign = [one.name for one in session.host.interfaces() if one.name != "lo" and one.carrier]
    if foreign:
        raise Refused(f"this is no drill's cell: there is a network ({', '.join(foreign)})")
    return job


def build_network(session: Session, interfaces: tuple[CellInterface, ...]) -> None:
    """The node's interfaces, wired to nothing: a dummy or, where this kernel has none, a pair of virtual ends that both
    stay here, of which the far one answers nothing."""
    ip = ("ip", "link")
    session.host.run([*ip, "set", "lo", "up"])
    for number, one in enumerate(interfaces):
        if session.host.run([*ip, "add", one.name, "type", "dummy"], ok=None).status != 0:
            far = f"tdrill{number}"
            session.host.run([*ip, "add", one.name, "type", "veth", "peer", "name", far])
            session.host.run([*ip, "set", far, "up", "arp", "off"])
            session.host.run(["sysctl", "-q", "-w", f"net/ipv6/conf/{far}/disable_ipv6=1"], ok=None)
        session.host.run([*ip, "set", one.name, "up"])
        for address in one.addresses:
            if not address.address.startswith("fe80:"):
                session.host.add_address(address)


def drive(session: Session, engine: Engine, job: CellJob, claim: Claim) -> None:
    """Acquire, claim and assume, as a takeover plans them."""
    host, controller, run = session.host, session.controller, job.run

    def acquire() -> PlanMade:
        return PlanMade(
            part="acquire", plan=build_acquire(controller, read_standing(host, controller, session.node), claim)
        )

    def hold() -> PlanMade:
        standing = read_standing(host, controller, session.node)
        return PlanMade(part="claim", plan=build_claim(controller, standing, claim, run, claim.epoch + 1))

    def assume() -> PlanMade:
        plan = plan_from_capture(session, job.store, load_manifest(host, job.store), run)
        return PlanMade(part="assume", plan=plan, capture=job.store)

    for part, build in (("acquire", acquire), ("claim", hold), ("assume", assume)):
        engine.execute(part, build)
    if lacking := engine.not_in_effect():
        raise Failed("every step was done, but the cell does not show: " + "; ".join(lacking), node=session.node)


def look(session: Session, store: str) -> tuple[str, ...]:
    """The end state, looked at afresh; a sentence each. Failed names what is not as it should be."""
    host, controller = session.host, session.controller
    found = [line for path in put_paths(controller) for line in compare_path(host, store, path)]
    if found:
        raise Failed("after the restore these are not as captured: " + "; ".join(found), node=session.node)
    checked = [f"{len(put_paths(controller))} captured paths, byte for byte, their owners by name"]
    if controller.identity.mode == "host":
        if host.hostname() != controller.identity.hostname:
            raise Failed(f"the host name is {host.hostname()}", node=session.node)
        checked.append(f"the host name {controller.identity.hostname}")
    addresses = service_addresses(controller, session.node)
    missing = [one.address for one in addresses if not has_address(host, one)]
    if missing:
        raise Failed(f"the address {', '.join(missing)} is not there", node=session.node)
    checked += [f"the address {one.address} on {one.interface}" for one in addresses]
    checked += [f"{one.unit} active" for one in controller.services]
    checked += [f"health: {one.label}" for one in controller.health]
    return tuple(checked)


def read_words(session: Session, step: str, engine: Engine) -> str:
    """What the units that may be to blame said last."""
    spec = next((one.spec for one in engine.state.steps if one.id == step), None)
    units: tuple[str, ...] = ()
    if isinstance(spec, StartService):
        units = (spec.unit,)
    elif isinstance(spec, CheckHealth):
        units = tuple(one.unit for one in session.controller.services)
    if not units:
        return ""
    asked = [word for unit in units for word in ("--unit", unit)]
    ran = session.host.run(["journalctl", "--no-pager", "--output=cat", f"--lines={LINES}", *asked], ok=None)
    return ran.text.strip()
