"""One mistake each in a definition that is right otherwise: one problem, on its line, that names key and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tanist.definition.load import load_controller
from tanist.model.errors import BadDefinition

HERE = Path(__file__).parent
FULL = (HERE / "full.toml").read_text()


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    old: str
    new: str
    at: str
    key: str
    says: str


def load_cases(path: Path) -> Iterator[Case]:
    text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
    for block in text.split("\n\n"):
        lines = block.strip("\n").split("\n")
        if len(lines) == 1 and not lines[0]:
            continue
        marks = [line[:1] for line in lines[1:]]
        assert marks == ["-", "+", "@", "!"], block
        old, new, at, said = (line[2:] for line in lines[1:])
        key, _, says = said.partition(": ")
        yield Case(lines[0], old.replace("\\n", "\n"), new.replace("\\n", "\n"), at.replace("\\n", "\n"), key, says)


CASES = list(load_cases(HERE / "mistakes.txt"))


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(BadDefinition) as caught:
        load_controller(text.encode(), "full.toml")
    return caught.value.problems


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_mistake_is_one_problem_on_its_line(case: Case) -> None:
    assert FULL.count(case.old) == 1, "the case does not say which place it means"
    text = FULL.replace(case.old, case.new)
    (problem,) = mistakes(text)
    place, key, what = problem.split(": ", 2)
    line = int(place.removeprefix("full.toml:"))
    assert (text + "\n").splitlines(keepends=True)[line - 1].lstrip().startswith(case.at), problem
    assert key == case.key
    assert case.says in what, problem


EXPORT = '[[export]]\npath = "share/allstart"\nclients = ["a"]\noptions = ["rw"]\n'
GOOD = {
    "a neighbour of an owned directory": ('"/etc/ssl/certs/full.pem"', '"/etc/full-certs"'),
    "a neighbour of the tree": ('"/etc/ssl/certs/full.pem"', '"/var/lib/full.conf"'),
    "a neighbour of the node's own": ('"/etc/ssl/certs/full.pem"', '"/etc/hosts.full"'),
    "a file in a shared directory": ('"/etc/ssl/certs/full.pem"', '"/etc/default/full"'),
    "a tree of its own at the top": ('"/var/lib/full"', '"/data"'),
    "a link of two machines": ("10.88.0.50/24", "10.88.0.51/31"),
    "the lower end of such a link": ("10.88.0.50/24", "10.88.0.50/31"),
    "an address by itself": ("10.88.0.50/24", "10.88.0.50/32"),
    "an IPv6 link of two machines": ("FD88:0::50/64", "fd88::50/127"),
    "an IPv6 address by itself": ("FD88:0::50/64", "fd88::50/128"),
    "a machine account of a domain": ('"full-jobs"', '"full-jobs$"'),
    "an interface with a dot": ('"ens3"', '"bond0.100"'),
    "a health check on this machine": ('address = "10.88.0.50"', 'address = "127.0.0.1"'),
    "xfs options": ('"ext4"\noptions = ["noatime", "commit=5"]', '"xfs"\noptions = ["logbsize=32k"]'),
    "btrfs options": ('"ext4"\noptions = ["noatime", "commit=5"]', '"btrfs"\noptions = ["compress=zstd:3"]'),
    "a btrfs on two disks": ('"ext4"\noptions = ["noatime", "commit=5"]', '"btrfs"\nmembers = ["/dev/sdb"]'),
    "no mount options": ('["noatime", "commit=5"]', "[]"),
    "one directory exported twice, differently": ("[cron]", f"{EXPORT}[cron]"),
    "a command as root": ('user = "full"', 'user = "root"'),
    "a unit with an escape": ('"full-jobs.service"', '"full\\\\x2djobs@a:b.timer"'),
    "no days kept": ("keep_days = 3", "keep_days = 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_like_a_mistake_is_none(name: str) -> None:
    old, new = GOOD[name]
    assert FULL.count(old) == 1
    load_controller(FULL.replace(old, new).encode(), "full.toml")


def test_no_case_is_lost() -> None:
    assert len(CASES) > 120
    assert len({case.name for case in CASES}) == len(CASES)


def test_keys_without_meaning_are_named_each() -> None:
    problems = mistakes(FULL.replace('kind = "filesystem"', 'kind = "directory"'))
    assert [problem.split(": ")[1] for problem in problems] == [
        "asset.device",
        "asset.fstype",
        "asset.options",
    ]
    assert all('only with kind = "filesystem"' in problem for problem in problems)


def test_two_nodes_of_one_name_are_one_node_too_few_for_the_interfaces() -> None:
    problems = mistakes(FULL.replace('name = "ec-b"', 'name = "ec-a"'))
    assert any(': node.name: "ec-a" is another node\'s' in problem for problem in problems)


def test_one_node_is_not_enough() -> None:
    text = FULL[: FULL.rindex("[[node]]")].replace(', ec-b = "ens3"', "")
    (problem,) = mistakes(text)
    assert ": node: 1 of at least two nodes" in problem


@pytest.mark.requirement("A01")
def test_nothing_in_a_definition_can_ask_for_an_automatic_failover() -> None:
    for key in ("automatic = true", "failover = 'auto'"):
        (problem,) = mistakes(FULL.replace("[tree]", f"[tree]\n{key}"))
        assert "unknown key" in problem
