"""What must hold between the values of one definition. Pure: a Controller in, mistakes noted with their places.

A value that is empty was already found wrong by itself and is passed over here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tanist.definition.protected import check_place
from tanist.definition.table import Problems, Where
from tanist.model.definition import WATCHDOG_FIRES, Controller
from tanist.model.paths import is_inside

_Place = tuple[Where, str]
_EXPORTABLE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@,="


def check_controller(controller: Controller, problems: Problems) -> None:
    tree = _check_tree(controller, problems)
    _check_places(controller, tree, problems)
    _check_sources(controller, problems)
    _check_readable_without_tree(controller, tree, problems)
    _check_nodes(controller, problems)
    _check_addresses(controller, problems)
    _check_repetitions(controller, problems)
    _check_proofs(controller, problems)
    _check_captured(controller, problems)
    _check_exports(controller, problems)


def _check_tree(controller: Controller, problems: Problems) -> str:
    """The tree, empty when it is wrong by itself: one mistake is one problem."""
    wrong = check_place(controller.tree) if controller.tree else ""
    if wrong:
        problems.add(("tree", "path"), wrong)
    if controller.busy and controller.asset.kind == "directory":
        says = "is for a file system of its own: who uses this one may have nothing to do with the tree; leave it out"
        problems.add(("tree", "busy"), says)
    return "" if wrong else controller.tree


def _owned(controller: Controller) -> Iterator[_Place]:
    """What a capture holds, files last: a file in a directory that is owned as a whole is the one to take out."""
    yield from _listed(("outside", "directories"), controller.outside.directories)
    yield ("identity", "ssh_host_keys"), controller.identity.ssh_host_keys
    yield from _listed(("outside", "files"), controller.outside.files)


def _check_places(controller: Controller, tree: str, problems: Problems) -> None:
    """Captured paths and bind targets: each on its own ground, and none in another."""
    targets: list[_Place] = [(("bind", i, "target"), bind.target) for i, bind in enumerate(controller.binds)]
    good: list[_Place] = []
    for where, path in (*_owned(controller), *targets):
        if not path or (where[:-1], path) in [(other[:-1], taken) for other, taken in good if other[0] == "outside"]:
            continue  # said already: a list does not repeat itself
        wrong = check_place(path) or _against_tree(path, tree) or _against_others(path, good)
        if not wrong and where[:2] == ("outside", "files") and path.startswith("/etc/cron.d/"):
            wrong = f'"{path}" would run from the moment it is there; allowed: in [cron] files, armed last'
        if wrong:
            problems.add(where, wrong)
        else:
            good.append((where, path))


def _against_tree(path: str, tree: str) -> str:
    if tree and is_inside(path, tree):
        return f'"{path}" lies inside the tree {tree} and moves with it; allowed: paths outside the tree'
    if tree and is_inside(tree, path):
        return f'"{path}" holds the tree {tree}; allowed: paths outside the tree'
    return ""


def _against_others(path: str, others: Iterable[_Place]) -> str:
    for where, other in others:
        key = ".".join(part for part in where if isinstance(part, str))
        if path == other:
            return f'"{path}" is already in {key}; allowed: each path once'
        if is_inside(path, other):
            return f'"{path}" lies inside "{other}" ({key}), which is owned as a whole; allowed: each path once'
        if is_inside(other, path):
            return f'"{path}" holds "{other}" ({key}); allowed: paths of which none lies inside another'
    return ""


def _check_sources(controller: Controller, problems: Problems) -> None:
    """A directory of the tree that appears at two places is one server's file under two locks and two names."""
    seen: list[str] = []
    for i, bind in enumerate(controller.binds):
        if bind.source and bind.source in seen:
            problems.add(("bind", i, "source"), f'"{bind.source}" is bound to two places; allowed: one')
        seen.append(bind.source)


