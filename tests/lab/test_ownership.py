"""ownership = "walk" on real hosts: the asset re-owned there and back, under load.

PostgreSQL's account is 113:120 on ec-a and 118:126 on ec-b, where 113 is a person's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab.checks import compare_owners, diff, read_owners
from tests.lab.stage import Stage, make_stage, open_lab

DEFINITION = "/etc/tanist/controllers/postgresql.toml"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_lab("ow", tanist=True) as lab:
        made = make_stage(lab, "postgresql", "ext4", "host")
        for node in ("ec-a", "ec-b"):
            made.sh(node, f"sed -i '/^\\[accounts\\]/a ownership = \"walk\"' {DEFINITION}")
        made.ledger.start()
        yield made


def numbers(stage: Stage, node: str) -> str:
    return stage.sh(node, f"stat -c '%U:%G %u:%g' {stage.tree}/15/main")


def options(stage: Stage, node: str) -> str:
    return stage.sh(node, f"findmnt -n -o OPTIONS {stage.tree}; findmnt -n /run/tanist/postgresql/hidden || true")


@pytest.mark.requirement("A54", "A55", "A66", "A67")
def test_there_and_back_every_file_belongs_to_its_account_by_name(stage: Stage) -> None:
    before = read_owners(stage.lab, "ec-a", [stage.tree])
    for node, other, wanted in (
        ("ec-b", "ec-a", "postgres:postgres 118:126"),
        ("ec-a", "ec-b", "postgres:postgres 113:120"),
    ):
        said = stage.tanist(other, "switchover", "--to", node, "--reason", "the walk")
        assert "re-own the files of /var/lib/postgresql, ids by name (postgres" in said
        assert numbers(stage, node) == wanted
        assert "idmapped" not in options(stage, node) and "hidden" not in options(stage, node)
        assert compare_owners(before, read_owners(stage.lab, node, [stage.tree])) == []
        stage.ledger.wait_ack(time.monotonic())
        claim = stage.sh(node, f"head -c 4096 {stage.tree}/.tanist/claim")
        assert '"reowning": ""' in claim and f'"postgres", {wanted.split()[1].split(":")[0]}' in claim


@pytest.mark.requirement("A56", "A57", "A58")
def test_the_standbys_own_accounts_are_what_they_were(stage: Stage) -> None:
    before = stage.fingerprint("ec-b")
    stage.tanist("ec-a", "switchover", "--to", "ec-b", "--reason", "once more")
    stage.tanist("ec-b", "switchover", "--to", "ec-a", "--reason", "and back")
    assert diff(before, stage.fingerprint("ec-b")) == []
