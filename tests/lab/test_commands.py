"""Output of commands on real hosts: saved while the service runs, given to the next owner, and a node's own given back.

Beside PostgreSQL, whose roles are saved by its own tool, there is a database outside the tree: on each node a file of
its own account, that a program prints and another one replaces.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.stage import Stage, make_stage, open_lab

DEFINITION = "/etc/tanist/controllers/postgresql.toml"
OUTPUTS = "/var/lib/tanist/postgresql/commands"
COMMANDS = """
[[capture.command]]
name = "roles"
argv = ["/usr/bin/pg_dumpall", "--globals-only"]
user = "postgres"
restore = ["/usr/bin/psql", "-qX", "-d", "postgres"]

[[capture.command]]
name = "notes"
argv = ["/bin/cat", "/var/local/notes"]
when = "any"
user = "games"
restore = ["/usr/bin/dd", "of=/var/local/notes", "status=none"]
"""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with open_lab("co", tanist=True) as lab:
        made = make_stage(lab, "postgresql", "ext4", "host")
        for node in ("ec-a", "ec-b"):
            made.sh(node, f"echo 'notes of {node}' > /var/local/notes; chown games:games /var/local/notes")
            made.sh(node, "chmod 600 /var/local/notes; chmod 755 /var/local")
            made.sh(node, f"cat >> {DEFINITION} <<'END'\n{COMMANDS}\nEND")
            made.sh(node, f"tanist definition check {DEFINITION}")
        made.sh("ec-a", "su postgres -c \"psql -qXc 'CREATE ROLE sooner'\"")
        yield made


def test_a_capture_has_what_they_say_for_root_alone(stage: Stage) -> None:
    stage.sh("ec-a", "habackup postgresql")
    assert "CREATE ROLE sooner;" in stage.sh("ec-a", f"cat {OUTPUTS}/roles")
    assert stage.sh("ec-a", f"stat -c '%a %U' {OUTPUTS} {OUTPUTS}/*").split() == ["700", "root", *["600", "root"] * 2]
    assert "notes of ec-a" in stage.sh("ec-b", "cat /var/lib/tanist/postgresql/mirror/*/files.tar | tr -d '\\0'")
    assert stage.sh("ec-b", f"ls {OUTPUTS} 2>&1 || true").count("No such file")


def test_a_command_that_fails_fails_the_capture_and_the_release_and_the_services_stay_up(stage: Stage) -> None:
    stage.sh("ec-a", "mv /var/local/notes /var/local/away")
    captured = stage.run("ec-a", "habackup", "postgresql")
    released = stage.run("ec-a", "tanist", "release", "postgresql", "--reason", "try")
    stage.sh("ec-a", "mv /var/local/away /var/local/notes")
    assert (captured.status, released.status) == (8, 8)
    assert "exit status 1" in captured.err and "said-notes" in captured.err
    assert stage.sh("ec-a", "systemctl is-active postgresql@15-main").strip() == "active"
    assert stage.sh("ec-a", "tanist status postgresql --json").count('"active"')


def test_there_and_back_each_has_the_last_state_and_a_node_its_own_again(stage: Stage) -> None:
    stage.sh("ec-a", "echo 'the last state' > /var/local/notes; su postgres -c \"psql -qXc 'CREATE ROLE later'\"")
    said = stage.tanist("ec-a", "switchover", "--to", "ec-b", "--reason", "commands")
    assert "save the output of roles, while postgresql@15-main.service runs" in said
    assert "CREATE ROLE later;" in stage.sh("ec-b", f"cat {OUTPUTS}/roles")
    assert stage.sh("ec-b", "cat /var/local/notes; stat -c %U /var/local/notes").splitlines() == [
        "the last state",
        "games",
    ]
    stage.sh("ec-b", "echo 'written on ec-b' > /var/local/notes")
    stage.tanist("ec-b", "switchover", "--to", "ec-a", "--reason", "home")
    assert stage.sh("ec-b", "cat /var/local/notes").strip() == "notes of ec-b"
    assert stage.sh("ec-a", "cat /var/local/notes").strip() == "written on ec-b"
    assert "CREATE ROLE" not in stage.sh("ec-a", "tanist history postgresql --steps")


def test_with_the_owner_dead_the_last_capture_is_given(stage: Stage) -> None:
    stage.sh("ec-a", "habackup postgresql; echo 'after the capture' > /var/local/notes")
    stage.lab.cut("ec-a")
    stage.tanist("ec-b", "takeover", "--attest", "the power is cut")
    assert stage.sh("ec-b", "cat /var/local/notes").strip() == "written on ec-b"
