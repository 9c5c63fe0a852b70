"""How the agent's figures are made of what was seen."""

from __future__ import annotations

import time
from pathlib import Path

from bench.agent import Cost, await_arrival, build_claims, percentile


def test_a_change_has_arrived_with_the_new_generation_that_holds_it(tmp_path: Path) -> None:
    def arrive(name: str, text: str) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "files.tar").write_text("base")
        (tmp_path / name / "files.tar.01").write_text(text)

    arrive("1Z-e1-ec-a", "# change 2")
    arrive("2Z-e1-ec-a", "# change 1")
    arrive("3Z-e1-ec-a.partial-7", "# change 2")
    known = ("1Z-e1-ec-a",)
    soon = time.monotonic() + 0.1
    assert not await_arrival(tmp_path, known, b"# change 2", soon), "an old one, one without it, one that is not whole"
    arrive("4Z-e1-ec-a", "# change 2")
    assert await_arrival(tmp_path, known, b"# change 2", time.monotonic() + 60)


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = [float(one) for one in range(1, 101)]
    assert percentile(values, 0.99) == 99.0 and percentile([3.0, 1.0], 0.99) == 3.0


def test_the_worse_node_counts() -> None:
    def cost(files: int, node: str, processor: float) -> Cost:
        return Cost(files=files, node=node, seconds=100.0, processor=processor, alone=0.1, resident=20480, unit=30000)

    claims = build_claims([cost(files, node, p) for files in (1_000, 100_000) for node, p in (("a", 0.1), ("b", 0.6))])
    assert [(one.name, one.ok) for one in claims][:2] == [("agent-memory-1000", True), ("agent-processor-1000", False)]
