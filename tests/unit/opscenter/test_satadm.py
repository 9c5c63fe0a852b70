import json
import time
from collections.abc import Callable

import pytest

from lab.opscenter.layout import Layout
from lab.opscenter.satadm import main
from lab.opscenter.software import install
from lab.opscenter.trial import Trial

Capture = pytest.CaptureFixture[str]


def satadm(trial: Trial, *arguments: str) -> int:
    return main(["--root", str(trial.layout.root), *arguments])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.requirement("A69")
def test_status_and_its_exit_status_follow_the_services(trial: Trial, capsys: Capture) -> None:
    assert satadm(trial, "status") == 1
    trial.start("ec", "jobs", "proxy")
    wait_until(lambda: satadm(trial, "status") == 0)
    out = capsys.readouterr().out
    assert out.startswith("offline\n")
    assert "proxy controller       online   seen 0" in out
    trial.kill("jobs")
    assert satadm(trial, "status") == 3
    assert "job runner             offline" in capsys.readouterr().out
    trial.stop("ec", "proxy")
    assert satadm(trial, "status") == 1


def test_a_server_on_another_machine_does_not_make_this_one_online(trial: Trial) -> None:
    trial.start("ec")
    trial.move_to("machine-b")  # the service address answers, but not from here
    assert satadm(trial, "status") == 1


@pytest.mark.requirement("A07")
def test_installed_but_not_configured_is_told(trial: Trial, capsys: Capture) -> None:
    standby = Layout(root=trial.layout.root / "standby")
    install(standby, version="2.1.0.964")
    assert main(["--root", str(standby.root), "status"]) == 1
    assert capsys.readouterr().out == "offline (installed, not configured)\n"
    main(["--root", str(standby.root), "status", "--json"])
    status = json.loads(capsys.readouterr().out)
    assert (status["installed"], status["configured"], status["state"]) == (True, False, "offline")
    assert main(["--root", str(standby.root), "start"]) == 1


def test_configured_without_its_tree_is_told_apart(trial: Trial, capsys: Capture) -> None:
    trial.layout.tree.rename(trial.layout.root / "elsewhere")
    assert satadm(trial, "status") == 1
    assert capsys.readouterr().out == "offline (configured, but the tree is not mounted)\n"


@pytest.mark.requirement("A26")
def test_version_is_product_version(trial: Trial, capsys: Capture) -> None:
    assert satadm(trial, "-V") == 0
    assert capsys.readouterr().out == "2.1.0.963\n"


@pytest.mark.requirement("A68")
def test_help_names_the_verbs_and_a_wrong_call_is_2(trial: Trial, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as end:
        satadm(trial, "-h")
    assert end.value.code == 0
    assert "{start,stop,status,backup,restore}" in capsys.readouterr().out
    assert satadm(trial) == 2
    with pytest.raises(SystemExit) as end:
        satadm(trial, "fly")
    assert end.value.code == 2
