"""A run's steps as bars over time: inline SVG, no script. Pure.

Time runs from left to right. Where the run lay still until a person took it up, the axis is cut: a dashed line says for
how long. Colours are the page's (report/page.py), by stage; a step that failed or was cut off is striped, too, for
those who see no colours.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from tanist.model.report import RunReport, Span, Wait
from tanist.report.text import describe_length, tame

WIDTH, LEFT, RIGHT = 1000, 360, 90  # of the drawing, of the names, of the lengths
ROW, BAR, TOP = 20, 13, 26
CUT = 14  # width of a place where the axis is cut
LONGEST = 54  # characters of a name
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


def escape(text: str) -> str:
    return html.escape(tame(text))


class Axis:
    """Seconds since the first record to a place, waits left out."""

    def __init__(self, spans: Sequence[Span], waits: Sequence[Wait]) -> None:
        self.waits = [wait for wait in waits if wait.seconds > 0]
        self.begin = min((span.at for span in spans), default=0.0)
        ends = max((span.at + span.seconds for span in spans), default=0.0)
        self.length = max(ends - self.begin - sum(wait.seconds for wait in self.waits), 1e-6)
        self._room = WIDTH - LEFT - RIGHT - CUT * len(self.waits)

    def place(self, at: float) -> float:
        over = [wait for wait in self.waits if at >= wait.at + wait.seconds - 1e-6]
        inside = [max(at - wait.at, 0.0) for wait in self.waits if wait not in over]
        worked = at - self.begin - sum(wait.seconds for wait in over) - sum(inside)
        return LEFT + CUT * len(over) + self._room * worked / self.length

    def ticks(self) -> Iterator[float]:
        """Round lengths of work, at most ten of them."""
        step = next((one for one in TICKS if self.length / one <= 10), self.length / 10)
        yield from (step * n for n in range(int(self.length / step) + 1))

    def place_of_tick(self, worked: float) -> float:
        at = self.begin + worked
        for wait in self.waits:
            if at > wait.at:
                at += wait.seconds
        return self.place(at)


def draw_chart(report: RunReport, classes: dict[str, str]) -> str:
    """`classes`: the style class of each stage. "" where there is nothing to draw."""
    spans = in_a_row(report.spans)
    if not spans:
        return ""
    axis = Axis(spans, report.waits)
    height = TOP + ROW * len(spans) + 8
    parts = [*_grid(axis, height)]
    for number, span in enumerate(spans):
        parts += _bar(axis, span, TOP + ROW * number, classes.get(span.stage, ""))
    title = f"steps of {report.run}: {describe_length(report.seconds)}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">\n'
        '<defs><pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="3" height="6" class="stripe"/></pattern></defs>\n' + "\n".join(parts) + "\n</svg>"
    )


def in_a_row(spans: Sequence[Span]) -> list[Span]:
    """Steps of which only the length is known, one after the other."""
    if any(span.at != -1.0 for span in spans):
        return list(spans)
    found, at = [], 0.0
    for span in spans:
        found.append(Span(says=span.says, stage=span.stage, at=at, seconds=span.seconds, mark=span.mark))
        at += span.seconds
    return found


def _grid(axis: Axis, height: int) -> Iterator[str]:
    for worked in axis.ticks():
        x = axis.place_of_tick(worked)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 6}"/>'
        yield f'<text class="tick" x="{x:.1f}" y="{TOP - 11}" text-anchor="middle">{worked:g} s</text>'
    for wait in axis.waits:
        x = axis.place(wait.at) + CUT / 2
        yield f'<line class="cut" x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{height - 6}"/>'
        yield (
            f'<text class="cut" x="{x + 4:.1f}" y="{height - 8}">it lay still for '
            f"{escape(describe_length(wait.seconds))}</text>"
        )


def _bar(axis: Axis, span: Span, top: float, style: str) -> Iterator[str]:
    left, right = axis.place(span.at), axis.place(span.at + span.seconds)
    width = max(right - left, 1.5)
    bad = span.mark in ("failed", "begun")
    shown = span.says if len(span.says) <= LONGEST else span.says[: LONGEST - 1] + "…"
    name = {"failed": "failed", "begun": "not ended", "undone": "undone"}.get(span.mark, "")
    base = top + BAR - 2
    yield f"<g><title>{escape(span.says)}: {describe_length(span.seconds)}{', ' + name if name else ''}</title>"
    look = "name bad" if bad else "name"
    yield f'<text class="{look}" x="{LEFT - 8}" y="{base:.1f}" text-anchor="end">{escape(shown)}</text>'
    yield f'<rect class="bar {style} {span.mark}" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>'
    if bad:
        yield f'<rect fill="url(#stripes)" x="{left:.1f}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>'
    told = describe_length(span.seconds) + (f" {name}" if name else "")
    yield f'<text class="length" x="{left + width + 5:.1f}" y="{base:.1f}">{escape(told)}</text></g>'
