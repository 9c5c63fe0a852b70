"""What is fuzzed: bytes become a capture that another machine wrote, and nothing but a refusal may come of it.

An input's first byte says what the rest is: one file of a store in the place of the right one, with all checksums made
right again (somebody with intent would do that), or a stream that comes from the other node, or a file of keys, an ACL,
a sealed file, a list. A store that is not refused is restored; whatever is outside the path that it was asked for must
stay as it is.

Used by tests/unit/capture/test_capture_fuzz.py (a bounded number of inputs) and tests/fuzz/hunt.py (coverage-guided).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tanist.capture.acl import parse_acl
from tanist.capture.generations import generation_name, parse_generation_name
from tanist.capture.manifest import About
from tanist.capture.mirror import receive, send
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.save import Base, save_changes, save_whole
from tanist.capture.sealing import Key, parse_keys, seal, unseal
from tanist.capture.seen import Noting, open_seen
from tanist.capture.store import load_head, load_manifest, verify_store
from tanist.host.fake import FakeHost
from tanist.model.definition import Accounts, Asset, Controller, Identity, Node, Outside
from tanist.model.errors import TanistError
from tanist.runs.mirroring import parse_list

ASKED, GONE = "/etc/pg", "/etc/gone"
PG = Controller(
    name="pg",
    asset=Asset(kind="directory"),
    tree="/tree",
    identity=Identity(mode="alias", hostname="pg", addresses=(), ssh_host_keys="/etc/keys"),
    nodes=(Node(name="ec-a", ssh="ec-a", management=()), Node(name="ec-b", ssh="ec-b", management=())),
    outside=Outside(files=(GONE,), directories=(ASKED,)),
    accounts=Accounts(users=("postgres",), groups=("postgres",)),
)
KEY = Key(bytes(range(32)))
MANIFEST, CHECKSUM = "manifest.json", "manifest.sha256"


class WroteOutside(AssertionError):
    """Something was written where it must not be."""


class Bench:
    """A directory with a right store, and a host on which captures are tried."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.host = FakeHost(
            str(top), "ec-b", users={"root": 0, "postgres": 2001}, groups={"root": 0, "postgres": 2001}
        )
        make_tree(Path(self.host.root + ASKED))
        self.host.files.write("/etc/passwd", b"root:x:0:0\n", 0o644)
        self.host.files.make_directory("/outside", 0o755)
        self.host.files.write("/outside/kept", b"kept", 0o600)
        store = self.make_captures()
        self.right = {path.name: path.read_bytes() for path in Path(self.host.root + store).iterdir()}
        self.names = sorted(self.right)
        self.stream = b"".join(send(self.host, store))
        self.name = os.path.basename(store)
        self.kinds = (*self.names, "stream", "keys", "acl", "sealed", "list")
        self.seeds = self.make_seeds()
        self.before = self.look()

    def make_captures(self) -> str:
        """Three generations, each one layer more; the newest one's path."""
        host, store = self.host, ""
        for number in range(3):
            host.clock.advance(60)
            host.files.write(f"{ASKED}/conf.d/new{number}", b"new\n" * number, 0o644, 2001, 2001)
            if number == 1:
                host.files.remove_tree(f"{ASKED}/sub")
            store = self.make_layer(store)
        return store

    def make_layer(self, base: str) -> str:
        """On top of the store `base`, if there is one; small as it is. To the byte the same in every run, so that an
        input that was kept means the same."""
        host, now = self.host, self.host.now()
        top = Path(host.root + ASKED)
        for path in (top, *top.rglob("*")):
            os.utime(path, ns=(0, 1_700_000_000_123_456_789), follow_symlinks=False)
        about = About(controller="pg", node="ec-a", created=now, epoch=3, users=("postgres",), facts={"a": 1})
        store, seen = f"/tree/{generation_name(now, 3, 'ec-a')}", f"{host.root}/seen"
        found = open_seen(seen) if base else None
        noting = Noting(seen, found[0] if found else None)
        if found is None:
            save_whole(host, store, (GONE, ASKED), about, {}, noting)
        else:
            going = Base(store=base, manifest=load_head(host, base), seen=found[0], share_from=0)
            save_changes(host, store, (GONE, ASKED), about, {}, noting, going)
            found[0].close()
        noting.save({})
        noting.close()
        return store

    def make_seeds(self) -> list[bytes]:
        """Right inputs, one of each kind, to begin with."""
        sealed = io.BytesIO()
        seal(KEY, "c", io.BytesIO(b"content"), sealed)
        more = {"stream": self.stream, "keys": KEY.line().encode(), "sealed": sealed.getvalue()}
        more |= {"acl": bytes.fromhex("0200000001000600ffffffff"), "list": json.dumps([self.name]).encode()}
        return [bytes((number,)) + (self.right | more)[kind] for number, kind in enumerate(self.kinds)]

    def try_input(self, data: bytes) -> bool:
        """False when it was refused."""
        if not data:
            return False
        kind, body = self.kinds[data[0] % len(self.kinds)], data[1:]
        try:
            self._try(kind, body)
        except TanistError as error:
            assert error.message
            return False
        except ValueError:
            if kind in ("keys", "acl"):  # parsers whose callers name the place
                return False
            raise
        return True

    def _try(self, kind: str, body: bytes) -> None:
        match kind:
            case "stream":
                self._try_stream(body)
            case "keys":
                parse_keys(body)
            case "acl":
                parse_acl(body)
            case "sealed":
                for _ in unseal((KEY,), "c", io.BytesIO(body)):
                    pass
            case "list":
                parse_list(body.decode("utf-8", "replace"))
            case _:
                self._try_store(kind, body)

    def _try_stream(self, body: bytes) -> None:
        try:
            receive(self.host, "pg", io.BytesIO(body), "/mirror")
        finally:
            found = os.listdir(self.host.root + "/mirror")
            if any(parse_generation_name(name) is None for name in found):
                raise WroteOutside(f"left in the mirror: {found}")
            self.host.files.remove_tree("/mirror")
            self.check()

    def _try_store(self, name: str, body: bytes) -> None:
        files = sign({**self.right, name: body}, name)
        store = Path(self.host.root + "/forged")
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir(0o700)
        for key, data in files.items():
            (store / key).write_bytes(data)
        try:
            manifest = load_manifest(self.host, "/forged")
            for asked in manifest.asked:
                if asked.path == ASKED:  # the only one that the definition names
                    compare_path(self.host, "/forged", asked.path)
                    restore_path(self.host, "/forged", asked.path)
            verify_store(self.host, "/forged")
        finally:
            self.check()

    # -- nothing outside
    def look(self) -> dict[str, tuple[int, int, int, bytes]]:
        found = {}
        for directory, names, files in os.walk(self.top):
            inside = os.path.relpath(directory, self.top)
            if inside in (".", "etc") or inside.startswith("outside"):
                for name in (*names, *files):
                    path = os.path.join(directory, name)
                    if name not in ("pg", "forged", "mirror", "tree", "run", "seen"):
                        info = os.lstat(path)
                        content = Path(path).read_bytes() if name in files else b""
                        found[path] = (info.st_mode, info.st_uid, info.st_gid, content)
            names[:] = [name for name in names if name in ("etc", "outside")]
        return found

    def check(self) -> None:
        now = self.look()
        if now != self.before:
            changed = sorted(path for path in now.keys() | self.before.keys() if now.get(path) != self.before.get(path))
            raise WroteOutside(f"changed outside {ASKED}: {changed}")


