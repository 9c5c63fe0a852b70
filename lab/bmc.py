"""The lab's power switch, as a management controller would be: on the management network, with a password.

    python -m lab.bmc LAB PASSWORD_FILE

Listens at 10.99.0.1, port 7777. A request is a line, "PASSWORD ACTION NODE" (off, on, status), and so is the answer:
"on", "off", "done" or "error TEXT". "off" is the lab's power cut. The outlet "spare" feeds nobody and is off. Ends with
the lab.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from lab.enter import NODE_NAMES
from lab.errors import LabError, LabRefused
from lab.lab import Lab
from lab.layout import MGMT_NET
from lab.network import NETNS

ADDRESS, PORT = f"{MGMT_NET}.1", 7777
SPARE = "spare"
CLONE_NEWNET = 0x40000000
PATIENCE = 10.0  # seconds that a caller may take for its line


def main(name: str, password_file: str) -> None:
    lab, password = Lab(name), Path(password_file).read_text().strip()
    serve(NETNS / lab.layout.switch, PORT, lambda words: answer(lab, password, words))


def serve(namespace: Path, port: int, reply: Callable[[list[str]], str]) -> None:
    """A line for a line, one caller after the other, for ever."""
    with listen_in(namespace, port) as listener:
        while True:
            link, _ = listener.accept()
            with link:
                link.settimeout(PATIENCE)
                try:
                    asked = link.makefile("r", encoding="utf-8", errors="replace").readline(300)
                    link.sendall(f"{reply(asked.split())}\n".encode())
                except OSError:
                    continue


def listen_in(namespace: Path, port: int) -> socket.socket:
    """A socket there; the process itself stays in the machine's namespace, whose tools it needs."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(namespace, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        listener = socket.create_server((ADDRESS, port))
        if libc.setns(own, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns back")
    finally:
        os.close(own)
        os.close(there)
    return listener


def answer(lab: Lab, password: str, words: list[str]) -> str:
    if len(words) != 3 or words[0] != password:
        return "error login refused"
    action, node = words[1:]
    if node == SPARE:
        return "off" if action == "status" else "done"
    if node not in NODE_NAMES:
        return f"error there is no outlet {node}"
    try:
        state = {one.name: one.state for one in lab.status().nodes}[node]
        match action:
            case "status":
                return "off" if state == "off" else "on"
            case "off":
                if state != "off":
                    lab.cut(node)
                return "done"
            case "on":
                if state == "off":
                    lab.boot(node, wait=False)
                return "done"
            case _:
                return f"error there is no action {action}"
    except (LabError, LabRefused, OSError) as error:
        return f"error {str(error).splitlines()[0]}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
