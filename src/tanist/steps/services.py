"""systemd units, started in order and stopped in reverse; health checks.

`systemctl start` answers 0 for a unit whose condition failed and for one that dies at once, so the state is read back
(systemctl(1); measured on systemd 252).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.host.host import Host
from tanist.model.definition import Health
from tanist.model.errors import Failed
from tanist.steps.context import Context

if TYPE_CHECKING:
    from tanist.model.steps import CheckHealth, StartService

PROPERTIES = "LoadState,ActiveState,SubState,Result,ConditionResult"
LOOK = 5.0  # seconds that a check which has passed before may take to pass again
POLL = 0.02  # seconds between two looks at a health check


def read_unit(host: Host, unit: str) -> dict[str, str]:
    ran = host.run(["systemctl", "show", "-p", PROPERTIES, "--", unit], timeout=30)
    return dict(line.split("=", 1) for line in ran.text.splitlines() if "=" in line)


def read_activity(host: Host, unit: str) -> str:
    """Its ActiveState ("inactive" for a unit that is not there), a third quicker than by `systemctl show`. OSError when
    systemd does not say: 3 is any other state than active, 4 no such unit (systemctl(1))."""
    return host.run(["systemctl", "is-active", "--", unit], ok=(0, 3, 4), timeout=30).text.strip()


def is_running(host: Host, unit: str) -> bool:
    return read_activity(host, unit) in ("active", "reloading")


def apply_start_service(spec: StartService, context: Context) -> None:
    host = context.host
    started, state = start_unit(host, spec)
    if not started and state.get("Result") == "start-limit-hit":  # by tries before ours: it wasn't even tried
        host.run(["systemctl", "reset-failed", "--", spec.unit], ok=None, timeout=30)
        started, state = start_unit(host, spec)
    if started:
        return
    if state.get("LoadState") == "not-found":
        raise Failed(f"there is no unit {spec.unit} on this node")
    why = "its condition failed" if state.get("ConditionResult") == "no" else f"result {state.get('Result', 'unknown')}"
    raise Failed(
        f"{spec.unit} did not come up: {state.get('ActiveState')}/{state.get('SubState')}, {why}; "
        f"see: journalctl -u {spec.unit} -n 50"
    )


def start_unit(host: Host, spec: StartService) -> tuple[bool, dict[str, str]]:
    ran = host.run(["systemctl", "start", "--", spec.unit], ok=None, timeout=spec.start_timeout)
    state = read_unit(host, spec.unit)
    return ran.status == 0 and state.get("ActiveState") == "active", state


def undo_start_service(spec: StartService, context: Context) -> None:
    host = context.host
    wait = host.begin(["systemctl", "stop", "--", spec.unit], ok=None, timeout=spec.stop_timeout)
    context.meanwhile()
    ran = wait()
    if read_activity(host, spec.unit) in ("inactive", "failed"):
        return
    state = read_unit(host, spec.unit)
    raise Failed(f"{spec.unit} did not stop: {state.get('ActiveState')}/{state.get('SubState')}: {ran.complaint}")


def is_start_service_applied(spec: StartService, context: Context) -> bool:
    return is_running(context.host, spec.unit)


def apply_check_health(spec: CheckHealth, context: Context) -> None:
    if problem := wait_for_health(spec, context, spec.check.timeout):
        raise Failed(f"it did not pass within {spec.check.timeout:g} s: {problem}")


def wait_for_health(spec: CheckHealth, context: Context, patience: float) -> str:
    """ "" once the check passes, else what was seen last after `patience` seconds."""
    host = context.host
    deadline = host.monotonic() + patience
    while problem := probe_health(host, spec.check):
        if host.monotonic() >= deadline:
            return problem
        host.sleep(POLL)
    return ""


def is_check_health_applied(spec: CheckHealth, context: Context) -> bool:
    """A busy machine may miss one look: it is given a moment, not the whole time that a start may take."""
    return not wait_for_health(spec, context, min(LOOK, spec.check.timeout))


def probe_health(host: Host, check: Health) -> str:
    """Look once: "" when it passes, else what was seen."""
    try:
        match check.kind:
            case "tcp":
                return "" if host.tcp_answers(check.address, check.port, min(2.0, check.timeout)) else "no answer"
            case "http":
                status = host.http_status(check.url, min(5.0, check.timeout))
                return "" if status < 400 else f"HTTP status {status}"
            case "command":
                ran = host.run(check.argv, ok=None, timeout=min(10.0, check.timeout), user=check.user)
                return "" if ran.status == 0 else ran.complaint
    except OSError as error:
        return str(error)
