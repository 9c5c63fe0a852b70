"""A capture is input: what it holds beyond the definition stays where it is."""

from __future__ import annotations

import pytest

from tanist.model.dataclasses import replace
from tanist.runs.backup import backup
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tanist.runs.verification import verify_newest
from tests.unit.runs.world import World

EVIL = "/opt/evil/suid"


@pytest.mark.requirement("A58")
def test_a_set_id_file_outside_the_definition_is_never_written_whatever_the_capture_holds(world: World) -> None:
    right = world.controller
    world.a.files.make_directory("/opt/evil")
    world.a.files.write(EVIL, b"#!/bin/sh\n", 0o4755)
    world.controller = replace(right, outside=replace(right.outside, files=(*right.outside.files, EVIL)))
    backup(world.session("ec-a"), mirror=True)
    world.controller = right
    world.a.power_off()
    session = world.session("ec-b")
    assert EVIL not in dry_run(session, TakeoverOptions(attest="seen off"))[1]
    assert verify_newest(session).result == "good"  # in the scratch root it may be, root's alone
    takeover(session, TakeoverOptions(attest="seen off"))
    assert not world.b.files.exists("/opt/evil")
    assert world.b.files.read("/etc/oc/main.conf") == b"configured on ec-a\n"
