import http.client
import json
import socket
from collections.abc import Callable

import pytest

from lab.opscenter.trial import Trial
from tests.unit.opscenter.client import Client

Connect = Callable[[], Client]


def test_pages_want_a_login_and_show_assets_and_jobs(trial: Trial) -> None:
    trial.start("ec")
    client = Client(trial.port)
    assert client.ask("GET", "/assets")[2]["Location"] == "/login"
    assert client.ask("POST", "/login", form="user=admin&password=wrong")[0] == 401
    status, _, headers = client.ask("POST", "/login", form="user=admin&password=opscenter")
    assert (status, headers["Location"]) == (303, "/assets")
    client.token = headers["Set-Cookie"].split(";")[0].partition("=")[2]
    assert "array-01" in client.ask("GET", "/assets")[1]
    where = client.ask("POST", "/jobs", form="key=page-1&kind=inventory&asset=%3Cb%3E")[2]["Location"]
    assert "&lt;b&gt;" in client.ask("GET", where)[1]
    assert f'href="{where}"' in client.ask("GET", "/jobs")[1]
    assert client.ask("GET", "/nothing")[0] == 404


def test_the_cookie_of_the_api_login_opens_the_pages(trial: Trial) -> None:
    trial.start("ec")
    connection = http.client.HTTPConnection("127.0.0.1", trial.port, timeout=60)
    connection.request("POST", "/api/login", json.dumps({"user": "admin", "password": "opscenter"}))
    reply = connection.getresponse()
    cookie = reply.headers["Set-Cookie"].split(";")[0]
    reply.read()
    connection.request("GET", "/jobs", headers={"Cookie": cookie})  # the same connection: it is kept
    reply = connection.getresponse()
    assert reply.status == 200
    reply.read()
    connection.close()


@pytest.mark.requirement("A59")
def test_sessions_end_with_the_process(trial: Trial, connect: Connect) -> None:
    trial.start("ec")
    client = connect()
    assert client.ask("GET", "/api/assets")[0] == 200
    trial.stop("ec")
    trial.start("ec")
    assert client.ask("GET", "/api/assets")[0] == 401
    assert client.ask("GET", "/jobs")[2]["Location"] == "/login"
    assert connect().ask("GET", "/api/assets")[0] == 200


def test_health_names_host_machine_and_version(trial: Trial) -> None:
    trial.start("ec")
    health = Client(trial.port).health()
    assert health["status"] == "ok"
    assert health["hostname"] == socket.gethostname()
    assert (health["machine"], health["version"], health["proxy"]) == (
        "machine-a",
        "2.1.0.963",
        {"seen_seconds_ago": None},
    )


def test_epoch_grows_when_the_machine_changes_and_not_at_a_restart(trial: Trial) -> None:
    seen = []
    for machine in ("machine-a", "machine-a", "machine-b", "machine-a"):
        trial.move_to(machine)
        trial.start("ec")
        health = Client(trial.port).health()
        seen.append((health["epoch"], health["starts"]))
        trial.kill("ec")
    assert seen == [(1, 1), (1, 2), (2, 3), (3, 4)]


def test_an_answer_leaves_in_one_send(trial: Trial) -> None:
    trial.start("ec")
    with socket.create_connection(("127.0.0.1", trial.port), timeout=60) as connection:
        connection.sendall(b"GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b'"status": "ok"' in connection.recv(65536)


def test_bad_requests_are_answered_and_do_no_harm(trial: Trial, connect: Connect) -> None:
    trial.start("ec")
    client = connect()
    assert client.ask("POST", "/api/jobs", {"kind": "inventory"})[0] == 400
    assert client.ask("POST", "/api/jobs", ["no object"])[0] == 400
    assert client.ask("POST", "/api/jobs", {"key": "", "kind": "inventory", "asset": "a"})[0] == 400
    assert client.ask("POST", "/api/jobs", form="x" * 70_000)[0] == 413
    assert client.ask("GET", "/api/jobs?after=x")[0] == 400
    assert client.ask("GET", "/api/jobs/999")[0] == 404
    assert client.ask("POST", "/api/proxies/heartbeat", {"id": "p", "name": "p"})[0] == 403
    assert client.jobs() == []


def test_the_server_does_not_start_when_its_key_cannot_be_used(trial: Trial) -> None:
    (trial.layout.tls / "ec.key").write_text("torn")
    with pytest.raises(RuntimeError, match="ec did not start"):
        trial.start("ec")


def test_assets_are_added_once_by_name(trial: Trial, connect: Connect) -> None:
    trial.start("ec")
    client = connect()
    for address in ("192.0.2.99", "192.0.2.100"):
        assert client.ask("POST", "/api/assets", {"name": "new", "kind": "server", "address": address})[0] == 201
    assets = json.loads(client.ask("GET", "/api/assets")[1])["assets"]
    assert [asset["address"] for asset in assets if asset["name"] == "new"] == ["192.0.2.100"]
