"""Readiness as Prometheus reads it (exposition format 0.0.4), for the textfile collector and the agent's endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tanist.model.readiness import Assessment

VERDICTS = {"READY": 0, "READY WITH LOSS": 1, "NOT READY": 2}
GRADES = {"good": 0, "warning": 1, "loss": 2, "blocks": 3}


def render_metrics(assessments: Iterable[Assessment], now: float) -> str:
    found = tuple(assessments)
    lines = [
        "# HELP tanist_readiness Would a takeover by this node work: 0 ready, 1 ready with loss, 2 not ready.",
        "# TYPE tanist_readiness gauge",
        *(_line("tanist_readiness", _labels(one), VERDICTS[one.verdict]) for one in found),
        "# HELP tanist_finding Grade of each finding: 0 good, 1 warning, 2 loss, 3 blocks; 0 while it is accepted.",
        "# TYPE tanist_finding gauge",
    ]
    for one in found:
        for item in one.found:
            labels = {**_labels(one), "finding": item.kind, "subject": item.subject}
            lines.append(_line("tanist_finding", labels, GRADES[item.grade] if item.counts else 0))
    lines += [
        "# HELP tanist_last_good_drill_timestamp_seconds When a takeover was last rehearsed with success; 0: never.",
        "# TYPE tanist_last_good_drill_timestamp_seconds gauge",
        *(_line("tanist_last_good_drill_timestamp_seconds", _labels(one), round(one.drilled)) for one in found),
        "# HELP tanist_captured_timestamp_seconds When what lies outside the tree was captured last: later changes "
        "would be lost; 0: never.",
        "# TYPE tanist_captured_timestamp_seconds gauge",
        *(_line("tanist_captured_timestamp_seconds", _labels(one), round(one.captured)) for one in found),
        "# HELP tanist_check_timestamp_seconds When readiness was checked last.",
        "# TYPE tanist_check_timestamp_seconds gauge",
        *(_line("tanist_check_timestamp_seconds", _labels(one), round(now)) for one in found),
    ]
    return "\n".join(lines) + "\n"


def _labels(one: Assessment) -> dict[str, str]:
    return {"controller": one.controller, "taker": one.taker, "owner": one.owner}


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_escape(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
