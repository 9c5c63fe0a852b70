"""The drill on the real thing: the controller comes here and goes back, in a maintenance window of the definition."""

from __future__ import annotations

import time

from tanist.definition.window import is_open
from tanist.model.drill import DrillResult, DrillStep
from tanist.model.errors import Refused, TanistError
from tanist.runs.drills import drilling, name_drill, save_result
from tanist.runs.session import Session, read_active
from tanist.runs.switchover import find_owner, switchover


def drill_switchover(session: Session, reason: str) -> DrillResult:
    """Refused outside a window, on the active node, and where the switchover itself refuses to begin."""
    demand_window(session)
    if read_active(session):
        raise Refused(
            f"{session.node} is the active node of {session.name}: a drill begins on the standby",
            next_step=f"on the other node: tanist drill {session.name} --destructive-switchover",
        )
    with drilling(session):
        owner = find_owner(session)
        run, began, begun = name_drill(session), session.host.now(), session.host.monotonic()
        steps: list[DrillStep] = []
        failure = ""
        for to in (session.node, owner):
            here = session.host.monotonic()
            try:
                switchover(session, to, reason or "drill: there and back")
            except TanistError as error:
                if not steps and isinstance(error, Refused):
                    raise
                failure = f"the switchover to {to} failed: {error.message}. Look now: tanist status {session.name}"
            seconds = round(session.host.monotonic() - here, 3)
            steps.append(DrillStep(says=f"switchover to {to}", seconds=seconds, ok=not failure))
            if failure:
                break
        result = DrillResult(
            run=run,
            kind="switchover",
            node=session.node,
            who=session.who,
            reason=reason,
            began=round(began, 3),
            seconds=round(session.host.monotonic() - begun, 3),
            result="failed" if failure else "passed",
            says=failure or f"{session.name} was on {session.node} and is on {owner} again",
            words="",
            capture="",
            data="the asset itself",
            steps=tuple(steps),
            checked=(),
            forecast=(),
        )
        save_result(session, result)
        return result


def demand_window(session: Session) -> None:
    windows = session.controller.drill.window
    if not windows:
        raise Refused(
            f"a drill on the real thing stops {session.name} twice, and its definition names no window for that",
            next_step='window = ["Sat 22:00-04:00"] under [drill], on every node',
        )
    now = time.localtime(session.host.now())
    if not is_open(windows, now.tm_wday, now.tm_hour * 60 + now.tm_min):
        raise Refused(
            f"a drill on the real thing stops {session.name} twice, and it is {time.strftime('%a %H:%M', now)} on "
            f"{session.node}: outside {', '.join(windows)}",
            next_step=f"wait for the window; or rehearse without touching it: tanist drill {session.name}",
        )
