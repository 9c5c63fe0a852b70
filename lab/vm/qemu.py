"""QEMU's command line: what a machine consists of. The same devices in every lab, or no saved state would fit."""

from __future__ import annotations

from pathlib import Path

from lab.layout import Layout
from lab.vm.layout import EXEC_PORTS, MEMORY_MIB, NETWORKS_OF, TCG_CACHE_MIB, VM_NODES, VmDisk, disk_image, disks_of

KERNEL_LINE = (
    "console=ttyS0 quiet loglevel=4 root=/dev/vda rw net.ifnames=0 mitigations=off panic=1 audit=0 selinux=0 "
    "apparmor=0 nokaslr cryptomgr.notests no_timer_check 8250.nr_uarts=1 systemd.show_status=0"
)


def qemu_argv(layout: Layout, node: str, image: Path, boot: Path, *, state: Path | None = None) -> list[str]:
    """`image` is the root disk, `boot` holds kernel and initrd; with `state` the machine waits as it was saved."""
    here = layout.node_dir(node)
    argv = [
        *("qemu-system-x86_64", "-name", layout.machine(node), "-nodefaults", "-no-user-config", "-display", "none"),
        *("-M", "pc", "-cpu", "Nehalem", "-smp", "1", "-m", str(MEMORY_MIB[node])),
        *("-accel", f"tcg,thread=multi,tb-size={TCG_CACHE_MIB}"),
        *("-kernel", str(boot / "kernel"), "-initrd", str(boot / "initrd"), "-append", KERNEL_LINE),
        *("-chardev", f"file,id=console,path={here}/console.log,append=on", "-serial", "chardev:console"),
        *("-qmp", f"unix:{qmp_socket(layout, node)},server=on,wait=off"),
        *("-device", "virtio-rng-pci"),
        *("-drive", f"file={image},format=qcow2,if=none,id=root,cache=unsafe", "-device", "virtio-blk-pci,drive=root"),
        *_networks(layout, node),
        *_exec_ports(layout, node),
        *("-device", "virtio-scsi-pci,id=scsi0"),
    ]
    for number, disk in enumerate(disks_of(node)):
        argv += _disk(disk, disk_image(layout, node, disk), number)
    return argv + (["-incoming", f"exec:cat {state}"] if state is not None else [])


def _networks(layout: Layout, node: str) -> list[str]:
    argv = []
    for network in NETWORKS_OF[node]:
        mac = VM_NODES[node].mac(network)
        argv += ["-netdev", f"tap,id={network},ifname={layout.port(node, network)},script=no,downscript=no"]
        argv += ["-device", f"virtio-net-pci,netdev={network},id={network}-nic,mac={mac},romfile="]
    return argv


def _exec_ports(layout: Layout, node: str) -> list[str]:
    argv = ["-device", f"virtio-serial-pci,max_ports={EXEC_PORTS + 1}"]
    for number in range(EXEC_PORTS):
        path = exec_socket(layout, node, number)
        argv += ["-chardev", f"socket,id=exec{number},path={path},server=on,wait=off"]
        argv += ["-device", f"virtserialport,chardev=exec{number},name=lab.exec.{number}"]
    return argv


def _disk(disk: VmDisk, image: Path, number: int) -> list[str]:
    """File, then a throttle that disk-slow sets, then the SCSI disk; beside it the same file as a disk that fails."""
    name = disk.name
    options = f"scsi-id={number},share-rw=on,serial=LAB{name},wwn=0x{disk.wwn:016x},device_id={name},product={name}"
    return [
        *("-object", f"throttle-group,id={name}-limit"),
        *("-blockdev", f"file,node-name={name}-file,filename={image},cache.no-flush=on,locking=off,discard=unmap"),
        *("-blockdev", f"throttle,node-name={name},throttle-group={name}-limit,file={name}-file"),
        *("-device", f"scsi-hd,drive={name},id={name}-dev,bus=scsi0.0,{options}"),
    ]


def qmp_socket(layout: Layout, node: str) -> Path:
    return layout.node_dir(node) / "qmp"


def exec_socket(layout: Layout, node: str, number: int) -> Path:
    return layout.node_dir(node) / f"exec{number}"


def machine_shape() -> str:
    """What a saved state depends on, as text: the same for every lab."""
    layout, somewhere = Layout("x"), Path("/")
    return "\n".join(" ".join(qemu_argv(layout, node, somewhere, somewhere)) for node in VM_NODES)
