import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.clients import ecledger
from lab.opscenter.trial import Trial, running


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    with running(tmp_path / "site", "ec", "jobs") as made:
        yield made


def start_load(trial: Trial, ledger: Path) -> subprocess.Popen[str]:
    """As a host runs it: the file by its path, from a folder of another name."""
    folder = ledger.parent / "pushed"
    folder.symlink_to(Path(ecledger.__file__).parent)
    command = [sys.executable, str(folder / "ecledger.py"), "run", "127.0.0.1", "--port", str(trial.port)]
    return subprocess.Popen([*command, "--ledger", str(ledger), "--threads", "2"], stdout=subprocess.PIPE, text=True)


def wait_for_lines(ledger: Path, more: int) -> None:
    def count() -> int:
        return ledger.read_text().count('"ack"') if ledger.exists() else 0

    wanted, deadline = count() + more, time.monotonic() + 10
    while count() < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def verify(trial: Trial, ledger: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = ecledger.main(["verify", "127.0.0.1", "--port", str(trial.port), "--ledger", str(ledger)])
    return code, json.loads(capsys.readouterr().out)


def test_a_kill_and_a_restart_lose_no_acknowledged_job(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger"
    load = start_load(trial, ledger)
    wait_for_lines(ledger, 50)
    trial.kill("ec", "jobs")
    time.sleep(0.2)
    trial.start("ec")
    wait_for_lines(ledger, 50)
    load.send_signal(signal.SIGTERM)
    out, _ = load.communicate(timeout=60)
    assert load.returncode == 0
    code, report = verify(trial, ledger, capsys)
    assert (code, report["missing"], report["twice"]) == (0, [], [])
    assert report["acked"] == json.loads(out)["acked"] >= 100
    assert report["events"] == {"session-lost": 2}  # one for each thread
    assert max(outage["seconds"] for outage in report["outages"]) > 0.2


def test_verify_is_red_when_a_row_is_gone(trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = tmp_path / "ledger"
    run = ["run", "127.0.0.1", "--port", str(trial.port), "--ledger", str(ledger), "--seconds", "0.3", "--rate", "50"]
    load = [sys.executable, ecledger.__file__, *run]
    subprocess.run(load, check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert verify(trial, ledger, capsys)[0] == 0
    database = sqlite3.connect(trial.layout.database, isolation_level=None)
    database.execute("DELETE FROM jobs WHERE key = 'run-3'")
    database.close()
    code, report = verify(trial, ledger, capsys)
    assert (code, report["missing"]) == (1, [3])


def test_verify_cannot_tell_without_a_server_or_without_a_write(trial: Trial, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    ledger.touch()
    arguments = ["verify", "127.0.0.1", "--port", str(trial.port), "--ledger", str(ledger)]
    assert ecledger.main(arguments) == 3
    trial.kill("ec")
    assert ecledger.main(arguments) == 3


def test_first_answer_is_the_moment_the_server_answers(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["first-answer", "127.0.0.1", "--port", str(trial.port)]
    assert ecledger.main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["waited"] < 1
    trial.kill("ec")
    assert ecledger.main([*arguments, "--seconds", "0.1"]) == 3
