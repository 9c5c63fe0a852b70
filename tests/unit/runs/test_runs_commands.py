"""Databases outside the tree move through their own tools: saved, given to the next owner, and given back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.host.fake_world import Crash
from tanist.model.definition import Controller
from tanist.model.errors import Failed
from tanist.model.host import Ran
from tanist.runs.backup import backup
from tanist.runs.boot import boot
from tanist.runs.carry_on import resume, undo
from tanist.runs.first import init
from tanist.runs.glance import seems_captured
from tanist.runs.release import release
from tanist.runs.restore import dry_restore, harestore
from tanist.runs.session import read_active
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.world import ASSETS, World, said

COMMANDS = """
[[capture.command]]
name = "roles"
argv = ["/usr/bin/dump", "roles"]
service = "oc-ec.service"
restore = ["/usr/bin/load", "roles"]

[[capture.command]]
name = "people"
argv = ["/usr/bin/dump", "people"]
when = "any"
restore = ["/usr/bin/load", "people"]

[[capture.command]]
name = "index"
argv = ["/usr/bin/dump", "index"]
when = "stopped"
restore = ["/usr/bin/load", "index"]
"""
ROLES, PEOPLE, INDEX = ("roles", "people", "index")
STRIDE = 1 if os.environ.get("TANIST_EVERY_POINT") else 5
OUTPUTS = "/var/lib/tanist/oc/commands"


def make_controller(more: str = COMMANDS) -> Controller:
    text = (Path(__file__).parent / "oc.toml").read_text().format(mode="host", asset=ASSETS["filesystem"])
    return load_controller((text + more).encode(), "oc.toml")


class Databases:
    """Of each node; "roles" is in oc-ec.service, "index" is locked by it, "people" has a server of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.of = {name: {one: f"{one} of {name}" for one in (ROLES, PEOPLE, INDEX)} for name in world.nodes}
        self.asked: list[tuple[str, str, str]] = []
        self.broken = ""
        for name, node in world.nodes.items():
            node.answer_with(["/usr/bin/dump"], self._answer(name, "dump"))
            node.answer_with(["/usr/bin/load"], self._answer(name, "load"))

    def _answer(self, name: str, what: str) -> Callable[[Sequence[str], bytes], Ran]:
        def answer(argv: Sequence[str], stdin: bytes) -> Ran:
            one = argv[1]
            self.asked.append((name, what, one))
            units = self.world.nodes[name].units
            up = units["oc-ec.service"].state == "active"
            if self.broken == f"{what} {one}" or (one == ROLES and not up) or (one == INDEX and up):
                return said(argv, status=2, stderr=b"secret")
            assert one != ROLES or what != "dump" or units["oc-proxy.service"].state != "active" or self.hourly
            if what == "dump":
                return said(argv, self.of[name][one].encode())
            with self.world.nodes[name]._changing(f"load {one}"):
                self.of[name][one] = stdin.decode()
            return said(argv)

        return answer

    hourly = True  # else the services that talk to "roles" have stopped by the time it is saved

    def did(self, name: str) -> list[str]:
        return [f"{what} {one}" for node, what, one in self.asked if node == name]


@pytest.fixture
def world(tmp_path: Path):  # type: ignore[no-untyped-def]
    world = World(tmp_path / "world", controller=make_controller())
    world.databases = Databases(world)  # type: ignore[attr-defined]
    init(world.session("ec-a"))
    yield world
    assert world.violations == ()


@pytest.fixture
def databases(world: World) -> Databases:
    found: Databases = world.databases  # type: ignore[attr-defined]
    found.asked.clear()
    return found


def hand_over(world: World, databases: Databases) -> None:
    databases.hourly = False
    release(world.session("ec-a"))
    databases.hourly = True
    takeover(world.session("ec-b"), TakeoverOptions())


def test_the_first_capture_has_what_can_be_had_while_the_services_run(world: World, databases: Databases) -> None:
    assert world.a.files.read(f"{OUTPUTS}/roles") == b"roles of ec-a"
    assert world.a.files.list(OUTPUTS) == ("people", "roles")
    backup(world.session("ec-a"), mirror=True)
    assert databases.did("ec-a") == ["dump roles", "dump people"]


def test_a_standby_runs_no_command(world: World, databases: Databases) -> None:
    backup(world.session("ec-b"), mirror=True)
    dry_run(world.session("ec-b"), TakeoverOptions())
    assert databases.did("ec-b") == []


def test_captures_on_change_run_no_command(world: World, databases: Databases) -> None:
    world.a.files.write("/etc/default/oc", b"changed")
    backup(world.session("ec-a"), mirror=False, commands=False)
    assert databases.asked == []


