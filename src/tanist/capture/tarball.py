"""files.tar: pax format (POSIX.1-2008, pax(1)) as GNU tar reads it, made member by member.

Owner by name and number, times in nanoseconds, extended attributes as SCHILY.xattr.* (ACLs by number), ACLs by name
as SCHILY.acl.*, sparse files as GNU.sparse 1.0, names as raw bytes. Reading needs no parser: the manifest knows where
each file's content lies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from tanist.capture.acl import render_acl_text
from tanist.capture.manifest import Entry
from tanist.host.attributes import ACL_ACCESS, ACL_DEFAULT

BLOCK = 512
CHUNK = 1 << 20
SCHILY_ACL = {ACL_ACCESS: "SCHILY.acl.access", ACL_DEFAULT: "SCHILY.acl.default"}
END = b"\0" * (2 * BLOCK)
ZEROS = b"\0" * BLOCK
TYPES = {  # a socket has none
    "file": b"0",
    "hard link": b"1",
    "link": b"2",
    "character device": b"3",
    "block device": b"4",
    "directory": b"5",
    "fifo": b"6",
}
LATEST = 0o77777777777  # seconds: ustar holds no more
SPARSE = "GNUSparseFile.0/"


Named = Callable[[int], str | None]


def render_member_of(entry: Entry, user: Named, group: Named) -> bytes:
    """All of an entry that comes before its content. `user` and `group`: names for the numbers in ACLs."""
    found = entry.attributes.xattrs
    if not found and entry.data is None:
        return _render_common(entry) or render_header(entry)
    acls = ((SCHILY_ACL[key], data) for key, data in found if key in SCHILY_ACL)
    records = tuple((key, render_acl_text(data, user, group)) for key, data in acls)
    return render_header(entry, records) + render_map(entry)


def _render_common(entry: Entry) -> bytes:
    """What render_header() makes of most files, put together in one go; nothing for the others."""
    its, path = entry.attributes, entry.path
    seconds, ns = divmod(its.mtime_ns, 10**9)
    ends = _common_ends(its.mode, its.uid, its.gid, entry.user, entry.group)
    common = entry.kind == "file" and ns and 10**9 <= seconds <= LATEST and len(path) <= 101 and path.isascii()
    if not common or not ends:
        return b""
    head, owner, end, total = ends
    name, varying = path[1:].encode("ascii"), b"%b%011o\0" % (render_size(entry.size), seconds)
    return b"%b30 mtime=%d.%09d\n%b%b%b%b%06o\0 %b" % (
        head,
        seconds,
        ns,
        ZEROS[30:],
        name.ljust(100, b"\0"),
        owner,
        varying,
        total + sum(name) + sum(varying),
        end,
    )


@lru_cache(1024)
def _common_ends(mode: int, uid: int, gid: int, user: str, group: str) -> tuple[bytes, bytes, bytes, int] | None:
    """Of a file with nothing special: the pax header of its time; its owner, the end from the kind on, their sum."""
    if max(uid, gid) > 0o7777777 or not _is_short(user) or not _is_short(group):
        return None
    owner, end, total = _shared("file", mode, uid, gid, user, group, (0, 0))
    return _pax_header(30), owner, TYPES["file"] + b"\0" * 100 + end, total


def render_map(entry: Entry) -> bytes:
    """Where the stretches of a sparse file belong; nothing for any other."""
    if entry.data is None:
        return b""
    stretches = list(entry.data)
    if not stretches or sum(stretches[-1]) < entry.size:
        stretches.append((entry.size, 0))
    text = b"%d\n" % len(stretches) + b"".join(b"%d\n%d\n" % one for one in stretches)
    return text + b"\0" * (-len(text) % BLOCK)


def render_header(entry: Entry, more: Sequence[tuple[str, str]] = ()) -> bytes:
    """The pax header, where one is needed, and the ustar header of a member."""
    its = entry.attributes
    path = entry.path[1:]
    if entry.data is not None:
        path = SPARSE + os.path.basename(path)
    name, target = os.fsencode(path), os.fsencode(entry.target)
    if entry.kind == "hard link":
        target = target.lstrip(b"/")
    size = entry.size if entry.data is None else len(render_map(entry)) + entry.stored
    seconds, ns = divmod(its.mtime_ns, 10**9)
    records = _time_record(seconds, ns) + _pax_records(entry, name, target)
    if more and entry.kind != "hard link":
        records += b"".join(_record(os.fsencode(key), os.fsencode(value)) for key, value in more)
    header = _member(entry, name, target, size, min(max(seconds, 0), LATEST))
    if not records:
        return header
    return _pax_header(len(records)) + records + ZEROS[: -len(records) % BLOCK] + header


@lru_cache(4096)
def _pax_header(length: int) -> bytes:
    return _ustar(b"pax/header", {"mode": 0o600, "uid": 0, "gid": 0, "size": length, "mtime": 0}, b"x")


def _time_record(seconds: int, ns: int) -> bytes:
    if not ns and 0 <= seconds <= LATEST:
        return b""
    if 10**9 <= seconds < 10**10:  # a length of 30 in all
        return b"30 mtime=%d.%09d\n" % (seconds, ns)
    return _record(b"mtime", render_time(seconds * 10**9 + ns))


def _pax_records(entry: Entry, name: bytes, target: bytes) -> bytes:
    its = entry.attributes
    plain = len(name) <= 100 and not target and name.isascii() and not its.xattrs and entry.data is None
    if plain and max(its.uid, its.gid) <= 0o7777777 and _is_short(entry.user) and _is_short(entry.group):
        return b""
    texts = (
        ("path", name, 100),
        ("linkpath", target, 100),
        ("uname", os.fsencode(entry.user), 31),
        ("gname", os.fsencode(entry.group), 31),
    )
    records = [(key, text) for key, text, limit in texts if len(text) > limit or not text.isascii()]
    if entry.data is not None:
        sparse = {"major": "1", "minor": "0", "name": entry.path[1:], "realsize": str(entry.size)}
        records += [(f"GNU.sparse.{key}", os.fsencode(value)) for key, value in sparse.items()]
    if any(not _is_utf8(text) for _, text in records):
        records.insert(0, ("hdrcharset", b"BINARY"))
    records += [(key, b"%d" % number) for key, number in (("uid", its.uid), ("gid", its.gid)) if number > 0o7777777]
    for key, value in its.xattrs if entry.kind != "hard link" else ():
        records.append(("SCHILY.xattr." + key.replace("%", "%25").replace("=", "%3D"), value))
    return b"".join(_record(os.fsencode(key), value) for key, value in records)


@lru_cache(1024)
def _is_short(name: str) -> bool:
    return len(name) <= 31 and name.isascii()


def _record(key: bytes, value: bytes) -> bytes:
    """ "LENGTH key=value\\n", where LENGTH counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    while rest + len(str(length)) != length:
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def render_time(ns: int) -> bytes:
    sign, ns = (b"-", -ns) if ns < 0 else (b"", ns)
    return sign + b"%d.%09d" % divmod(ns, 10**9)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _member(entry: Entry, name: bytes, target: bytes, size: int, mtime: int) -> bytes:
    """The ustar header, put together from what many members share."""
    its = entry.attributes
    owner, end, total = _shared(entry.kind, its.mode, its.uid, its.gid, entry.user, entry.group, entry.device)
    name, target = name[:100], target[:100]
    varying = render_size(size) + b"%011o\0" % mtime
    total += sum(name) + sum(varying) + sum(target)
    return b"%b%b%b%06o\0 %b%b%b" % (
        name.ljust(100, b"\0"),
        owner,
        varying,
        total,
        TYPES[entry.kind],
        target.ljust(100, b"\0"),
        end,
    )


