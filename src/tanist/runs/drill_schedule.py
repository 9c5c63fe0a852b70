"""Is a drill due? Asked by the timer every hour; and what a drill that was killed left is removed at that."""

from __future__ import annotations

from tanist.model.errors import Busy
from tanist.model.times import DAY, is_to_come, render_span, render_time
from tanist.runs.drills import drilling, leftovers, read_drilled
from tanist.runs.session import Session, read_active

EARLY = 600.0  # seconds: the timer's own spread must not skip a whole turn


def why_not_now(session: Session) -> str:
    """ "" when it is due. After one that failed, the next is a day later at the latest."""
    if leftovers(session):
        try:
            with drilling(session):
                session.note("what a drill that was cut off had left is removed")
        except Busy as busy:
            return busy.message
    every = session.controller.drill.every
    if not every:
        return f"the definition of {session.name} has no [drill] every: nothing is scheduled"
    if read_active(session):
        return f"{session.node} is the active node of {session.name}: the standby drills"
    drilled = read_drilled(session)
    pause = every if drilled.result == "passed" else min(every, DAY)
    now = session.host.now()
    left = drilled.last + pause - EARLY - now
    if drilled.last and left > 0 and not is_to_come(drilled.last, now):
        return f"the last drill was {render_time(drilled.last)}; the next one is due in {render_span(left)}"
    return ""
