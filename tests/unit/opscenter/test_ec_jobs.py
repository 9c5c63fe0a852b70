import threading
import time
from collections.abc import Callable

import pytest

from lab.opscenter.trial import Trial
from tests.unit.opscenter.client import Client

Connect = Callable[[], Client]


def wait_for(client: Client, job_id: int, state: str) -> None:
    deadline = time.monotonic() + 5
    while True:
        (job,) = [job for job in client.jobs() if job["id"] == job_id]
        if job["state"] == state:
            return
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def test_a_repeated_key_is_the_same_job_also_after_a_crash(trial: Trial, connect: Connect) -> None:
    trial.start("ec")
    client = connect()
    status, job = client.job("k1")
    assert status == 201
    assert client.job("k1") == (200, job)
    trial.kill("ec")
    trial.start("ec")
    client = connect()
    assert client.job("k1") == (200, job)
    assert [job["key"] for job in client.jobs()] == ["k1"]


def test_a_key_of_another_job_is_a_conflict(trial: Trial, connect: Connect) -> None:
    trial.start("ec")
    client = connect()
    client.job("k1", kind="inventory")
    assert client.job("k1", kind="reboot")[0] == 409


def test_the_runner_runs_a_job_and_keeps_its_output(trial: Trial, connect: Connect) -> None:
    trial.start("ec", "jobs")
    client = connect()
    job_id = client.job("k1")[1]["id"]
    wait_for(client, job_id, "done")
    output = (trial.layout.jobs / str(job_id) / "output").read_text()
    assert output.splitlines()[-1] == "inventory of web-01: step 5 of 5"
    assert output.splitlines()[-1] in client.ask("GET", f"/jobs/{job_id}")[1]


@pytest.mark.parametrize("end", [Trial.kill, Trial.stop])
def test_a_job_cut_short_is_interrupted_and_not_run_again(
    trial: Trial, connect: Connect, end: Callable[..., None]
) -> None:
    trial.start("ec", "jobs")
    client = connect()
    cut, queued = client.job("k1", kind="provision")[1]["id"], client.job("k2")[1]["id"]
    wait_for(client, cut, "running")
    end(trial, "ec", "jobs")
    trial.start("ec", "jobs")
    client = connect()
    wait_for(client, queued, "done")
    wait_for(client, cut, "interrupted")
    assert "step 5 of 5" not in (trial.layout.jobs / str(cut) / "output").read_text()


def test_a_second_runner_on_the_same_tree_does_not_start(trial: Trial) -> None:
    trial.start("jobs")
    with pytest.raises(RuntimeError, match="another job runner"):
        Trial.start(_second(trial), "jobs")


def _second(trial: Trial) -> Trial:
    other = object.__new__(Trial)
    other.__dict__.update(layout=trial.layout, _running={})
    return other


def test_a_kill_in_the_middle_of_posts_loses_no_acknowledged_job(trial: Trial, connect: Connect) -> None:
    trial.start("ec", "jobs")
    acknowledged: list[str] = []

    def post(client: Client, name: str) -> None:
        try:
            for number in range(100_000):
                assert client.job(f"{name}-{number}")[0] == 201
                acknowledged.append(f"{name}-{number}")
        except OSError:
            return  # the server is gone, as planned

    writers = [threading.Thread(target=post, args=(connect(), f"w{n}")) for n in range(3)]
    for writer in writers:
        writer.start()
    while len(acknowledged) < 100:
        time.sleep(0.01)
    trial.kill("ec", "jobs")
    for writer in writers:
        writer.join()
    trial.start("ec")
    kept = [job["key"] for job in connect().jobs()]
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept))
