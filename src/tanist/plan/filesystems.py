"""How a new file system is made so that every node's kernel and tools know all of it. Pure.

Of each feature the table says since which kernel and which tools it can be relied on; the nodes' versions in, the
command out. Sources: ext4(5) and the release notes of e2fsprogs; mkfs.xfs(8) and xfsprogs' own lists of what was the
default for which long-term kernel (mkfs/lts_*.conf). What a distribution brought to an older kernel does not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tanist.model.dataclasses import dataclass
from tanist.model.disks import Programs

MMP_INTERVAL = 1  # seconds between two writes: a takeover after a crash waits 22 s then, with mke2fs' own 5 it is 45
EXT4_BASE = (
    *("has_journal", "ext_attr", "resize_inode", "dir_index", "filetype", "extent", "flex_bg", "sparse_super"),
    *("large_file", "huge_file", "dir_nlink", "extra_isize", "mmp"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    name: str
    kernel: str  # that has it since, for good
    tools: str  # that check and mend it since
    option: str = ""  # xfs: the option of mkfs.xfs that has it
    known: str = ""  # xfs: mkfs.xfs knows its name since


EXT4 = (
    Feature(name="64bit", kernel="2.6.28", tools="1.43"),
    Feature(name="metadata_csum", kernel="3.18", tools="1.43"),
    Feature(name="metadata_csum_seed", kernel="4.4", tools="1.43"),
    Feature(name="orphan_file", kernel="5.15", tools="1.47"),
)
EXT4_QUOTA = Feature(name="quota", kernel="4.5", tools="1.43")
XFS = (
    Feature(name="finobt", kernel="4.19", tools="4.19", option="-m", known="3.2.1"),
    Feature(name="reflink", kernel="5.4", tools="5.1", option="-m", known="4.9"),
    Feature(name="rmapbt", kernel="6.6", tools="6.6", option="-m", known="4.9"),
    Feature(name="bigtime", kernel="5.15", tools="5.10", option="-m", known="5.10"),
    Feature(name="inobtcount", kernel="5.15", tools="5.10", option="-m", known="5.10"),
    Feature(name="sparse", kernel="4.19", tools="4.19", option="-i", known="4.2"),
    Feature(name="nrext64", kernel="6.6", tools="5.19", option="-i", known="5.19"),
    Feature(name="exchange", kernel="6.18", tools="6.10", option="-i", known="6.10"),
    Feature(name="parent", kernel="6.18", tools="6.10", option="-n", known="6.10"),
)


def version_key(text: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", text)[:3])


def is_known(feature: Feature, programs: Iterable[Programs], fstype: str) -> bool:
    """By all of them."""
    return all(
        version_key(one.kernel) >= version_key(feature.kernel)
        and version_key(tools_of(one, fstype)) >= version_key(feature.tools)
        for one in programs
    )


def tools_of(programs: Programs, fstype: str) -> str:
    return programs.e2fsprogs if fstype == "ext4" else programs.xfsprogs


def build_make(
    fstype: str, device: str, *, uuid: str, label: str, programs: Sequence[Programs], quota: bool
) -> tuple[str, ...]:
    """`programs`: this node's first."""
    make = build_ext4 if fstype == "ext4" else build_xfs
    return make(device, uuid=uuid, label=label, programs=programs, quota=quota)


def build_ext4(device: str, *, uuid: str, label: str, programs: Sequence[Programs], quota: bool) -> tuple[str, ...]:
    wanted = (*EXT4, EXT4_QUOTA) if quota else EXT4
    features = (*EXT4_BASE, *(one.name for one in wanted if is_known(one, programs, "ext4")))
    extended = f"mmp_update_interval={MMP_INTERVAL}"
    return (
        *("mke2fs", "-q", "-F", "-t", "ext4", "-L", label[:16], "-U", uuid),
        *("-O", ",".join(("none", *features)), "-E", extended, device),
    )


def build_xfs(device: str, *, uuid: str, label: str, programs: Sequence[Programs], quota: bool) -> tuple[str, ...]:  # noqa: ARG001
    """Quotas of xfs need no feature."""
    own = version_key(programs[0].xfsprogs)
    chosen: dict[str, list[str]] = {"-m": ["crc=1"], "-i": [], "-n": []}
    for one in XFS:
        if own >= version_key(one.known):
            chosen[one.option].append(f"{one.name}={int(is_known(one, programs, 'xfs'))}")
    chosen["-m"].append(f"uuid={uuid}")
    words = [word for option, values in chosen.items() if values for word in (option, ",".join(values))]
    return ("mkfs.xfs", "-q", "-f", "-L", label[:12], *words, device)


def describe_features(fstype: str, programs: Sequence[Programs], *, quota: bool) -> str:
    """What was left out, and because of whom."""
    table = (*EXT4, *((EXT4_QUOTA,) if quota else ())) if fstype == "ext4" else XFS
    left = [one.name for one in table if not is_known(one, programs, fstype)]
    oldest = min((one.kernel for one in programs), key=version_key)
    tools = min((tools_of(one, fstype) for one in programs), key=version_key)
    name = "e2fsprogs" if fstype == "ext4" else "xfsprogs"
    return f"for kernel {oldest} and {name} {tools}, the oldest of the nodes" + (
        f"; left out: {', '.join(left)}" if left else ""
    )
