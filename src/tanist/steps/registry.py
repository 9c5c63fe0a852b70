"""Which functions apply, undo and look at which kind of step.

Their modules are imported with the first step of their kind: a release begins to stop the services before it has read
in what a capture needs.
"""

from __future__ import annotations

import importlib

from tanist.model import asset_steps as asset
from tanist.model import growing as g
from tanist.model import layer_steps as layer
from tanist.model import steps as s
from tanist.model.dataclasses import dataclass
from tanist.steps.context import Handler


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`module` of this package has apply_SUBJECT and undo_SUBJECT, and where there is one is_SUBJECT_applied and
    begin_undo_SUBJECT."""

    module: str
    subject: str
    hold: bool = False


_found: dict[type, Handler] = {}
PLACES: dict[type, Place] = {
    layer.AssembleArray: Place(module="md", subject="assemble_array"),
    layer.PromoteReplica: Place(module="drbd", subject="promote_replica"),
    layer.ActivateVolume: Place(module="lvm", subject="activate_volume"),
    layer.LogIn: Place(module="iscsi", subject="log_in"),
    layer.GatherPaths: Place(module="multipath", subject="gather_paths"),
    layer.ImportPool: Place(module="zfs", subject="import_pool"),
    layer.AttachDisk: Place(module="program", subject="attach_disk"),
    s.MountTree: Place(module="storage", subject="mount_tree"),
    s.CreateGroup: Place(module="accounts", subject="create_group"),
    s.CreateUser: Place(module="accounts", subject="create_user"),
    s.MountHidden: Place(module="storage", subject="mount_hidden"),
    s.Reown: Place(module="ownership", subject="reown"),
    s.MapTree: Place(module="storage", subject="map_tree"),
    s.MountUnmapped: Place(module="storage", subject="mount_unmapped"),
    s.BindMount: Place(module="storage", subject="bind"),
    s.HoldClaim: Place(module="claim", subject="hold_claim"),
    s.InitAsset: Place(module="claim", subject="init_asset"),
    s.MakeSshKeys: Place(module="sshkeys", subject="make_keys"),
    s.SaveOwn: Place(module="files", subject="save_own"),
    s.PutPath: Place(module="files", subject="put_path"),
    s.RunCommands: Place(module="commands", subject="run_commands"),
    s.FeedCommand: Place(module="commands", subject="feed_command", hold=True),
    s.ArmCron: Place(module="cron", subject="arm_cron"),
    s.SaveCapture: Place(module="files", subject="save_capture"),
    s.WriteExports: Place(module="nfs", subject="exports"),
    s.KeepNfsState: Place(module="nfs", subject="keep_state"),
    s.ServeNfs: Place(module="nfs", subject="serve", hold=True),
    s.NotifyLocks: Place(module="nfs", subject="notify"),
    s.SetHostname: Place(module="hostname", subject="set_hostname"),
    s.AddAddress: Place(module="network", subject="add_address"),
    s.Announce: Place(module="network", subject="announce"),
    s.StartService: Place(module="services", subject="start_service", hold=True),
    s.CheckHealth: Place(module="services", subject="check_health", hold=True),
    s.CoverSshKeys: Place(module="sshkeys", subject="cover", hold=True),
    s.ServeAlias: Place(module="sshkeys", subject="serve_alias", hold=True),
    s.FreeMmp: Place(module="storage", subject="free_mmp"),
    s.CheckFileSystem: Place(module="filesystem", subject="check_file_system"),
    s.PowerOff: Place(module="power", subject="power_off"),
    s.WaitLease: Place(module="lease", subject="wait_lease"),
    s.TakeLease: Place(module="lease", subject="take_lease"),
    s.Reserve: Place(module="reservation", subject="reserve"),
    s.Reboot: Place(module="reboot", subject="reboot"),
    asset.MountBeside: Place(module="migrate", subject="mount_beside"),
    asset.MarkCopy: Place(module="migrate", subject="mark_copy"),
    asset.CopyTree: Place(module="migrate", subject="copy_tree"),
    asset.CompareTrees: Place(module="migrate", subject="compare_trees"),
    asset.SetAside: Place(module="migrate", subject="set_aside"),
    asset.EraseDisk: Place(module="prepare", subject="erase_disk"),
    asset.ProveShared: Place(module="prepare", subject="prove_shared"),
    asset.MakeArray: Place(module="prepare", subject="make_array"),
    asset.MakeVolume: Place(module="prepare", subject="make_volume"),
    asset.MakeFileSystem: Place(module="prepare", subject="make_file_system"),
    g.GrowMap: Place(module="grow", subject="grow_map"),
    g.GrowArray: Place(module="grow", subject="grow_array"),
    g.GrowVolume: Place(module="grow", subject="grow_volume"),
    g.GrowFileSystem: Place(module="grow", subject="grow_file_system"),
}


def handler_for(kind: type) -> Handler:
    return _found[kind] if kind in _found else _found.setdefault(kind, _find(PLACES[kind]))


def _find(place: Place) -> Handler:
    module = importlib.import_module(f"tanist.steps.{place.module}")
    return Handler(
        apply=getattr(module, f"apply_{place.subject}"),
        undo=getattr(module, f"undo_{place.subject}"),
        is_applied=getattr(module, f"is_{place.subject}_applied", None),
        begin_undo=getattr(module, f"begin_undo_{place.subject}", None),
        hold=place.hold,
    )
