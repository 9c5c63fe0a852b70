"""Files that only the machine's own root can have as they are: what a cell with users of its own could not put back."""

from __future__ import annotations

from typing import Any

import pytest

from tanist.capture.manifest import Entry
from tanist.host.attributes import Attributes
from tanist.runs.drill import find_marked


def entry(path: str, **changes: Any) -> Entry:
    return Entry(path=path, kind="file", attributes=Attributes(mode=0o644, uid=0, gid=0, mtime_ns=0, **changes))


PLAIN = entry("/etc/plain", xattrs=(("security.capability", b"x"), ("user.a", b"b")))


def test_capabilities_and_attributes_of_users_can_be_set_in_the_cell() -> None:
    assert find_marked([]) == find_marked([PLAIN]) == ""


@pytest.mark.parametrize("changes", [{"flags": ("immutable",)}, {"xattrs": (("trusted.a", b"b"),)}])
def test_a_file_that_only_the_machines_root_can_make_is_named(changes: dict[str, Any]) -> None:
    assert find_marked([PLAIN, entry("/etc/db.conf", **changes)]) == "/etc/db.conf"
