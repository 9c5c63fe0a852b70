"""How the agent's figures are made of what was seen."""

from __future__ import annotations

import pytest

from bench.agent import Cost, build_claims, match, percentile
from bench.station import BenchError


def test_a_change_is_matched_with_the_arrival_before_the_next_change() -> None:
    assert match([1.0, 10.0], [0.5, 2.0, 2.5, 13.0]) == [1.0, 3.0]


def test_a_change_that_did_not_arrive_in_time_is_no_figure() -> None:
    with pytest.raises(BenchError, match="change 1 of 2"):
        match([1.0, 2.0], [2.5])
    with pytest.raises(BenchError, match="change 2 of 2"):
        match([1.0, 2.0], [1.5])


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(one) for one in range(1, 101)]
    assert percentile(values, 0.99) == 99.0 and percentile([3.0, 1.0], 0.99) == 3.0


def test_the_worse_node_counts() -> None:
    def cost(files: int, node: str, processor: float) -> Cost:
        return Cost(files=files, node=node, seconds=100.0, processor=processor, alone=0.1, resident=20480, unit=30000)

    claims = build_claims([cost(files, node, p) for files in (1_000, 100_000) for node, p in (("a", 0.1), ("b", 0.6))])
    assert [(one.name, one.ok) for one in claims][:2] == [("agent-memory-1000", True), ("agent-processor-1000", False)]
