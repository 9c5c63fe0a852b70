from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tanist import parity
from tanist.definition.load import load_controller
from tanist.model.definition import VersionSource
from tanist.model.facts import Finding, NodeFacts
from tanist.model.host import Interface
from tests.unit.facts.machine import interface

PROFILES = Path(__file__).parents[3] / "profiles"
OPSCENTER = load_controller((PROFILES / "opscenter.toml").read_bytes(), "opscenter.toml")
EC_A = NodeFacts(
    node="ec-a",
    architecture="x86_64",
    os_id="debian",
    os_version="12",
    kernel="6.1.0-18-amd64",
    version="2.1.0.955",
    interfaces=(interface("svc0", "10.88.0.11/24", "10.88.0.60/24"), interface("mgmt0", "10.99.0.11/24")),
)
EC_B = replace(
    EC_A,
    node="ec-b",
    kernel="6.1.0-17-amd64",
    interfaces=(interface("svc0", "10.88.0.12/24"), interface("mgmt0", "10.99.0.12/24")),
)


def finding(name: str, theirs: NodeFacts = EC_A, mine: NodeFacts = EC_B) -> Finding:
    findings = parity.compare(theirs, mine, OPSCENTER)
    (found,) = (item for item in findings if item.name == name)
    assert bool(found.mend) != found.ok, "what is wrong has a remedy, what is right needs none"
    others = [item for item in findings if item.name != name and not item.ok]
    assert others == [], "one difference is one finding"
    return found


@pytest.mark.requirement("A15")
def test_two_nodes_alike_have_nothing_but_good_findings() -> None:
    findings = parity.compare(EC_A, EC_B, OPSCENTER)
    assert [item.name for item in findings] == ["architecture", "operating system", "version", "interface 10.88.0.60"]
    assert all(item.ok for item in findings)
    assert findings[2].says == "opscenter is 2.1.0.955 on ec-a and 2.1.0.955 on ec-b"


@pytest.mark.requirement("A09")
def test_another_processor_class_is_found() -> None:
    found = finding("architecture", mine=replace(EC_B, architecture="aarch64"))
    assert not found.ok
    assert (found.theirs, found.mine) == ("x86_64", "aarch64")
    assert found.says.startswith("ec-a is x86_64, ec-b is aarch64: ")


@pytest.mark.requirement("A09")
@pytest.mark.parametrize(
    ("one", "other"), [("i586", "i686"), ("amd64", "x86_64"), ("arm64", "aarch64"), ("sparc64", "sparc64")]
)
def test_two_names_of_one_processor_class_are_the_same(one: str, other: str) -> None:
    assert finding("architecture", replace(EC_A, architecture=one), replace(EC_B, architecture=other)).ok


@pytest.mark.requirement("A10")
@pytest.mark.parametrize(
    ("change", "mend"),
    [({"os_id": "rhel", "os_version": "9.3"}, "ec-b"), ({"os_version": "11"}, "ec-b"), ({"os_version": "13"}, "ec-a")],
)
def test_another_operating_system_is_found_and_the_older_one_is_to_change(change: dict[str, str], mend: str) -> None:
    found = finding("operating system", mine=replace(EC_B, **change))  # type: ignore[arg-type]
    assert not found.ok
    assert found.theirs == "debian 12"
    assert found.mend.startswith(f"bring {mend} to")


@pytest.mark.requirement("A11", "A26", "A28")
@pytest.mark.parametrize("version", ["2.1.0.963", "2.1.0", "2.1.0.9550", "2.1.0.955-1", "02.1.0.955"])
def test_versions_are_equal_to_the_last_digit_or_different(version: str) -> None:
    found = finding("version", mine=replace(EC_B, version=version))
    assert not found.ok
    assert found.says.startswith(f"opscenter is 2.1.0.955 on ec-a and {version} on ec-b: ")
    assert found.mend == "install 2.1.0.955 on ec-b, updates included"


@pytest.mark.requirement("A28", "A29")
@pytest.mark.parametrize("side", ["ec-a", "ec-b"])
def test_a_version_that_could_not_be_read_is_not_the_same(side: str) -> None:
    theirs, mine = (
        replace(facts, version="", version_unread="/x is not there") if facts.node == side else facts
        for facts in (EC_A, EC_B)
    )
    found = finding("version", theirs, mine)
    assert not found.ok
    assert found.says == f"cannot tell whether both nodes have the same version: {side}: /x is not there"


