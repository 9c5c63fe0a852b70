"""The files that make a machine what it is, over those of the container lab: path below / -> text and mode."""

from __future__ import annotations

from lab.layers import guest_files
from lab.layout import SAN, SAN_NET, NodeSpec
from lab.vm.layout import GUEST, LUNS, NETWORKS_OF, TARGET, VM_NODES, disks_of, initiator


def vm_files(spec: NodeSpec) -> dict[str, tuple[str, int]]:
    files = guest_files(spec, VM_NODES.values())
    interfaces, mode = files["etc/network/interfaces"]
    if SAN in NETWORKS_OF[spec.name]:
        interfaces += (
            f"\n# the way to the store\nauto {SAN}0\niface {SAN}0 inet static\n    address {SAN_NET}.{spec.number}/24\n"
        )
    files["etc/network/interfaces"] = (interfaces, mode)
    for network in NETWORKS_OF[spec.name]:
        text = f"[Match]\nMACAddress={spec.mac(network)}\n[Link]\nName={network}0\n"
        files[f"etc/systemd/network/10-{network}0.link"] = (text, 0o644)
    files["usr/local/lib/lab/agent.py"] = (_own("agent.py"), 0o644)
    files["etc/systemd/system/lab-agent.service"] = (_own("lab-agent.service"), 0o644)
    files["etc/udev/rules.d/70-lab.rules"] = (render_rules(spec.name), 0o644)
    if spec.name == "store":
        files["etc/systemd/system/lab-target.service"] = (_own("lab-target.service"), 0o644)
        files["usr/local/sbin/lab-target"] = (_own("lab-target"), 0o755)
        files["etc/lab-target"] = (
            "\n".join([TARGET, *(f"{d.name} {d.by_id} LAB{d.name}" for d in LUNS)]) + "\n",
            0o644,
        )
    elif spec.has_disks:
        files["etc/iscsi/initiatorname.iscsi"] = (f"InitiatorName={initiator(spec.name)}\n", 0o600)
        files["usr/local/sbin/lab-store"] = (
            _own("lab-store").replace("@TARGET@", TARGET).replace("@PORTAL@", PORTAL),
            0o755,
        )
    return files


PORTAL = f"{SAN_NET}.{VM_NODES['store'].number}:3260"


def render_rules(node: str) -> str:
    """/dev/asset0 and so on, as in the container lab."""
    start = 'SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", '
    named = [(f'ENV{{ID_WWN}}=="0x{d.wwn:016x}"', d.name) for d in disks_of(node)]
    if VM_NODES[node].has_disks:
        named += [(f'ENV{{ID_SCSI_SERIAL}}=="LAB{d.name}"', d.name) for d in LUNS]
    return "".join(f'{start}{match}, SYMLINK+="{name}"\n' for match, name in named)


def _own(name: str) -> str:
    return (GUEST / name).read_text()
