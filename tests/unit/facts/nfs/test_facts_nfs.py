"""What else a node exports, and how long its NFS server waits: files of a Debian 12 in the VM lab."""

from __future__ import annotations

from pathlib import Path

from tanist.facts.nfs import read_nfs
from tanist.host.fake import FakeHost
from tanist.model.nfs import NfsReadout

FILES = {
    "/etc/exports": "# /srv/homes       hostname1(rw,sync)\n/home 10.88.0.0/24(rw,\\\n  sync) *(ro)\n\n",
    "/etc/exports.d/tanist-oc.exports": "/var/opt/oc/share 10.88.0.0/24(ro)\n",
    "/etc/exports.d/more.exports": '"/srv/with blank" *(ro)\n',
    "/etc/exports.d/readme": "/not/an/export *(ro)\n",
    "/proc/fs/nfsd/nfsv4gracetime": "90\n",
    "/proc/sys/fs/nfs/nlm_grace_period": "0\n",
    "/proc/sys/fs/nfs/nlm_timeout": "10\n",
}


def make_host(directory: Path, files: dict[str, str]) -> FakeHost:
    host = FakeHost(str(directory))
    for path, text in files.items():
        (directory / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (directory / path.lstrip("/")).write_text(text)
    return host


def test_all_exports_but_the_controllers_are_told_and_both_grace_periods(tmp_path: Path) -> None:
    found = read_nfs(make_host(tmp_path, FILES), "oc")
    assert found == NfsReadout(others=("/home", "/srv/with blank"), grace=90, lockd_grace=50)


def test_a_period_that_was_set_is_told_and_none_without_the_modules(tmp_path: Path) -> None:
    set_one = {"/proc/sys/fs/nfs/nlm_grace_period": "20\n", "/proc/sys/fs/nfs/nlm_timeout": "10\n"}
    assert read_nfs(make_host(tmp_path, set_one), "oc") == NfsReadout(others=(), grace=0, lockd_grace=20)
