"""files.tar: pax format (POSIX.1-2008, pax(1)) as GNU tar reads it, written member by member.

Owner by name and number, times in nanoseconds, extended attributes as SCHILY.xattr.* (ACLs by number), ACLs by name
as SCHILY.acl.*, names as raw bytes. Reading needs
no parser: the manifest knows where each file's content lies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Protocol

from tanist.capture.acl import render_acl_text
from tanist.capture.manifest import Entry
from tanist.host.attributes import ACL_ACCESS, ACL_DEFAULT

BLOCK = 512
CHUNK = 1 << 20
SCHILY_ACL = {ACL_ACCESS: "SCHILY.acl.access", ACL_DEFAULT: "SCHILY.acl.default"}
END = b"\0" * (2 * BLOCK)
TYPES = {"file": b"0", "hard link": b"1", "link": b"2", "directory": b"5", "fifo": b"6"}  # a socket has none


Named = Callable[[int], str | None]


class Sink(Protocol):
    """Where a scan puts what it reads."""

    def mark(self) -> int: ...

    def rewind(self, mark: int) -> None: ...

    def put(self, entry: Entry, chunks: Iterable[bytes]) -> tuple[int, int]:
        """Takes an entry with its content, at most `entry.size` bytes; answers where it lies and how long it was."""
        ...


class Nowhere:
    """For a scan that is to see, not to keep."""

    def mark(self) -> int:
        return 0

    def rewind(self, mark: int) -> None:
        pass

    def put(self, entry: Entry, chunks: Iterable[bytes]) -> tuple[int, int]:  # noqa: ARG002
        return 0, sum(len(chunk) for chunk in chunks)


class WriteFailed(Exception):
    """Not an OSError, so that a full disk is never taken for a file that cannot be read."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


class TarWriter:
    def __init__(self, out: BinaryIO, user: Named, group: Named) -> None:
        self.out = out  # seekable
        self.user, self.group = user, group  # names for the numbers in ACLs

    def mark(self) -> int:
        return self.out.tell()

    def rewind(self, mark: int) -> None:
        self.out.seek(mark)
        self.out.truncate()

    def put(self, entry: Entry, chunks: Iterable[bytes]) -> tuple[int, int]:
        if entry.kind not in TYPES:
            return 0, 0
        try:
            return self._put(entry, chunks)
        except OSError as error:
            raise WriteFailed(error) from error

    def _put(self, entry: Entry, chunks: Iterable[bytes]) -> tuple[int, int]:
        begin = self.out.tell()
        self.out.write(self._header(entry, entry.size))
        offset, size = self.out.tell(), 0
        for chunk in chunks:
            self.out.write(chunk)
            size += len(chunk)
        self.out.write(b"\0" * (-size % BLOCK))
        if size != entry.size:  # it shrank while it was read
            after = self.out.tell()
            self.out.seek(begin)
            self.out.write(self._header(entry, size))
            self.out.seek(after)
        return offset, size

    def finish(self) -> None:
        self.out.write(END)

    def _header(self, entry: Entry, size: int) -> bytes:
        acls = ((SCHILY_ACL[key], data) for key, data in entry.attributes.xattrs if key in SCHILY_ACL)
        records = tuple((key, render_acl_text(data, self.user, self.group)) for key, data in acls)
        return render_header(entry, size, records)


def render_header(entry: Entry, size: int, more: Iterable[tuple[str, str]] = ()) -> bytes:
    """The pax header, where one is needed, and the ustar header of a member."""
    its = entry.attributes
    name, target = os.fsencode(entry.path.lstrip("/")), os.fsencode(entry.target)
    if entry.kind == "hard link":
        target = target.lstrip(b"/")
    user, group = os.fsencode(entry.user), os.fsencode(entry.group)
    records = _pax_records(entry, name, target, user, group)
    fields = {"mode": its.mode, "uid": min(its.uid, 0o7777777), "gid": min(its.gid, 0o7777777), "size": size}
    fields["mtime"] = min(max(its.mtime_ns // 10**9, 0), 0o77777777777)
    header = _ustar(name, fields, TYPES[entry.kind], target, user, group)
    if entry.kind != "hard link":
        records += b"".join(_record(os.fsencode(key), os.fsencode(value)) for key, value in more)
    if not records:
        return header
    length = {"mode": 0o600, "uid": 0, "gid": 0, "size": len(records), "mtime": 0}
    return _ustar(b"pax/" + name[-90:], length, b"x") + records + b"\0" * (-len(records) % BLOCK) + header


def _pax_records(entry: Entry, name: bytes, target: bytes, user: bytes, group: bytes) -> bytes:
    its = entry.attributes
    records: list[tuple[str, bytes]] = []
    texts = (("path", name, 100), ("linkpath", target, 100), ("uname", user, 31), ("gname", group, 31))
    records += [(key, text) for key, text, limit in texts if len(text) > limit or not text.isascii()]
    if any(not _is_utf8(text) for _, text in records):
        records.insert(0, ("hdrcharset", b"BINARY"))
    records += [(key, b"%d" % number) for key, number in (("uid", its.uid), ("gid", its.gid)) if number > 0o7777777]
    if its.mtime_ns % 10**9 or not 0 <= its.mtime_ns // 10**9 <= 0o77777777777:
        records.append(("mtime", render_time(its.mtime_ns)))
    for key, value in its.xattrs if entry.kind != "hard link" else ():
        records.append(("SCHILY.xattr." + key.replace("%", "%25").replace("=", "%3D"), value))
    return b"".join(_record(os.fsencode(key), value) for key, value in records)


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


def _ustar(
    name: bytes, fields: dict[str, int], kind: bytes, target: bytes = b"", user: bytes = b"", group: bytes = b""
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
    header[329:345] = b"0000000\0" * 2
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
    done = 0
    while done < entry.size:
        chunk = os.pread(content, min(CHUNK, entry.size - done), entry.offset + done)
        if not chunk:
            raise ValueError(f"{entry.path}: files.tar ends before it")
        yield chunk
        done += len(chunk)
