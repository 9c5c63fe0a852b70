"""One standby for many primaries: what of the other controllers is in the way, found without parsing each of them."""

from __future__ import annotations

import json
from pathlib import Path

from tanist.model.dataclasses import replace
from tanist.model.readout import Listener, Proofs
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.runs.others import load_wants, read_clashes
from tanist.runs.peers import write_known_hosts
from tanist.runs.proofs import survey
from tanist.runs.proofs_kept import read_proofs, save_proofs
from tanist.runs.readout import render_readout
from tests.unit.parity.pairs import OWNER
from tests.unit.runs.world import World, said

OTHER = """format = 1
name = "{name}"
[asset]
kind = "directory"
[tree]
path = "/srv/{name}"
[identity]
mode = "{mode}"
hostname = "{name}"
ssh_host_keys = "/etc/tanist/identity/{name}"
[[identity.address]]
address = "10.88.{high}.{low}/16"
interface = {{ {node} = "svc0", ec-b = "ens3" }}
[[service]]
unit = "{unit}"
[[node]]
name = "{node}"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
[[node]]
name = "{standby}"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
"""


def define(
    world: World, name: str, *, number: int = 1, standby: str = "ec-b", unit: str = "", mode: str = "alias"
) -> Path:
    text = OTHER.format(
        name=name, mode=mode, high=1 + number // 250, low=1 + number % 250, node="ec-c", standby=standby,
        unit=unit or f"{name}.service",
    )  # fmt: skip
    if standby != "ec-b":
        text = text.replace("ec-b", standby)
    path = world.top / "ec-b" / f"etc/tanist/controllers/{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_two_hundred_others_that_want_nothing_of_this_one_are_no_clash_and_read_once(world: World) -> None:
    for number in range(200):
        define(world, f"c{number}", number=number)
    session = world.session("ec-b")
    assert read_clashes(session) == ()
    write_known_hosts(session)
    parsed = note_definitions_read(world)
    assert read_clashes(session) == ()
    write_known_hosts(session)
    assert parsed == []


def note_definitions_read(world: World) -> list[str]:
    read = world.b.files.read
    parsed: list[str] = []

    def note(path: str, limit: int = 16 << 20) -> bytes:
        parsed.extend([path] if path.endswith(".toml") else [])
        return read(path, limit)

    world.b.files.read = note  # type: ignore[method-assign]
    return parsed


def test_a_shared_unit_and_a_second_name_are_found_also_after_a_change(world: World) -> None:
    path = define(world, "db")
    session = world.session("ec-b")
    assert read_clashes(session) == ()
    define(world, "db", unit="oc-ec.service", mode="host")
    (clash,) = read_clashes(session)
    assert clash.other == "db" and not clash.here and len(clash.what) == 2
    active = world.top / "ec-b" / places.active_file("db")[1:]
    active.parent.mkdir(parents=True)
    active.write_text("{}")
    assert read_clashes(session)[0].here
    path.unlink()
    assert read_clashes(session) == ()


def test_a_controller_of_other_nodes_and_one_that_cant_be_read_are_left_out(world: World) -> None:
    define(world, "far", standby="ec-d", unit="oc-ec.service")
    define(world, "broken").write_text("format = ")
    assert read_clashes(world.session("ec-b")) == ()


def test_what_another_one_listens_on_is_known_from_what_its_owner_told(world: World) -> None:
    """Two servers that listen on every address, and whose definitions name no port."""
    define(world, "db")
    session, files = world.session("ec-b"), world.b.files
    assert read_clashes(session) == ()
    mine = replace(OWNER, listeners=(Listener(protocol="udp", address="*", port=514, unit="oc-ec.service"),))
    theirs = replace(OWNER, listeners=(Listener(protocol="udp", address="*", port=514, unit="db.service"),))
    for name, told in (("oc", mine), ("db", theirs)):
        files.make_directory(f"{places.STATE}/{name}")
        files.write(f"{places.STATE}/{name}/readout-ec-a.json", render_readout(told).encode())
    (clash,) = read_clashes(session)
    assert clash.what == ("both listen on port 514 (udp) of every address",)
    files.write(f"{places.STATE}/db/readout-ec-a.json", render_readout(replace(theirs, active=False)).encode())
    assert read_clashes(session) == ()


def test_a_note_of_another_tanist_is_made_again(world: World) -> None:
    define(world, "db")
    wants = load_wants(world.b.files, "db")
    note = world.top / "ec-b" / "run/tanist/db/wants.json"
    body = json.loads(note.read_text())
    note.write_text(json.dumps({**body, "wants": {"is": "Wants"}}))
    assert load_wants(world.b.files, "db") == wants


def test_what_proofs_found_is_kept_for_readiness(world: World) -> None:
    session = world.session("ec-b")
    world.b.answer_with(["systemd-detect-virt"], lambda argv, _: said(argv, b"none\n"))
    assert isinstance(read_proofs(session), Unread)
    save_proofs(session, survey(session))
    kept = read_proofs(session)
    assert isinstance(kept, Proofs) and kept.lacking == ("ec-a",) and kept.at == session.host.now()
    (world.top / "ec-b" / places.proofs("oc")[1:]).write_text("{}")
    assert isinstance(read_proofs(session), Unread)
