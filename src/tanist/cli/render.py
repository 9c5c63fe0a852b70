"""What dry runs print."""

from __future__ import annotations

from tanist.model.evidence import Outcome
from tanist.plan.render import render_evidence, render_verdict
from tanist.runs.session import Session
from tanist.runs.takeover import TakeoverOptions, dry_run


def print_dry_run(session: Session, options: TakeoverOptions) -> int:
    """Exit status 0 when the takeover would go ahead, 4 when it would be refused."""
    observation, plans = dry_run(session, options)
    print("evidence:\n" + render_evidence(observation.evidence))
    print(render_verdict(observation.verdict))
    print(f"\n{plans}\n")
    proved = observation.verdict.outcome is Outcome.PROVED
    print("dry run: nothing was changed; " + ("a takeover would go ahead" if proved else "a takeover would be refused"))
    return 0 if proved else 4
