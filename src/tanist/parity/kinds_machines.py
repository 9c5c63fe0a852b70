"""Kinds of findings about the two machines, the network between them, and the node that is to take over."""

from __future__ import annotations

from tanist.parity.kind import Kind

MACHINES = (
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
)
