"""Which stage of a run a step belongs to, and how long each stage took. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model import asset_steps as asset
from tanist.model import growing as g
from tanist.model import layer_steps as layer
from tanist.model import steps as s
from tanist.model.report import Span

FENCE, STORAGE, CLAIM, OUTSIDE = "fence", "storage", "claim", "files and accounts"
IDENTITY, SERVICES, HEALTH, LOOK, VERIFY, OTHER = "identity", "services", "health", "evidence", "verification", "steps"
COPY, REBOOT = "copy of the tree", "reboot"
STAGES: dict[type, str] = {
    **dict.fromkeys((s.PowerOff, s.Reserve, s.WaitLease, s.TakeLease), FENCE),
    **dict.fromkeys(
        (
            *(*layer.LAYER_STEPS, s.MountTree, s.MountHidden, s.MapTree),
            *(
                s.BindMount,
                s.MountUnmapped,
                s.FreeMmp,
                s.CheckFileSystem,
                s.Reown,
                asset.MountBeside,
                asset.SetAside,
            ),
            *(
                asset.EraseDisk,
                asset.ProveShared,
                asset.MakeArray,
                asset.MakeVolume,
                asset.MakeFileSystem,
            ),
            *(g.GrowMap, g.GrowArray, g.GrowVolume, g.GrowReplica, g.GrowPool, g.GrowFileSystem),
        ),
        STORAGE,
    ),
    **dict.fromkeys((s.HoldClaim, s.InitAsset), CLAIM),
    **dict.fromkeys(
        (
            *(s.CreateGroup, s.CreateUser, s.SaveOwn, s.PutPath, s.ArmCron, s.WriteExports, s.SaveCapture),
            *(s.RunCommands, s.FeedCommand),
        ),
        OUTSIDE,
    ),
    **dict.fromkeys((s.SetHostname, s.AddAddress, s.Announce, s.CoverSshKeys, s.ServeAlias, s.MakeSshKeys), IDENTITY),
    **dict.fromkeys((s.StartService, s.KeepNfsState, s.ServeNfs, s.NotifyLocks), SERVICES),
    s.CheckHealth: HEALTH,
    **dict.fromkeys((asset.MarkCopy, asset.CopyTree, asset.CompareTrees), COPY),
    s.Reboot: REBOOT,
}


def stage_of(spec: object) -> str:
    return STAGES.get(type(spec), OTHER)


def sum_stages(spans: Iterable[Span]) -> tuple[tuple[str, float], ...]:
    """In the order in which they begin. What went on beside other steps counts for its own stage."""
    found: dict[str, float] = {}
    for span in spans:
        found[span.stage] = found.get(span.stage, 0.0) + span.seconds
    return tuple((name, round(seconds, 4)) for name, seconds in found.items())