def _check_readable_without_tree(controller: Controller, tree: str, problems: Problems) -> None:
    """What a standby node is asked for must be there while the tree is not."""
    away = [path for path in (tree, *(bind.target for bind in controller.binds)) if path and not check_place(path)]
    asked: list[_Place] = [(("version", "file"), controller.version.file)]
    asked += [(("scope", i, "file"), scope.file) for i, scope in enumerate(controller.scope)]
    asked += _listed(("standby", "installed"), controller.standby.installed)
    for where, path in asked:
        inside = next((place for place in away if path and is_inside(path, place)), "")
        if inside:
            what = f'"{path}" lies in "{inside}", which a standby node does not have'
            problems.add(where, f"{what}; allowed: a path of the installed product, there on every node")
    for i, path in enumerate(controller.standby.unconfigured):
        if path and path in controller.standby.installed:
            problems.add(("standby", "unconfigured", i), f'"{path}" is in installed too; allowed: in one of them')


def _check_nodes(controller: Controller, problems: Problems) -> None:
    if len(controller.nodes) < 2:
        problems.add(
            ("node",), f"{len(controller.nodes)} of at least two nodes; allowed: one [[node]] for each machine"
        )
    for field in ("name", "ssh"):
        first: dict[str, int] = {}
        for i, value in enumerate(getattr(node, field) for node in controller.nodes):
            if value and first.setdefault(value, i) != i:
                problems.add(("node", i, field), f'"{value}" is another node\'s; allowed: one that no other node has')
    service = {address.address for address in controller.identity.addresses} - {""}
    moving = service | {controller.identity.hostname} - {""}
    for i, node in enumerate(controller.nodes):
        host = node.ssh.rpartition("@")[2]
        if host in moving:
            problems.add(
                ("node", i, "ssh"), f'"{host}" moves with the controller; allowed: a name or address that stays'
            )


def _check_addresses(controller: Controller, problems: Problems) -> None:
    service: dict[str, int] = {}
    for i, address in enumerate(controller.identity.addresses):
        if address.address and service.setdefault(address.address, i) != i:
            problems.add(("identity", "address", i, "address"), f'"{address.address}" is given twice; allowed: once')
    owner: dict[str, str] = {}
    for i, node in enumerate(controller.nodes):
        for k, management in enumerate(node.management):
            if not management:
                continue
            where = ("node", i, "management", k)
            if management in service:
                what = f'"{management}" is a service address, which moves'
                problems.add(where, f"{what}; allowed: an address that stays with this node")
            elif owner.setdefault(management, node.name) != node.name:
                what = f'"{management}" is also an address of {owner[management]}'
                problems.add(where, f"{what}; allowed: an address of this node alone")


def _check_proofs(controller: Controller, problems: Problems) -> None:
    names = [node.name for node in controller.nodes]
    for i, device in enumerate(controller.proof.power):
        if device.node and device.node not in names:
            listed = ", ".join(names)
            problems.add(("proof", "power", i, "node"), f'"{device.node}" is no node here; allowed: {listed}')
    _check_replicated(controller, problems)
    _check_nfs(controller, problems)
    lease = controller.proof.lease
    if lease is not None and lease.device and lease.device == controller.asset.device:
        what = "is the asset itself, whose file system would be written over; allowed: storage of its own"
        problems.add(("proof", "lease", "device"), f'"{lease.device}" {what}')
    if lease is not None and controller.gate.stop_within >= WATCHDOG_FIRES:
        what = f"with a lease everything must be down before it runs out; allowed: below {WATCHDOG_FIRES}"
        problems.add(("gate", "stop_within"), f"{controller.gate.stop_within:g}: {what}")


def _check_replicated(controller: Controller, problems: Problems) -> None:
    """A pair without a shared disk: nothing that is proved by one both nodes reach."""
    if controller.asset.replicated is None:
        return
    if len(controller.nodes) > 2:
        what = f"{len(controller.nodes)} nodes with drbd: which of several copies is the newest, none of them can tell"
        problems.add(("node",), f"{what}; allowed: two")
    allowed = "allowed with drbd: [[proof.power]], or a person's word"
    if controller.proof.reservation is not None:
        what = "each node has a disk of its own, and no reservation on it keeps the other from writing to its own"
        problems.add(("proof", "reservation"), f"{what}; {allowed}")
    if controller.proof.lease is not None:
        what = "a lease lies on a disk that both nodes reach, and this pair has none"
        problems.add(("proof", "lease"), f"{what}; {allowed}")


