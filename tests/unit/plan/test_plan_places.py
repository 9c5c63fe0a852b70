"""Where tanist keeps its things is what docs/design/interfaces.md says, and no two of them are in one place."""

from __future__ import annotations

import inspect

import pytest

from tanist.model.paths import is_inside
from tanist.plan import places
from tests.unit.plan.machines import ROOT

DOCUMENTED = (ROOT / "docs/design/interfaces.md").read_text()
NAMES = {
    "controller": "NAME",
    "run": "RUN",
    "command": "COMMAND",
    "tree": "TREE",
    "root": "TREE",
    "parked": "PARKED",
    "path": "/etc/cron.d/oc",
}
ALL = dict(inspect.getmembers(places, inspect.isfunction))
FORGOTTEN = {"worry", "unsealed", "runtime", "hidden", "beside", "same", "unmapped"}  # by a boot
WITH_THE_TREE = {"measuring", "nfs_state", "captures"}
ELSEWHERE = {
    "motd": "/run/motd.d/tanist-NAME",  # pam_motd(8) reads it there
    "mirror_keys": "/etc/tanist/mirror-keys/NAME",
    "parked_cron": "/etc/tanist/parked/NAME/RUN",
    "parked_path": "PARKED/oc",
    "aside": "TREE.before-tanist",
}
KEPT = {*ALL} - FORGOTTEN - WITH_THE_TREE - {*ELSEWHERE}


def place(name: str, **changes: str) -> str:
    words = {**NAMES, **changes}
    found = ALL[name](*(words[one] for one in inspect.signature(ALL[name]).parameters))
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize(
    "path",
    [
        places.own_store("NAME", "RUN"),
        places.mirror("NAME"),
        places.active_file("NAME"),
        places.history("NAME"),
        places.claim_seen("NAME"),
        places.promised("NAME"),
        places.proofs("NAME"),
        places.readiness("NAME"),
        places.runtime("NAME"),
        places.captures("TREE"),
    ],
)
def test_a_place_is_where_the_design_says(path: str) -> None:
    assert f" {path}" in DOCUMENTED


@pytest.mark.parametrize("name", sorted(KEPT))
def test_what_must_outlive_a_boot_lies_with_the_nodes_state_of_that_controller(name: str) -> None:
    assert place(name).startswith("/var/lib/tanist/NAME/")


@pytest.mark.parametrize("name", sorted(FORGOTTEN))
def test_what_a_boot_is_to_forget_lies_in_memory(name: str) -> None:
    assert f"{place(name)}/".startswith("/run/tanist/NAME/")


@pytest.mark.parametrize("name", sorted(WITH_THE_TREE))
def test_what_moves_with_the_tree_lies_in_one_directory_of_it(name: str) -> None:
    assert place(name).startswith("TREE/.tanist/")


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_what_others_read_or_a_rename_reaches_lies_where_they_are(name: str) -> None:
    assert place(name) == ELSEWHERE[name]


def test_each_file_that_a_person_may_open_is_in_the_formats() -> None:
    text = (ROOT / "docs/formats.md").read_text()
    files = {
        path.rsplit("/", 1)[1] for path in map(place, KEPT | FORGOTTEN) if path.endswith((".json", ".jsonl", ".pub"))
    }
    assert {"inert.json", "watch.json", "accepted.jsonl", "controller_keys.pub"} <= files
    assert [file for file in sorted(files) if f"`{file}`" not in text and f"NAME/{file}`" not in text] == []


def test_no_two_things_are_in_one_place() -> None:
    found = [place(name) for name in sorted(ALL)]
    assert sorted({*found}) == sorted(found)


def test_two_controllers_share_no_place() -> None:
    own = [name for name in ALL if "controller" in inspect.signature(ALL[name]).parameters]
    mine = {place(name, controller="oc") for name in own}
    theirs = {place(name, controller="oc-2") for name in own}
    assert len(own) == len(ALL) - 5
    assert not [one for one in mine for other in theirs if is_inside(one, other) or is_inside(other, one)]


def test_the_output_of_a_command_is_kept_beside_the_nodes_own_files_of_the_same_run() -> None:
    assert places.own_output("NAME", "RUN", "roles") == f"{places.own_store('NAME', 'RUN')}.commands/roles"


def test_a_drill_that_is_at_work_is_not_among_the_records_of_drills() -> None:
    assert not is_inside(places.drill_home("NAME"), places.drills("NAME"))


def test_parked_cron_entries_lie_beside_etc_where_a_rename_stays_in_one_file_system() -> None:
    assert places.parked_cron("NAME", "RUN") == "/etc/tanist/parked/NAME/RUN"
    assert places.parked_path("/etc/tanist/parked/NAME/RUN", "/etc/cron.d/oc") == "/etc/tanist/parked/NAME/RUN/oc"
