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
from tests.unit.parity.pairs import NOW, PAIR

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


SERIES = 'tanist_{}{{controller="ec",taker="ec-b",owner="ec-a",instance="{}"}}'


def told(metric: str, values: str, *nodes: str) -> list[dict[str, str]]:
    return [{"series": SERIES.format(metric, node), "values": values} for node in nodes or ("ec-a", "ec-b")]


CASES: dict[str, tuple[list[dict[str, str]], str, list[str]]] = {
    # a value each minute from second 0 on, which are seconds since the epoch; `stale`: nobody answers any more
    "all is well": (told("readiness", "0x180") + told("check_timestamp_seconds", "0+60x180"), "3h", []),
    "the standby says no": (told("readiness", "2x60", "ec-b"), "30m", ["TanistNotReady"]),
    "it says no for a moment": (told("readiness", "0x20 2x5 0x60"), "24m", []),
    "changes would be lost": (told("readiness", "1x60"), "40m", ["TanistReadyWithLoss"]),
    "a finding stays": (told("finding", "1x1800"), "26h", ["TanistFinding"]),
    "checks stop, their figures stay": (
        told("check_timestamp_seconds", "0+60x60 3600x120"),
        "150m",
        ["TanistNotChecked"],
    ),
    "both agents are dead": (told("check_timestamp_seconds", "0+60x60 stale"), "150m", ["TanistNotChecked"]),
    "one agent is dead": (
        told("check_timestamp_seconds", "0+60x60 stale", "ec-a") + told("check_timestamp_seconds", "0+60x200", "ec-b"),
        "150m",
        [],
    ),
    "no drill for 90 days": (told("last_good_drill_timestamp_seconds", f"-{90 * 86400}x60"), "5m", ["TanistDrillOld"]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_alert_comes_when_it_should_and_no_other(tmp_path: Path, case: str) -> None:
    series, at, expected = CASES[case]
    firing = {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
        "eval_time": at,
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1 + ("Finding" in name)} for name in expected],
    }
    body = {
        "rule_files": [str(PACKAGING / "prometheus/tanist.rules.yml")],
        "evaluation_interval": "5m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [firing]}],
    }
    (tmp_path / "test.yml").write_text(json.dumps(body))
    argv = [find_promtool(), "test", "rules", str(tmp_path / "test.yml")]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def find_promtool() -> str:
    tool = shutil.which("promtool") or shutil.which("promtool", path=sysconfig.get_path("scripts"))
    if tool is None:
        pytest.skip("promtool (Debian: prometheus) is not there, and tools/setup.sh could not fetch it")
    return tool


def test_promtool_takes_rules_and_metrics(tmp_path: Path) -> None:
    tool = find_promtool()
    checks: list[tuple[list[str], str]] = [
        (["check", "rules", "--lint-fatal", str(PACKAGING / "prometheus/tanist.rules.yml")], ""),
        (["check", "metrics"], render_metrics([assess(PAIR)], NOW)),
    ]
    for words, text in checks:
        ran = subprocess.run([tool, *words], input=text, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
