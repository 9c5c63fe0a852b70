"""Where tanist keeps its things on a node (docs/design/interfaces.md)."""

from __future__ import annotations

STATE = "/var/lib/tanist"
RUN = "/run/tanist"


def own_store(controller: str, run: str) -> str:
    return f"{STATE}/{controller}/own/{run}"


def own_output(controller: str, run: str, command: str) -> str:
    """What a command of the definition said of this node's own, before a capture's was given to its counterpart."""
    return f"{STATE}/{controller}/own/{run}.commands/{command}"


def mirror(controller: str) -> str:
    return f"{STATE}/{controller}/mirror"


def active_file(controller: str) -> str:
    return f"{STATE}/{controller}/active.json"


def history(controller: str) -> str:
    return f"{STATE}/{controller}/history.jsonl"


def inert(controller: str) -> str:
    """Why this node is inert and waits for a person; present only then."""
    return f"{STATE}/{controller}/inert.json"


def promised(controller: str) -> str:
    """To whose takeovers this node gave its word."""
    return f"{STATE}/{controller}/promised.json"


def motd(controller: str) -> str:
    """The same for whoever logs in (pam_motd(8))."""
    return f"/run/motd.d/tanist-{controller}"


def worry(controller: str) -> str:
    """What the watch is worried about; present only then, and gone after a boot."""
    return f"{runtime(controller)}/watch.json"


def claim_seen(controller: str) -> str:
    return f"{STATE}/{controller}/claim.json"


def verified(controller: str) -> str:
    """The result of the last verification of this node's captures."""
    return f"{STATE}/{controller}/verified.json"


def proofs(controller: str) -> str:
    """What could prove an owner down from this node, as `tanist proofs` found it last."""
    return f"{STATE}/{controller}/proofs.json"


def measured(controller: str) -> str:
    """What `tanist storage check` measured and was told on this node: room, speed, disks."""
    return f"{STATE}/{controller}/storage.json"


def measuring(tree: str) -> str:
    """There only for the time of a measurement."""
    return f"{tree}/.tanist/measuring"


def readiness(controller: str) -> str:
    """What `tanist check` found last on this node."""
    return f"{STATE}/{controller}/readiness.json"


def accepted(controller: str) -> str:
    """Findings that a person accepted on this node."""
    return f"{STATE}/{controller}/accepted.jsonl"


def mirror_keys(controller: str) -> str:
    """What seals this controller's captures on its standbys."""
    return f"/etc/tanist/mirror-keys/{controller}"


def unsealed(controller: str) -> str:
    """In memory: sealed captures, plain, while a command reads them."""
    return f"{RUN}/{controller}/unsealed"


def scratch(controller: str) -> str:
    """Where captures are rendered to be compared, 0700 and empty in between."""
    return f"{STATE}/{controller}/scratch"


def parked_cron(controller: str, run: str) -> str:
    """In /etc, so that a rename from /etc/cron.d stays in one file system."""
    return f"/etc/tanist/parked/{controller}/{run}"


def parked_path(parked: str, path: str) -> str:
    return f"{parked}/{path.rsplit('/', 1)[1]}"


def runtime(controller: str) -> str:
    return f"{RUN}/{controller}"


def hidden(controller: str) -> str:
    """Where the asset is claimed and re-owned before anybody sees it."""
    return f"{RUN}/{controller}/hidden"


def beside(controller: str) -> str:
    """Where the asset is while an installed server's tree is copied to it."""
    return f"{RUN}/{controller}/beside"


def same(controller: str) -> str:
    """In memory: what a move of the tree has found the same on both sides so far."""
    return f"{RUN}/{controller}/same"


def unmapped(controller: str) -> str:
    """The asset without an id map, for NFS."""
    return f"{RUN}/{controller}/unmapped"


def nfs_state(root: str) -> str:
    """What the NFS server knows of its clients. `root`: where the disk's own numbers are seen."""
    return f"{root}/.tanist/nfs"


def copied(controller: str) -> str:
    """The UUID of the file system that a copy of the tree went into, and may go into again."""
    return f"{STATE}/{controller}/copied"


def aside(tree: str) -> str:
    """The old tree, once a new one is in its place."""
    return f"{tree}.before-tanist"


def captures(tree: str) -> str:
    return f"{tree}/.tanist/captures"


def controller_keys(controller: str) -> str:
    """The controller's public ssh host keys, from the last mirrored capture."""
    return f"{STATE}/{controller}/controller_keys.pub"


def drills(controller: str) -> str:
    """Journal and result of each drill of this node."""
    return f"{STATE}/{controller}/drills"


def drill_home(controller: str) -> str:
    """There only for the time of a drill."""
    return f"{STATE}/{controller}/drill"
