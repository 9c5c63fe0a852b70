"""A machine's cables: a tap on the switch for each network, and carrier as the machine sees it."""

from __future__ import annotations

from contextlib import suppress

from lab import network
from lab.errors import LabError
from lab.layout import SAN, SAN_NET, Layout, NodeSpec
from lab.run import run
from lab.vm.layout import NETWORKS_OF
from lab.vm.qmp import Qmp


def create_switch(layout: Layout) -> None:
    network.create_switch(layout)
    lines = [
        f"link add {SAN} type bridge stp_state 0 mcast_snooping 0",
        f"link set {SAN} up",
        f"address add {SAN_NET}.1/24 dev {SAN}",
    ]
    network.batch(layout.switch, lines)


def plug(layout: Layout, spec: NodeSpec) -> None:
    """Fresh ports; pulled cables stay out."""
    unplug(layout, spec.name)
    lines = []
    for name in NETWORKS_OF[spec.name]:
        port = layout.port(spec.name, name)
        lines += [
            f"tuntap add dev {port} mode tap",
            f"link set {port} master {name}",
            f"link set {port} {'down' if name in network.pulled_cables(layout, spec.name) else 'up'}",
        ]
    network.batch(layout.switch, lines)


def unplug(layout: Layout, node: str) -> None:
    for name in NETWORKS_OF[node]:
        run(["ip", "-n", layout.switch, "link", "delete", layout.port(node, name)], check=False)


def show_pulled(qmp: Qmp, layout: Layout, node: str) -> None:
    """Let the machine see which of its cables are out."""
    pulled = network.pulled_cables(layout, node)
    for name in NETWORKS_OF[node]:
        with suppress(LabError):
            qmp.ask("set_link", name=f"{name}-nic", up=name not in pulled)
