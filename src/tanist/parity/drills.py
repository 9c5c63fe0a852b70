"""Was a takeover rehearsed, with what result, and how long ago? Pair -> Found."""

from __future__ import annotations

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.times import DAY, is_to_come, render_span, render_time
from tanist.parity.finding import good, wrong

SCHEDULED = "tanist enable {controller}, on the standby: it starts the timer; or at once: tanist drill {controller}"
UNSCHEDULED = 90 * DAY  # seconds until a drill is old where the definition does not say how often


def check_drill(pair: Pair) -> Found:
    drilled, node, every = pair.taker.drilled, pair.taker.node, pair.controller.drill.every
    if not drilled.last:
        return wrong("drill", f"no drill was ever run on {node}")
    if drilled.result == "failed":
        return wrong("drill", f"the last drill on {node}, {render_time(drilled.last)}, failed: {drilled.says}")
    if is_to_come(drilled.good, pair.now):
        return wrong("drill", f"the last good drill on {node} was {render_time(drilled.good)}, which is still to come")
    age = pair.now - drilled.good
    if age > (every + DAY if every else UNSCHEDULED):
        mend = SCHEDULED if every else ""
        says = f"the last good drill on {node} was {render_span(age)} ago, {render_time(drilled.good)}"
        return wrong("drill", says, mend=mend)
    return good("drill", f"a drill passed on {node} {render_span(age)} ago")
