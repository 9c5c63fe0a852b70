"""A run's report as one page: no script, nothing from outside, light and dark, on screen and on paper. Pure.

Everything that came from a machine or a person is escaped, and a policy in the page itself forbids what would be
fetched or run all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tanist.model.report import Checked, Look, Moment, RunReport
from tanist.model.times import render_moment, render_second
from tanist.report.chart import draw_chart, escape
from tanist.report.style import STAGE_CLASSES, STYLE
from tanist.report.text import describe_length

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
TONES = {"done": "good", "undone": "warn", "at work": "warn", "cut off": "bad"}
VERDICTS = {"PROVED": "good", "NOT_PROVED": "warn", "ALIVE": "bad"}
READY = {"READY": "good", "READY WITH LOSS": "warn", "NOT READY": "bad"}
GRADES = {"blocks": "bad", "loss": "warn", "warning": "warn"}
SIGNS = {"active": "bad", "alive": "bad", "off": "good", "released": "good", "inactive": "good", "fenced": "good"}


def render_page(report: RunReport) -> str:
    title = f"{report.controller}: {report.kind} on {report.node}"
    body = "\n".join(part for part in _parts(report, title) if part)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}, {escape(render_second(report.began))}</title>
<style>
{STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _parts(report: RunReport, title: str) -> Iterator[str]:
    tone = TONES.get(report.outcome, "warn")
    yield f'<header><h1>{escape(title)} <span class="badge {tone}">{escape(report.outcome)}</span></h1>'
    yield f'<p class="lead">{escape(report.summary)}</p></header>' if report.summary else "</header>"
    if report.next_step:
        yield f'<p class="next">Next: <code>{escape(report.next_step)}</code></p>'
    yield _facts(report)
    yield _section("Times", _stages(report) + draw_chart(report, STAGE_CLASSES))
    yield _section("Evidence", "\n".join(_look(one) for one in report.looks) or "<p>This run asked for none.</p>")
    yield _section("Findings", "\n".join(_checked(one) for one in report.checked) or "<p>None were kept here.</p>")
    yield _section("Timeline", _timeline(report.moments))
    if report.earlier:
        rows = [
            (one.began, one.kind, one.node, one.outcome, describe_length(one.seconds), one.summary)
            for one in report.earlier
        ]
        yield _section("Other runs", _table(("began", "kind", "node", "outcome", "took", ""), rows))
    yield f"<footer>{escape(report.run)}; read from {escape(report.source)}; run by {escape(report.tool)}</footer>"


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{inside}\n</section>"


def _facts(report: RunReport) -> str:
    boots = f" in {report.boots} boots" if report.boots > 1 else ""
    rows = [
        ("Began", render_second(report.began)),
        ("Took", describe_length(report.seconds) + boots),
        ("By", report.who),
        ("Reason", report.reason),
        ("Attested", report.attested),
        *(("Accepted", one) for one in report.accepted),
        ("Epoch", str(report.epoch)),
        ("Capture", ", ".join(one.rpartition("/")[2] for one in report.captures)),
    ]
    inside = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows if value)
    return f"<dl>{inside}</dl>"


def _stages(report: RunReport) -> str:
    total = sum(seconds for _, seconds in report.stages)
    if not total:
        return "<p>No step was done.</p>"
    slowest = max(report.stages, key=lambda one: one[1])[0]
    items = "".join(
        f'<li><span class="swatch {STAGE_CLASSES.get(name, "")}"></span>{escape(name)} '
        f"<b>{describe_length(seconds)}</b> <small>{100 * seconds / total:.0f} %</small></li>"
        for name, seconds in report.stages
    )
    return f'<p>The slowest stage: {escape(slowest)}.</p>\n<ul class="stages">{items}</ul>\n'


def _look(look: Look) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.source)}</td><td>{escape(one.about)}</td>"
        f'<td><span class="sign {SIGNS.get(one.says.value, "")}">{escape(one.says.value)}</span></td>'
        f'<td>{escape(one.detail)}</td><td class="number">{one.seconds:.2f} s</td></tr>'
        for one in look.evidence
    )
    heads = "".join(f"<th>{name}</th>" for name in ("source", "about", "says", "what was seen", "took"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    verdict = ""
    if look.verdict:
        badge = f'<span class="badge {VERDICTS.get(look.verdict, "warn")}">{escape(look.verdict)}</span>'
        verdict = f"<p>Verdict: {badge}</p>{_list(look.reasons)}"
    suffices = f"<p>What would have sufficed:</p>{_list(look.would_suffice)}" if look.would_suffice else ""
    return f"<h3>{escape(look.title)}</h3>{table}{verdict}{suffices}"


def _checked(checked: Checked) -> str:
    badge = f'<span class="badge {READY.get(checked.verdict, "warn")}">{escape(checked.verdict)}</span>'
    when = f"{render_second(checked.at)}, {checked.when}"
    rows = "".join(
        f'<tr><td><span class="sign {"" if one.accepted else GRADES.get(one.grade, "")}">'
        f"{'accepted' if one.accepted else escape(one.grade)}</span></td>"
        f"<td>{escape(one.name)}</td>"
        f"<td>{escape(one.says)}<br><small>{escape(one.accepted or one.mend)}</small></td></tr>"
        for one in checked.findings
    )
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    return (
        f"<p>{escape(checked.taker)} {badge} <small>checked last {escape(when)}; {checked.good} findings are "
        f"good</small></p>{table}"
    )


def _timeline(moments: Iterable[Moment]) -> str:
    rows = "".join(
        f'<tr class="{one.mark}"><td>{escape(render_moment(one.at)[11:23])}</td>'
        f'<td class="number">{one.after:+.3f} s</td><td><span class="sign {_tone(one)}">{escape(one.mark)}</span></td>'
        f'<td>{escape(one.says)}</td><td class="number">{f"{one.seconds:.3f} s" if one.seconds else ""}</td></tr>'
        for one in moments
    )
    heads = "".join(f"<th>{name}</th>" for name in ("UTC", "after", "", "what", "took"))
    return f'<table class="timeline"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _tone(one: Moment) -> str:
    return {"failed": "bad", "undone": "warn", "person": "note", "ended": "good"}.get(one.mark, "")


def _list(items: Iterable[str]) -> str:
    inside = "".join(f"<li>{escape(one)}</li>" for one in items)
    return f"<ul>{inside}</ul>" if inside else ""


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
