"""A plan as text for people. Pure."""

from __future__ import annotations

from tanist.model.evidence import Evidence, Verdict
from tanist.model.steps import Plan


def render_plan(plan: Plan) -> str:
    lines = [plan.title]
    lines += [f"  {n:>2}. {step.says}" for n, step in enumerate(plan.steps, start=1)]
    return "\n".join(lines)


def render_evidence(evidence: tuple[Evidence, ...]) -> str:
    rows = [(one.source, one.about, one.says.value, one.detail) for one in evidence]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + f"  {row[3]}"
        for row in rows
    )


def render_verdict(verdict: Verdict) -> str:
    lines = [f"verdict: {verdict.outcome.value}"]
    lines += [f"  {reason}" for reason in verdict.reasons]
    if verdict.would_suffice:
        lines.append("what would suffice:")
        lines += [f"  - {one}" for one in verdict.would_suffice]
    return "\n".join(lines)