@lru_cache(1024)
def _shared(
    kind: str, mode: int, uid: int, gid: int, user: str, group: str, device: tuple[int, int]
) -> tuple[bytes, bytes, int]:
    """Mode and owner; what follows the link's target; the checksum of both, the kind and the checksum's own place."""
    fields = {"mode": mode, "uid": min(uid, 0o7777777), "gid": min(gid, 0o7777777), "size": 0, "mtime": 0}
    header = _ustar(b"", fields, TYPES[kind], b"", os.fsencode(user), os.fsencode(group), device)
    owner, end = header[100:124], header[257:]
    return owner, end, sum(owner) + sum(end) + sum(TYPES[kind]) + sum(b" " * 8)


def _ustar(
    name: bytes,
    fields: dict[str, int],
    kind: bytes,
    target: bytes = b"",
    user: bytes = b"",
    group: bytes = b"",
    device: tuple[int, int] = (0, 0),
) -> bytes:
    header = bytearray(BLOCK)
    header[0:100] = name[:100].ljust(100, b"\0")
    header[100:124] = b"".join(b"%07o\0" % fields[key] for key in ("mode", "uid", "gid"))
    header[124:136] = render_size(fields["size"])
    header[136:148] = b"%011o\0" % fields["mtime"]
    header[156:157] = kind
    header[157:257] = target[:100].ljust(100, b"\0")
    header[257:265] = b"ustar\00000"
    header[265:329] = user[:31].ljust(32, b"\0") + group[:31].ljust(32, b"\0")
    header[329:345] = b"%07o\0%07o\0" % device
    return _with_checksum(header)


def _with_checksum(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def render_member(directory: str, name: str, size: int) -> bytes:
    """The plain ustar header of a file DIRECTORY/NAME of root's, mode 0600."""
    header = bytearray(_ustar(os.fsencode(name), {"mode": 0o600, "uid": 0, "gid": 0, "size": size, "mtime": 0}, b"0"))
    header[345:500] = os.fsencode(directory)[:155].ljust(155, b"\0")
    return _with_checksum(header)


def render_size(size: int) -> bytes:
    """Octal, or from 8 GiB on the base-256 that every tar of this century reads."""
    return b"%011o\0" % size if size < 1 << 33 else b"\x80" + size.to_bytes(11, "big")


def parse_size(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.rstrip(b"\0 ")
    if not digits or set(digits) - set(b"01234567"):
        raise ValueError("a size in the stream is not one")
    return int(digits, 8)


def read_content(content: int, entry: Entry) -> Iterator[bytes]:
    """The stored bytes of a file, from files.tar of its layer."""
    done, size = 0, entry.stored
    while done < size:
        chunk = os.pread(content, min(CHUNK, size - done), entry.offset + done)
        if not chunk:
            raise ValueError(f"{entry.path}: files.tar ends before it")
        yield chunk
        done += len(chunk)
