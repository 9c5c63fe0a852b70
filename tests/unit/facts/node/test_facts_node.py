from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.definition.load import load_controller
from tanist.facts.node import parse_os_release, read_node_facts, read_os_release
from tanist.model.codec import decode, encode
from tanist.model.facts import NodeFacts
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine, interface

CASES = Path(__file__).parent / "cases"
PROFILE = Path(__file__).parents[4] / "profiles/opscenter.toml"
OPSCENTER = load_controller(PROFILE.read_bytes(), "opscenter.toml")
UNAME = {"uname -m": "x86_64\n", "uname -r": "6.1.0-18-amd64\n"}
VERSION = "/n1gc-setup/.version.properties"


@pytest.mark.requirement("A10")
@pytest.mark.parametrize(
    ("name", "system", "version"),
    [
        ("debian-12", "debian", "12"),
        ("ubuntu-22.04", "ubuntu", "22.04"),
        ("rhel-9.3", "rhel", "9.3"),
        ("sles-15.5", "sles", "15.5"),
        ("arch", "arch", None),
        ("odd", "even", '1"2$3`4\\5\\n'),
    ],
)
def test_real_os_release_files_name_their_system(name: str, system: str, version: str | None) -> None:
    values = parse_os_release((CASES / name).read_text())
    assert (values["ID"], values.get("VERSION_ID")) == (system, version)


def test_os_release_is_read_as_a_shell_would() -> None:
    values = parse_os_release((CASES / "odd").read_text())
    expected = {"ID", "VERSION_ID", "VERSION_ID_NOT", "NAME", "MIXED", "EMPTY"}
    assert set(values) == expected
    assert (values["NAME"], values["MIXED"], values["EMPTY"]) == ("plain text", "abc", "")
    assert parse_os_release("ID='odd'  # behind it\n")["ID"] == "odd"


@given(st.text(max_size=40))
def test_any_text_is_some_values(text: str) -> None:
    parse_os_release(text)
    parse_os_release("ID=" + text)


def test_the_vendor_s_copy_serves_where_etc_has_none(tmp_path: Path) -> None:
    assert isinstance(read_os_release(Machine(tmp_path).host), Unread)
    machine = Machine(tmp_path, files={"/usr/lib/os-release": "ID=debian\n"})
    assert read_os_release(machine.host) == {"ID": "debian"}
    machine = Machine(tmp_path, files={"/etc/os-release": "ID=mine\n"})
    assert read_os_release(machine.host) == {"ID": "mine"}


@pytest.mark.requirement("A09", "A10", "A12", "A25")
def test_a_whole_node_is_read_and_survives_the_way_into_a_capture(tmp_path: Path) -> None:
    files = {"/etc/os-release": (CASES / "debian-12").read_text(), VERSION: "product.version=2.1.0.955\n"}
    svc = interface("svc0", "10.88.0.11/24")
    facts = read_node_facts(Machine(tmp_path, files=files, commands=UNAME, interfaces=[svc]).host, OPSCENTER, "ec-a")
    assert decode(NodeFacts, json.loads(json.dumps(encode(facts)))) == facts
    assert replace(facts, beside=None) == NodeFacts(
        node="ec-a",
        architecture="x86_64",
        os_id="debian",
        os_version="12",
        kernel="6.1.0-18-amd64",
        version="2.1.0.955",
        interfaces=(svc,),
    )


def test_what_cannot_be_read_says_why_and_nothing_is_raised(tmp_path: Path) -> None:
    machine = Machine(tmp_path, commands={"uname -r": -9, "uname -m": "\n"}, interfaces=None)
    facts = read_node_facts(machine.host, OPSCENTER, "ec-a")
    assert facts.architecture_unread == "uname -m said nothing"
    assert facts.kernel_unread == "uname -r: timed out"
    assert facts.os_unread == "neither /etc/os-release nor /usr/lib/os-release is there"
    assert facts.version_unread == f"{VERSION} is not there: is the product installed?"
    assert facts.interfaces_unread == "network interfaces: Operation not permitted"
    read = (facts.architecture, facts.kernel, facts.os_id, facts.os_version, facts.version, facts.interfaces)
    assert read == ("", "", "", "", "", ())


def test_a_system_that_gives_no_name_is_linux(tmp_path: Path) -> None:
    machine = Machine(tmp_path, files={"/etc/os-release": "NAME=x\n"}, commands=UNAME)
    assert read_node_facts(machine.host, OPSCENTER, "ec-a").os_id == "linux"
