from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.facts.packages import RPM_FORMAT
from tanist.facts.version import parse_properties, read_scope, read_version
from tanist.model.definition import Scope, VersionSource
from tanist.model.unread import Unread
from tests.unit.facts.machine import Machine

CASES = Path(__file__).parent / "cases"
FILE = "/n1gc-setup/.version.properties"
PRODUCT = VersionSource(kind="properties", file=FILE, key="product.version")
DPKG = VersionSource(kind="dpkg", package="postgresql-15")
ASK_DPKG = "dpkg-query -W -f ${db:Status-Status} ${Version}\\n postgresql-15"
RPM = VersionSource(kind="rpm", package="postgresql15-server")
ASK_RPM = f"rpm -q --qf {RPM_FORMAT} postgresql15-server"
COMMAND = VersionSource(kind="command", argv=("/usr/bin/full", "--version"))
EXPECTED = {
    "seed": {
        "version": "2.0.0",
        "product.version.xvmopscenter": "2.0.0.820",
        "date": "2008-12-11 02:21:07",
        "product.version.xvmserver": "1.0.0.9",
        "build.variation": "xvmopscenter",
        "product.version": "2.0.0.820",
    },
    "log4j": {
        "log4j.rootLogger": "INFO, stdout, R",
        "log4j.appender.stdout": "org.apache.log4j.ConsoleAppender",
        "log4j.appender.stdout.layout.ConversionPattern": "%5p [%t] (%F:%L) - %m%n",
        "log4j.appender.R.File": "/var/log/app\\app.log",
        "log4j.appender.R.MaxFileSize": "100KB",
        "log4j.targets": "stdout, # no comment here, R",
    },
    "tzmappings": {  # the examples of the java.util.Properties page are among them
        "fruits": "apple, banana, pear, cantaloupe, watermelon, kiwi, mango",
        "Truth": "Beauty3",
        "cheeses": "",
        "key with blanks:and=signs": "value = with : signs ",
        "unicode": "Grüße 😀 A",
        "tab\tkey": "a\tb\nc\rd\feqf",
        "empty": "",
        "last": "two",
    },
    "latin1": {"café": "crème", "next.line.key": "v\x85w", "mac": "1"},
}


@pytest.mark.requirement("A27")
@pytest.mark.parametrize("name", EXPECTED)
def test_real_properties_files_have_the_pairs_that_java_finds(name: str) -> None:
    assert parse_properties((CASES / f"{name}.properties").read_bytes()) == EXPECTED[name]


@pytest.mark.requirement("A27")
@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"", {}),
        (b"\n \t\n#\n!\n", {}),
        (b"a", {"a": ""}),
        (b"a=1\\", {"a": "1"}),  # a backslash at the end of the file
        (b"a=1\\\\\nb=2", {"a": "1\\", "b": "2"}),  # an even number of them ends the line
        (b"a=1\\\\\\\nb=2", {"a": "1\\b=2"}),
        (b"a=1\\\n\nb=2", {"a": "1", "b": "2"}),  # a blank line ends it too
        (b"\\\n# still a comment\nb=2", {"b": "2"}),
        (b"# a comment does not go on \\\nb=2", {"b": "2"}),
        (b"=x", {"": "x"}),
        (b"a = = x", {"a": "= x"}),
        (b"a\\=b=c", {"a=b": "c"}),
        (b"a\x0bb=c", {"a\x0bb": "c"}),  # a vertical tab is a letter like any other
        (b"a=\\uD83D", {"a": "\ufffd"}),  # half a character
        (b"a.b.x=1\na.b=2\na.bs=3", {"a.b.x": "1", "a.b": "2", "a.bs": "3"}),
    ],
)  # fmt: skip
def test_the_format_to_its_corners(text: bytes, pairs: dict[str, str]) -> None:
    assert parse_properties(text) == pairs


