"""What else this node exports (exports(5)), and how long its NFS server waits for clients after a start (nfsd(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.selfstart.scripts import find_exports
from tanist.model.nfs import NfsReadout
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

EXPORTS, MORE = "/etc/exports", "/etc/exports.d"
GRACE = "/proc/fs/nfsd/nfsv4gracetime"
LOCKD_GRACE, LOCKD_TIMEOUT = "/proc/sys/fs/nfs/nlm_grace_period", "/proc/sys/fs/nfs/nlm_timeout"
TIMEOUTS = 5  # get_lockd_grace_period() in fs/lockd/svc.c, where no period is set


def read_nfs(host: Host, controller: str) -> NfsReadout | Unread:
    try:
        others = [path for file in _files(host, controller) for path in find_exports(_text(host, file), "")]
        return NfsReadout(others=tuple(others), grace=_number(host, GRACE), lockd_grace=_read_lockd_grace(host))
    except OSError as error:
        return Unread(f"{error.filename or EXPORTS}: {error.strerror or error}")


def _files(host: Host, controller: str) -> list[str]:
    names = host.files.list(MORE) if host.files.exists(MORE) else ()
    others = [f"{MORE}/{name}" for name in names if name.endswith(".exports") and name[:1] != "."]
    here = [EXPORTS] if host.files.exists(EXPORTS) else []
    return [*here, *(one for one in others if one != f"{MORE}/tanist-{controller}.exports")]


def _text(host: Host, path: str) -> str:
    return host.files.read(path).decode(errors="replace")


def _read_lockd_grace(host: Host) -> int:
    return _number(host, LOCKD_GRACE) or TIMEOUTS * _number(host, LOCKD_TIMEOUT)


def _number(host: Host, path: str) -> int:
    """0 where its module is not loaded."""
    text = _text(host, path).strip() if host.files.exists(path) else ""
    return int(text) if text.isdigit() else 0
