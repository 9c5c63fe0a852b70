"""The second part of a takeover: this node becomes the controller, from the capture that was found. Pure.

Order: files before what reads them, addresses before services, cron after health, ssh host keys last, because
changing them may cut the operator's own line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator

from tanist.model.dataclasses import replace
from tanist.model.definition import Controller, Export, SavedCommand, Service
from tanist.model.layer_steps import LAYER_STEPS
from tanist.model.paths import is_inside
from tanist.model.standing import Standing
from tanist.model.steps import (
    AddAddress,
    Announce,
    ArmCron,
    BindMount,
    CheckHealth,
    CoverSshKeys,
    CreateGroup,
    CreateUser,
    FeedCommand,
    FreeMmp,
    HoldClaim,
    InitAsset,
    KeepNfsState,
    MakeSshKeys,
    MapTree,
    MountHidden,
    MountTree,
    MountUnmapped,
    NotifyLocks,
    Plan,
    PlannedStep,
    PowerOff,
    PutPath,
    Reboot,
    Reown,
    Reserve,
    SaveOwn,
    ServeAlias,
    ServeNfs,
    SetHostname,
    StartService,
    StepSpec,
    TakeLease,
    WaitLease,
    WriteExports,
)
from tanist.plan import places
from tanist.plan.acquire import mount_tree, number_steps
from tanist.plan.addresses import service_addresses
from tanist.plan.release import talking_to

NOT_AT_A_BOOT = (  # acquire and claim are planned anew; the others outlive a boot
    *(CreateGroup, CreateUser, *LAYER_STEPS, MountHidden, MountTree, MapTree, HoldClaim, Reown),
    *(SaveOwn, PutPath, FeedCommand, InitAsset, MakeSshKeys, Reboot),
    *(PowerOff, WaitLease, TakeLease, Reserve, FreeMmp),  # nobody is fenced by a boot
)
PROBE_SECONDS = 0.2  # the evidence has listened before: this is the last look before the address is used
Named = tuple[str, StepSpec]


def build_assume(controller: Controller, standing: Standing, store: str, run: str) -> Plan:
    """`store`: the capture to put in force."""
    own = places.own_store(controller.name, run)
    still = feeds(controller, run, [one for one in controller.commands if one.when != "running"])
    steps = [*_files(controller, store, own), *still, *_runtime(controller, standing, run, store, own)]
    return Plan(title="assume: this node becomes the controller", steps=number_steps("assume", steps))


def build_start(in_force: tuple[PlannedStep, ...]) -> Plan:
    """After a boot of the node that still holds the claim: its files are there, what a boot forgets is put back.

    `in_force`: the steps of the run that made this node active, so that a later release undoes the same ones.
    """
    steps = [
        (step.says, replace(step.spec, store="") if isinstance(step.spec, ArmCron) else step.spec)
        for step in in_force
        if not isinstance(step.spec, NOT_AT_A_BOOT)
    ]
    return Plan(title="start: the controller comes up again", steps=number_steps("assume", steps))


def build_stated(controller: Controller, node: str, run: str) -> tuple[PlannedStep, ...]:
    """What is in use on an active node, by the definition alone: for whoever must end it without that run's journal."""
    asset = controller.asset
    steps: list[Named] = []
    if asset.mounted:
        steps.append((f"mount {asset.device} at {controller.tree}", mount_tree(controller)))
    steps += [*_exports(controller), *_binds(controller), *_addresses(controller, node)]
    steps += [starting(service) for service in controller.services]
    steps += _cron(controller, run, store="", own="")
    return number_steps("assume", steps)


def build_first(controller: Controller, standing: Standing, run: str) -> Plan:
    """The first time: what lies outside the tree is this node's already, and only what a boot forgets is added."""
    keys = controller.identity.ssh_host_keys
    types = tuple(sorted(key_type(path) for path in standing.ssh_keys if path.endswith("_key")))
    make = MakeSshKeys(directory=keys, types=types, comment=controller.identity.hostname)
    first: Named = (f"make the controller's ssh host keys in {keys}, unless they are there", make)
    names = tuple(f"ssh_host_{one}_key{suffix}" for one in types for suffix in ("", ".pub"))
    standing = replace(standing, controller_keys=names)
    steps = [first, *_runtime(controller, standing, run, store="", own=places.own_store(controller.name, run))]
    return Plan(title="assume: this node becomes the controller", steps=number_steps("assume", steps))


