"""Which functions apply, undo and look at which kind of step."""

from __future__ import annotations

from tanist.model import steps as s
from tanist.steps import (
    accounts,
    claim,
    files,
    hostname,
    network,
    nfs,
    ownership,
    power,
    reboot,
    services,
    sshkeys,
    storage,
)
from tanist.steps.context import Handler

HANDLERS: dict[type, Handler] = {
    s.MountTree: Handler(
        apply=storage.apply_mount_tree, undo=storage.undo_mount_tree, is_applied=storage.is_mount_tree_applied
    ),
    s.CreateGroup: Handler(
        apply=accounts.apply_create_group, undo=accounts.undo_create_group, is_applied=accounts.is_create_group_applied
    ),
    s.CreateUser: Handler(
        apply=accounts.apply_create_user, undo=accounts.undo_create_user, is_applied=accounts.is_create_user_applied
    ),
    s.MountHidden: Handler(
        apply=storage.apply_mount_hidden, undo=storage.undo_mount_hidden, is_applied=storage.is_mount_hidden_applied
    ),
    s.Reown: Handler(apply=ownership.apply_reown, undo=ownership.undo_reown, is_applied=ownership.is_reown_applied),
    s.MapTree: Handler(
        apply=storage.apply_map_tree, undo=storage.undo_map_tree, is_applied=storage.is_map_tree_applied
    ),
    s.MountUnmapped: Handler(
        apply=storage.apply_mount_unmapped,
        undo=storage.undo_mount_unmapped,
        is_applied=storage.is_mount_unmapped_applied,
    ),
    s.BindMount: Handler(apply=storage.apply_bind, undo=storage.undo_bind, is_applied=storage.is_bind_applied),
    s.HoldClaim: Handler(
        apply=claim.apply_hold_claim, undo=claim.undo_hold_claim, is_applied=claim.is_hold_claim_applied
    ),
    s.InitAsset: Handler(apply=claim.apply_init_asset, undo=claim.undo_init_asset),
    s.MakeSshKeys: Handler(apply=sshkeys.apply_make_keys, undo=sshkeys.undo_make_keys),
    s.SaveOwn: Handler(apply=files.apply_save_own, undo=files.undo_save_own),
    s.PutPath: Handler(apply=files.apply_put_path, undo=files.undo_put_path),
    s.ArmCron: Handler(apply=files.apply_arm_cron, undo=files.undo_arm_cron, is_applied=files.is_arm_cron_applied),
    s.SaveCapture: Handler(apply=files.apply_save_capture, undo=files.undo_save_capture),
    s.WriteExports: Handler(apply=nfs.apply_exports, undo=nfs.undo_exports, is_applied=nfs.is_exports_applied),
    s.SetHostname: Handler(
        apply=hostname.apply_set_hostname, undo=hostname.undo_set_hostname, is_applied=hostname.is_set_hostname_applied
    ),
    s.AddAddress: Handler(
        apply=network.apply_add_address, undo=network.undo_add_address, is_applied=network.is_add_address_applied
    ),
    s.Announce: Handler(apply=network.apply_announce, undo=network.undo_announce),
    s.StartService: Handler(
        apply=services.apply_start_service,
        undo=services.undo_start_service,
        is_applied=services.is_start_service_applied,
        hold=True,
    ),
    s.CheckHealth: Handler(
        apply=services.apply_check_health,
        undo=services.undo_check_health,
        is_applied=services.is_check_health_applied,
        hold=True,
    ),
    s.CoverSshKeys: Handler(
        apply=sshkeys.apply_cover, undo=sshkeys.undo_cover, is_applied=sshkeys.is_cover_applied, hold=True
    ),
    s.ServeAlias: Handler(
        apply=sshkeys.apply_serve_alias,
        undo=sshkeys.undo_serve_alias,
        is_applied=sshkeys.is_serve_alias_applied,
        hold=True,
    ),
    s.PowerOff: Handler(apply=power.apply_power_off, undo=power.undo_power_off),
    s.Reboot: Handler(apply=reboot.apply_reboot, undo=reboot.undo_reboot, is_applied=reboot.is_reboot_applied),
}
