"""One instance of every kind of step and of every record body, with each field off its default."""

from __future__ import annotations

from tanist.model import asset_steps as asset
from tanist.model import growing as g
from tanist.model import layer_steps as layer
from tanist.model import run as r
from tanist.model import steps as s
from tanist.model.definition import Health, PowerDevice, SavedCommand
from tanist.model.evidence import Evidence, Outcome, Says, Verdict
from tanist.model.host import Address, IdMap, Renumber

MAP = IdMap(users=((0, 0, 101), (101, 102, 1), (102, 101, 1)), groups=((0, 0, 4294967295),))
ADDRESS = Address(interface="svc0", address="10.88.0.60", prefix=24)
CHECK = Health(
    kind="command", address="10.88.0.60", port=1, url="http://x/", argv=("/bin/check", "-v"), user="oc", timeout=2.5
)
COMMAND = SavedCommand(
    name="roles",
    argv=("/usr/bin/dump", "-r"),
    when="any",
    service="oc-ec.service",
    user="oc",
    timeout=1.5,
    max_mib=3,
    restore=("/usr/bin/load",),
)
STEPS: tuple[s.StepSpec, ...] = (
    s.MountTree(device="/dev/asset", target="/tree", fstype="ext4", options=("noatime",), idmap=MAP),
    s.MountTree(device="/dev/asset", target="/tree", fstype="ext4", options=(), idmap=None),
    s.MountTree(device="/dev/asset", target="/tree", fstype="ext4", options=(), idmap=None, hidden="/run/hidden"),
    s.MountHidden(device="/dev/asset", target="/run/hidden", fstype="ext4", options=("noatime",)),
    s.Reown(
        tree="/tree",
        run="r",
        renumber=Renumber(users=((1, 2), (2, 1)), groups=()),
        users_before=(("a", 1),),
        groups_before=(),
        users_after=(("a", 2),),
        groups_after=(),
    ),
    s.CreateGroup(name="g", gid=998),
    s.CreateUser(name="u", uid=998, gid=998),
    s.MapTree(target="/tree", idmap=MAP),
    s.HoldClaim(tree="/tree", controller="oc", node="ec-a", epoch=2, run="r1", over=1),
    s.InitAsset(tree="/tree", controller="oc", node="ec-a", run="r1", users=(("oc", 101),), groups=(("oc", 101),)),
    s.MakeSshKeys(directory="/etc/keys", types=("ed25519", "rsa"), comment="ec"),
    s.SaveOwn(paths=("/etc/oc",), into="/var/lib/own", devices=("/etc/oc/null",)),
    s.PutPath(path="/etc/oc", store="/tree/capture", own="/var/lib/own", devices=("/etc/oc/null",)),
    s.RunCommands(commands=(COMMAND,)),
    s.FeedCommand(command=COMMAND, source="/var/lib/tanist/oc/commands/roles", own="/var/lib/tanist/oc/own/r/roles"),
    s.BindMount(source="/tree/a", target="/etc/opt/a"),
    s.MountUnmapped(device="/dev/asset", target="/run/unmapped", fstype="ext4", options=("noatime",)),
    s.WriteExports(path="/etc/exports.d/x.exports", lines=("/a *(ro)", "/b *(rw)")),
    s.KeepNfsState(controller="oc", kept="/tree/.tanist/nfs"),
    s.ServeNfs(
        controller="oc",
        scope="ec",
        tree="/tree",
        source="/run/unmapped",
        paths=("/tree/a",),
        kept="/tree/.tanist/nfs",
        notify=(("10.88.0.60", "/tree/.tanist/nfs/notify/10.88.0.60"),),
    ),
    s.NotifyLocks(notify=(("10.88.0.60", "/tree/.tanist/nfs/notify/10.88.0.60"),)),
    s.SetHostname(name="ec", own="ec-a", cover="/run/hostname"),
    s.AddAddress(address=ADDRESS, probe_seconds=0.2),
    s.StartService(unit="oc.service", start_timeout=1.5, stop_timeout=2.5),
    s.CheckHealth(check=CHECK),
    s.CoverSshKeys(unit="ssh.service", covers=(("/etc/keys/a", "/etc/ssh/a"),)),
    s.ServeAlias(controller="oc", config="/run/sshd_config", text="ListenAddress ::1\n"),
    s.ArmCron(paths=("/etc/cron.d/oc",), store="/tree/capture", own="/var/lib/own", parked="/etc/parked"),
    s.SaveCapture(epoch=2, run="r1", parked=(("/etc/cron.d/oc", "/etc/parked/oc"),)),
    s.Announce(addresses=(ADDRESS, ADDRESS)),
    s.Reboot(boot_id="b1"),
    s.WaitLease(node="ec-a", seconds=160.0, alone=True),
    s.TakeLease(controller="oc", node="ec-b", epoch=4, run="r1", free="ec-a has no power", over="1:3"),
    s.FreeMmp(device="/dev/asset"),
    s.CheckFileSystem(device="/dev/asset", target="/run/tanist/oc/tree", fstype="xfs", options=("noatime",)),
    asset.MountBeside(device="/dev/asset", target="/run/hidden", fstype="ext4", options=("noatime",)),
    asset.MarkCopy(target="/run/hidden", uuid="01-ab", note="/var/lib/copy"),
    asset.CopyTree(source="/tree", target="/run/hidden", asset="/run/hidden", last=True),
    asset.CompareTrees(source="/tree", target="/run/hidden", asset="/run/hidden", last=True, notes="/run/same"),
    asset.SetAside(tree="/tree", aside="/tree.before-tanist", device="/dev/sdb1", options="rw,noatime"),
    asset.EraseDisk(device="/dev/sda", wwn="0x5", serial="S1", size=1 << 30, marks=("ext4 aa",), run="r1"),
    asset.ProveShared(devices=("/dev/sda", "/dev/sdb"), run="r1"),
    asset.MakeArray(device="/dev/md/a", uuid="0f:1e", members=("/dev/sda", "/dev/sdb"), argv=("mdadm", "--create")),
    asset.MakeVolume(
        group="g", volume="v", device="/dev/g/v", disk="/dev/md/a", uuid="7Z-1", commands=(("pvcreate", "x"), ("y",))
    ),
    asset.MakeFileSystem(device="/dev/g/v", fstype="xfs", uuid="1-2", argv=("mkfs.xfs", "/dev/g/v")),
    g.GrowMap(device="/dev/mapper/a", size=1 << 30),
    g.GrowArray(device="/dev/md/a", size=1 << 30),
    g.GrowReplica(resource="r0", device="/dev/drbd0", size=1 << 30),
    g.GrowPool(pool="p", devices=("/dev/a", "/dev/b"), size=1 << 30),
    g.GrowVolume(group="g", volume="v", device="/dev/g/v", disk="/dev/md/a", to=2 << 30, size=1 << 30),
    g.GrowFileSystem(device="/dev/g/v", fstype="xfs", target="/tree", size=1 << 30),
    s.Reserve(
        controller="oc", node="ec-b", nodes=("ec-a", "ec-b"), epoch=2, devices=("/dev/asset",), timeout=10.0, keep=True
    ),
    layer.AssembleArray(device="/dev/md/asset", uuid="0f:1e", members=("/dev/sda", "/dev/sdb")),
    layer.AttachDisk(
        program="/opt/a", device="/dev/disk/by-id/a", settings=(("volume", "v"),), timeout=9.0, proof="off"
    ),
    layer.LogIn(target="iqn.2026-01.test:a", portals=("10.66.0.21:3260",), device="/dev/disk/by-id/a", stays=True),
    layer.GatherPaths(device="/dev/mapper/a", wwid="3600", paths=2, stays=False),
    layer.ActivateVolume(group="vg", volume="data", device="/dev/vg/data"),
    layer.ImportPool(pool="ledger", devices=("/dev/disk/by-id/a-part1", "/dev/disk/by-id/b-part1")),
    layer.PromoteReplica(resource="r0", device="/dev/drbd0", alone=True),
    s.PowerOff(
        node="ec-a",
        devices=(
            PowerDevice(
                node="ec-a",
                agent="fence_ipmilan",
                options=(("ip", "10.99.0.21"),),
                secrets="/etc/tanist/secrets/ec-a",
                level=2,
                delay=0.5,
                retry=3,
                timeout=12.5,
            ),
        ),
    ),
)
VERDICT = Verdict(outcome=Outcome.NOT_PROVED, reasons=("silence",), would_suffice=("a word",))
EVIDENCE = tuple(
    Evidence(source="peer", about="ec-a", says=says, detail="“umlauts: äöü” and\nlines", seconds=0.25) for says in Says
)
PLAN = s.Plan(
    title="acquire",
    steps=tuple(
        s.PlannedStep(id=f"acquire.{n}", says=type(spec).__name__, direction="undo" if n % 2 else "apply", spec=spec)
        for n, spec in enumerate(STEPS)
    ),
)
STARTED = r.RunStarted(
    run="20260101T000000000-takeover-ec-b",
    kind="takeover",
    controller="oc",
    node="ec-b",
    who="jan",
    reason="power failed",
    attested="lamps out",
    evidence=EVIDENCE,
    verdict=VERDICT,
    epoch=2,
    tool="tanist 0",
    in_force="20250101T000000000-init-ec-b",
    accepted=("debian 13; accepted by jo",),
)
BODIES: tuple[r.Body, ...] = (
    STARTED,
    r.PlanMade(part="acquire", plan=PLAN, capture="/tree/capture", accepted=("debian 13; accepted by jo",)),
    r.StepBegun(step="acquire.1"),
    r.StepDone(step="acquire.1", seconds=0.5),
    r.StepFailed(step="acquire.1", error="no such device"),
    r.StepUndoing(step="acquire.1"),
    r.StepUndone(step="acquire.1", seconds=0.5),
    r.Continued(direction="undo", who="jan", reason="enough", evidence=EVIDENCE, verdict=VERDICT),
    r.Judged(evidence=EVIDENCE, verdict=VERDICT),
    r.RunEnded(outcome="undone", summary="as before", seconds=3.0),
)
