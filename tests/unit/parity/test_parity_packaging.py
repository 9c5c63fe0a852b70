"""Alert rules and dashboard ask for metrics that there are, by labels that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tanist.parity.metrics import render_metrics
from tanist.parity.readiness import assess
from tests.unit.parity.test_parity_readiness import NOW, PAIR

PACKAGING = Path(__file__).parents[3] / "packaging"
RULES = (PACKAGING / "prometheus/tanist.rules.yml").read_text()
DASHBOARD = (PACKAGING / "grafana/tanist.json").read_text()
LINES = [line for line in render_metrics([assess(PAIR)], NOW).splitlines() if not line.startswith("#")]
METRICS = {line.partition("{")[0] for line in LINES}
LABELS = {label for line in LINES for label in re.findall(r'(\w+)="', line)}


@pytest.mark.parametrize("text", [RULES, DASHBOARD], ids=["rules", "dashboard"])
def test_only_metrics_that_there_are(text: str) -> None:
    asked = set(re.findall(r"\btanist_\w+", text))
    assert asked <= METRICS
    assert set(re.findall(r"\btanist_\w+", RULES + DASHBOARD)) >= METRICS, "each is good for something"


def test_only_labels_that_they_have() -> None:
    told = set(re.findall(r"\$labels\.(\w+)", RULES)) | set(re.findall(r"\{\{(\w+)\}\}", DASHBOARD))
    by = {one.strip() for names in re.findall(r"by \(([^)]*)\)", RULES + DASHBOARD) for one in names.split(",")}
    assert told | by <= LABELS


def test_the_dashboard_is_one() -> None:
    board = json.loads(DASHBOARD)
    panels = board["panels"]
    assert len({one["id"] for one in panels}) == len(panels)
    assert all(one["targets"] and one["datasource"]["uid"] == "${source}" for one in panels)


def test_no_alert_is_there_twice() -> None:
    """promtool check rules complains of it, too."""
    names = re.findall(r"- alert: (\w+)", RULES)
    assert sorted(set(names)) == sorted(names)


def test_promtool_takes_rules_and_metrics(tmp_path: Path) -> None:
    tool = shutil.which("promtool") or shutil.which("promtool", path=sysconfig.get_path("scripts"))
    if tool is None:
        pytest.skip("promtool (Debian: prometheus) is not there, and tools/setup.sh could not fetch it")
    checks: list[tuple[list[str], str]] = [
        (["check", "rules", "--lint-fatal", str(PACKAGING / "prometheus/tanist.rules.yml")], ""),
        (["check", "metrics"], render_metrics([assess(PAIR)], NOW)),
    ]
    for words, text in checks:
        ran = subprocess.run([tool, *words], input=text, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
