from __future__ import annotations

from pathlib import Path

import pytest

from tanist.definition.load import list_controllers, load_controller, read_controller, read_node_name
from tanist.model.definition import Health, Retention, SavedCommand, Service, ServiceAddress, VersionSource
from tanist.model.errors import BadDefinition, Refused
from tests.unit.facts.machine import Machine

FULL = (Path(__file__).parent / "full.toml").read_bytes()
PROFILES = Path(__file__).parents[3] / "profiles"
SMALL = b"""
format = 1
name = "small"
asset = { kind = "directory" }
tree.path = "/data"
identity.mode = "host"
identity.hostname = "small"
identity.address = [ { address = "10.88.0.50/24", interface = "svc0" } ]
node = [
  { name = "a", ssh = "a", management = ["10.99.0.11"] },
  { name = "b", ssh = "b", management = ["10.99.0.12"] },
]
"""


def test_every_table_of_a_full_definition_arrives() -> None:
    full = load_controller(FULL, "full.toml")
    assert (full.name, full.tree, full.asset.options) == ("full", "/var/lib/full", ("noatime", "commit=5"))
    assert full.identity.addresses == (
        ServiceAddress(address="10.88.0.50", prefix=24, interfaces=(("ec-a", "svc0"), ("ec-b", "svc0"))),
        ServiceAddress(address="fd88::50", prefix=64, interfaces=(("ec-a", "svc0"), ("ec-b", "ens3"))),
    )
    assert full.services == (
        Service(unit="full@15-main.service", start_timeout=120.0, stop_timeout=4.5),
        Service(unit="full-jobs.service", start_timeout=90.0, stop_timeout=90.0),
    )
    assert full.health == (
        Health(kind="tcp", address="10.88.0.50", port=5432, timeout=20.0),
        Health(kind="http", url="http://[fd88::50]:8080/health?deep=1"),
        Health(kind="command", argv=("/usr/bin/full-check", "-x", "", "-x"), user="full"),
    )
    source = VersionSource(kind="properties", file="/n1gc-setup/.version.properties", key="product.version")
    assert (full.version, full.retention) == (source, Retention(keep=12, keep_days=3))
    assert [(device.node, device.agent, device.retry) for device in full.proof.power] == [
        ("ec-a", "fence_ipmilan", 2),
        ("ec-b", "/usr/local/sbin/fence_outlet", 1),
    ]
    options = (("ip", "10.99.0.21"), ("lanplus", "1"), ("username", "tanist"), ("power_timeout", "15"))
    assert full.proof.devices("ec-a")[0].options == options
    assert full.proof.suffices == (("power",), ("power", "attestation"))
    assert full.mirror.at_rest == "encrypted"
    assert full.scope[0].allowed == ("ec+proxy", "ec")
    assert [node.name for node in full.nodes] == ["ec-a", "ec-b"]
    assert full.captured_paths == (
        "/etc/full",
        "/etc/ssl/private/full.key",
        "/etc/ssl/certs/full.pem",
        "/etc/cron.d/full",
        "/etc/tanist/identity/full",
        "/var/lib/tanist/full/commands",
    )
    assert full.own_paths == full.captured_paths[:-1]
    assert full.devices == ("/etc/full/dev/null",)
    assert full.commands == (
        SavedCommand(
            name="roles",
            argv=("/usr/bin/pg_dumpall", "--roles-only"),
            service="full@15-main.service",
            user="backup",
            timeout=33.0,
            max_mib=4,
            restore=("/usr/bin/psql", "-q"),
        ),
        SavedCommand(name="people", argv=("/usr/sbin/slapcat",), when="any"),
    )
    assert full.exports[0].clients == ("10.88.0.0/24", "*.example.org", "@admins")
    assert full.standby.unconfigured == ("/etc/opt/SUNWuce/users.json",)


def test_what_is_left_out_has_its_default() -> None:
    small = load_controller(SMALL, "/etc/tanist/controllers/small.toml")
    assert small.identity.ssh_host_keys == "/etc/tanist/identity/small"
    assert (small.services, small.version, small.retention) == ((), VersionSource(), Retention())
    assert small.proof.suffices == (("attestation",),)
    assert small.mirror.at_rest == "plain"


def test_where_a_strong_proof_is_defined_it_is_asked_for_unless_the_definition_says_otherwise() -> None:
    power = '[[proof.power]]\nnode = "a"\nagent = "fence_dummy"\n'
    said = "[proof]\nsuffices = ['power + attestation', 'attestation']\n"
    strict, loose = (load_controller(SMALL + text.encode(), "small.toml") for text in (power, said + power))
    assert strict.proof.suffices == (("power",),)
    assert loose.proof.suffices == (("power", "attestation"), ("attestation",))
    with pytest.raises(BadDefinition, match='"power" cannot be had without'):
        load_controller(SMALL + said.encode(), "small.toml")


