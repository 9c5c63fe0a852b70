"""Generations: made by the active node only, kept, retired, mirrored; the last good one always stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.capture.generations import (
    generation_name,
    list_generations,
    newest_good,
    parse_generation_name,
    read_checked,
    retire,
)
from tanist.capture.habackup import capture, captures_directory
from tanist.capture.store import load_manifest, save_store
from tanist.host.fake import FakeHost
from tanist.model.definition import Accounts, Asset, Controller, Identity, Node, Outside, Retention
from tanist.model.errors import Busy, Refused
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import snapshot

DAY = 86400
PG = Controller(
    name="pg",
    asset=Asset(kind="directory"),
    tree="/srv/pg",
    identity=Identity(mode="alias", hostname="pg", addresses=(), ssh_host_keys="/etc/tanist/identity/pg"),
    nodes=(Node(name="ec-a", ssh="ec-a", management=()), Node(name="ec-b", ssh="ec-b", management=())),
    outside=Outside(files=("/etc/one.conf",), directories=("/etc/pg",)),
    accounts=Accounts(users=("postgres",), groups=("postgres",)),
    cron=("/etc/cron.d/pg",),
)
CAPTURES = captures_directory(PG)


@pytest.fixture
def active(host: FakeHost) -> FakeHost:
    host.files.make_directory("/srv/pg/.tanist", 0o700)
    host.files.write("/srv/pg/.tanist/claim", b"{}\n")
    host.files.make_directory("/etc/pg/conf.d")
    host.files.make_directory("/etc/tanist/identity/pg", 0o700)
    host.files.write("/etc/tanist/identity/pg/ssh_host_ed25519_key", b"PRIVATE")
    host.files.write("/etc/pg/conf.d/f", b"1", 0o640, 2001, 2001)
    host.files.write("/etc/one.conf", b"one", 0o644)
    return host


def run(host: FakeHost, controller: Controller = PG, *, epoch: int = 3, facts: object = None, node: str = "ec-a"):  # type: ignore[no-untyped-def]
    host.clock.advance(3600)
    return capture(host, controller, node, epoch=epoch, run="r", facts=facts if facts is not None else {"os": "Debian"})


def touch(host: FakeHost) -> None:
    host.files.write("/etc/one.conf", os.urandom(4), 0o644)


# -- habackup
@pytest.mark.requirement("A30", "A32", "A33", "A34", "A35")
def test_a_capture_holds_what_the_definition_names(active: FakeHost) -> None:
    generation = run(active)
    assert (generation.state, generation.node, generation.epoch, generation.unchanged) == ("good", "ec-a", 3, False)
    assert generation.path == f"{CAPTURES}/{generation.name}"
    manifest = load_manifest(active, generation.path)
    assert [(item.path, item.state) for item in manifest.asked] == [
        ("/etc/cron.d/pg", "absent"),
        ("/etc/one.conf", "present"),
        ("/etc/pg", "present"),
        ("/etc/tanist/identity/pg", "present"),
    ]
    assert manifest.asked[0].missing_from == "/etc/cron.d"
    assert (manifest.users, manifest.groups, manifest.facts) == (
        (("postgres", 2001),),
        (("postgres", 2001),),
        {"os": "Debian"},
    )
    assert (manifest.controller, manifest.epoch, manifest.run) == ("pg", 3, "r")


@pytest.mark.requirement("A37")
def test_nothing_is_written_into_a_bare_mount_point(active: FakeHost) -> None:
    active.files.remove("/srv/pg/.tanist/claim")
    before = snapshot(Path(active.root + "/srv"))
    with pytest.raises(Refused, match="not mounted"):
        run(active)
    assert snapshot(Path(active.root + "/srv")) == before


def test_what_did_not_change_is_not_written_again(active: FakeHost) -> None:
    first = run(active)
    second = run(active)
    assert (second.name, second.unchanged) == (first.name, True)
    checked = read_checked(active, CAPTURES)
    assert checked and checked[0] == first.name and checked[1] > first.created
    assert len(list_generations(active, CAPTURES)) == 1


def test_a_capture_with_nothing_new_succeeds_where_not_even_its_time_can_be_noted(active: FakeHost) -> None:
    first = run(active)
    active.files.make_directory(f"{CAPTURES}/checked.json")  # stands for a full asset: the note can't be written
    assert (run(active).name, run(active).unchanged) == (first.name, True)


@pytest.mark.parametrize(
    "change",
    [
        touch,
        lambda host: os.utime(host.root + "/etc/pg"),
        lambda host: os.chown(host.root + "/etc/pg/conf.d/f", 0, 2001),
        lambda host: host.files.write("/etc/cron.d/pg", b"") if host.files.make_directory("/etc/cron.d") is None else 0,
        lambda host: os.setxattr(host.root + "/etc/pg", "user.x", b"1"),
        lambda host: host.users.update(postgres=2009),
    ],
)
def test_whatever_changed_makes_a_new_generation(active: FakeHost, change: Callable[[FakeHost], object]) -> None:
    first = run(active)
    change(active)
    second = run(active)
    assert second.name > first.name and not second.unchanged
    assert run(active).unchanged


def test_new_facts_and_a_new_epoch_make_a_new_generation(active: FakeHost) -> None:
    names = [run(active).name, run(active, facts={"os": "Debian 13"}).name, run(active, epoch=4).name]
    assert len(set(names)) == 3


@pytest.mark.requirement("A38")
def test_beside_a_bad_newest_generation_a_new_one_is_made(active: FakeHost) -> None:
    bad = run(active)
    active.files.overwrite(f"{bad.path}/files.tar", b"X", 700)
    good = run(active)
    assert not good.unchanged and newest_good(active, CAPTURES).generation == good


def test_two_captures_at_once_are_one_and_a_word(active: FakeHost) -> None:
    held = active.lock("/run/tanist/pg/capture.lock", "a capture by process 1 on ec-a")
    with pytest.raises(Busy, match="a capture by process 1 on ec-a"):
        run(active)
    assert not isinstance(held, str)
    held.close()
    run(active)


def test_a_clock_that_went_back_does_not_hide_the_new_generation(active: FakeHost) -> None:
    first = run(active)
    active.clock.wall -= 30 * DAY
    touch(active)
    second = run(active)
    assert [item.name for item in list_generations(active, CAPTURES)] == [second.name, first.name]


def test_old_generations_are_retired_by_a_capture(active: FakeHost) -> None:
    controller = replace(PG, retention=Retention(keep=2, keep_days=0))
    names = []
    for _ in range(4):
        touch(active)
        names.append(run(active, controller).name)
    assert [item.name for item in list_generations(active, CAPTURES)] == [names[3], names[2]]


# -- generations
def make(host: FakeHost, *moments: float, epoch: int = 1, node: str = "ec-a") -> list[str]:
    names = []
    for moment in moments:
        name = generation_name(moment, epoch, node)
        about = replace(ABOUT, node=node, epoch=epoch, created=moment)
        save_store(host, f"/captures/{name}", ("/etc/one.conf",), about)
        names.append(name)
    return names


def spoil(host: FakeHost, name: str) -> None:
    host.files.overwrite(f"/captures/{name}/files.tar", b"X", 3)


def test_names_tell_when_where_and_in_which_epoch() -> None:
    name = generation_name(1_700_000_000.123, 7, "ec-a.example.org")
    assert name == "20231114T221320.123Z-e7-ec-a.example.org"
    assert parse_generation_name(name) == ("2023-11-14T22:13:20.123Z", 7, "ec-a.example.org")
    for other in ("x", name + "/..", name.replace("1114", "1345"), "20231114T221320.123Z-e7-..", name + ".partial-1/"):
        assert parse_generation_name(other) is None


def test_a_higher_epoch_is_newer_whatever_the_clocks_say(host: FakeHost) -> None:
    late = make(host, 2e9, epoch=1)
    early = make(host, 1e9, epoch=2, node="ec-b")
    assert [item.name for item in list_generations(host, "/captures")] == early + late
    assert list_generations(host, "/none") == ()


@pytest.mark.requirement("A38")
def test_the_newest_good_one_is_chosen_and_the_others_are_named(host: FakeHost) -> None:
    old, torn, altered = make(host, 1e9, 1.1e9, 1.2e9)
    spoil(host, altered)
    host.files.remove(f"/captures/{torn}/manifest.sha256")
    host.files.make_directory("/captures/20990101T000000.000Z-e1-ec-a.partial-99999999")
    newest = newest_good(host, "/captures")
    assert newest.generation and newest.generation.name == old
    assert [(item.name, item.state) for item in newest.refused] == [(altered, "bad"), (torn, "bad")]
    assert "files.tar was altered" in newest.refused[0].reason and "manifest.sha256" in newest.refused[1].reason
    assert [item.state for item in list_generations(host, "/captures")] == ["unknown", "bad", "unknown"]


def test_a_store_under_another_ones_name_is_bad(host: FakeHost) -> None:
    (name,) = make(host, 1e9)
    host.files.move(f"/captures/{name}", f"/captures/{name.replace('-e1-', '-e9-')}")
    newest = newest_good(host, "/captures")
    assert newest.generation is None and "another" in newest.refused[0].reason


@pytest.mark.requirement("A38")
def test_retirement_is_by_number_and_age_and_spares_the_last_good_one(host: FakeHost) -> None:
    now = 1e9 + 100 * DAY
    names = make(host, *(1e9 + day * DAY for day in (0, 1, 2, 98, 99)))
    assert retire(host, "/captures", Retention(keep=5, keep_days=0), now) == ()
    assert retire(host, "/captures", Retention(keep=1, keep_days=99), now) == (names[0],)
    for name in names[2:]:
        spoil(host, name)
    assert retire(host, "/captures", Retention(keep=1, keep_days=1), now) == (names[3], names[2])
    assert host.files.list("/captures") == (names[1], names[4])
    assert retire(host, "/captures", Retention(keep=0, keep_days=0), now) == ()


# -- mirror
@pytest.mark.requirement("A34", "A40")
def test_a_cron_entry_that_is_out_of_crons_sight_is_captured_where_it_belongs(active: FakeHost) -> None:
    active.files.make_directory("/etc/cron.d")
    active.files.write("/etc/cron.d/pg", b"0 * * * * postgres work\n", 0o644)
    before = run(active)
    active.files.move("/etc/cron.d/pg", "/etc/tanist/identity/pg-parked")
    active.clock.advance(3600)
    parked = {"/etc/cron.d/pg": "/etc/tanist/identity/pg-parked"}
    after = capture(active, PG, "ec-a", epoch=3, run="r", facts={"os": "Debian"}, elsewhere=parked)
    assert after.unchanged
    assert after.name == before.name
    active.files.write("/etc/one.conf", b"two", 0o644)
    again = capture(active, PG, "ec-a", epoch=3, run="r", facts={"os": "Debian"}, elsewhere=parked)
    manifest = load_manifest(active, f"{CAPTURES}/{again.name}")
    asked = manifest.asked_for("/etc/cron.d/pg")
    assert asked is not None
    assert asked.state == "present"
    assert [e.size for e in manifest.entries if e.path == "/etc/cron.d/pg"] == [24]


def test_a_millisecond_later_is_another_name_whatever_floats_make_of_it() -> None:
    """With a clock that stands still each name is one millisecond after the last."""
    for milliseconds in range(2000):
        created = 1_700_000_089 + milliseconds / 1000
        assert generation_name(created, 1, "ec-a") != generation_name(created + 0.001, 1, "ec-a")