@given(st.binary(max_size=60))
def test_any_bytes_are_pairs_or_a_malformed_escape(text: bytes) -> None:
    try:
        parse_properties(text)
    except ValueError as error:
        assert "malformed" in str(error)
        assert b"\\u" in text


def _store(pairs: dict[str, str]) -> bytes:
    """As java.util.Properties.store() writes them."""

    def escape(text: str, is_key: bool) -> str:
        out = ""
        for i, letter in enumerate(text):
            if letter == " ":
                out += "\\ " if is_key or i == 0 else " "
            elif letter in "\t\n\r\f":
                out += {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}[letter]
            elif letter in "=:#!\\":
                out += "\\" + letter
            elif 32 <= ord(letter) < 127:
                out += letter
            else:
                units = letter.encode("utf-16-be")
                out += "".join(f"\\u{units[k]:02X}{units[k + 1]:02X}" for k in range(0, len(units), 2))
        return out

    lines = ["#Thu Dec 11 02:21:07 MST 2008", *(f"{escape(k, True)}={escape(v, False)}" for k, v in pairs.items())]
    return "\n".join(lines).encode("latin-1")


@pytest.mark.requirement("A27")
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=12), max_size=4))
def test_what_java_writes_is_read_back(pairs: dict[str, str]) -> None:
    assert parse_properties(_store(pairs)) == pairs


@pytest.mark.requirement("A25", "A26", "A27")
def test_the_product_version_is_the_finest_one_and_no_sibling(tmp_path: Path) -> None:
    machine = Machine(tmp_path, files={FILE: (CASES / "seed.properties").read_bytes().replace(b"=2.0.0.820", b"=x", 1)})
    assert read_version(machine.host, PRODUCT) == "2.0.0.820"


@pytest.mark.requirement("A25", "A26")
def test_the_lab_s_ops_center_has_its_version_read(tmp_path: Path) -> None:
    template = Path(__file__).parents[4] / "lab/opscenter/files/version.properties"
    machine = Machine(tmp_path, files={FILE: template.read_text().replace("@VERSION@", "2.1.0.963")})
    assert read_version(machine.host, PRODUCT) == "2.1.0.963"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "is not there: is the product installed?"),
        ("version=2\n", "product.version is missing; it has: version"),
        ("", "product.version is missing; it has: nothing"),
        ("product.version=  \n", "product.version is empty"),
        ("product.version=\\u12\n", "malformed"),
    ],
)
def test_a_version_that_cannot_be_read_says_why(tmp_path: Path, text: str | None, why: str) -> None:
    machine = Machine(tmp_path, files={} if text is None else {FILE: text})
    found = read_version(machine.host, PRODUCT)
    assert isinstance(found, Unread)
    assert why in found.why
    assert FILE in found.why


def test_a_directory_in_the_place_of_the_file_is_no_version(tmp_path: Path) -> None:
    (tmp_path / FILE.lstrip("/")).mkdir(parents=True)
    assert read_version(Machine(tmp_path).host, PRODUCT) == Unread(f"{FILE}: Is a directory")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("installed 15.6-0+deb12u1\n", "15.6-0+deb12u1"),
        ("installed 15.6-0+deb12u1\ninstalled 15.6-0+deb12u1\n", "15.6-0+deb12u1"),  # two architectures
        ("installed 15.6\ninstalled 15.7\n", Unread("postgresql-15 is installed in several versions: 15.6, 15.7")),
        (
            "config-files 15.6\n",
            Unread("postgresql-15 is not installed: dpkg says config-files"),
        ),  # removed, not purged
        ("config-files 15.5\ninstalled 15.6\n", "15.6"),
        ("not-installed \n", Unread("postgresql-15 is not installed: dpkg says not-installed")),
        ("", Unread("postgresql-15 is not installed: dpkg says nothing")),
        (1, Unread("dpkg-query: it complained (exit status 1)")),
        (127, Unread("dpkg-query: not found")),
    ],
)
def test_a_package_has_a_version_only_when_it_is_installed(
    tmp_path: Path, says: str | int, expected: str | Unread
) -> None:
    assert read_version(Machine(tmp_path, commands={ASK_DPKG: says}).host, DPKG) == expected


