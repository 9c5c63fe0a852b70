"""A capture on its way to the other node, and sealed there: whole, private, and only what changed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tanist.capture.generations import GenerationInfo, generation_name, verify_generation
from tanist.capture.mirror import receive, send
from tanist.capture.sealed import is_sealed_store, seal_plain_ones, seal_store, unseal_store
from tanist.capture.sealing import Key
from tanist.capture.store import load_manifest, save_store
from tanist.capture.tarball import render_member
from tanist.host.fake import FakeHost
from tanist.model.errors import BadCapture, Failed
from tests.unit.capture.conftest import ABOUT
from tests.unit.capture.trees import make_rich, snapshot

MIRROR, CAPTURES = "/var/lib/tanist/pg/mirror", "/tree/.tanist/captures"
KEY = Key(b"k" * 32)
GEN = generation_name(ABOUT.created, ABOUT.epoch, ABOUT.node)


def make_capture(host: FakeHost, name: str = GEN) -> str:
    save_store(host, f"{CAPTURES}/{name}", ("/etc/pg", "/etc/gone"), ABOUT)
    return f"{CAPTURES}/{name}"


@pytest.fixture
def active(host: FakeHost) -> FakeHost:
    make_rich(Path(host.root + "/etc/pg"), uid=2001, gid=2001)
    return host


@pytest.fixture
def standby(new_host: Callable[..., FakeHost]) -> FakeHost:
    return new_host("ec-b", 3001)


@pytest.fixture
def stream(active: FakeHost) -> bytes:
    return b"".join(send(active, make_capture(active)))


def take(host: FakeHost, stream: bytes) -> GenerationInfo:
    taken = receive(host, "pg", io.BytesIO(stream), MIRROR)
    assert taken is not None
    return taken


def test_a_capture_arrives_whole_and_private(active: FakeHost, standby: FakeHost, stream: bytes) -> None:
    received = take(standby, stream)
    assert (received.name, received.state, received.path) == (GEN, "good", f"{MIRROR}/{GEN}")
    there, here = Path(standby.root + received.path), Path(active.root + CAPTURES) / GEN
    assert {p.name: p.read_bytes() for p in there.iterdir()} == {p.name: p.read_bytes() for p in here.iterdir()}
    assert {p.stat().st_mode & 0o777 for p in there.iterdir()} == {0o600}
    assert there.stat().st_mode & 0o777 == 0o700
    before = snapshot(there)
    assert take(standby, stream) == received
    assert snapshot(there) == before


def test_any_tar_reads_what_follows_the_first_line(stream: bytes) -> None:
    line, tar_stream = stream.split(b"\n", 1)
    assert json.loads(line) == {"format": 1, "generation": GEN, "base": ""}
    with tarfile.open(fileobj=io.BytesIO(tar_stream)) as tar:
        names = tar.getnames()
    assert names[:2] == [f"{GEN}/manifest.sha256", f"{GEN}/manifest.json"]
    assert f"{GEN}/files.tar" in names


def test_nothing_sent_is_nothing_taken(standby: FakeHost) -> None:
    assert receive(standby, "pg", io.BytesIO(b""), MIRROR) is None


def test_a_torn_copy_is_replaced(standby: FakeHost, stream: bytes) -> None:
    received = take(standby, stream)
    standby.files.remove(f"{received.path}/README")
    assert take(standby, stream) == received
    assert standby.files.list(MIRROR) == (received.name,)


@pytest.mark.requirement("A38")
def test_parts_that_both_have_do_not_travel_and_are_linked(active: FakeHost, standby: FakeHost, stream: bytes) -> None:
    take(standby, stream)
    later = generation_name(ABOUT.created + 60, ABOUT.epoch, ABOUT.node)
    second = make_capture(active, later)
    delta = b"".join(send(active, second, f"{CAPTURES}/{GEN}"))
    shared = {part for _, part in load_manifest(active, second).parts} & {
        part for _, part in load_manifest(active, f"{CAPTURES}/{GEN}").parts
    }
    assert shared
    assert len(delta) < len(stream) - max(part.size for part in shared) // 2
    received = take(standby, delta)
    assert received.state == "good"
    top = Path(standby.root + MIRROR)
    inodes = [{path.stat().st_ino for path in (top / name).iterdir()} for name in (GEN, later)]
    assert len(inodes[0] & inodes[1]) == len(shared)


def test_a_base_that_is_not_here_is_refused_and_nothing_is_kept(
    active: FakeHost, standby: FakeHost, stream: bytes
) -> None:
    later = generation_name(ABOUT.created + 60, ABOUT.epoch, ABOUT.node)
    delta = b"".join(send(active, make_capture(active, later), f"{CAPTURES}/{GEN}"))
    with pytest.raises(BadCapture):
        take(standby, delta)
    take(standby, stream)
    for place in range(0, len(delta) - 1024, 101):  # what comes is looked at in every byte, as without a base
        altered = delta[:place] + bytes((delta[place] ^ 1,)) + delta[place + 1 :]
        for bad in (delta[:place], altered):
            try:
                taken = receive(standby, "pg", io.BytesIO(bad), MIRROR)
            except BadCapture:
                assert standby.files.list(MIRROR) == (GEN,)
            else:
                assert taken is None or verify_generation(standby, taken).state == "good"
                standby.files.remove_tree(f"{MIRROR}/{later}")


@pytest.mark.requirement("A38")
def test_a_stream_cut_or_altered_anywhere_leaves_nothing(standby: FakeHost, stream: bytes) -> None:
    for place in range(0, len(stream) - 1024, 173):
        altered = stream[:place] + bytes((stream[place] ^ 0x11,)) + stream[place + 1 :]
        for bad in (stream[:place], altered):
            try:
                taken = receive(standby, "pg", io.BytesIO(bad), MIRROR)
            except BadCapture:
                assert standby.files.list(MIRROR) == ()
            else:  # nothing was sent, or padding was altered, which is not looked at
                assert taken is None or taken.state == "good"
                standby.files.remove_tree(MIRROR)


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname = len(data), kind, "/etc/passwd"
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def part(name: str, data: bytes) -> bytes:
    """A file of the store as it must come."""
    return render_member(GEN, name, len(data)) + data + b"\0" * (-len(data) % 512)


def first(generation: object = GEN, base: object = "", format: object = 1) -> bytes:
    return json.dumps({"format": format, "generation": generation, "base": base}).encode() + b"\n"


@pytest.mark.parametrize(
    "stream",
    [
        b"\0" * 2048,
        os.urandom(4096),
        b"[" * 4000,
        b"{}\n",
        b"null\n",
        first(format=2),
        first(format=True),
        first("../../etc"),
        first(f"{GEN}/.."),
        first(7),
        first(base="../../etc"),
        first(base=7),
        first(base=GEN),
        first() + member("../../etc/passwd", b"x"),
        first() + member("/etc/passwd", b"x"),
        first() + member(f"{GEN}/passwd", b"x"),
        first() + member(f"{GEN}/../manifest.sha256", b"x"),
        first() + member(f"{GEN}/manifest.json", b"x"),
        first() + member(f"{GEN}/manifest.sha256", b"", tarfile.SYMTYPE),
        first() + member(f"{GEN}/manifest.sha256", b"x" * 5000),
        first() + member("not-a-generation/manifest.sha256", b"x"),
        first() + part("manifest.sha256", b"x" * 5000),
        first() + part("manifest.sha256", b"x") + render_member(GEN, "manifest.json", 1 << 30),
        first() + part("manifest.sha256", b"x") + part("manifest.json", b"[" * 100_000),
        first() + part("manifest.sha256", b"x") + part("manifest.json", b"{}"),
    ],
)
def test_a_hostile_stream_is_refused(standby: FakeHost, stream: bytes) -> None:
    with pytest.raises(BadCapture):
        take(standby, stream)
    assert standby.files.list(MIRROR) == ()
    assert standby.files.list("/etc") == ()


def test_a_manifest_that_promises_more_than_there_is_room_for_is_refused_before_it_comes(
    active: FakeHost, standby: FakeHost
) -> None:
    store = make_capture(active)
    manifest = json.loads(active.files.read(f"{store}/manifest.json"))
    for its in manifest["parts"].values():
        its["size"] = 1 << 61
    text = json.dumps(manifest).encode()
    stream = first() + part("manifest.sha256", b"x") + part("manifest.json", text)
    with pytest.raises((BadCapture, Failed), match="no room for them"):
        take(standby, stream)
    assert standby.files.list(MIRROR) == ()


def test_a_capture_of_another_controller_is_refused(standby: FakeHost, stream: bytes) -> None:
    with pytest.raises(BadCapture, match="it is one of 'pg'"):
        receive(standby, "web", io.BytesIO(stream), "/var/lib/tanist/web/mirror")


# -- sealed


def test_a_sealed_store_comes_back_byte_for_byte_and_shows_nothing(active: FakeHost) -> None:
    plain, sealed = make_capture(active), f"{MIRROR}/{GEN}"
    seal_store(active, KEY, "pg", plain, sealed)
    assert is_sealed_store(active, sealed)
    assert not is_sealed_store(active, plain)
    there = Path(active.root + sealed)
    assert {p.stat().st_mode & 0o777 for p in there.iterdir()} == {0o600}
    assert there.stat().st_mode & 0o777 == 0o700
    content = b"".join(path.read_bytes() for path in there.iterdir())
    assert not any(word in content for word in (b"main.conf", b"/etc/pg", b"postgres", b"port = 5432"))
    unseal_store(active, (KEY,), "pg", sealed, "/run/plain")
    one, two = (Path(active.root + path) for path in (plain, "/run/plain"))
    assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}
    assert {p.stat().st_mode & 0o777 for p in two.iterdir()} == {0o600}


@pytest.mark.requirement("A38")
def test_a_sealed_store_that_was_altered_anywhere_is_refused(active: FakeHost) -> None:
    sealed = f"{MIRROR}/{GEN}"
    seal_store(active, KEY, "pg", make_capture(active), sealed)
    for path in sorted(Path(active.root + sealed).iterdir()):
        data = path.read_bytes()
        for place in range(0, len(data), max(len(data) // 40, 1)):
            path.write_bytes(data[:place] + bytes((data[place] ^ 1 << place % 8,)) + data[place + 1 :])
            refuse_to_unseal(active, sealed)
            path.write_bytes(data[:place])
            refuse_to_unseal(active, sealed)
        path.unlink()
        refuse_to_unseal(active, sealed)
        path.write_bytes(data)
    unseal_store(active, (KEY,), "pg", sealed, "/run/plain")


def refuse_to_unseal(host: FakeHost, sealed: str, keys: tuple[Key, ...] = (KEY,), controller: str = "pg") -> None:
    with pytest.raises(BadCapture):
        unseal_store(host, keys, controller, sealed, "/run/plain")
    host.files.remove_tree("/run/plain")


def test_a_sealed_store_opens_under_its_own_name_and_controller_only(active: FakeHost) -> None:
    sealed = f"{MIRROR}/{GEN}"
    seal_store(active, KEY, "pg", make_capture(active), sealed)
    refuse_to_unseal(active, sealed, controller="web")
    refuse_to_unseal(active, sealed, keys=(Key(b"x" * 32),))
    later = f"{MIRROR}/{generation_name(ABOUT.created + 60, ABOUT.epoch, ABOUT.node)}"
    active.files.move(sealed, later)
    refuse_to_unseal(active, later)


def test_what_two_sealed_stores_share_is_kept_once(active: FakeHost) -> None:
    later = generation_name(ABOUT.created + 60, ABOUT.epoch, ABOUT.node)
    one, two = make_capture(active), make_capture(active, later)
    seal_store(active, KEY, "pg", one, f"{MIRROR}/{GEN}")
    seal_store(active, KEY, "pg", two, f"{MIRROR}/{later}", (one, f"{MIRROR}/{GEN}"))
    top = Path(active.root + MIRROR)
    inodes = [{path.stat().st_ino for path in (top / name).iterdir()} for name in (GEN, later)]
    assert inodes[0] & inodes[1]
    unseal_store(active, (KEY,), "pg", f"{MIRROR}/{later}", "/run/plain")
    assert load_manifest(active, "/run/plain") == load_manifest(active, two)


def test_what_lay_there_plain_is_sealed_and_what_is_bad_stays(active: FakeHost) -> None:
    later = generation_name(ABOUT.created + 60, ABOUT.epoch, ABOUT.node)
    for name in (GEN, later):
        active.files.make_directory(MIRROR, 0o700)
        active.files.move(make_capture(active, name), f"{MIRROR}/{name}")
    active.files.remove(f"{MIRROR}/{GEN}/README")
    assert seal_plain_ones(active, KEY, "pg", MIRROR) == (later,)
    assert is_sealed_store(active, f"{MIRROR}/{later}")
    unseal_store(active, (KEY,), "pg", f"{MIRROR}/{later}", "/run/plain")
