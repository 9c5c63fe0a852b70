"""/proc/self/mountinfo (proc(5)): text to values. The order is the kernel's: of two mounts at one place the later
line is the one on top."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.host import Mount

FILE = "/proc/self/mountinfo"


def read_mounts() -> tuple[Mount, ...]:
    with open(FILE, "rb") as file:
        return parse_mountinfo(file.read())


def parse_mountinfo(data: bytes) -> tuple[Mount, ...]:
    """ValueError names the line that does not fit."""
    text = data.decode("utf-8", "surrogateescape")
    return tuple(_parse_line(line) for line in text.split("\n") if line)


def find_mount(mounts: Iterable[Mount], target: str) -> Mount | None:
    """The mount that is on top at exactly this path."""
    found = None
    for mount in mounts:
        if mount.target == target:
            found = mount
    return found


def _parse_line(line: str) -> Mount:
    # 36 35 98:0 /root /target rw,noatime master:1 ... - fstype source super-options; a source may be empty
    first, separator, second = line.partition(" - ")
    head, tail = first.split(" "), second.split(" ")
    if not separator or len(head) < 6 or len(tail) < 2:
        raise ValueError(f"not a line of mountinfo: {line!r}")
    return Mount(
        target=_unescape(head[4]),
        source=_unescape(tail[1]),
        fstype=_unescape(tail[0]),
        root=_unescape(head[3]),
        options=tuple(head[5].split(",")),
        device=head[2],
        read_only="ro" in tail[2].split(",") if len(tail) > 2 else False,
        wide=tuple(_unescape(tail[2]).split(",")) if len(tail) > 2 else (),
    )


def _unescape(field: str) -> str:
    r"""Space, tab, newline, # and backslash are written as \ooo (fs/proc_namespace.c: mangle)."""
    if "\\" not in field:
        return field
    first, *rest = field.split("\\")
    parts = [first]
    for part in rest:
        code = part[:3]
        if len(code) == 3 and all(digit in "01234567" for digit in code):
            parts.append(chr(int(code, 8)) + part[3:])
        else:
            parts.append("\\" + part)
    return "".join(parts)
