"""What a figure becomes."""

from __future__ import annotations

import pytest

from bench.claims import (
    Claim,
    Result,
    Series,
    first_after,
    longest_gap,
    paired_ratio,
    render_claim,
    render_result,
)


def make_claim(value: float, limit: float = 1.5) -> Claim:
    return Claim(name="takeover-over-script", value=value, limit=limit, compared="tanist takeover x | by hand")


def test_a_claim_holds_up_to_its_limit_and_falls_short_beyond() -> None:
    assert render_claim(make_claim(1.5)) == "claim takeover-over-script 1.500 1.5 ok"
    assert render_claim(make_claim(1.5001)) == "claim takeover-over-script 1.500 1.5 short"
    assert render_claim(make_claim(4.2, 5)) == "claim takeover-over-script 4.200 5 ok"


def test_each_claim_stands_on_its_own_line_below_what_was_compared() -> None:
    text = render_result(Result(claims=(make_claim(2.0),), raw=(Series(what="by hand", seconds=(0.2, 0.4, 0.3)),)))
    assert text.splitlines() == [
        "# tanist takeover x | by hand",
        "claim takeover-over-script 2.000 1.5 short",
        "medians:",
        "     0.300 s  by hand  (0.200 0.400 0.300)",
    ]


def test_the_ratio_is_the_median_of_the_pairs_and_not_of_the_sums() -> None:
    assert paired_ratio((1.0, 9.0, 2.2), (1.0, 3.0, 1.0)) == 2.2


@pytest.mark.parametrize(("ours", "theirs"), [((), ()), ((1.0,), (1.0, 2.0))])
def test_what_is_no_pair_gives_no_ratio(ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no pairs"):
        paired_ratio(ours, theirs)


def test_an_outage_is_the_longest_silence_between_two_answers() -> None:
    assert longest_gap((0.00, 0.01, 1.31, 1.32, 0.02)) == (0.02, 1.31)


@pytest.mark.parametrize("answers", [(), (1.0,)])
def test_an_outage_without_an_answer_on_both_sides_is_none(answers: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="no gap"):
        longest_gap(answers)


def test_the_first_answer_is_the_one_after_the_command_began() -> None:
    assert first_after((5.0, 1.0, 3.5, 3.0), 2.0) == 3.0
    with pytest.raises(ValueError, match="no answer"):
        first_after((1.0,), 2.0)
