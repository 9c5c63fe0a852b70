"""Captures that older ones of tanist made, kept as they were written: listed, verified, compared and restored."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tanist.capture.generations import newest_good
from tanist.capture.names import FORMAT, READABLE
from tanist.capture.restore import compare_path, restore_path
from tanist.capture.store import load_manifest, sha256_of, verify_store
from tanist.host.fake import FakeHost
from tanist.model.codec import decode
from tanist.model.errors import BadCapture
from tanist.model.facts import NodeFacts

HERE = Path(__file__).parent
NAME = "20231114T221320.500Z-e3-ec-a"
STORE = f"/captures/{NAME}"


@pytest.fixture
def old(host: FakeHost) -> FakeHost:
    shutil.copytree(HERE / "format1", host.files.real("/") + STORE)
    return host


def test_each_older_format_has_its_example() -> None:
    assert (*(int(path.name.removeprefix("format")) for path in sorted(HERE.glob("format*"))), FORMAT) == READABLE


@pytest.mark.requirement("A29")
def test_a_capture_of_format_1_is_whole_and_says_what_its_node_was(old: FakeHost) -> None:
    assert b'"format": 1' in old.files.read(f"{STORE}/manifest.json")
    newest = newest_good(old, "/captures").generation
    assert newest is not None
    assert newest.name == NAME
    facts = decode(NodeFacts, verify_store(old, STORE).facts)
    assert (facts.version, facts.kernel, facts.beside) == ("15.14", "6.1.0-18-amd64", None)


def test_it_is_restored(old: FakeHost) -> None:
    for asked in load_manifest(old, STORE).asked:
        restore_path(old, STORE, asked.path)
        assert compare_path(old, STORE, asked.path) == ()
    assert old.files.read("/etc/pg/main.conf") == b"port = 5432\n"
    assert os.readlink(old.files.real("/etc/pg/conf.d/link")) == "main.conf"


def test_a_format_of_the_future_is_refused_by_its_number(old: FakeHost) -> None:
    text = old.files.read(f"{STORE}/manifest.json").replace(b'"format": 1', b'"format": 3')
    old.files.write(f"{STORE}/manifest.json", text)
    old.files.write(f"{STORE}/manifest.sha256", f"{sha256_of(text)}  manifest.json\n".encode())
    with pytest.raises(BadCapture, match="format 3 is not known to this tanist"):
        load_manifest(old, STORE)
