"""The header of an ordinary file is put together in one go: as the long way makes it."""

from __future__ import annotations

from itertools import product

from tanist.capture.manifest import Entry
from tanist.capture.tarball import render_header, render_member_of
from tanist.host.attributes import Attributes

SECOND = 10**9
TIMES = (0, 1, -1, SECOND * SECOND, SECOND * SECOND + 1, *(n * SECOND - 1 for n in (SECOND, 1 << 33, 10**10)))
TIMES += tuple(n * SECOND + 1 for n in (SECOND - 1, SECOND, (1 << 33) - 1, 1 << 33, 10**10))
PATHS = ("/a", "/etc/\xe4", "/" + "b" * 100, "/" + "b" * 101, "/\udcff")
OWNERS = ((0, "root"), (0o7777777, ""), (0o10000000, "root"), (5, "u" * 31), (5, "u" * 32), (5, "\xe4"))
SIZES = (0, 3000, (1 << 33) - 1, 1 << 33)


def test_a_common_header_is_the_same_as_a_whole_one() -> None:
    for ns, path, (number, name), size in product(TIMES, PATHS, OWNERS, SIZES):
        for uid, gid, user, group in ((number, 0, name, "root"), (0, number, "root", name)):
            its = Attributes(mode=0o4755, uid=uid, gid=gid, mtime_ns=ns)
            entry = Entry(path=path, kind="file", attributes=its, user=user, group=group, size=size)
            assert render_member_of(entry, lambda _: "", lambda _: "") == render_header(entry)