def build_restore(controller: Controller, store: str, run: str) -> Plan:
    """Only the files of a capture, on the node that is active already."""
    steps = list(_files(controller, store, places.own_store(controller.name, run)))
    steps += [
        (f"put {path} as captured", PutPath(path=path, store=store, own=places.own_store(controller.name, run)))
        for path in controller.cron
    ]
    steps += feeds(controller, run, [one for one in controller.commands if one.when != "stopped"])
    return Plan(title="restore: the files of a capture once more", steps=number_steps("restore", steps))


def key_type(path: str) -> str:
    """ed25519 of /etc/ssh/ssh_host_ed25519_key."""
    return path.rsplit("/", 1)[1].removeprefix("ssh_host_").removesuffix("_key")


def put_paths(controller: Controller) -> tuple[str, ...]:
    """Captured paths that are put in force as files; cron entries are armed later."""
    return tuple(path for path in controller.captured_paths if path not in controller.cron)


def _files(controller: Controller, store: str, own: str) -> Iterator[Named]:
    paths = controller.captured_paths
    yield (
        f"save this node's own {len(paths)} paths that the capture replaces",
        SaveOwn(paths=paths, into=own, devices=controller.devices),
    )
    for path in put_paths(controller):
        inside = tuple(one for one in controller.devices if is_inside(one, path))
        yield f"put {path} as captured", PutPath(path=path, store=store, own=own, devices=inside)


def feeds(controller: Controller, run: str, commands: Iterable[SavedCommand]) -> Iterator[Named]:
    """Their captured output to those that take it back."""
    for one in commands:
        if one.restore:
            own = places.own_output(controller.name, run, one.name)
            feed = FeedCommand(command=one, source=f"{controller.outputs}/{one.name}", own=own)
            yield f"save what {one.argv[0]} says here, and give {one.restore[0]} what it said there ({one.name})", feed


def with_outputs(controller: Controller, names: Container[str]) -> Controller:
    """For a capture that has the output of these commands only."""
    return replace(controller, commands=tuple(one for one in controller.commands if one.name in names))


def _runtime(controller: Controller, standing: Standing, run: str, store: str, own: str) -> Iterator[Named]:
    yield from _exports(controller)
    yield from _binds(controller)
    if controller.identity.mode == "host":
        yield from _hostname(controller, standing)
    yield from _addresses(controller, standing.node)
    yield from _notify(controller)
    for service in controller.services:
        yield starting(service)
        if store:
            yield from feeds(
                controller, run, talking_to(controller.commands, service.unit, controller.services[-1].unit)
            )
    for check in controller.health:
        yield f"wait for health: {check.label}", CheckHealth(check=check)
    yield from _cron(controller, run, store, own)
    yield "announce the addresses again", Announce(addresses=service_addresses(controller, standing.node))
    yield from _ssh(controller, standing)


def _binds(controller: Controller) -> Iterator[Named]:
    for bind in controller.binds:
        source = f"{controller.tree}/{bind.source}"
        yield f"bind {source} to {bind.target}", BindMount(source=source, target=bind.target)


def _addresses(controller: Controller, node: str) -> Iterator[Named]:
    for address in service_addresses(controller, node):
        yield (
            f"probe, add and announce {address.address}/{address.prefix} on {address.interface}",
            AddAddress(address=address, probe_seconds=PROBE_SECONDS),
        )


def _cron(controller: Controller, run: str, store: str, own: str) -> Iterator[Named]:
    if controller.cron:
        yield (
            f"arm cron: {', '.join(controller.cron)}",
            ArmCron(paths=controller.cron, store=store, own=own, parked=places.parked_cron(controller.name, run)),
        )


