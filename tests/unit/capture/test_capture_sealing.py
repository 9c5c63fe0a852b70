"""Sealed files: every altered bit, every cut, every swap and every wrong key is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.capture import sealing
from tanist.capture.sealing import HEADER, PIECE, TAG, Key, load_keys, parse_keys, save_keys, seal, unseal
from tanist.host.fake import FakeHost
from tanist.model.errors import BadCapture, Refused

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
KEYS = "/etc/tanist/mirror-keys/pg"


def sealed(data: bytes, context: str = "pg/g1/files.tar", key: Key = KEY) -> bytes:
    out = io.BytesIO()
    seal(key, context, io.BytesIO(data), out)
    return out.getvalue()


def opened(data: bytes, context: str = "pg/g1/files.tar", keys: tuple[Key, ...] = (KEY,)) -> bytes:
    return b"".join(unseal(keys, context, io.BytesIO(data)))


@pytest.mark.parametrize("size", [0, 1, 511, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 7])
def test_what_was_sealed_is_opened_and_nothing_of_it_is_seen(size: int) -> None:
    data = os.urandom(size)
    there = sealed(data)
    assert opened(there) == data
    assert opened(there, keys=(OTHER, KEY)) == data
    assert size < 16 or data[:16] not in there
    assert len(there) == HEADER + size + TAG * max(1, -(-size // PIECE))


def test_the_same_content_twice_looks_different() -> None:
    assert sealed(b"secret")[HEADER:] != sealed(b"secret")[HEADER:]


def test_every_flipped_bit_is_refused() -> None:
    there = sealed(b"a private key, say")
    for place in range(len(there)):
        for bit in range(8):
            with pytest.raises(BadCapture):
                opened(there[:place] + bytes((there[place] ^ 1 << bit,)) + there[place + 1 :])


def test_every_cut_is_refused() -> None:
    there = sealed(b"a private key, say")
    for length in range(len(there)):
        with pytest.raises(BadCapture):
            opened(there[:length])
    with pytest.raises(BadCapture):
        opened(there + b"\0")


def test_pieces_cannot_be_dropped_moved_or_taken_from_another_file() -> None:
    there, size = sealed(os.urandom(3 * PIECE)), PIECE + TAG
    pieces = [there[HEADER + n * size :][:size] for n in range(3)]
    again = sealed(os.urandom(3 * PIECE))
    for order in ([1, 0, 2], [0, 2], [0, 1], [0], [2], [0, 1, 2, 2], [0, 0, 1, 2]):
        with pytest.raises(BadCapture, match="was altered"):
            opened(there[:HEADER] + b"".join(pieces[number] for number in order))
    with pytest.raises(BadCapture, match="was altered"):
        opened(there[:HEADER] + again[HEADER:])


@pytest.mark.parametrize("context", ["pg/g1/README", "pg/g2/files.tar", "other/g1/files.tar", ""])
def test_a_file_in_the_place_of_another_is_refused(context: str) -> None:
    with pytest.raises(BadCapture, match="was altered"):
        opened(sealed(b"x"), context)


def test_a_wrong_key_is_a_clear_refusal_that_shows_none() -> None:
    with pytest.raises(BadCapture, match=f"a key that this node lacks .{KEY.name.hex()}") as caught:
        opened(sealed(b"x"), keys=(OTHER,))
    assert "tanist captures key" in caught.value.next_step
    for text in (repr(KEY), str(KEY), str(caught.value)):
        assert bytes(range(32)).hex()[:16] not in text


def test_keys_are_roots_alone_and_come_back(host: FakeHost) -> None:
    assert load_keys(host.files, KEYS) == ()
    save_keys(host.files, KEYS, (KEY, OTHER))
    assert load_keys(host.files, KEYS) == (KEY, OTHER)
    path = Path(host.root + KEYS)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.chmod(0o640)
    with pytest.raises(Refused, match="can be read by others") as caught:
        load_keys(host.files, KEYS)
    assert "chmod 600" in caught.value.next_step
    path.chmod(0o600)
    os.chown(path, 2001, 0)
    with pytest.raises(Refused, match="can be read by others"):
        load_keys(host.files, KEYS)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(st.one_of(st.binary(max_size=200), st.text("tanist-mrorkey 1\n0af", max_size=200).map(str.encode)))
def test_what_is_no_file_of_keys_is_refused_without_a_word_of_it(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it holds no keys|line \d+ is not a key)$"):
        parse_keys(text)


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_make_it_crash(data: bytes, with_header: bool) -> None:
    with pytest.raises(BadCapture):
        opened((sealed(b"")[:HEADER] if with_header else b"") + data)


def test_without_the_library_it_says_what_to_install() -> None:
    code = """
import sys, site
site.getsitepackages = lambda prefixes=None: []
sys.modules["cryptography"] = None
from tanist.capture.sealing import load_library
from tanist.model.errors import Refused
try:
    load_library()
except Refused as error:
    print(error.message, error.next_step)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "apt install python3-cryptography" in done.stdout
    assert sealing.LIBRARY in done.stdout
