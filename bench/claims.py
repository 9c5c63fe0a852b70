"""Claims and how they are told: values to text. Pure.

A claim holds when its value is at most its limit. Each ratio is that of two commands measured one after the other, and
its value is the median of the ratios: a machine that is busy for a while is busy for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    name: str
    value: float
    limit: float
    compared: str  # the commands, in words that can be typed

    @property
    def ok(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Raw values of one thing that was measured, seconds."""

    what: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    claims: tuple[Claim, ...]
    raw: tuple[Series, ...]
    notes: tuple[str, ...] = ()


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios of what was measured in turn."""
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} values beside {len(theirs)}: they are no pairs")
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def longest_gap(answers: Sequence[float]) -> tuple[float, float]:
    """(last answer before, first answer after) of the longest silence between two answers."""
    if len(answers) < 2:
        raise ValueError("fewer than two answers: there is no gap between them")
    ordered = sorted(answers)
    return max(itertools.pairwise(ordered), key=lambda pair: pair[1] - pair[0])


def first_after(answers: Sequence[float], moment: float) -> float:
    found = [answer for answer in answers if answer > moment]
    if not found:
        raise ValueError("there was no answer afterwards")
    return min(found)


def render_claim(claim: Claim) -> str:
    """The form is fixed: scripts read it."""
    return f"claim {claim.name} {claim.value:.3f} {claim.limit:g} {'ok' if claim.ok else 'short'}"


def render_series(series: Series) -> str:
    values = " ".join(f"{one:.3f}" for one in series.seconds)
    return f"  {median(series.seconds):8.3f} s  {series.what}  ({values})"


def render_result(result: Result) -> str:
    lines = []
    for claim in result.claims:
        lines += [f"# {claim.compared}", render_claim(claim)]
    lines += ["medians:", *map(render_series, result.raw), *result.notes]
    return "\n".join(lines)
