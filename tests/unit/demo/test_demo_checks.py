"""The lab's checks: what they compare, and that they see what they should."""

from __future__ import annotations

import json

import pytest

from lab.checks.fingerprint import Fingerprint, diff, parse_fingerprint
from lab.checks.ledger import find_outage, parse_acks, parse_verdict
from lab.checks.names import compare_owners, parse_owners
from lab.errors import LabError

FILE = {"kind": "file", "mode": "0640", "owner": "0:0", "mtime_ns": 10**18, "content": "aa", "links": 1}


def make(paths: dict[str, dict[str, object]], **state: list[str]) -> Fingerprint:
    return parse_fingerprint("ec-b", json.dumps({"paths": paths, "state": state}).encode())


def test_a_node_that_is_the_same_has_no_difference() -> None:
    assert diff(make({"/etc/a": FILE}, mount=["/ (ext4)"]), make({"/etc/a": FILE}, mount=["/ (ext4)"])) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"content": "bb"}, "/etc/a: other content"),
        ({"mode": "4640"}, "/etc/a: mode 0640 -> 4640"),
        ({"owner": "113:120"}, "/etc/a: owner 0:0 -> 113:120"),
        ({"mtime_ns": 10**18 + 1500}, "/etc/a: time +0.000002 s"),
        ({"links": 2}, "/etc/a: links 1 -> 2"),
        ({"xattrs": {"security.capability": "01"}}, "/etc/a: attributes security.capability"),
        ({"kind": "link", "target": "b"}, "/etc/a: kind file -> link, target none -> b"),
    ],
)
def test_each_property_of_a_file_is_compared(change: dict[str, object], words: str) -> None:
    assert diff(make({"/etc/a": FILE}), make({"/etc/a": {**FILE, **change}})) == [words]


def test_files_and_state_that_come_and_go_are_named() -> None:
    before = make({"/etc/a": FILE}, address=["svc0 10.88.0.12/24"], unit=["cron.service active"])
    after = make({"/etc/b": FILE}, address=["svc0 10.88.0.12/24", "svc0 10.88.0.50/24"], unit=["cron.service failed"])
    assert diff(before, after) == [
        "/etc/a: gone",
        "/etc/b: new",
        "address new: svc0 10.88.0.50/24",
        "unit gone: cron.service active",
        "unit new: cron.service failed",
    ]


def test_excluded_are_only_tanists_own_state_and_passing_things() -> None:
    paths = {"/etc/tanist/known_hosts": FILE, "/etc/tanist/controllers/a.toml": FILE, "/etc/ssh/sshd_config": FILE}
    found = make(paths, unit=["session-1.scope active", "session.service active"])
    assert set(found.paths) == {"/etc/tanist/controllers/a.toml", "/etc/ssh/sshd_config"}
    assert found.state["unit"] == ["session.service active"]


def test_only_keeps_whole_path_components() -> None:
    found = make({"/home/alice/x": FILE, "/home/alice2": FILE}, address=["lo"]).only("/home/alice")
    assert set(found.paths) == {"/home/alice/x"}
    assert not found.state


GETFACL = """# file: /etc/postgresql
# owner: postgres
# group: postgres
user::rwx
group::r-x
other::r-x

# file: /srv/tool
# owner: alice
# group: alice
# flags: s--
user::rwx
user:bob:r-x
group::r-x
mask::r-x
other::r-x

"""


def test_owners_tell_names_set_id_bits_and_acls() -> None:
    found = parse_owners(GETFACL)
    assert found["/etc/postgresql"] == "owner: postgres group: postgres user::rwx group::r-x other::r-x"
    assert found["/srv/tool"].startswith("owner: alice group: alice flags: s-- user::rwx user:bob:r-x")


def test_owners_without_a_name_are_wrong() -> None:
    before = {"/a": "owner: postgres group: postgres user::rwx", "/b": "owner: root group: root user::rwx"}
    assert compare_owners(before, before) == []
    after = {"/a": "owner: 113 group: postgres user::rwx", "/new": "owner: root group: root user:951:r--"}
    assert compare_owners(before, after) == [
        "/a: owner: postgres group: postgres user::rwx -> owner: 113 group: postgres user::rwx",
        "/a: owner: 113 group: postgres user::rwx",
        "/new: owner: root group: root user:951:r--",
    ]


def ledger_lines(*times: float) -> list[str]:
    return [json.dumps({"k": "ack", "n": n, "sent": t - 0.01, "acked": t, "wall": 0}) for n, t in enumerate(times)]


def test_the_outage_is_the_longest_silence_that_ends_later() -> None:
    lines = [*ledger_lines(1.0, 5.0, 5.1, 7.3, 7.4), '{"k": "unknown", "n": 9}', '{"k": "ack", "n"']
    found = find_outage(parse_acks(lines), since=5.2)
    assert (found.last, found.first) == (5.1, 7.3)


def test_no_answer_afterwards_is_no_outage_of_zero() -> None:
    with pytest.raises(LabError, match="afterwards"):
        find_outage(parse_acks(ledger_lines(1.0, 2.0)), since=3.0)


def test_a_verdict_without_an_answer_keeps_the_evidence() -> None:
    found = parse_verdict(3, b"", b"cannot tell: refused\n")
    assert (found.status, found.acked, found.evidence) == (3, 0, "cannot tell: refused")