def make_tree(top: Path) -> None:
    """Small, with one of each kind."""
    (top / "conf.d").mkdir(parents=True)
    (top / "sub").mkdir()
    (top / "sub" / "gone").touch()
    (top / "main.conf").write_bytes(b"port = 5432\n" * 50)
    (top / "empty").touch()
    (top / "conf.d" / "tool").write_bytes(b"#!/bin/true\n")
    os.chmod(top / "conf.d" / "tool", 0o4750)
    os.symlink("/outside/kept", top / "link")
    os.link(top / "main.conf", top / "conf.d" / "same.conf")
    os.mkfifo(top / "fifo", 0o620)
    with (top / "sparse").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"data")
        file.truncate(2 << 20)
    os.setxattr(top / "main.conf", "trusted.mark", b"t")
    for path in (top, *top.rglob("*")):
        os.chown(path, 2001, 2001, follow_symlinks=False)


def sign(files: dict[str, bytes], altered: str) -> dict[str, bytes]:
    """All checksums right, as far as the manifest can be read."""
    if altered == CHECKSUM:
        return files
    if altered != MANIFEST:
        manifest: dict[str, Any] = json.loads(files[MANIFEST])
        body = files[altered]
        manifest["parts"][altered] = {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        files[MANIFEST] = json.dumps(manifest).encode()
    files[CHECKSUM] = f"{hashlib.sha256(files[MANIFEST]).hexdigest()}  {MANIFEST}\n".encode()
    return files
