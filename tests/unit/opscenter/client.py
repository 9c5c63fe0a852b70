import http.client
import json
from http import HTTPStatus
from typing import Any

from lab.opscenter.trial import PASSWORDS


class Client:
    """One connection to the server of a trial; no library of ours between the test and the wire."""

    def __init__(self, port: int) -> None:
        self.port, self.token = port, ""

    def ask(self, method: str, path: str, value: object = None, *, form: str = "") -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = form or (json.dumps(value) if value is not None else None)
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, text, dict(reply.getheaders())

    def log_in(self) -> None:
        ((user, password),) = PASSWORDS.items()
        status, text, _ = self.ask("POST", "/api/login", {"user": user, "password": password})
        assert status == HTTPStatus.OK
        self.token = json.loads(text)["token"]

    def job(self, key: str, kind: str = "inventory", asset: str = "web-01") -> tuple[int, dict[str, Any]]:
        status, text, _ = self.ask("POST", "/api/jobs", {"key": key, "kind": kind, "asset": asset})
        return status, json.loads(text)

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.ask("GET", "/api/jobs")[1])["jobs"]
        return found

    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("GET", "/api/health")[1])
        return found
