"""What a mount of an NFS export must be like for the owner of a tree on it. Pure. Sources: nfs(5), proc(5)."""

from __future__ import annotations

from collections.abc import Sequence

FSTYPE = "nfs4"
LOCK = ".tanist/lock"  # beside the claim, held by the owner's watch
VERSIONS = ("vers=4.1", "vers=4.2")
BAD = {
    "soft": "ends in an error where the owner should wait, and what was written is lost",
    "softerr": "ends in an error where the owner should wait, and what was written is lost",
    "nolock": "locks are this node's alone, and two nodes both get one",
    "nocto": "a file that another node wrote is read as it was before",
}


def judge_options(wide: Sequence[str]) -> tuple[str, ...]:
    """What is wrong with the options in force, as the kernel's table has them; nothing where they fit."""
    found = [f"{one}: {BAD[one]}" for one in wide if one in BAD]
    local = [one for one in wide if one.startswith("local_lock=") and one != "local_lock=none"]
    found += [f"{one}: locks are this node's alone" for one in local]
    found += [f"{one}: TCP alone brings what was sent" for one in wide if one in ("proto=udp", "proto=udp6")]
    if not any(one in VERSIONS for one in wide):
        version = next((one for one in wide if one.startswith("vers=")), "an unknown version")
        found.append(f"{version}: a lock is the owner's sign of life from NFSv4.1 on")
    if "hard" not in wide and not any(one.startswith("soft") for one in wide):
        found.append("not hard: the owner is to wait for its filer")
    return tuple(found)