def test_each_moves_whole_and_is_saved_at_the_last_moment_that_it_can_be(world: World, databases: Databases) -> None:
    backup(world.session("ec-a"), mirror=True)
    databases.of["ec-a"] = {one: f"{one}, the last state" for one in (ROLES, PEOPLE, INDEX)}
    assert seems_captured(world.session("ec-a"))  # of files nothing changed: no second capture, but the last one
    databases.asked.clear()
    hand_over(world, databases)
    assert databases.did("ec-a") == ["dump roles", "dump people", "dump index"]
    assert databases.did("ec-b") == [
        *("dump people", "load people", "dump index", "load index"),
        *("dump roles", "load roles"),
    ]
    assert databases.of["ec-b"] == {one: f"{one}, the last state" for one in (ROLES, PEOPLE, INDEX)}


def test_a_node_has_its_own_back_after_it_was_the_controller(world: World, databases: Databases) -> None:
    hand_over(world, databases)
    databases.of["ec-b"][PEOPLE] = "people as they left"
    databases.of["ec-b"][ROLES] = "roles as they left"
    databases.hourly = False
    release(world.session("ec-b"))
    assert databases.of["ec-b"][PEOPLE] == "people of ec-b"
    assert databases.of["ec-b"][INDEX] == "index of ec-b"
    assert "not given back: what /usr/bin/dump said of this node" in world.said("ec-b")
    (own,) = [path for path in (world.top / "ec-b/var/lib/tanist/oc/own").iterdir() if path.name.endswith(".commands")]
    assert (own / "roles").read_text() == "roles of ec-b"
    databases.hourly = True
    takeover(world.session("ec-a"), TakeoverOptions())
    assert databases.of["ec-a"] == {
        ROLES: "roles as they left",
        PEOPLE: "people as they left",
        INDEX: "index of ec-a",
    }


def test_with_the_owner_dead_the_last_capture_is_given_and_nothing_is_asked_of_it(
    world: World, databases: Databases
) -> None:
    backup(world.session("ec-a"), mirror=True)
    databases.asked.clear()
    world.a.power_off()
    takeover(world.session("ec-b"), TakeoverOptions(attest="burnt"))
    assert databases.did("ec-a") == []
    assert databases.of["ec-b"][ROLES] == "roles of ec-a"
    assert databases.of["ec-b"][INDEX] == "index of ec-b"  # was never saved: only a release can
    assert "has no output of index" in world.said("ec-b")


@pytest.mark.parametrize("one", [ROLES, INDEX])
def test_a_release_whose_command_fails_is_undone_and_says_what_to_look_at(
    world: World, databases: Databases, one: str
) -> None:
    databases.hourly, databases.broken = False, f"dump {one}"
    with pytest.raises(Failed, match="exit status 2") as caught:
        release(world.session("ec-a"))
    assert "secret" not in str(caught.value)
    assert read_active(world.session("ec-a"))
    assert world.a.units["oc-proxy.service"].state == "active"
    databases.broken = ""
    release(world.session("ec-a"))


def test_a_capture_whose_command_fails_is_none(world: World, databases: Databases) -> None:
    captures = sorted(path.name for path in (world.top / "disk/.tanist/captures").iterdir() if path.is_dir())
    databases.broken = "dump roles"
    databases.of["ec-a"][PEOPLE] = "others"
    with pytest.raises(Failed, match="roles"):
        backup(world.session("ec-a"), mirror=True)
    assert sorted(p.name for p in (world.top / "disk/.tanist/captures").iterdir() if p.is_dir()) == captures


def test_one_that_cannot_be_given_holds_the_run_and_resume_gives_it_again(world: World, databases: Databases) -> None:
    databases.hourly = False
    release(world.session("ec-a"))
    databases.hourly, databases.broken = True, "load roles"
    with pytest.raises(Failed, match="exit status 2"):
        takeover(world.session("ec-b"), TakeoverOptions())
    databases.broken = ""
    resume(world.session("ec-b"))
    assert databases.of["ec-b"][ROLES] == "roles of ec-a"


def test_an_undone_takeover_gives_all_of_them_back(world: World, databases: Databases) -> None:
    databases.hourly = False
    release(world.session("ec-a"))
    databases.hourly, databases.broken = True, "load roles"
    with pytest.raises(Failed):
        takeover(world.session("ec-b"), TakeoverOptions())
    databases.broken = ""
    undo(world.session("ec-b"))
    assert databases.of["ec-b"] == {one: f"{one} of ec-b" for one in (ROLES, PEOPLE, INDEX)}


def test_what_a_node_cannot_save_of_its_own_is_not_replaced(world: World, databases: Databases) -> None:
    databases.hourly = False
    release(world.session("ec-a"))
    databases.hourly, databases.broken = True, "dump people"
    with pytest.raises(Failed):
        takeover(world.session("ec-b"), TakeoverOptions())
    assert databases.of["ec-b"][PEOPLE] == "people of ec-b"
    assert "load people" not in databases.did("ec-b")


