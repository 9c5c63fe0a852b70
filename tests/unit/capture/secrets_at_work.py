"""What test_capture_secrets.py runs under strace(1): all that handles captures, with a umask that hides nothing."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from tanist.model.definition import Mirror
from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.diffing import diff_captures
from tanist.runs.first import init
from tanist.runs.mirror_key import share_keys
from tanist.runs.restore import harestore
from tanist.runs.takeover import TakeoverOptions
from tanist.runs.verification import verify_all, verify_newest
from tests.unit.runs.world import World

SECRET = b"-----BEGIN PRIVATE KEY-----"
BEGIN = "/the-watch-begins"


def main() -> None:
    os.umask(0)
    world = World(Path(sys.argv[1]))
    init(world.session("ec-a"))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(BEGIN)  # seen in the trace
    for encrypted in (False, True):
        if encrypted:
            world.controller = replace(world.controller, mirror=Mirror(at_rest="encrypted"))
            share_keys(world.session("ec-a"), new=False)
        for number in range(2):
            world.clock.advance(60)
            world.a.files.write("/etc/oc/main.conf", SECRET + b"%d" % number, 0o640, 101, 101)
            backup(world.session("ec-a"), mirror=True)
        for node in ("ec-a", "ec-b"):
            assert verify_newest(world.session(node)).result == "good"
            verify_all(world.session(node))
            list(diff_captures(world.session(node), "latest", node))
    world.a.files.remove("/etc/oc/main.conf")
    harestore(world.session("ec-a"), TakeoverOptions())
    assert world.a.files.read("/etc/oc/main.conf").startswith(SECRET)
    for session in (world.session("ec-a"), world.session("ec-b")):
        for path in (places.verified("oc"), places.history("oc")):
            assert not session.host.files.exists(path) or SECRET not in session.host.files.read(path)
    assert SECRET.decode() not in world.said("ec-a") + world.said("ec-b")
    assert not any(SECRET.decode() in " ".join(argv) for node in (world.a, world.b) for argv in node.ran)


if __name__ == "__main__":
    main()