@pytest.mark.requirement("A11")
@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("postgresql15-server\t0:15.6-1PGDG\n", "0:15.6-1PGDG"),
        ("postgresql15-server\t0:15.6-1\npostgresql15-server\t0:15.6-1\n", "0:15.6-1"),  # two architectures
        (
            "a\t0:15.6-1\na\t0:15.7-1\n",
            Unread("postgresql15-server is installed in several versions: 0:15.6-1, 0:15.7-1"),
        ),
        # with exit status 1, which counts as an answer (rpm 4.18)
        (
            "package postgresql15-server is not installed\n",
            Unread("postgresql15-server is not installed: rpm says package postgresql15-server is not installed"),
        ),
        (2, Unread("rpm: it complained (exit status 2)")),
        (127, Unread("rpm: not found")),
    ],
)
def test_so_has_a_package_of_rpm(tmp_path: Path, says: str | int, expected: str | Unread) -> None:
    assert read_version(Machine(tmp_path, commands={ASK_RPM: says}).host, RPM) == expected


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("full 1.2.3 \nbuilt today\n", "full 1.2.3"),
        ("\nfull 1.2.3\n", Unread("/usr/bin/full --version: its first line is empty")),
        (3, Unread("/usr/bin/full: it complained (exit status 3)")),
        (127, Unread("/usr/bin/full: not found")),
        (-9, Unread("/usr/bin/full --version: timed out")),
    ],
)
def test_a_command_answers_with_its_first_line(tmp_path: Path, says: str | int, expected: str | Unread) -> None:
    machine = Machine(tmp_path, commands={"/usr/bin/full --version": says})
    assert read_version(machine.host, COMMAND) == expected


def test_no_source_is_no_version_and_asks_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert read_version(machine.host, VersionSource()) == ""
    assert machine.ran == []


SCOPE = Scope(
    file="/n1gc-setup/role", key="role", allowed=("ec+proxy", "ec"), otherwise="a proxy alone is out of scope"
)


@pytest.mark.requirement("A03", "A04")
@pytest.mark.parametrize("role", ["ec+proxy", "ec"])
def test_an_installation_of_the_right_kind_is_in_scope(tmp_path: Path, role: str) -> None:
    assert read_scope(Machine(tmp_path, files={SCOPE.file: f"role={role}\n"}).host, SCOPE) == ""


@pytest.mark.requirement("A04")
@pytest.mark.parametrize("role", ["ec2", "EC", "e", "proxy+ec", "ec,proxy"])
def test_a_role_is_allowed_as_a_whole_or_not(tmp_path: Path, role: str) -> None:
    said = read_scope(Machine(tmp_path, files={SCOPE.file: f"role={role}\n"}).host, SCOPE)
    assert isinstance(said, str)
    assert f'role is "{role}"' in said


@pytest.mark.requirement("A04")
def test_a_stand_alone_proxy_is_told_that_it_is_not_protected(tmp_path: Path) -> None:
    machine = Machine(tmp_path, files={SCOPE.file: "role=proxy\n"})
    expected = 'a proxy alone is out of scope (/n1gc-setup/role: role is "proxy"; allowed: ec+proxy, ec)'
    assert read_scope(machine.host, SCOPE) == expected


@pytest.mark.requirement("A04")
@pytest.mark.parametrize("files", [{}, {SCOPE.file: "kind=ec\n"}, {SCOPE.file: "role=\n"}])
def test_a_role_that_cannot_be_read_is_not_in_scope(tmp_path: Path, files: dict[str, str]) -> None:
    assert isinstance(read_scope(Machine(tmp_path, files=files).host, SCOPE), Unread)
