"""What `tanist check` looks at: each kind of finding by its stable name, how grave it is, and why it matters.

`blocks`: the takeover would be refused, fail, or go wrong. `loss`: it would work and something would be missing.
`warning`: it would work today.
"""

from __future__ import annotations

from tanist.parity.kind import Kind
from tanist.parity.kinds_machines import MACHINES
from tanist.parity.kinds_storage import STORED

_ALL = (
    *MACHINES,
    *STORED,
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