@pytest.mark.requirement("A11")
def test_two_versions_that_were_not_read_are_not_the_same_either() -> None:
    unread = {"version": "", "version_unread": "no answer"}
    assert not finding("version", replace(EC_A, **unread), replace(EC_B, **unread)).ok  # type: ignore[arg-type]
    assert not finding("version", replace(EC_A, version=""), replace(EC_B, version="")).ok


def test_a_definition_without_a_version_says_that_none_was_compared() -> None:
    controller = replace(OPSCENTER, version=VersionSource())
    found = parity.compare(EC_A, replace(EC_B, version="other"), controller)[2]
    assert found.ok
    assert "names no product version" in found.says


@pytest.mark.requirement("A12", "A13")
@pytest.mark.parametrize(
    ("mine", "says", "shown"),
    [
        ((), 'ec-b has no interface "svc0"', "no svc0"),
        ((interface("svc0"),), "svc0 on ec-b is in no subnet at all, and 10.88.0.60 is not in it", "svc0: no address"),
        ((interface("svc0", "10.99.0.12/24"),), "svc0 on ec-b is in 10.99.0.0/24", "svc0: 10.99.0.0/24"),
        ((interface("svc0", "10.88.0.12/16"),), "svc0 on ec-a is in 10.88.0.0/24, svc0 on ec-b", "svc0: 10.88.0.0/16"),
        ((interface("svc0", "10.88.0.60/24"),), "svc0 on ec-b is in no subnet at all", "svc0: no address"),
        ((interface("svc0", "10.88.0.12/24", up=False),), "svc0 on ec-b is down", "svc0: 10.88.0.0/24"),
        ((interface("svc0", "10.88.0.12/24", carrier=False),), "svc0 on ec-b has no carrier", "svc0: 10.88.0.0/24"),
    ],
)  # fmt: skip
def test_an_interface_that_cannot_carry_the_address_is_found(
    mine: tuple[Interface, ...], says: str, shown: str
) -> None:
    found = finding("interface 10.88.0.60", mine=replace(EC_B, interfaces=mine))
    assert not found.ok
    assert found.says.startswith(says)
    assert found.says.endswith(": clients would not reach 10.88.0.60")
    assert (found.theirs, found.mine) == ("svc0: 10.88.0.0/24", shown)


@pytest.mark.requirement("A12")
def test_the_other_node_s_missing_interface_is_found_but_not_its_carrier() -> None:
    theirs = replace(EC_A, interfaces=(interface("svc0", "10.88.0.11/24", up=False, carrier=False),))
    assert finding("interface 10.88.0.60", theirs).ok  # what was recorded of a machine that is off now
    assert not finding("interface 10.88.0.60", replace(EC_A, interfaces=())).ok


@pytest.mark.requirement("A12", "A13")
def test_interfaces_may_have_other_names_on_each_node() -> None:
    address = replace(OPSCENTER.identity.addresses[0], interfaces=(("ec-a", "svc0"), ("ec-b", "ens3")))
    controller = replace(OPSCENTER, identity=replace(OPSCENTER.identity, addresses=(address,)))
    mine = replace(EC_B, interfaces=(interface("ens3", "10.88.0.12/24"),))
    assert all(item.ok for item in parity.compare(EC_A, mine, controller))


@pytest.mark.requirement("A12")
def test_interfaces_that_could_not_be_read_are_not_taken_for_missing() -> None:
    found = finding("interface 10.88.0.60", mine=replace(EC_B, interfaces=(), interfaces_unread="no permission"))
    assert not found.ok
    assert found.says == "cannot tell whether both nodes have the same interface: ec-b: no permission"


@pytest.mark.parametrize("fact", ["architecture", "os"])
def test_a_fact_that_could_not_be_read_is_no_difference_and_no_agreement(fact: str) -> None:
    name = {"architecture": "architecture", "os": "operating system"}[fact]
    found = finding(name, replace(EC_A, **{f"{fact}_unread": "no answer"}))  # type: ignore[arg-type]
    assert not found.ok
    assert found.says.startswith("cannot tell")
