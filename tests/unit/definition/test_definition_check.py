"""What only the machine can tell: does each service address fit its interface here?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.definition.check import check_on_host
from tanist.definition.load import load_controller
from tanist.model.host import Interface
from tests.unit.facts.machine import Machine, interface

FULL = load_controller((Path(__file__).parent / "full.toml").read_bytes(), "full.toml")
LO = interface("lo", "127.0.0.1/8")
SVC = interface("svc0", "10.88.0.12/24")
ENS = interface("ens3", "fe80::1/64", "fd88::12/64")


def check(tmp_path: Path, *interfaces: Interface, node: str = "ec-b", named: str | None = "ec-b") -> tuple[str, ...]:
    files = {"/etc/tanist/node": f"{named}\n"} if named is not None else {}
    return check_on_host(FULL, Machine(tmp_path, files=files, interfaces=interfaces).host, node)


@pytest.mark.requirement("A12", "A13")
def test_a_node_whose_interfaces_fit_has_nothing_wrong(tmp_path: Path) -> None:
    assert check(tmp_path, LO, SVC, ENS) == ()


@pytest.mark.requirement("A12")
def test_a_missing_interface_is_named_with_those_there_are(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, LO, SVC, interface("eth9", "fd88::12/64"))
    assert problem == 'fd88::50/64 belongs on interface "ens3", which ec-b does not have; it has: svc0, eth9'


@pytest.mark.requirement("A13")
@pytest.mark.parametrize(
    ("cidrs", "has"),
    [
        (["10.99.0.12/24"], "10.99.0.12/24 (10.99.0.0/24)"),
        (["10.88.0.12/28", "10.99.0.12/24"], "10.88.0.12/28 (10.88.0.0/28), 10.99.0.12/24 (10.99.0.0/24)"),
        (["fd88::12/64"], "fd88::12/64 (fd88::/64)"),
        ([], "no address"),
        (["10.88.0.50/24"], "no address"),  # the service address itself is no proof that the subnet is here
    ],
)
def test_an_address_outside_its_interface_s_subnets_says_what_the_interface_has(
    tmp_path: Path, cidrs: list[str], has: str
) -> None:
    (problem,) = check(tmp_path, LO, interface("svc0", *cidrs), ENS)
    assert problem.startswith("10.88.0.50/24 lies in no subnet of svc0 on ec-b")
    assert problem.endswith(f"svc0 has of its own: {has}")


def test_a_wider_subnet_on_the_interface_fits_as_well(tmp_path: Path) -> None:
    assert check(tmp_path, interface("svc0", "10.88.200.1/16"), ENS) == ()


def test_an_unknown_node_is_told_the_known_ones(tmp_path: Path) -> None:
    assert check(tmp_path, SVC, ENS, node="ec-z") == ('node "ec-z" is not in the definition; it has: ec-a, ec-b',)


def test_a_machine_that_calls_itself_otherwise_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path, SVC, ENS, named="ec-a")
    assert problem.startswith('/etc/tanist/node says "ec-a", but this machine was taken for "ec-b"')
    (problem,) = check(tmp_path / "other", SVC, ENS, named=None)
    assert problem.startswith("/etc/tanist/node is missing")
    assert "echo NAME > /etc/tanist/node" in problem


def test_interfaces_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path, files={"/etc/tanist/node": "ec-b\n"}, interfaces=None)
    (problem,) = check_on_host(FULL, machine.host, "ec-b")
    assert "cannot be read" in problem
    assert "Operation not permitted" in problem
