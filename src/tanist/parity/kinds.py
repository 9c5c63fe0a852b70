"""What `tanist check` looks at: each kind of finding by its stable name, how grave it is, and why it matters.

`blocks`: the takeover would be refused, fail, or go wrong. `loss`: it would work and something would be missing.
`warning`: it would work today.
"""

from __future__ import annotations

from typing import Literal

from tanist.model.dataclasses import dataclass

Weight = Literal["warning", "loss", "blocks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    weight: Weight
    why: str
    mend: str  # in general; a finding may know better


_ALL = (
    # -- the machines
    Kind(
        name="architecture",
        weight="blocks",
        why="Programs and data files of one processor class may not work on the other (A09).",
        mend="use two machines of the same processor class",
    ),
    Kind(
        name="operating system",
        weight="blocks",
        why="Configuration and data of one release may not work on another, or not find their way back (A10).",
        mend="bring both nodes to the same release",
    ),
    Kind(
        name="version",
        weight="blocks",
        why="Another product version may refuse the data, or convert it so that there is no way back (A11, A25-A29).",
        mend="install the same version, updates included, on both nodes",
    ),
    Kind(
        name="definition",
        weight="blocks",
        why="Each node acts by its own copy of the definition: where they differ, one moves too little.",
        mend="copy /etc/tanist/controllers/{controller}.toml to the other node",
    ),
    Kind(
        name="tool",
        weight="warning",
        why="Another version of tanist may write what this one refuses to read.",
        mend="install the same tanist on both nodes",
    ),
    Kind(
        name="packages",
        weight="warning",
        why="The services' packages and what they depend on come from each node's own system; a library of another "
        "version is a common cause of a start that fails.",
        mend="bring both nodes to the same updates",
    ),
    Kind(
        name="kernel",
        weight="warning",
        why="A file system that was made or used by a newer kernel may have features that an older one refuses.",
        mend="run the same kernel on both nodes",
    ),
    Kind(
        name="settings",
        weight="warning",
        why="Servers are tuned by kernel parameters (shared memory, file handles, huge pages). They belong to "
        "the node and do not move.",
        mend="copy the setting to /etc/sysctl.d of the other node, then: sysctl --system",
    ),
    Kind(
        name="limits",
        weight="warning",
        why="The unit is the node's own file: with lower limits the same service may not start, or fail under load.",
        mend="copy the unit's drop-ins (systemctl cat UNIT) to the other node, then: systemctl daemon-reload",
    ),
    Kind(
        name="security module",
        weight="warning",
        why="SELinux or AppArmor in force on one node only, or a profile that only complains there: a service that "
        "runs there may be refused its files here.",
        mend="set both nodes to the same mode",
    ),
    Kind(
        name="clock",
        weight="warning",
        why="Captures, the history and certificates carry times; a jump of the clock at a takeover "
        "confuses the services too.",
        mend="run a time service on both nodes: timedatectl set-ntp true",
    ),
    Kind(
        name="unit files",
        weight="warning",
        why="Drop-ins, and what starts along with a service, are each node's own: without them the same unit starts in "
        "another way here.",
        mend="name them in [outside], so that they move, or copy them and: systemctl daemon-reload",
    ),
    Kind(
        name="account entries",
        weight="warning",
        why="The services run as these accounts: with other groups they may be refused what they may read there.",
        mend="usermod --append --groups GROUP NAME; usermod --home, --shell, --lock",
    ),
    Kind(
        name="numbers",
        weight="warning",
        why="Files move by the names of their owners. Where the numbers differ an id map does that at once; without "
        "one, a takeover walks over every file of the tree.",
        mend="give the accounts the numbers that they have on the other node (usermod --uid, groupmod --gid), or run a "
        "kernel that has id maps",
    ),
    Kind(
        name="exports",
        weight="warning",
        why="Clients of the controller may use what the owner exports by itself; that does not move (A46).",
        mend="define it ([[export]]), or export it on the other node too",
    ),
    Kind(
        name="mounts",
        weight="warning",
        why="Captured files are put on this node's own file systems: another kind may lack what they carry, and "
        "options such as noexec change what they can do.",
        mend="mount both nodes alike: /etc/fstab",
    ),
    Kind(
        name="file system",
        weight="warning",
        why="A kernel that does not know a feature of the asset's file system does not mount it.",
        mend="run a kernel of that version or later (some distributions have a feature in older ones, too)",
    ),
    # -- the network
    Kind(
        name="interface",
        weight="blocks",
        why="Clients reach a service address only through an interface of its subnet, up and with carrier (A12, A13).",
        mend="name the right interface in identity.address, or mend its cable or address",
    ),
    Kind(
        name="wire",
        weight="blocks",
        why="That two interfaces are addressed alike does not show that they are on one wire. An ARP answer does.",
        mend="check switch port and VLAN of that interface on both nodes",
    ),
    Kind(
        name="duplicate address",
        weight="blocks",
        why="A service address that a third machine answers for would not be the controller's alone.",
        mend="take the address away from the machine with that MAC",
    ),
    Kind(
        name="link",
        weight="warning",
        why="A smaller MTU loses large packets silently; a slower link may not carry the load; another VLAN "
        "is another network.",
        mend="give both interfaces the same settings",
    ),
    Kind(
        name="gateway",
        weight="warning",
        why="Clients beyond the subnet are answered through the gateway.",
        mend="ip route show default, and check that the router answers",
    ),
    Kind(
        name="firewall",
        weight="warning",
        why="A packet filter that drops the services' ports on this node only shows at a takeover.",
        mend="let the port in on this node as on the other",
    ),
    Kind(
        name="names",
        weight="warning",
        why="Services and clients find each other by name; both nodes must find the same.",
        mend="make DNS and /etc/hosts of both nodes agree",
    ),
    Kind(
        name="DNS",
        weight="warning",
        why="A hosts file hides from its node what DNS tells everybody else, forwards and backwards.",
        mend="put the name server's records right (A, AAAA, PTR), or the line in /etc/hosts",
    ),
    # -- the node that is to take over
    Kind(
        name="fit",
        weight="blocks",
        why="A takeover looks at these before it changes anything, and refuses (A04, A06, A07).",
        mend="mend what is named",
    ),
    Kind(
        name="accounts",
        weight="blocks",
        why="Files move by the names of their owners; a name that this node lacks has no owner here.",
        mend="create it as a system account (adduser --system --group NAME): the number does not matter",
    ),
    Kind(
        name="unit",
        weight="blocks",
        why="A takeover starts these units; one that is not there, masked, or lacks its program cannot start.",
        mend="install what is missing, or: systemctl unmask UNIT",
    ),
    Kind(
        name="self-starting",
        weight="blocks",
        why="What the system itself starts at boot runs behind the gate's back: two active nodes after a power failure "
        "(invariant 9).",
        mend="disable what is named",
    ),
    Kind(
        name="gate",
        weight="blocks",
        why="Without its units, a node that comes back after a takeover is not kept inert, and no capture is made.",
        mend="tanist enable {controller}, on that node",
    ),
    Kind(
        name="agent",
        weight="warning",
        why="Without the agent what changes outside the tree is captured each hour instead of within seconds, and "
        "nobody checks but you.",
        mend="systemctl enable --now tanist-agent, on that node",
    ),
    Kind(
        name="port",
        weight="blocks",
        why="A port that another program of this node holds is not free for the service.",
        mend="stop or move the program that is named",
    ),
    Kind(
        name="space",
        weight="blocks",
        why="A restore first saves what it replaces, then writes; both need room here.",
        mend="make room on that file system",
    ),
    Kind(
        name="edited files",
        weight="warning",
        why="A restore replaces these with the controller's and a release brings them back. Somebody changed them "
        "here, perhaps expecting that to last.",
        mend="make the change on the active node, where it is captured",
    ),
    Kind(
        name="nfs server",
        weight="blocks",
        why="The controller exports directories; this node has no NFS server to do it (A46).",
        mend="apt install nfs-kernel-server (or nfs-utils)",
    ),
    Kind(
        name="other exports",
        weight="warning",
        why="A node has one NFS server and one record of its clients, and while the controller is active it is the "
        "controller's. Clients of other exports lose their locks whenever it comes or goes.",
        mend="export those from another machine, or accept it",
    ),
    Kind(
        name="nfs grace",
        weight="warning",
        why="After a takeover nobody gets a new lock, and no NFSv4 client opens a file, until all clients that are "
        "known have claimed theirs, or this time is over.",
        mend="set grace-time in section nfsd of /etc/nfs.conf (and fs.nfs.nlm_grace_period), not below the lease time",
    ),
    Kind(
        name="cron",
        weight="blocks",
        why="The controller's cron entries come along; this node has no cron daemon that would run them.",
        mend="apt install cron; systemctl enable --now cron",
    ),
    # -- the data
    Kind(
        name="asset",
        weight="blocks",
        why="The takeover mounts the device that the definition names: it must be here, the same one, and of a kind "
        "that this kernel knows.",
        mend="connect it to this node; compare: blkid DEVICE on both",
    ),
    Kind(
        name="capture",
        weight="loss",
        why="What lies outside the tree moves by the newest capture; changes after it are lost (A30-A36).",
        mend="habackup {controller}, on the active node",
    ),
    Kind(
        name="mirror",
        weight="loss",
        why="The mirrored capture serves drills, comparisons and a takeover's dry run while the owner is dead.",
        mend="habackup {controller}, on the active node; it says what is in the way",
    ),
    Kind(
        name="certificate",
        weight="warning",
        why="A certificate that ends makes a takeover look broken that is not. Those among the captured files are "
        "looked at; the tree is not searched for them.",
        mend="renew it on the active node",
    ),
    Kind(
        name="verification",
        weight="warning",
        why="A capture that nobody has read since it was written may be damaged, and only the takeover would show it.",
        mend="tanist captures verify {controller}, on that node; tanist enable does it every day",
    ),
    Kind(
        name="bad capture",
        weight="loss",
        why="The newest capture of the standby is damaged: a dry run, a drill or a comparison would not work by it, "
        "and where the asset's own copy is damaged as well, a takeover goes by an older one.",
        mend="habackup {controller}, on the active node: it is sent whole; then: tanist captures verify {controller}",
    ),
    Kind(
        name="array",
        weight="warning",
        why="An array with a dead member works until the next one dies; one that assembles itself at boot may be "
        "written by two nodes.",
        mend="replace the disk that is named",
    ),
    Kind(
        name="replica",
        weight="blocks",
        why="Each node has a copy of its own: one that does not follow the other lacks what was written since, and a "
        "takeover by it loses that. Nothing starts by itself on such a copy.",
        mend="drbdadm up, on both nodes, and the network between them",
    ),
    Kind(
        name="split brain",
        weight="blocks",
        why="Both copies were written to without each other: whichever is kept, the other's data are lost. That is a "
        "person's to decide, and nothing here does it.",
        mend="decide whose data stays",
    ),
    Kind(
        name="replication",
        weight="loss",
        why="DRBD can be set up to resolve a split brain by throwing data away, to let two nodes write, or to make a "
        "node the writing one at its boot: each goes past the claim and past a person.",
        mend="change it in /etc/drbd.d, on both nodes; then: drbdadm adjust",
    ),
    Kind(
        name="volume group",
        weight="blocks",
        why="A volume group is one node's alone by its system id; a node without one can neither take it over safely "
        "nor be kept from activating it. One that lacks a disk is not activated.",
        mend='set system_id_source = "uname" in the section global of /etc/lvm/lvm.conf',
    ),
    Kind(
        name="iscsi",
        weight="warning",
        why="A node that is not logged in to the target can't look at the disk, nor tell whose it is.",
        mend="iscsiadm -m node -T TARGET -p PORTAL --login",
    ),
    Kind(
        name="initiator name",
        weight="blocks",
        why="Two nodes with one initiator name, as a clone has it, throw each other out of the target, and are one "
        "node to its reservations.",
        mend="another InitiatorName in /etc/iscsi/initiatorname.iscsi of one of them",
    ),
    Kind(
        name="pool",
        weight="blocks",
        why="A pool must be there with all its devices, and be mounted by nobody but tanist.",
        mend="zpool status -P, where it is imported; zpool import, which lists what can be seen, elsewhere",
    ),
    Kind(
        name="host id",
        weight="blocks",
        why="Two nodes with one host id, as clones have it, are one node to ZFS: an import takes the pool from the "
        "living without a word.",
        mend="zgenhostid on one of them, and a restart",
    ),
    Kind(
        name="attachment",
        weight="blocks",
        why="The program that attaches the asset's disk must answer on the node that would take over.",
        mend="the program's own words, by hand: PROGRAM state",
    ),
    Kind(
        name="mount guard",
        weight="warning",
        why="ext4's multiple mount protection refuses a second mount while another node has the file system: the last "
        "guard where everything else was deceived.",
        mend="tune2fs -O mmp, while it is released on all nodes",
    ),
    # -- what the asset stands on
    Kind(
        name="shared disk",
        weight="blocks",
        why="The storage moves between the nodes (A14, A16): both must read the same disks, by the names that the "
        "disks give themselves.",
        mend="look at cable, zoning and LUN mask of that node; then: lsblk -o NAME,WWN,SERIAL, blkid",
    ),
    Kind(
        name="redundancy",
        weight="warning",
        why="Both nodes use one storage: where that is no mirror or RAID, a disk that fails takes the data from both "
        "(A18).",
        mend="mirror it (mdadm), or say what makes it redundant: redundant_by in [storage] of the definition",
    ),
    Kind(
        name="paths",
        weight="warning",
        why="One cable, port or adapter that fails between a node and the storage ends that node's service (A23).",
        mend="a second path by another adapter (multipath -ll), or accept it",
    ),
    Kind(
        name="network path",
        weight="warning",
        why="Where one card carries the service addresses, its failure, or its switch's, ends the service on that node "
        "(A23).",
        mend="a bond of two cards on two switches, or accept it",
    ),
    Kind(
        name="I/O errors",
        weight="warning",
        why="Disks announce their end by errors; those that the kernel could still repeat nobody else tells.",
        mend="journalctl -k, and: smartctl -x DISK",
    ),
    Kind(
        name="file system errors",
        weight="warning",
        why="A file system that found itself damaged may be mounted read-only after a takeover, or not at all.",
        mend="release the controller in a quiet hour, then: e2fsck -f DEVICE (xfs_repair DEVICE)",
    ),
    Kind(
        name="storage check",
        weight="warning",
        why="Health of disks, room, speed, switches and power supplies are asked by a closer look than a check takes; "
        "its last results count.",
        mend="tanist storage check {controller}, on that node; tanist-agent does it every six hours",
    ),
    Kind(
        name="capacity",
        weight="warning",
        why="The storage has to hold all that the controller keeps, and a capture each hour (A19).",
        mend="make room in the tree, or grow the asset",
    ),
    Kind(
        name="tree full",
        weight="blocks",
        why="Services that can't write do not start, and a takeover could not write its claim (A19).",
        mend="make room in the tree, or grow the asset",
    ),
    Kind(
        name="storage speed",
        weight="warning",
        why="The storage has to be fast enough for the product, by each node's own way to it (A17).",
        mend="look at array, paths and neighbours on it; measure again: tanist storage check {controller} --measure",
    ),
    Kind(
        name="disk health",
        weight="warning",
        why="A disk that announces its failure is replaced in working hours.",
        mend="smartctl -x DISK; replace it while its mirror is whole",
    ),
    Kind(
        name="media check",
        weight="warning",
        why="Sectors that nobody reads rot unseen until the other half of the mirror is gone.",
        mend="echo check > /sys/class/block/ARRAY/md/sync_action; smartctl -t long DISK; e2fsck -f in a quiet hour",
    ),
    Kind(
        name="power supply",
        weight="warning",
        why="A machine with one feed falls with it; where both nodes hang on it, so does the controller (A23).",
        mend="a second supply on another feed; ipmitool sdr type 'Power Supply'",
    ),
    Kind(
        name="switch",
        weight="warning",
        why="A bond whose cables end in one switch falls with that switch (A23).",
        mend="move one cable to another switch, or accept it",
    ),
    Kind(
        name="sharenfs",
        weight="warning",
        why="The product's directory is exported by the controller; ZFS would share it by itself on whichever node "
        "imports the pool (A47).",
        mend="zfs set sharenfs=off DATASET",
    ),
    # -- the proof that the owner is down
    Kind(
        name="proofs",
        weight="blocks",
        why="A takeover from an owner that did not let go asks for one of the sets of [proof]; none of them can be had "
        "from this node.",
        mend="tanist proofs {controller}, on the standby, says what each lacks",
    ),
    Kind(
        name="fence",
        weight="warning",
        why="An owner that hangs answers, and does not stop: without power switch or reservation somebody has to go "
        "there. One that was not asked for long may have been unplugged since.",
        mend="tanist proofs {controller}, on the standby",
    ),
    Kind(
        name="word",
        weight="warning",
        why="A node that gave its word to another one's takeover mounts nothing before that one answers that it runs "
        "nothing, is off, or has raised the claim: it may have the asset.",
        mend="tanist status {controller}, on the other node: end its takeover there, or switch that node off",
    ),
    # -- several controllers on one node
    Kind(
        name="conflict",
        weight="blocks",
        why="Another controller is active on this node now and has what this one needs.",
        mend="release the other one, or give the two different ones in their definitions",
    ),
    Kind(
        name="shared standby",
        weight="warning",
        why="This node stands by for both: after a failure of both primaries only one of them could be active here.",
        mend="give the two different ones in their definitions, or one of them another standby",
    ),
    Kind(
        name="memory",
        weight="warning",
        why="Services that find less memory than they used start slowly, or are killed (and with them what else runs "
        "on this node).",
        mend="add memory, or stop what else runs on this node",
    ),
    # -- the rehearsal
    Kind(
        name="drill",
        weight="warning",
        why="Standbys fail on the day because they drifted; only a rehearsal shows that restore and services work.",
        mend="tanist drill {controller}, on the standby",
    ),
    # -- the node that has it now
    Kind(
        name="services",
        weight="warning",
        why="A takeover would work, and something of the controller does not do its work where it is now: a service "
        "does not run, an address is not there, or a health check does not pass.",
        mend="mend it there; where that takes too long: tanist switchover {controller}",
    ),
    # -- the other node
    Kind(
        name="standby",
        weight="blocks",
        why="A node that does not answer, and of which nothing is remembered, can't be counted on.",
        mend="start it, then: tanist pair {controller}",
    ),
    Kind(
        name="reach",
        weight="warning",
        why="Without ssh between the nodes no capture is mirrored, no word is asked, and no switchover works.",
        mend="tanist pair {controller}",
    ),
    Kind(
        name="owner",
        weight="warning",
        why="What could not be asked of the owner now is compared as it was when it was asked last.",
        mend="if the owner is down: tanist takeover {controller}",
    ),
)
KINDS = {kind.name: kind for kind in _ALL}
STORAGE = frozenset(  # what `tanist storage check` tells
    (
        *("asset", "shared disk", "redundancy", "array", "volume group", "file system", "mount guard", "paths"),
        *("iscsi", "initiator name", "attachment", "pool", "host id", "replica", "split brain", "replication"),
        *("network path", "switch", "power supply", "I/O errors", "file system errors", "disk health", "media check"),
        *("capacity", "tree full", "storage speed", "storage check", "sharenfs", "owner", "standby"),
    )
)