@pytest.mark.requirement("A04")
@pytest.mark.parametrize("name", ["postgresql", "opscenter"])
def test_the_profiles_are_definitions_without_a_mistake(name: str) -> None:
    path = PROFILES / f"{name}.toml"
    controller = load_controller(path.read_bytes(), str(path))
    assert [node.name for node in controller.nodes] == ["ec-a", "ec-b"]
    assert {node.management for node in controller.nodes} == {("10.99.0.11",), ("10.99.0.12",)}
    assert bool(controller.scope) == (name == "opscenter")


def test_all_mistakes_come_at_once_in_the_order_of_their_lines() -> None:
    text = FULL.replace(b'"/var/lib/full"', b'"/etc"').replace(b"keep = 12", b"keep = 0").replace(b"port =", b"prot =")
    with pytest.raises(BadDefinition) as caught:
        load_controller(text, "/x/full.toml")
    places = [problem.split(": ")[:2] for problem in caught.value.problems]
    assert places == [
        ["/x/full.toml:12", "tree.path"],
        ["/x/full.toml:64", "health.port"],  # missing: the line of its table
        ["/x/full.toml:67", "health.prot"],
        ["/x/full.toml:95", "retention.keep"],
    ]
    assert 'did you mean "port"?' in caught.value.problems[2]


def test_an_empty_file_names_what_every_definition_has() -> None:
    with pytest.raises(BadDefinition) as caught:
        load_controller(b"", "x.toml")
    keys = {problem.split(": ")[1] for problem in caught.value.problems}
    assert keys == {"format", "name", "asset", "tree", "identity", "node"}


def test_text_with_windows_line_ends_has_the_same_lines() -> None:
    text = FULL.replace(b"keep = 12", b"keep = 0").replace(b"\n", b"\r\n")
    with pytest.raises(BadDefinition, match=r"^full\.toml:95: retention\.keep: "):
        load_controller(text, "full.toml")


def test_a_definition_is_read_by_name(tmp_path: Path) -> None:
    machine = Machine(tmp_path, files={"/etc/tanist/controllers/full.toml": FULL})
    assert read_controller(machine.files, "full") == load_controller(FULL, "full.toml")


def test_a_missing_definition_is_refused_with_those_there_are(tmp_path: Path) -> None:
    there = {
        f"/etc/tanist/controllers/{name}": "" for name in ("full.toml", "other.toml", "x.toml~", ".y.toml", "README")
    }
    machine = Machine(tmp_path, files=there)
    with pytest.raises(Refused, match=r'no definition "fulll", did you mean "full"\?; .* has: full, other$'):
        read_controller(machine.files, "fulll")
    assert list_controllers(machine.files) == ("full", "other")


@pytest.mark.parametrize("name", ["../node", "", "a/b", "A", "-x", "x\0"])
def test_a_name_never_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    machine = Machine(tmp_path, files={"/etc/tanist/node.toml": FULL})
    with pytest.raises(Refused, match="none at all"):
        read_controller(machine.files, name)


def test_a_definition_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc/tanist/controllers/full.toml").mkdir(parents=True)
    with pytest.raises(Refused, match=r"cannot read /etc/tanist/controllers/full\.toml: Is a directory"):
        read_controller(Machine(tmp_path).files, "full")


@pytest.mark.parametrize("text", ["ec-a\n", "ec-a", "\n  ec-a  \n\n"])
def test_the_node_knows_its_name(tmp_path: Path, text: str) -> None:
    assert read_node_name(Machine(tmp_path, files={"/etc/tanist/node": text}).files) == "ec-a"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "is missing"),
        ("", "0 lines"),
        ("a\nb\n", "2 lines"),
        ("ec a\n", "no node name"),
        ("../x", "no node name"),
    ],
)
def test_a_node_without_a_name_is_told_what_to_type(tmp_path: Path, text: str | None, says: str) -> None:
    machine = Machine(tmp_path, files={} if text is None else {"/etc/tanist/node": text})
    with pytest.raises(Refused, match=says) as caught:
        read_node_name(machine.files)
    assert caught.value.next_step.startswith("echo NAME > /etc/tanist/node")


@pytest.mark.parametrize(("other", "wrong"), [("other", True), ("share/allstart", False)])
def test_an_fsid_is_of_one_exported_directory(other: str, wrong: bool) -> None:
    text = (
        (Path(__file__).parent / "full.toml").read_text().replace('"no_subtree_check"', '"no_subtree_check", "fsid=7"')
    )
    more = f'\n[[export]]\npath = "{other}"\nclients = ["10.9.0.0/24"]\noptions = ["ro", "fsid=7"]\n'
    if not wrong:
        assert len(load_controller((text + more).encode(), "full.toml").exports) == 2
        return
    with pytest.raises(Refused, match="another export's already"):
        load_controller((text + more).encode(), "full.toml")