def _exports(controller: Controller) -> Iterator[Named]:
    """From the unmapped mount beside the tree: NFS clients hold the numbers of the disk."""
    if not controller.exports:
        return
    name, root, source = controller.name, controller.tree, ""
    if controller.asset.mounted:
        root = source = places.unmapped(name)
        yield (
            f"mount the asset without an id map at {root}, for NFS",
            MountUnmapped(
                device=controller.asset.device,
                target=root,
                fstype=controller.asset.fstype,
                options=controller.asset.mount_options,
            ),
        )
    kept = places.nfs_state(root)
    yield (
        "stop the NFS server, and have the controller's record of NFS clients",
        KeepNfsState(controller=name, kept=kept),
    )
    said = ", ".join(export.path for export in controller.exports)
    lines = tuple(render_export(controller, export) for export in controller.exports)
    yield f"export {said}", WriteExports(path=f"/etc/exports.d/tanist-{name}.exports", lines=lines)
    serve = ServeNfs(
        controller=name,
        scope=controller.identity.hostname,
        tree=controller.tree,
        source=source,
        paths=tuple(f"{controller.tree}/{export.path}" for export in controller.exports),
        kept=kept,
        notify=_notified(controller, kept),
    )
    yield "start the NFS server: its clients may claim what they had", serve


def _notify(controller: Controller) -> Iterator[Named]:
    if controller.exports:
        kept = places.nfs_state(places.unmapped(controller.name) if controller.asset.mounted else controller.tree)
        yield "tell NFSv3 clients with locks, so that they claim them", NotifyLocks(notify=_notified(controller, kept))


def _notified(controller: Controller, kept: str) -> tuple[tuple[str, str], ...]:
    return tuple((one.address, f"{kept}/notify/{one.address}") for one in controller.identity.addresses)


def render_export(controller: Controller, export: Export) -> str:
    """A line of exports(5). File handles name the export by its fsid: without one, by what this node calls the disk."""
    options = export.options
    if not any(option.startswith("fsid=") for option in options):
        options = (*options, f"fsid={derive_fsid(controller.name, export.path)}")
    clients = (f"{client}({','.join(options)})" for client in export.clients)
    return " ".join([f"{controller.tree}/{export.path}", *clients])


def derive_fsid(controller: str, path: str) -> str:
    """The same on every node, and nobody else's. A UUID with its dashes: without, digits alone would be a number."""
    text = hashlib.sha256(f"tanist NFS export\0{controller}\0{path}".encode()).hexdigest()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


def _hostname(controller: Controller, standing: Standing) -> Iterator[Named]:
    name = controller.identity.hostname
    yield (
        f"become {name} (this node's own name, {standing.hostname}, stays on its disk)",
        SetHostname(name=name, own=standing.hostname, cover=f"{places.runtime(controller.name)}/hostname"),
    )


def _ssh(controller: Controller, standing: Standing) -> Iterator[Named]:
    keys = controller.identity.ssh_host_keys
    if controller.identity.mode == "host":
        covers = tuple(
            (f"{keys}/{name}", own)
            for own in standing.ssh_keys
            if (name := own.rsplit("/", 1)[1]) in standing.controller_keys
        )
        if covers:
            yield (
                f"answer ssh with the controller's {len(covers) // 2} host keys",
                CoverSshKeys(unit=standing.ssh_unit, covers=covers),
            )
        return
    private = [name for name in standing.controller_keys if name.endswith("_key")]
    if private:
        config = f"{places.runtime(controller.name)}/sshd_config"
        yield (
            "serve ssh on the service addresses with the controller's host keys",
            ServeAlias(controller=controller.name, config=config, text=render_sshd_config(controller, private)),
        )


def render_sshd_config(controller: Controller, private_keys: list[str]) -> str:
    """The alias sshd: the node's own settings, other addresses, other keys (sshd_config(5): the first value wins)."""
    lines = [f"ListenAddress {one.address}" for one in controller.identity.addresses]
    lines += [f"HostKey {controller.identity.ssh_host_keys}/{name}" for name in private_keys]
    lines += [f"PidFile {places.runtime(controller.name)}/sshd.pid", "Include /etc/ssh/sshd_config.d/tanist-alias.conf"]
    lines += ["UsePAM yes", "PrintMotd no", "AcceptEnv LANG LC_*", "Subsystem sftp internal-sftp"]
    return "\n".join(lines) + "\n"


def starting(service: Service) -> tuple[str, StepSpec]:
    spec = StartService(unit=service.unit, start_timeout=service.start_timeout, stop_timeout=service.stop_timeout)
    return f"start {service.unit}", spec