def test_a_boot_of_the_owner_gives_nothing_again(world: World, databases: Databases) -> None:
    hand_over(world, databases)
    databases.of["ec-b"] = {one: f"{one}, newer" for one in (ROLES, PEOPLE, INDEX)}
    databases.asked.clear()
    world.b.reboot()
    assert boot(world.session("ec-b")) == "active"
    assert [one for one in databases.did("ec-b") if one.startswith("load")] == []
    assert databases.of["ec-b"][ROLES] == "roles, newer"


def test_a_node_that_lost_it_has_its_own_back_and_what_it_had_is_kept(world: World, databases: Databases) -> None:
    hand_over(world, databases)
    backup(world.session("ec-b"), mirror=True)
    databases.of["ec-b"][PEOPLE] = "written after the last capture"
    world.b.power_off()
    takeover(world.session("ec-a"), TakeoverOptions(attest="burnt"))
    world.b.boot()
    assert boot(world.session("ec-b")) == "inert"
    assert databases.of["ec-b"][PEOPLE] == "people of ec-b"
    (left,) = (world.top / "ec-b/var/lib/tanist/oc/own").glob("*.commands/people.left")
    assert left.read_text() == "written after the last capture"


def test_a_restore_on_the_active_node_gives_what_it_can(world: World, databases: Databases) -> None:
    backup(world.session("ec-a"), mirror=True)
    databases.of["ec-a"] = dict.fromkeys((ROLES, PEOPLE, INDEX), "spoilt")
    said = dry_restore(world.session("ec-a"), TakeoverOptions())
    assert "/usr/bin/load would be given the output of roles" in said
    harestore(world.session("ec-a"), TakeoverOptions())
    assert databases.of["ec-a"] == {ROLES: "roles of ec-a", PEOPLE: "people of ec-a", INDEX: "spoilt"}
    assert "the services run, so that /usr/bin/load is not given the output of index" in world.said("ec-a")


@pytest.mark.parametrize("way", [resume, undo])
def test_killed_at_any_change_of_giving_it_ends_as_it_should(tmp_path: Path, way: Callable[..., None]) -> None:
    """Each change from the first program that is asked to the last one."""
    wanted = "a" if way is resume else "b"
    done = 0
    for changes in range(1, 400, STRIDE):
        world = World(tmp_path / f"world{changes}", controller=make_controller())
        databases = Databases(world)
        init(world.session("ec-a"))
        databases.hourly = False
        release(world.session("ec-a"))
        databases.hourly = True
        world.b.answer_with(["/usr/bin/dump", "people"], crash_from_now(world, databases, changes))
        try:
            takeover(world.session("ec-b"), TakeoverOptions())
            break
        except Crash:
            done += 1
        world.b.revive()
        if databases.did("ec-b").count("load roles") and world.b.units["oc-proxy.service"].state == "active":
            break  # what follows has nothing to do with commands
        world.b.answer_with(["/usr/bin/dump", "people"], databases._answer("ec-b", "dump"))
        way(world.session("ec-b"))
        assert databases.of["ec-b"] == {one: f"{one} of ec-{wanted}" for one in (ROLES, PEOPLE, INDEX)}, changes
        assert world.violations == ()
    assert done * STRIDE > 10


def test_killed_while_it_saves_a_release_goes_on_with_the_last_state(tmp_path: Path) -> None:
    for changes in range(1, 12, min(STRIDE, 3)):
        world = World(tmp_path / f"world{changes}", controller=make_controller())
        databases = Databases(world)
        init(world.session("ec-a"))
        databases.hourly = False
        databases.of["ec-a"][ROLES] = "roles, the last state"
        world.a.answer_with(["/usr/bin/dump", ROLES], crash_from_now(world, databases, changes, "ec-a"))
        with pytest.raises(Crash):
            release(world.session("ec-a"))
        world.a.revive()
        world.a.answer_with(["/usr/bin/dump", ROLES], databases._answer("ec-a", "dump"))
        resume(world.session("ec-a"))
        databases.hourly = True
        takeover(world.session("ec-b"), TakeoverOptions())
        assert databases.of["ec-b"][ROLES] == "roles, the last state", changes
        assert world.violations == ()


def crash_from_now(
    world: World, databases: Databases, changes: int, name: str = "ec-b"
) -> Callable[[Sequence[str], bytes], Ran]:
    def answer(argv: Sequence[str], stdin: bytes) -> Ran:
        world.nodes[name].crash_after(changes)
        return databases._answer(name, "dump")(argv, stdin)

    return answer
