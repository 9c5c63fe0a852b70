"""Sessions and records of open-iscsi 2.1.8 on Linux 6.1, logged in to LIO by two portals."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tanist.facts import multipath
from tanist.facts.device import Place
from tanist.facts.iscsi import find_place, read_sessions, read_states
from tanist.facts.multipath import find_paths, read_map
from tanist.facts.multipath import find_place as find_path
from tanist.facts.users import find_users
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.layer_steps import GatherPaths, LogIn
from tanist.model.layers import IscsiLayer, MultipathLayer
from tanist.model.readout import LayerState
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.iscsi import apply_log_in, is_log_in_applied, undo_log_in
from tanist.steps.multipath import apply_gather_paths, is_gather_paths_applied, undo_gather_paths
from tests.unit.facts.machine import Machine

TARGET = "iqn.2026-01.test.lab:store"
PORTALS = ("10.66.0.21:3260", "10.88.0.21:3260")
LAYER = IscsiLayer(target=TARGET, portals=PORTALS)
WWID = "36001405ab00000000000000000000000"
SESSION, CONNECTION, BLOCK = "/sys/class/iscsi_session", "/sys/class/iscsi_connection", "/sys/class/block"
NAME = "/etc/iscsi/initiatorname.iscsi"
SYSFS = {
    f"{SESSION}/session1/targetname": f"{TARGET}\n",
    f"{SESSION}/session1/state": "LOGGED_IN\n",
    f"{SESSION}/session1/recovery_tmo": "120\n",
    f"{SESSION}/session1/password": "(null)\n",
    f"{SESSION}/session1/device/target1:0:0/1:0:0:0/block/sde/dev": "8:64\n",
    f"{SESSION}/session1/device/target1:0:0/1:0:0:1/block/sdf/dev": "8:80\n",
    f"{SESSION}/session2/targetname": f"{TARGET}\n",
    f"{SESSION}/session2/state": "LOGGED_IN\n",
    f"{SESSION}/session2/recovery_tmo": "5\n",
    f"{SESSION}/session2/device/target2:0:0/2:0:0:0/block/sdg/dev": "8:96\n",
    f"{SESSION}/session3/targetname": "iqn.2026-01.test.lab:another\n",
    f"{CONNECTION}/connection1:0/persistent_address": "10.66.0.21\n",
    f"{CONNECTION}/connection1:0/persistent_port": "3260\n",
    f"{CONNECTION}/connection2:0/persistent_address": "10.88.0.21\n",
    f"{CONNECTION}/connection2:0/persistent_port": "3260\n",
    **{f"{BLOCK}/{name}/device/wwid": f"naa.{WWID[1:]}\n" for name in ("sde", "sdg")},
    **{f"{BLOCK}/{name}/device/state": "running\n" for name in ("sde", "sdf", "sdg")},
    f"{BLOCK}/sdf/device/wwid": "naa.6001405ab10000000000000000000000\n",
    NAME: "## as the installation made it\nInitiatorName=iqn.2026-01.test.lab:ec-a\n",
}
RECORD = """# BEGIN RECORD 2.1.8
node.name = iqn.2026-01.test.lab:store
node.tpgt = -1
node.startup = manual
node.leading_login = No
node.session.auth.password = ********
node.conn[0].startup = manual
# END RECORD
"""


def ask(portal: str, words: str = "") -> str:
    return f"iscsiadm -m node -T {TARGET} -p {portal} {words}".strip()


RECORDS: dict[str, str | int] = {ask(one): RECORD.replace("startup = manual", "startup = automatic") for one in PORTALS}


def machine(path: Path, files: dict[str, str], commands: dict[str, str | int] | None = None) -> Machine:
    return Machine(path, files=files, commands=RECORDS if commands is None else commands)


def wrong(states: list[LayerState]) -> dict[str, str]:
    return {state.name: state.wrong for state in states if state.wrong}


def states(
    path: Path, files: dict[str, str], layer: IscsiLayer = LAYER, record: str | int | None = None
) -> dict[str, str]:
    commands = RECORDS if record is None else {**RECORDS, ask(PORTALS[0]): record}
    return wrong(list(read_states(machine(path, files, commands).host, layer)))


def test_each_session_tells_its_portal_and_its_disks(tmp_path: Path) -> None:
    one, two = read_sessions(machine(tmp_path, SYSFS).host, TARGET)
    assert (one.portal, one.state, one.waits, one.disks) == (PORTALS[0], "LOGGED_IN", 120, ("sde", "sdf"))
    assert (two.portal, two.waits, two.disks) == (PORTALS[1], 5, ("sdg",))
    assert read_sessions(machine(tmp_path / "none", {}).host, TARGET) == ()


def test_a_node_that_is_logged_in_for_good_has_nothing_wrong_and_tells_its_own_name(tmp_path: Path) -> None:
    found = list(read_states(machine(tmp_path, SYSFS).host, LAYER))
    assert wrong(found) == {}
    assert [state.own for state in found if state.own] == ["iqn.2026-01.test.lab:ec-a"]


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        ({f"{SESSION}/session2/state": "FAILED\n"}, TARGET, "10.88.0.21:3260 is FAILED"),
        ({f"{SESSION}/session2/targetname": "iqn.x:y\n"}, TARGET, "10.88.0.21:3260 has no session"),
        ({NAME: "# InitiatorName=iqn.a:b\n"}, "iSCSI", "holds no InitiatorName"),
    ],
)
def test_what_a_log_in_lacks_is_told(tmp_path: Path, change: dict[str, str], name: str, says: str) -> None:
    found = states(tmp_path, {**SYSFS, **change})
    assert list(found) == [name] and says in found[name]


def test_a_boot_that_would_not_do_as_the_definition_says_is_told(tmp_path: Path) -> None:
    at_boot = f"{TARGET} at boot"
    assert "is manual" in states(tmp_path, SYSFS, record=RECORD)[at_boot]
    assert "no record" in states(tmp_path / "b", SYSFS, record=21)[at_boot]
    assert "no node.startup" in states(tmp_path / "c", SYSFS, record="garbage")[at_boot]
    alone = replace(LAYER, logout=True)
    assert "is automatic" in states(tmp_path / "d", SYSFS, alone)[at_boot]
    assert "only the owner" in states(tmp_path / "d", SYSFS, alone)[at_boot]
    name = {NAME: SYSFS[NAME]}
    assert list(states(tmp_path / "e", name, replace(alone, portals=PORTALS[:1]), record=RECORD)) == []


def test_a_disk_that_cannot_be_seen_is_never_clean(tmp_path: Path) -> None:
    layer, below = replace(LAYER, device="/dev/disk/by-path/a"), Place(device="", offset=0, size=0)
    out = find_place(machine(tmp_path, {}).host, layer, below)
    assert isinstance(out, Unread) and "not logged in" in out.why and "--login" in out.why
    there = find_place(machine(tmp_path / "in", SYSFS).host, layer, below)
    assert isinstance(there, Unread) and "not among the disks" in there.why


def test_who_uses_a_disk_of_the_target_is_named(tmp_path: Path) -> None:
    holders = {f"{BLOCK}/sde/sde1/dev": "8:65\n", f"{BLOCK}/sde1/holders/dm-3/dev": "253:3\n"}
    swap = {"/proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/dev/sdf   partition 65532 0 -2\n"}
    found = find_users(machine(tmp_path, {**SYSFS, **holders, **swap}).host, ("sde", "sdf", "sdg"))
    assert found == ("/dev/sde1 by dm-3", "/dev/sdf by swap")


def context(made: Machine) -> Context:
    return Context(host=made.host, controller=None, node="ec-a")  # type: ignore[arg-type]


def test_a_target_that_refuses_is_told_without_a_secret(tmp_path: Path) -> None:
    made = machine(tmp_path, {}, {ask(PORTALS[0]): RECORD, ask(PORTALS[0], "--login"): 24})
    spec = LogIn(target=TARGET, portals=PORTALS[:1], device="", stays=True)
    with pytest.raises(Failed, match="CHAP secret"):
        apply_log_in(spec, context(made))
    assert not any("password" in word for argv in made.ran for word in argv)
    assert is_log_in_applied(spec, context(made)) is False


@pytest.mark.parametrize(("stays", "startup"), [(True, "automatic"), (False, "manual")])
def test_a_record_that_is_missing_is_made_as_the_definition_says(tmp_path: Path, stays: bool, startup: str) -> None:
    commands: dict[str, str | int] = {
        ask(PORTALS[0]): 21,
        ask(PORTALS[0], "-o new"): "",
        ask(PORTALS[0], "--login"): -1,
    }
    update = ask(PORTALS[0], f"-o update -n node.startup -v {startup}")
    made = machine(tmp_path, {}, {**commands, update: ""})
    with pytest.raises(Failed, match=r"10\.66\.0\.21:3260: timed out"):
        apply_log_in(LogIn(target=TARGET, portals=PORTALS[:1], device="", stays=stays), context(made))
    assert tuple(update.split()) in made.ran


def test_a_log_in_that_stays_is_left_alone_and_tells_nothing(tmp_path: Path) -> None:
    made = machine(tmp_path, SYSFS, {})
    spec = LogIn(target=TARGET, portals=PORTALS, device="", stays=True)
    apply_log_in(spec, context(made))
    undo_log_in(spec, context(made))
    assert made.ran == [] and is_log_in_applied(spec, context(made)) is None
    assert is_log_in_applied(replace(spec, stays=False), context(made)) is True


# -- multipath


def hurry(made: Machine) -> Machine:
    """Each look at the clock is five seconds later."""
    now = iter(range(0, 1000, 5))
    made.monotonic = lambda: float(next(now))  # type: ignore[attr-defined]
    made.sleep = lambda _: None  # type: ignore[attr-defined]
    return made


def test_the_paths_of_a_disk_are_found_by_its_name_where_it_has_no_map(tmp_path: Path) -> None:
    layer, below = MultipathLayer(device="/dev/mapper/a", wwid=WWID), Place(device="", offset=0, size=0)
    host = machine(tmp_path, {**SYSFS, f"{BLOCK}/sde/device/state": "transport-offline\n"}).host
    assert find_paths(host, WWID) == ("sdg",)
    assert find_path(host, layer, below) == Place(device="/dev/sdg", offset=0, size=0)
    nothing = find_path(machine(tmp_path / "none", {}).host, layer, below)
    assert isinstance(nothing, Unread) and "no path" in nothing.why
    assert read_map(host, layer.device) is None


def test_a_map_that_does_not_come_is_told_with_the_paths_that_are_seen(tmp_path: Path) -> None:
    made = machine(tmp_path, SYSFS, {f"multipath {WWID}": ""})
    hurry(made)
    with pytest.raises(Failed, match="2 paths to 36001405ab0"):
        apply_gather_paths(GatherPaths(device="/dev/mapper/a", wwid=WWID, paths=2, stays=True), context(made))


MAP = MultipathLayer(device="/dev/mapper/ledger", wwid=WWID)
DM = f"{BLOCK}/dm-0"
# of a map one of whose portals was cut off from this node, and of one that has lost both
ONE_LEFT = "0 2097152 multipath 2 0 1 0 1 1 A 0 2 2 8:64 A 0 0 1 8:96 F 1 0 1 \n"
NONE_LEFT = "0 2097152 multipath 2 0 1 0 1 1 E 0 2 2 8:64 F 1 0 1 8:96 F 2 0 1 \n"


def mapped(path: Path, status: str, uuid: str = f"mpath-{WWID}") -> Machine:
    parts = {f"{DM}/slaves/{name}/dev": number for name, number in (("sde", "8:64"), ("sdg", "8:96"))}
    numbers = {f"{BLOCK}/sde/dev": "8:64\n", f"{BLOCK}/sdg/dev": "8:96\n"}
    files = {**SYSFS, **parts, **numbers, f"{DM}/dm/uuid": f"{uuid}\n", f"{DM}/dm/name": "ledger\n"}
    made = machine(path, files, {"dmsetup status ledger": status})
    (path / "dev/mapper").mkdir(parents=True)
    os.mknod(path / "dev/dm-0", stat.S_IFBLK | 0o600, os.makedev(253, 0))
    (path / "dev/mapper/ledger").symlink_to("../dm-0")
    return made


@pytest.mark.parametrize(
    ("status", "says"),
    [(ONE_LEFT, "has 1 of 2 paths: sde; given up: sdg"), (NONE_LEFT, "has 0 of 2 paths: none; given up: sde, sdg")],
)
def test_a_map_tells_the_paths_that_it_has_given_up(tmp_path: Path, status: str, says: str) -> None:
    made = mapped(tmp_path, status)
    (state,) = multipath.read_states(made.host, MAP)
    assert state.kind == "paths" and state.wrong == f"/dev/mapper/ledger {says}"
    (state,) = multipath.read_states(mapped(tmp_path / "b", status.replace("F", "A")).host, MAP)
    assert state.wrong == "" and "has 2 of 2 paths" in state.says


def test_a_map_of_another_disk_is_neither_read_nor_taken_nor_flushed(tmp_path: Path) -> None:
    made = hurry(mapped(tmp_path, ONE_LEFT, uuid="mpath-36001405ff"))
    found = find_path(made.host, MAP, Place(device="", offset=0, size=0))
    assert isinstance(found, Unread) and "is the multipath map of 36001405ff" in found.why
    spec = GatherPaths(device=MAP.device, wwid=WWID, paths=1, stays=False)
    for act in (apply_gather_paths, undo_gather_paths):
        with pytest.raises(Failed, match="is the multipath map of 36001405ff"):
            act(spec, context(made))
    assert not any(argv[0] == "multipath" for argv in made.ran)
    assert is_gather_paths_applied(spec, context(made)) is False


def test_one_path_is_enough_to_go_on_with_and_a_map_that_stays_is_left(tmp_path: Path) -> None:
    made = mapped(tmp_path, ONE_LEFT)
    hurry(made)
    spec = GatherPaths(device=MAP.device, wwid=WWID, paths=2, stays=True)
    apply_gather_paths(spec, context(made))
    undo_gather_paths(spec, context(made))
    assert is_gather_paths_applied(spec, context(made)) is None
    assert {argv[0] for argv in made.ran} == {"dmsetup"}
