"""Kinds of findings about the data, and about what the asset stands on."""

from __future__ import annotations

from tanist.parity.kind import Kind

STORED = (
    # -- the data
    Kind(
        name="asset",
        weight="blocks",
        why="The takeover mounts the device that the definition names: it must be here, the same one, and of a kind "
        "that this kernel knows.",
        mend="connect it to this node; compare: blkid DEVICE on both",
    ),
    Kind(
        name="export mounts",
        weight="blocks",
        why="A filer lets two nodes mount one export, and both write. tanist mounts it on the owner, at the tree, and "
        "nothing else should.",
        mend="umount it there",
    ),
    Kind(
        name="export options",
        weight="blocks",
        why="The owner waits for its filer (hard), by TCP, and its locks are the filer's: NFSv4.1 or later.",
        mend="take it out of fstab; release and take it again, so that tanist mounts it",
    ),
    Kind(
        name="nfs client",
        weight="blocks",
        why="A filer takes a second client of the same name for the first one, restarted, and drops its locks.",
        mend="give one of them a machine id of its own: rm /etc/machine-id; systemd-machine-id-setup; and a boot",
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
)
