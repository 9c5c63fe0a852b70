"""The Proxy Controller: stands between agents and the Enterprise Controller (sun-xvm-proxy.service).

Registers itself and sends a heartbeat each second; serves its own health on its own port; keeps its state in the tree.
"""

import argparse
import json
import os
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from pathlib import Path

from .config import Config, load_config
from .layout import Layout
from .process import StopSignal, log, notify
from .wire import Listener, Request, Response, as_json

_HEARTBEAT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    id: str
    registered: float | None = None  # wall clock of the first heartbeat that was answered


def load_state(folder: Path) -> State:
    try:
        saved = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        state = State(id=str(uuid.uuid4()))
        save_state(folder, state)
        return state
    return State(id=saved["id"], registered=saved["registered"])


def save_state(folder: Path, state: State) -> None:
    new = folder / "state.json.new"
    with new.open("w") as file:
        json.dump(asdict(state), file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / "state.json")


def send_heartbeat(url: str, secret: str, state: State, name: str) -> bool:
    request = urllib.request.Request(
        f"{url}/api/proxies/heartbeat",
        data=json.dumps({"id": state.id, "name": name}).encode(),
        headers={"Authorization": f"Bearer {secret}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=1) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except (urllib.error.URLError, OSError):
        return False


class Proxy:
    def __init__(self, layout: Layout, config: Config) -> None:
        self._folder, self._config, self._machine = layout.proxy, config, layout.machine()
        self._secret = layout.proxy_secret.read_text().strip()
        self._state = load_state(layout.proxy)
        self._answered: float | None = None  # monotonic seconds

    def beat(self) -> bool:
        if not send_heartbeat(self._config.ec_url, self._secret, self._state, socket.gethostname()):
            return False
        self._answered = time.monotonic()
        if self._state.registered is None:
            self._state = State(id=self._state.id, registered=time.time())
            save_state(self._folder, self._state)
        return True

    def answer(self, request: Request) -> Response:
        if (request.method, request.path) != ("GET", "/health"):
            return as_json({"error": "no such thing"}, HTTPStatus.NOT_FOUND)
        age = None if self._answered is None else round(time.monotonic() - self._answered, 3)
        return as_json(
            {
                "status": "ok",
                **asdict(self._state),
                "machine": self._machine,
                "ec": {"url": self._config.ec_url, "answered_seconds_ago": age},
            }
        )


def beat_until_told(beat: Callable[[], bool], stop: StopSignal) -> None:
    reached = None
    while not stop.wait(0):
        before, reached = reached, beat()
        if reached != before:
            log("the Enterprise Controller answers" if reached else "the Enterprise Controller does not answer")
        stop.wait(_HEARTBEAT_SECONDS if reached else 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="xvm-proxy", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    layout = Layout(root=parser.parse_args().root)
    stop = StopSignal()
    config = load_config(layout.config)
    proxy = Proxy(layout, config)
    listener = Listener(config.proxy_listen, config.proxy_port, proxy.answer)
    notify("READY=1")
    beat_until_told(proxy.beat, stop)
    notify("STOPPING=1")
    listener.stop()


if __name__ == "__main__":
    main()
