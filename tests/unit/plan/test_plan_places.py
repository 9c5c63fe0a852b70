"""Where tanist keeps its things is what docs/design/interfaces.md says."""

from __future__ import annotations

import pytest

from tanist.plan import places
from tests.unit.plan.machines import ROOT

DOCUMENTED = (ROOT / "docs/design/interfaces.md").read_text()


@pytest.mark.parametrize(
    "path",
    [
        places.own_store("NAME", "RUN"),
        places.mirror("NAME"),
        places.active_file("NAME"),
        places.history("NAME"),
        places.claim_seen("NAME"),
        places.runtime("NAME"),
        places.captures("TREE"),
    ],
)
def test_a_place_is_where_the_design_says(path: str) -> None:
    assert f" {path}" in DOCUMENTED


def test_parked_cron_entries_lie_beside_etc_where_a_rename_stays_in_one_file_system() -> None:
    assert places.parked_cron("NAME", "RUN") == "/etc/tanist/parked/NAME/RUN"
    assert places.parked_path("/etc/tanist/parked/NAME/RUN", "/etc/cron.d/oc") == "/etc/tanist/parked/NAME/RUN/oc"


def test_the_public_keys_of_the_controller_lie_with_the_nodes_state() -> None:
    assert places.controller_keys("NAME").startswith("/var/lib/tanist/NAME/")
