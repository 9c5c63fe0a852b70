"""What a cell is made of: from what a node has to finished argument lists and files."""

from __future__ import annotations

from pathlib import Path

from tanist.definition.load import load_controller
from tanist.model.dataclasses import replace
from tanist.model.definition import Controller
from tanist.model.host import Address, Interface, Mount
from tanist.plan import cell

ROOT = Path(__file__).resolve().parents[3]
CONTROLLER = load_controller((ROOT / "profiles/postgresql.toml").read_bytes(), "postgresql.toml")


def mount(target: str, fstype: str = "ext4") -> Mount:
    return Mount(target=target, source="/dev/sda1", fstype=fstype, root="/", options=(), device="8:1")


def test_file_systems_of_disks_are_cloned_with_their_parents_first() -> None:
    mounts = [mount("/"), mount("/var/log"), mount("/var"), mount("/opt", "btrfs")]
    assert cell.choose_clones(mounts, ()) == ("/opt", "/var", "/var/log")


def test_no_tree_of_any_controller_is_seen_in_the_cell() -> None:
    mounts = [mount("/"), mount("/srv/db", "xfs"), mount("/srv/db/wal"), mount("/srv/dbx"), mount("/srv")]
    assert cell.choose_clones(mounts, ["/srv/db"]) == ("/srv", "/srv/dbx")


def test_what_is_the_kernels_or_the_networks_is_not_cloned() -> None:
    mounts = [mount("/"), mount("/proc", "proc"), mount("/run/x"), mount("/home", "nfs4"), mount("/boot", "ext4")]
    assert cell.choose_clones(mounts, ()) == ()


def test_an_overlay_names_odd_places_as_the_kernel_reads_them() -> None:
    argv = cell.build_overlay("/a:b,c", "/layer", "/root")
    assert argv[:3] == ("mount", "-t", "overlay") and argv[4].startswith("lowerdir=/a\\:b\\,c,upperdir=/layer/upper,")


def test_the_cell_has_the_nodes_interfaces_and_no_other() -> None:
    own = (Address(interface="svc0", address="10.0.0.2", prefix=24),)
    interfaces = [
        Interface(name="lo", mac="", up=True, carrier=True, addresses=()),
        Interface(name="svc0", mac="", up=True, carrier=True, addresses=own),
        Interface(name="spare", mac="", up=False, carrier=False, addresses=()),
        Interface(name="vip0", mac="", up=True, carrier=True, addresses=()),
    ]
    assert [one.name for one in cell.choose_interfaces(interfaces, ["vip0"])] == ["svc0", "vip0"]


def test_the_rehearsed_controller_has_no_disk_no_fence_and_no_reset() -> None:
    seen = cell.rehearsed(CONTROLLER)
    assert (seen.asset.kind, seen.asset.device, seen.proof.power, seen.gate.reset) == ("directory", "", (), False)
    assert (seen.services, seen.tree, seen.outside) == (CONTROLLER.services, CONTROLLER.tree, CONTROLLER.outside)


def test_the_cell_has_a_network_of_its_own_and_no_way_to_make_a_device() -> None:
    argv = cell.build_nspawn("/root", "m", "ec-b", [("/x:y", "/in", True), ("/c", "/caps", False)], own_users=True)
    assert "--private-network" in argv and "--bind=/x\\:y:/in" in argv and "--bind-ro=/c:/caps" in argv
    (dropped,) = [word for word in argv if word.startswith("--drop-capability=")]
    assert {"CAP_MKNOD", "CAP_SYS_BOOT"} <= set(dropped.partition("=")[2].split(","))
    assert not any(word.startswith(("--network-", "--bind=/dev")) for word in argv)


def test_all_of_it_ends_with_whoever_began_it() -> None:
    argv = " ".join(cell.build_enter("s.scope", ["tanist", "cell"]))
    assert argv.startswith("setpriv --pdeathsig KILL -- systemd-run --scope") and "--kill-child=KILL" in argv
    assert "--mount --propagation private --pid --fork" in argv and argv.endswith(" tanist cell")


def test_the_cell_starts_the_rehearsal_and_the_nodes_ssh_server_and_nothing_else() -> None:
    files = cell.render_files("db", "ssh.service", "/usr/local/bin/tanist")
    target = files[f"/etc/systemd/system/{cell.TARGET}"]
    assert "Wants=dbus.socket ssh.service tanist-drill-rehearse.service\n" in target
    assert files["/etc/fstab"] == "" and "multi-user" not in "".join(files.values())
    assert "ExecStart=/usr/local/bin/tanist rehearse db\n" in files[f"/etc/systemd/system/{cell.UNIT}"]


def test_the_cells_root_is_nobody_outside_where_that_can_be() -> None:
    def why(controller: Controller = CONTROLLER, marked: str = "", version: str = "252", most: str = "9\n") -> str:
        return cell.why_not_own_users(controller, marked, f"systemd {version} (x)\n+PAM", most)

    assert why() == ""
    assert "before 250" in why(version="247.3") and "before 250" in why(version="?")
    assert "allows none" in why(most="0\n") and "allows none" in why(most="")
    assert why(marked="/etc/db.conf").startswith("/etc/db.conf has attributes")
    asked = replace(CONTROLLER, drill=replace(CONTROLLER.drill, user_namespace=False))
    assert why(asked) == "[drill] user_namespace is false"
    argv = [cell.build_nspawn("/root", "m", "ec-b", [], own_users=own) for own in (True, False)]
    assert ["--private-users=identity" in one for one in argv] == [True, False]
