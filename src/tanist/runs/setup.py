"""An installed wheel becomes commands and units of this node."""

from __future__ import annotations

import os
import sys

from tanist.definition.load import NODE_FILE
from tanist.host.host import Host
from tanist.model.errors import Refused

COMMANDS = ("tanist", "habackup", "harestore")
UNITS = "/etc/systemd/system"


def setup(host: Host, node: str) -> tuple[str, ...]:
    """A second time changes nothing. Refused without a node name where none is known yet."""
    files = host.files
    if not node and not files.exists(NODE_FILE):
        raise Refused("this node has no name yet", next_step="tanist setup --node NAME   (as definitions call it)")
    for directory in ("controllers", "identity"):
        files.make_directory(f"/etc/tanist/{directory}", 0o755)
    if node:
        files.write(NODE_FILE, f"{node}\n".encode(), 0o644)
    done = [f"node       {files.read(NODE_FILE).decode().strip()}"]
    binaries = os.path.dirname(sys.executable)
    for command in COMMANDS:
        link = f"/usr/local/bin/{command}"
        if os.path.realpath(link) != f"{binaries}/{command}" or not files.exists(link):
            host.run(["ln", "-sfn", f"{binaries}/{command}", link])
        done.append(f"command    {link}")
    source = os.path.join(os.path.dirname(os.path.dirname(__file__)), "units")
    for unit in sorted(files.list(source)):
        files.write(f"{UNITS}/{unit}", files.read(f"{source}/{unit}"), 0o644)
        done.append(f"unit       {UNITS}/{unit}")
    host.run(["systemctl", "daemon-reload"], timeout=60)
    return tuple(done)
