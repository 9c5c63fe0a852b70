"""Which kernel mounts a file system with which feature. Pure.

Sources: the kernel's fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h and include/uapi/linux/btrfs.h, release by release.
"""

from __future__ import annotations

from collections.abc import Iterable

FIRST_KERNEL = {  # that mounts a file system with it
    "inline_data": (3, 8),
    "encrypt": (4, 1),
    "sparse": (4, 2),
    "metadata_csum_seed": (4, 4),
    "project": (4, 5),
    "rmapbt": (4, 8),
    "reflink": (4, 9),
    "ea_inode": (4, 13),
    "large_dir": (4, 13),
    "casefold": (5, 2),
    "verity": (5, 4),
    "bigtime": (5, 10),
    "inobtcount": (5, 10),
    "nrext64": (5, 19),
    "exchange": (6, 10),
    "parent": (6, 10),
    "metadir": (6, 13),
    "zoned": (6, 15),
    "zone_gaps": (6, 15),
    "skinny_metadata": (3, 10),
    "no_holes": (3, 14),
    "compress_zstd": (4, 14),
    "free_space_tree": (4, 5),
    "metadata_uuid": (5, 0),
    "raid1c34": (5, 5),
    "btrfs_zoned": (5, 12),
    "btrfs_verity": (5, 15),
    "block_group_tree": (6, 1),
    "raid_stripe_tree": (6, 7),
    "simple_quota": (6, 7),
}
NAMED_UP_TO = (6, 15)  # facts/features.py has a name for all that this kernel and those before it know

BACKPORTING = (".el", ".amzn", "uek", "-default")  # Red Hat's, Amazon's, Oracle's, SUSE's: newer than their number


def has_backports(kernel: str) -> bool:
    """Whether it may mount what kernels of its number do not: then only a mount can tell."""
    return any(mark in kernel for mark in BACKPORTING)


def parse_release(kernel: str) -> tuple[int, ...]:
    """(6, 1) of 6.1.0-18-amd64; () where it has no number."""
    parts = kernel.split("-")[0].split(".")
    return tuple(int(part) for part in parts[:2]) if all(part.isdigit() for part in parts[:2]) else ()


def unnamed(features: Iterable[str]) -> tuple[str, ...]:
    """Bits that tanist has no name for (facts/features.py)."""
    return tuple(name for name in features if ":" in name)


def find_lacking(features: Iterable[str], release: tuple[int, ...]) -> tuple[str, ...]:
    """What a kernel of that release refuses, for people. A bit without a name counts where the names are complete."""
    found = []
    for name in features:
        first = FIRST_KERNEL.get(name, (0, 0))
        if first > release:
            found.append(f"{name} (from Linux {first[0]}.{first[1]})")
        elif ":" in name and release <= NAMED_UP_TO:
            found.append(f"{name} (of a newer Linux)")
    return tuple(found)
