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
from tanist.steps.context import Handler, leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`module` of this package has apply_SUBJECT, undo_SUBJECT, is_SUBJECT_applied, and where there is one
    begin_undo_SUBJECT."""

    module: str
    subject: str
    hold: bool = False
    stays: bool = False  # forward only, there is no undo_SUBJECT: the spec says why
    unseen: bool = False  # nothing on the host shows it, there is no is_SUBJECT_applied


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
    s.MountUnmapped: Place(module="storage", subject="mount_for_root"),
    s.BindMount: Place(module="storage", subject="bind"),
    s.HoldClaim: Place(module="claim", subject="hold_claim"),
    s.InitAsset: Place(module="claim", subject="init_asset", stays=True, unseen=True),
    s.MakeSshKeys: Place(module="sshkeys", subject="make_keys", stays=True, unseen=True),
    s.SaveOwn: Place(module="files", subject="save_own", stays=True, unseen=True),
    s.PutPath: Place(module="files", subject="put_path", unseen=True),
    s.RunCommands: Place(module="commands", subject="run_commands", stays=True, unseen=True),
    s.FeedCommand: Place(module="commands", subject="feed_command", hold=True, unseen=True),
    s.ArmCron: Place(module="cron", subject="arm_cron"),
    s.SaveCapture: Place(module="files", subject="save_capture", stays=True, unseen=True),
    s.WriteExports: Place(module="nfs", subject="exports"),
    s.KeepNfsState: Place(module="nfs", subject="keep_state"),
    s.ServeNfs: Place(module="nfs", subject="serve", hold=True),
    s.NotifyLocks: Place(module="nfs", subject="notify", stays=True, unseen=True),
    s.SetHostname: Place(module="hostname", subject="set_hostname"),
    s.AddAddress: Place(module="network", subject="add_address"),
    s.Announce: Place(module="network", subject="announce", stays=True, unseen=True),
    s.StartService: Place(module="services", subject="start_service", hold=True),
    s.CheckHealth: Place(module="services", subject="check_health", hold=True, stays=True),
    s.CoverSshKeys: Place(module="sshkeys", subject="cover", hold=True),
    s.ServeAlias: Place(module="sshkeys", subject="serve_alias", hold=True),
    s.FreeMmp: Place(module="storage", subject="free_mmp", stays=True, unseen=True),
    s.CheckFileSystem: Place(module="filesystem", subject="check_file_system", unseen=True),
    s.PowerOff: Place(module="power", subject="power_off", stays=True, unseen=True),
    s.WaitLease: Place(module="lease", subject="wait_lease", stays=True, unseen=True),
    s.TakeLease: Place(module="lease", subject="take_lease"),
    s.Reserve: Place(module="reservation", subject="reserve"),
    s.Reboot: Place(module="reboot", subject="reboot", stays=True),
    asset.MountBeside: Place(module="storage", subject="mount_for_root"),
    asset.MarkCopy: Place(module="migrate", subject="mark_copy", stays=True, unseen=True),
    asset.CopyTree: Place(module="migrate", subject="copy_tree", stays=True),
    asset.CompareTrees: Place(module="migrate", subject="compare_trees", stays=True),
    asset.SetAside: Place(module="migrate", subject="set_aside"),
    asset.EraseDisk: Place(module="prepare", subject="erase_disk", stays=True, unseen=True),
    asset.ProveShared: Place(module="prepare", subject="prove_shared", unseen=True),
    asset.MakeArray: Place(module="prepare", subject="make_array"),
    asset.MakeVolume: Place(module="prepare", subject="make_volume"),
    asset.MakeFileSystem: Place(module="prepare", subject="make_file_system"),
    g.GrowMap: Place(module="grow", subject="grow_map", stays=True),
    g.GrowArray: Place(module="grow", subject="grow_array", stays=True),
    g.GrowVolume: Place(module="grow", subject="grow_volume", stays=True),
    g.GrowReplica: Place(module="drbd", subject="grow_replica", stays=True),
    g.GrowPool: Place(module="zfs", subject="grow_pool", stays=True),
    g.GrowFileSystem: Place(module="grow", subject="grow_file_system", stays=True),
}


def handler_for(kind: type) -> Handler:
    return _found[kind] if kind in _found else _found.setdefault(kind, _find(PLACES[kind]))


def _find(place: Place) -> Handler:
    module = importlib.import_module(f"tanist.steps.{place.module}")
    return Handler(
        apply=getattr(module, f"apply_{place.subject}"),
        undo=leave if place.stays else getattr(module, f"undo_{place.subject}"),
        is_applied=None if place.unseen else getattr(module, f"is_{place.subject}_applied"),
        begin_undo=getattr(module, f"begin_undo_{place.subject}", None),
        hold=place.hold,
    )
