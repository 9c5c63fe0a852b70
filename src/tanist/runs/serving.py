"""Does the active node serve: do the services run, are the addresses there, do the health checks pass? Only looks.

That one of them is down is no reason for a takeover: a person decides. It is told by the watch (`tanist status`, the
journal) within half a minute, and by `tanist check`.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.dataclasses import replace
from tanist.model.serving import Fault
from tanist.model.unread import Unread
from tanist.plan.addresses import service_addresses
from tanist.proof.looks import Looks
from tanist.runs.peers import read_lock
from tanist.runs.session import Session
from tanist.steps.network import has_address
from tanist.steps.services import probe_health

EVERY = 10.0  # seconds between two looks of the watch
PATIENCE = 30.0  # seconds that systemd may take to answer one
CHECK = 5.0  # seconds for one health check: those that have passed before answer at once
RUNS = ("active", "reloading")


def read_faults(session: Session) -> tuple[Fault, ...] | Unread | None:
    """With the health checks. None while a run is at work: it starts and stops them, and looks itself."""
    if read_lock(session):
        return None
    try:
        return (*find_down(session), *find_ill(session))
    except OSError as error:
        return Unread(error.strerror or str(error))


def find_down(session: Session) -> Iterator[Fault]:
    """OSError when systemd does not answer."""
    host, units = session.host, [one.unit for one in session.controller.services]
    asked = ["systemctl", "is-active", "--", *units]
    states = host.run(asked, ok=(0, 3, 4), timeout=PATIENCE).text.split() if units else []
    for unit, state in zip(units, states, strict=True):
        if state not in RUNS:
            yield Fault(subject=unit, says=f"{unit} is {state}", mend=f"systemctl status {unit}")
    for one in service_addresses(session.controller, session.node):
        if not has_address(host, one):
            mend = f"ip address add {one.address}/{one.prefix} dev {one.interface}"
            yield Fault(subject=one.address, says=f"{one.address} is not on {one.interface}", mend=mend)


def find_ill(session: Session) -> Iterator[Fault]:
    for one in session.controller.health:
        if problem := probe_health(session.host, replace(one, timeout=min(one.timeout, CHECK))):
            says = f"{one.label} does not pass: {problem}"
            yield Fault(subject=one.label, says=says, mend="journalctl --unit of the services")


class Carer:
    """What the watch of an active node tells. A look never holds it up; what is down must be so in two of them, so that
    a service that is started anew is no news."""

    def __init__(self) -> None:
        self._next = 0.0
        self.forget()

    def forget(self) -> None:
        self._looks: Looks | None = None
        self._before: frozenset[str] = frozenset()
        self._told = ""

    def __call__(self, session: Session) -> str:
        now = session.host.monotonic()
        if self._looks is not None and self._looks.is_done("serving"):
            self._take(self._looks.result("serving", tuple))
            self._looks = None
        if self._looks is None and now >= self._next:
            self._next = now + EVERY
            self._looks = Looks(session.host)
            self._looks.begin("serving", lambda: tuple(one.says for one in find_down(session)))
        return self._told

    def _take(self, found: tuple[str, ...] | Unread) -> None:
        said = (f"the services can't be looked at: {found.why}",) if isinstance(found, Unread) else found
        self._told = "; ".join(one for one in said if one in self._before)
        self._before = frozenset(said)
