"""A directory of this machine as if it were the root of one, with this machine's accounts.

For looking at what a restore would make. Whatever is changed through it lies below the directory; of everything else
of a machine (commands, mounts, network) it has nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tanist.host.files import Files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import override

    from tanist.host.host import Host
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


class ScratchFiles(Files):
    """`visible` are paths of `host` that are seen where they are."""

    def __init__(self, host: Host, root: str, visible: Sequence[str]) -> None:
        super().__init__(host.files.real(root), [(path, host.files.real(path)) for path in visible])
        self._beneath = host.files

    @override
    def open_directory(self, path: str, *, create: int | None = None) -> int:
        if create is None and any(path == one or path.startswith(f"{one}/") for one, _ in self.redirects):
            return self._beneath.open_directory(path)
        return super().open_directory(path, create=create)


class Scratch:
    def __init__(self, host: Host, root: str, visible: Sequence[str]) -> None:
        self._host = host
        self.files = ScratchFiles(host, root, visible)

    def user_id(self, name: str) -> int | None:
        return self._host.user_id(name)

    def group_id(self, name: str) -> int | None:
        return self._host.group_id(name)

    def user_name(self, uid: int) -> str | None:
        return self._host.user_name(uid)

    def group_name(self, gid: int) -> str | None:
        return self._host.group_name(gid)


def as_host(host: Host, root: str, visible: Sequence[str] = ()) -> Host:
    """For code that needs a host's files and accounts only; asked for more it fails with an AttributeError.
    `visible`: paths that are seen where they are, to be read."""
    return cast("Host", Scratch(host, root, visible))
