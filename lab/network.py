"""The wires: a switch namespace with two bridges and a namespace per node. Nothing on the machine's own network."""

from __future__ import annotations

from pathlib import Path

from lab import mounts
from lab.errors import LabError, LabRefused
from lab.layout import LOCKS, MGMT_NET, NETWORKS, SAN, SVC_NET, Layout, NodeSpec
from lab.run import run

NETNS = Path("/run/netns")
OURS = LOCKS / "tanist-lab-netns"  # NETNS was no mount before a lab's first namespace
MACS = {"svc": "02:88:00:00:00:01", "mgmt": "02:99:00:00:00:01"}


def create_switch(layout: Layout) -> None:
    if str(NETNS) not in mounts.read_points():
        OURS.touch()
    run(["ip", "netns", "add", layout.switch])
    lines = ["link set lo up"]
    for network, net in zip(NETWORKS, (SVC_NET, MGMT_NET), strict=True):
        lines += [
            # an address of its own: else it has its lowest port's, and changes it when that node is cut
            f"link add {network} address {MACS[network]} type bridge stp_state 0 mcast_snooping 0",
            f"link set {network} up",
            f"address add {net}.1/24 dev {network}",
        ]
    batch(layout.switch, lines)


def plug(layout: Layout, spec: NodeSpec) -> None:
    """A fresh namespace and fresh interfaces: whatever was configured before is gone, as after a power cut."""
    unplug(layout, spec.name)
    name = layout.machine(spec.name)
    run(["ip", "netns", "add", name])
    lines = []
    for network in NETWORKS:
        port = layout.port(spec.name, network)
        lines += [
            f"link add {port} type veth peer name {network}0 address {spec.mac(network)} netns {name}",
            f"link set {port} master {network}",
            f"link set {port} {'down' if network in pulled_cables(layout, spec.name) else 'up'}",
        ]
    batch(layout.switch, lines)


def unplug(layout: Layout, node: str) -> None:
    """Take the node's interfaces away at once (deleting a namespace alone is done later by the kernel)."""
    for network in NETWORKS:
        run(["ip", "-n", layout.switch, "link", "delete", layout.port(node, network)], check=False)
    if (NETNS / layout.machine(node)).exists():
        run(["ip", "netns", "delete", layout.machine(node)])


def set_ports(layout: Layout, node: str, *, up: bool, networks: tuple[str, ...] = NETWORKS) -> None:
    unknown = set(networks) - {*NETWORKS, SAN}
    if unknown:
        raise LabRefused(
            f"no network {', '.join(sorted(unknown))}; there are {', '.join(NETWORKS)}, and {SAN} of machines"
        )
    batch(layout.switch, [f"link set {layout.port(node, n)} {'up' if up else 'down'}" for n in networks])


def isolate(layout: Layout, node: str, networks: tuple[str, ...]) -> None:
    set_ports(layout, node, up=False, networks=networks)
    _mark_pulled(layout, node, pulled_cables(layout, node) | set(networks))


def join(layout: Layout, node: str, networks: tuple[str, ...]) -> None:
    set_ports(layout, node, up=True, networks=networks)
    _mark_pulled(layout, node, pulled_cables(layout, node) - set(networks))


def pulled_cables(layout: Layout, node: str) -> set[str]:
    """Networks from which the node was isolated: a boot plugs fresh ports and must not put the cable back."""
    mark = layout.node_dir(node) / "pulled"
    return set(mark.read_text().split()) if mark.exists() else set()


def _mark_pulled(layout: Layout, node: str, networks: set[str]) -> None:
    (layout.node_dir(node) / "pulled").write_text(" ".join(sorted(networks)))


def down_ports(layout: Layout, node: str, networks: tuple[str, ...] = NETWORKS) -> tuple[str, ...]:
    """The networks from which the node is cut off at the switch."""
    text = run(["ip", "-n", layout.switch, "-o", "link", "show"]).stdout
    up = {line.split()[1].rstrip(":").split("@")[0] for line in text.splitlines() if ",UP" in line or "<UP" in line}
    return tuple(n for n in networks if layout.port(node, n) not in up)


def namespaces(prefix: str) -> list[str]:
    return sorted(p.name for p in NETNS.glob(f"{prefix}*"))


def delete_namespace(name: str) -> None:
    run(["ip", "netns", "delete", name], check=False)
    (NETNS / name).unlink(missing_ok=True)


def give_mount_back() -> None:
    """With the first namespace ip-netns(8) mounts NETNS on itself, and leaves that; the last lab does not.

    A namespace that is made at this moment keeps its mount: umount(2) refuses, or it lies in the directory below.
    """
    if OURS.exists() and not namespaces("") and run(["umount", NETNS], check=False).returncode == 0:
        OURS.unlink(missing_ok=True)


def pids_in(name: str) -> list[int]:
    """Processes of the machine that run in a namespace of the lab, cgroup or not."""
    done = run(["ip", "netns", "pids", name], check=False)
    return [int(p) for p in done.stdout.split()]


def batch(namespace: str, lines: list[str]) -> None:
    done = run(["ip", "-n", namespace, "-batch", "-"], stdin="\n".join(lines) + "\n", check=False)
    if done.returncode != 0:
        raise LabError(f"ip in {namespace}: {done.stderr.strip()}")
