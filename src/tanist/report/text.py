"""A run's report on a terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.report import Checked, Look, RunReport
from tanist.model.times import render_second, render_span
from tanist.plan.render import render_evidence

BAR = 30  # characters of the longest bar


def render_text(report: RunReport) -> str:
    return "\n".join(tame(line).rstrip() for part in _parts(report) for line in part) + "\n"


def tame(text: str) -> str:
    """Without what would steer a terminal, or be no text at all."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def _parts(report: RunReport) -> Iterator[list[str]]:
    yield _head(report)
    for look in report.looks:
        yield ["", *_look(look)]
    if report.stages:
        yield ["", "stages:", *_stages(report)]
    yield ["", "timeline:", *_timeline(report)]
    for checked in report.checked:
        yield ["", *_checked(checked)]
    if report.earlier:
        yield ["", "other runs, the newest first:"]
        yield [f"  {one.began}  {one.kind:<9} {one.node:<10} {one.outcome:<7} {one.seconds:8.2f} s  {one.summary}"
               for one in report.earlier]  # fmt: skip


def _head(report: RunReport) -> list[str]:
    rows = [
        ("run", report.run),
        ("outcome", f"{report.outcome}{': ' if report.summary else ''}{report.summary}"),
        ("next", report.next_step),
        ("began", render_second(report.began)),
        (
            "took",
            f"{report.seconds:.3f} s" + (f", in {report.boots} boots of {report.node}" if report.boots > 1 else ""),
        ),
        ("who", report.who),
        ("reason", report.reason),
        ("attested", report.attested),
        *(("accepted", one) for one in report.accepted),
        ("epoch", str(report.epoch)),
        ("capture", ", ".join(one.rpartition("/")[2] for one in report.captures)),
        ("from", f"{report.source}; {report.tool}"),
    ]
    title = f"{report.controller}: {report.kind} on {report.node}"
    return [title, *(f"  {name:<9} {value}" for name, value in rows if value)]


def _look(look: Look) -> list[str]:
    lines = [f"evidence {look.title}:"]
    if look.evidence:
        lines.append(render_evidence(look.evidence))
    if look.verdict:
        lines.append(f"verdict: {look.verdict}")
    lines += [f"  {one}" for one in look.reasons]
    if look.would_suffice:
        lines += ["what would have sufficed:", *(f"  - {one}" for one in look.would_suffice)]
    return lines


def _stages(report: RunReport) -> list[str]:
    longest = max((seconds for _, seconds in report.stages), default=0.0) or 1.0
    return [
        f"  {name:<19} {seconds:9.3f} s  {'#' * max(round(BAR * seconds / longest), 1 if seconds else 0)}"
        for name, seconds in report.stages
    ]


def _timeline(report: RunReport) -> list[str]:
    known = [
        f"  {one.after:+10.3f} s  {one.mark:<7} {one.says}" + (f"  {one.seconds:.3f} s" if one.seconds else "")
        for one in report.moments
    ]
    lengths = [f"  {span.seconds:10.3f} s  {span.says}" for span in report.spans if span.at < 0 and not report.waits]
    return known if len(known) > 2 else [*known[:1], *lengths, *known[1:]]


def _checked(checked: Checked) -> list[str]:
    when = f"{render_second(checked.at)}, {checked.when}"
    lines = [f"readiness of {checked.taker}, checked last {when}: {checked.verdict}"]
    for one in checked.findings:
        lines.append(f"  {'accepted' if one.accepted else one.grade:<8} {one.name}: {one.says}")
        lines.append(f"           {one.accepted or one.mend}")
    return [*lines, f"  {checked.good} findings are good"]


def describe_length(seconds: float) -> str:
    """For a person: exact where it is short."""
    return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s" if seconds < 120 else render_span(seconds)
