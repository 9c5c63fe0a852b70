"""What DRBD says, as two real kernels said it (8.4.11, drbd-utils 9.22, Debian 12); DRBD 9 as it is documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tanist.facts import drbd
from tanist.facts.device import Place
from tanist.host.host import Host
from tanist.model.growing import Room
from tanist.model.layers import DrbdLayer
from tanist.model.replica import Generations, Relation, Replica
from tanist.model.unread import Unread
from tanist.plan.replica import refuse_alone, why_old
from tests.unit.facts.machine import Machine

CASES = Path(__file__).parent / "cases"
LAYER = DrbdLayer(resource="r0", device="/dev/drbd0")
XML = {name: (CASES / f"{name}.xml").read_text() for name in ("floating", "by-name")}


def case(name: str) -> Replica:
    found = drbd.parse_proc((CASES / f"{name}.proc").read_text(), LAYER)
    assert isinstance(found, Replica)
    return found


def generations(name: str) -> Generations:
    lines = dict(line.split(" ", 1) for line in (CASES / "generations").read_text().splitlines())
    found = drbd.parse_generations(lines[name])
    assert isinstance(found, Generations)
    return found


# name -> what stands in /proc/drbd, whether the copy follows the other, whether its claim may be believed, and
# whether a takeover that was proved may promote it alone
STATES = {
    "owner": ("Connected", "Primary/Secondary", "UpToDate/UpToDate", 0, True, True, True),
    "standby": ("Connected", "Secondary/Primary", "UpToDate/UpToDate", 0, True, True, True),
    "verifying": ("VerifyT", "Secondary/Primary", "UpToDate/UpToDate", 0, True, True, True),
    "owner-alone": ("WFConnection", "Primary/Unknown", "UpToDate/DUnknown", 2616, False, True, True),
    "standby-alone": ("WFConnection", "Secondary/Unknown", "UpToDate/DUnknown", 0, False, False, True),
    "returned": ("WFConnection", "Secondary/Unknown", "UpToDate/DUnknown", 524236, False, False, True),
    "apart-a": ("StandAlone", "Primary/Unknown", "UpToDate/DUnknown", 2616, False, True, False),
    "apart-b": ("StandAlone", "Secondary/Unknown", "UpToDate/DUnknown", 44, False, False, False),
    "outdated": ("StandAlone", "Secondary/Unknown", "Outdated/DUnknown", 0, False, False, False),
    "fresh": ("Connected", "Secondary/Secondary", "Inconsistent/Inconsistent", 524236, False, False, False),
    "source": ("WFBitMapS", "Primary/Secondary", "UpToDate/Inconsistent", 524236, False, True, True),
    "target": ("SyncTarget", "Secondary/Primary", "Inconsistent/UpToDate", 520732, False, False, False),
}


@pytest.mark.parametrize("name", STATES)
def test_what_a_real_kernel_said_and_what_it_allows(name: str) -> None:
    found = case(name)
    connection, roles, disks, behind, linked, believed, alone = STATES[name]
    assert (found.connection, f"{found.role}/{found.peer_role}") == (connection, roles)
    assert (f"{found.disk}/{found.peer_disk}", found.behind) == (disks, behind << 10)
    assert (found.linked, not why_old(found), not refuse_alone(found, ())) == (linked, believed, alone)


def test_up_to_date_says_nothing_about_the_other_copy() -> None:
    """Both halves of a pair that is cut apart call themselves UpToDate, and so does one that a boot brought back."""
    for name in ("standby-alone", "returned", "apart-b"):
        assert case(name).disk == "UpToDate"
        assert "does not follow the other one" in why_old(case(name))


@pytest.mark.parametrize("name", ["not-up"])
def test_a_resource_that_the_kernel_does_not_have_follows_nobody(name: str) -> None:
    assert case(name) == Replica(resource="r0")
    assert "is not up on this node" in why_old(case(name))


def test_another_device_is_not_taken_for_it() -> None:
    text = (CASES / "owner.proc").read_text()
    assert drbd.parse_proc(text, DrbdLayer(resource="r1", device="/dev/drbd1")) == Replica(resource="r1")
    assert drbd.parse_proc(text.replace(" 0: cs", "10: cs"), LAYER) == Replica(resource="r0")
    assert drbd.parse_proc("version: 8.4.11\n 0: cs:Unconfigured\n", LAYER) == Replica(resource="r0")


def test_two_devices_are_told_apart() -> None:
    text = (CASES / "owner.proc").read_text() + (CASES / "target.proc").read_text().split("\n", 2)[2].replace(
        " 0:", " 1:"
    )
    assert drbd.parse_proc(text, LAYER) == case("owner")
    other = drbd.parse_proc(text, DrbdLayer(resource="r0", device="/dev/drbd1"))
    assert other == case("target")


RELATIONS: dict[tuple[str, str], Relation] = {
    ("owner", "standby"): "same",
    ("owner-alone", "standby-alone"): "newer",
    ("standby-alone", "owner-alone"): "older",
    ("source", "target"): "newer",
    ("owner", "fresh"): "newer",
    ("apart-a", "apart-b"): "apart",
    ("apart-b", "apart-a"): "apart",
}


@pytest.mark.parametrize("names", RELATIONS)
def test_generations_of_two_real_copies_tell_which_is_newer(names: tuple[str, str]) -> None:
    """The kernel called the last ones "uuid_compare()=100 by rule 90" and "Split-Brain detected"."""
    mine, theirs = map(generations, names)
    assert mine.compare(theirs) == RELATIONS[names]


def test_copies_without_a_common_generation_are_strangers() -> None:
    mine, theirs = Generations(current=0x10, bitmap=0), Generations(current=0x20, bitmap=0)
    assert mine.compare(theirs) == "strangers"


@pytest.mark.parametrize("text", ["", "No valid meta data found", "C887:0000"])
def test_generations_that_are_none_are_not_guessed(text: str) -> None:
    assert isinstance(drbd.parse_generations(text), Unread)


# -- DRBD 9 (drbdsetup-9.0(8), status --json)
def status(connection: str, replication: str, disk: str, role: str = "Secondary", **peer: Any) -> str:
    its = {"volume": 0, "replication-state": replication, "peer-disk-state": "UpToDate", "out-of-sync": 4}
    one = {"peer-node-id": 1, "name": "ec-b", "connection-state": connection, "peer-role": "Primary", **peer}
    if connection == "Connected":
        one["peer_devices"] = [its]
    device = {"volume": 0, "minor": 0, "disk-state": disk, "quorum": True}
    return json.dumps([{"name": "r0", "node-id": 0, "role": role, "devices": [device], "connections": [one]}])


def test_drbd_9_tells_the_same_in_other_words() -> None:
    found = drbd.parse_status(status("Connected", "Established", "UpToDate"), "r0")
    assert isinstance(found, Replica)
    assert (found.connection, found.linked, found.peer_role, found.behind) == ("Connected", True, "Primary", 4096)
    for connection, replication, word in (
        ("Connecting", "Off", "WFConnection"),
        ("StandAlone", "Off", "StandAlone"),
        ("Connected", "SyncTarget", "SyncTarget"),
        ("Connected", "Off", "WFReportParams"),
    ):
        found = drbd.parse_status(status(connection, replication, "UpToDate"), "r0")
        assert isinstance(found, Replica)
        assert (found.connection, found.linked) == (word, False)


def test_drbd_9_of_more_than_a_pair_is_not_judged() -> None:
    said = json.loads(status("Connected", "Established", "UpToDate"))
    said[0]["connections"] *= 2
    found = drbd.parse_status(json.dumps(said), "r0")
    assert isinstance(found, Unread)
    assert "2 other nodes" in found.why


@pytest.mark.parametrize("text", ["[]", "", json.dumps([{"name": "r1"}])])
def test_a_resource_that_drbd_9_does_not_have_is_not_up(text: str) -> None:
    assert drbd.parse_status(text, "r0") == Replica(resource="r0")


@pytest.mark.parametrize("text", ["{", '[{"name": "r0"}]', '[{"name": "r0", "devices": 1, "connections": []}]', "[1]"])
def test_what_can_not_be_understood_is_unread(text: str) -> None:
    assert isinstance(drbd.parse_status(text, "r0"), Unread)


# -- where the copy lies, and what an administrator has set
def machine(root: Path, proc: str | None, *, xml: str = XML["floating"], enabled: str = "drbd@r0.target") -> Host:
    """`proc`: what /proc/drbd says, None without the module."""
    commands = {
        "drbdadm sh-ll-dev r0": "/dev/local0\n",
        "drbdadm dump-xml r0": xml,
    }
    for unit in ("drbd.service", "drbd@r0.target"):
        commands[f"systemctl is-enabled {unit}"] = "enabled\n" if unit == enabled else "disabled\n"
    files = {} if proc is None else {"/proc/drbd": (CASES / f"{proc}.proc").read_text()}
    return Machine(root, files=files, commands=commands).host


@pytest.mark.parametrize(
    ("proc", "device"),
    [("owner", "/dev/drbd0"), ("owner-alone", "/dev/drbd0"), ("standby", "/dev/local0"), (None, "/dev/local0")],
)
def test_only_a_primary_is_read_through_its_device(tmp_path: Path, proc: str | None, device: str) -> None:
    nothing = Place(device="", offset=0, size=0)
    assert drbd.find_place(machine(tmp_path, proc), LAYER, nothing) == Place(device=device, offset=0, size=0)


def wrongs(host: Host) -> dict[str, str]:
    return {one.name: one.wrong for one in drbd.read_states(host, LAYER) if one.wrong}


def test_a_resource_as_it_should_be_has_nothing_to_mend(tmp_path: Path) -> None:
    assert wrongs(machine(tmp_path, "standby")) == {}


@pytest.mark.parametrize(
    ("section", "option", "value", "about"),
    [
        ("net", "allow-two-primaries", "yes", "allow-two-primaries"),
        ("net", "after-sb-0pri", "discard-zero-changes", "after-sb-0pri"),
        ("net", "after-sb-1pri", "discard-secondary", "after-sb-1pri"),
        ("net", "after-sb-2pri", "call-pri-lost-after-sb", "after-sb-2pri"),
        ("net", "protocol", "A", "protocol"),
        ("startup", "become-primary-on", "both", "become-primary-on"),
        ("disk", "fencing", "resource-and-stonith", "fencing"),
    ],
)
def test_a_setting_that_goes_past_a_person_is_named(
    tmp_path: Path, section: str, option: str, value: str, about: str
) -> None:
    line = f'<section name="{section}"><option name="{option}" value="{value}"/></section>'
    xml = (
        XML["floating"].replace('<option name="protocol" value="C"/>', "").replace("</resource>", f"{line}</resource>")
    )
    assert set(wrongs(machine(tmp_path, "standby", xml=xml))) == {f"r0 {about}"}


def test_a_device_of_another_number_and_a_boot_that_brings_nothing_up_are_named(tmp_path: Path) -> None:
    xml = XML["floating"].replace('minor="0"', 'minor="3"')
    assert set(wrongs(machine(tmp_path, "standby", xml=xml, enabled=""))) == {"r0 device", "r0 at boot"}


def test_a_boot_that_waits_for_the_other_node_without_an_end_is_named(tmp_path: Path) -> None:
    """Measured: nine minutes after a power cut the machine still waited, and its boot with it."""
    assert "without an end" in wrongs(machine(tmp_path, "standby", enabled="drbd.service"))["r0 at boot"]
    timeout = '<section name="startup"><option name="wfc-timeout" value="15"/></section></resource>'
    xml = XML["floating"].replace("</resource>", timeout)
    assert wrongs(machine(tmp_path, "standby", xml=xml, enabled="drbd.service")) == {}


def test_drbd_9_would_promote_whoever_opens_the_device() -> None:
    config = drbd.parse_config(XML["floating"], "r0")
    assert isinstance(config, drbd.Config)
    assert [about for about, _, _ in drbd.judge_config(config, LAYER, 8)] == []
    assert [about for about, _, _ in drbd.judge_config(config, LAYER, 9)] == ["auto-promote"]


def test_a_resource_by_host_names_is_seen_as_such() -> None:
    for name, by_name in (("by-name", True), ("floating", False)):
        config = drbd.parse_config(XML[name], "r0")
        assert isinstance(config, drbd.Config)
        assert config.by_name is by_name
    assert isinstance(drbd.parse_config("<config/>", "r0"), Unread)
    assert isinstance(drbd.parse_config("drbd.d: conflicting use", "r0"), Unread)


# -- growing
SET = '<section name="disk"><option name="size" value="{}"/></section></resource>'


@pytest.mark.parametrize(
    ("change", "version", "has"),
    [
        ((), "8", (1 << 30) - (8 * 8 + 72) * 512),  # 32 KiB of bits for each GiB, and 36 KiB: the User's Guide
        ((), "9", (1 << 30) - (8 * 8 * 8 + 72) * 512),
        (("<meta-disk>internal", "<meta-disk>/dev/meta"), "8", 1 << 30),
        (("</resource>", SET.format("32M")), "8", 32 << 20),
        (("</resource>", SET.format("2048")), "8", 1 << 20),
    ],
    ids=["internal", "of more nodes", "external", "set", "set in sectors"],
)
def test_a_node_tells_what_its_own_disk_has_room_for(
    tmp_path: Path, change: tuple[str, str] | tuple[()], version: str, has: int
) -> None:
    xml = XML["floating"]
    if change:
        xml = xml.replace(*change)
    files = {"/proc/drbd": f"version: {version}.4.11\n"}
    commands = {"drbdadm dump-xml r0": xml, "blockdev --getsize64 /dev/local0": f"{1 << 30}\n"}
    host = Machine(tmp_path, files=files, commands=commands).host
    assert drbd.read_capacity(host, LAYER, "/dev/local0") == has


def test_what_can_not_be_told_is_no_room(tmp_path: Path) -> None:
    xml = {"drbdadm dump-xml r0": XML["floating"]}
    assert isinstance(drbd.read_capacity(Machine(tmp_path, commands=xml).host, LAYER, "/dev/local0"), Unread)
    assert isinstance(drbd.read_capacity(Machine(tmp_path).host, LAYER, "/dev/local0"), Unread)
    assert drbd.parse_size("much") == 0


@pytest.mark.parametrize(
    ("proc", "could"),
    [("owner", 2 << 30), ("owner-alone", None), ("source", None), ("target", None), ("verifying", None)],
)
def test_only_two_copies_that_are_alike_grow(tmp_path: Path, proc: str, could: int | None) -> None:
    text = (CASES / f"{proc}.proc").read_text()
    size = {"blockdev --getsize64 /dev/drbd0": f"{1 << 30}\n"}
    host = Machine(tmp_path, files={"/proc/drbd": text}, commands=size).host
    room = drbd.read_room(host, LAYER, {LAYER.device: 2 << 30}, 0)
    if could is None:
        assert isinstance(room, Unread) and "both copies have to be there and alike" in room.why
    else:
        assert room == Room(device=LAYER.device, now=1 << 30, could=could)
        less = drbd.read_room(host, LAYER, {LAYER.device: 1 << 20}, 0)
        assert isinstance(less, Room) and not less.grows
    deaf = Machine(tmp_path, files={"/proc/drbd": text}).host
    assert isinstance(drbd.read_room(deaf, LAYER, {}, 0), Unread)
    (tmp_path / "proc/drbd").write_text("version: unknown")
    assert isinstance(drbd.read_room(host, LAYER, {}, 0), Unread)