def _check_nfs(controller: Controller, problems: Problems) -> None:
    """A tree on a filer: nothing of it is a disk of this node's, and the kernel sees it through no id map."""
    if controller.asset.kind != "nfs":
        return
    if controller.proof.reservation is not None:
        what = "an export is no disk, and nobody can reserve it; allowed with nfs: [[proof.power]], [proof.lease]"
        problems.add(("proof", "reservation"), f"{what}, or a person's word")
    if controller.accounts.ownership == "map":
        what = '"map": the kernel has no id maps for NFS; allowed with nfs: "auto", "walk"'
        problems.add(("accounts", "ownership"), what)
    if controller.exports:
        what = "the tree lies on a filer already, and its own clients would go through this node: let the filer export"
        problems.add(("export",), f"{what} it; allowed with nfs: none")


def _check_captured(controller: Controller, problems: Problems) -> None:
    """Commands have something to talk to, and device nodes lie where a capture looks."""
    units = [service.unit for service in controller.services]
    for i, command in enumerate(controller.commands):
        where: Where = ("capture", "command", i)
        if command.service and command.when != "running":
            problems.add((*where, "service"), f'is for when = "running"; allowed: nothing with "{command.when}"')
        elif command.service and command.service not in units:
            listed = ", ".join(units) or "none are defined"
            problems.add((*where, "service"), f'"{command.service}" is no [[service]] here; allowed: {listed}')
        elif command.when == "running" and not units:
            problems.add((*where, "when"), '"running" needs a [[service]]; allowed: "stopped", "any"')
    if problems.found:
        return  # a captured path that is wrong by itself is one mistake, not two
    for where, path in _listed(("capture", "devices"), controller.devices):
        if path and not any(place and is_inside(path, place) for place in controller.own_paths):
            problems.add(where, f'"{path}" is in nothing that is captured; allowed: a path in [outside]')


def _check_repetitions(controller: Controller, problems: Problems) -> None:
    _once((((("service", i, "unit"), service.unit)) for i, service in enumerate(controller.services)), problems)
    names = ((("capture", "command", i, "name"), command.name) for i, command in enumerate(controller.commands))
    _once(((where, name) for where, name in names), problems)
    exports = ((("export", i, "clients"), export.path, client) for i, export in enumerate(controller.exports)
               for client in dict.fromkeys(export.clients))  # fmt: skip
    seen: set[tuple[str, str]] = set()
    for where, path, client in exports:
        if path and client and (path, client) in seen:
            problems.add(where, f'"{path}" is exported to {client} twice; allowed: once')
        seen.add((path, client))
    labels = (
        (("health", i, "kind"), check.label) for i, check in enumerate(controller.health) if _is_whole(check.label)
    )
    _once(labels, problems)
    scopes = ((("scope", i, "key"), f"{scope.file}: {scope.key}") for i, scope in enumerate(controller.scope))
    _once(((where, what) for where, what in scopes if _is_whole(what)), problems)


def _once(places: Iterable[_Place], problems: Problems) -> None:
    seen: set[str] = set()
    for where, value in places:
        if value and value in seen:
            problems.add(where, f'"{value}" is given twice; allowed: once')
        seen.add(value)


def _is_whole(label: str) -> bool:
    """Not put together from values that were found wrong."""
    return not label.endswith((" ", ":0")) and not label.startswith(":") and " :" not in label


def _listed(where: Where, paths: Iterable[str]) -> list[_Place]:
    return [((*where, i), path) for i, path in enumerate(paths)]


def _check_exports(controller: Controller, problems: Problems) -> None:
    """Their whole paths stand in exports(5) and in units, each with marks of its own; and an fsid names one of them."""
    numbers: dict[str, str] = {}
    for i, export in enumerate(controller.exports):
        if (path := f"{controller.tree}/{export.path}").strip(_EXPORTABLE):
            text = f'"{path}" can\'t be exported; allowed: letters, digits and / . _ - + @ , ='
            problems.add(("export", i, "path"), text)
        for option in export.options:
            if option.startswith("fsid=") and numbers.setdefault(option, export.path) != export.path:
                text = f'"{option}" is another export\'s already; allowed: a number for each, or none: tanist makes one'
                problems.add(("export", i, "options"), text)
