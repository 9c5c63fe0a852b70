"""docs/formats.md has each key, record, step and field that the code has."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest

from tanist.journal.claimfile import parse_claim
from tanist.journal.records import parse_record, render_record
from tanist.journal.slots import SLOT, newest_slot
from tanist.model.claim import Claim
from tanist.model.peer import PeerWord
from tanist.model.run import Body
from tanist.model.steps import StepSpec
from tanist.runs.status import Status

ROOT = Path(__file__).resolve().parents[3]
FORMATS = (ROOT / "docs" / "formats.md").read_text()
FULL = ROOT / "tests" / "unit" / "definition" / "full.toml"


def section(title: str) -> str:
    return FORMATS.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(text: str) -> dict[str, set[str]]:
    """What the table rows say: each name of the first cell -> the names in the second."""
    found = {}
    for first, second in re.findall(r"^\| ([^|]*) \| ([^|]*) \|", text, re.MULTILINE):
        for name in re.findall(r"`(\w+)`", first):
            found[name] = set(re.findall(r"`(\w+)`", second))
    return found


def fields(kind: Any) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("kind", get_args(StepSpec), ids=lambda kind: kind.__name__)
def test_each_kind_of_step_is_told_with_its_fields(kind: type) -> None:
    assert rows(section("The journal"))[kind.__name__] == fields(kind)


@pytest.mark.parametrize("kind", get_args(Body), ids=lambda kind: kind.__name__)
def test_each_record_is_told_with_its_fields(kind: type) -> None:
    assert fields(kind) <= rows(section("The journal"))[kind.__name__]


def test_each_key_of_a_definition_is_told() -> None:
    told = section("The definition")
    for table, value in tomllib.loads(FULL.read_text()).items():
        inner = value[0] if isinstance(value, list) else value
        assert f"[{table}]" in told or f"| `{table}` |" in told
        for key in inner if isinstance(inner, dict) else ():
            assert f"`{key}`" in told or f"{table}.{key}]" in told, f"{table}.{key}"


def test_status_and_word_are_told_with_their_fields() -> None:
    told = section("tanist status --json")
    assert all(f"`{name}`" in told for name in Status.__slots__)
    told = section("tanist word")
    assert all(f"`{name}`" in told for name in fields(PeerWord))


def test_the_record_that_is_shown_is_one() -> None:
    shown = section("The journal").split("```json\n")[1].split("```")[0]
    assert render_record(parse_record(shown.encode())) == shown.encode()


def test_the_claim_that_is_shown_is_one() -> None:
    shown = section("The claim").split("```json\n")[1].split("```")[0]
    slot = json.dumps(json.loads(shown), sort_keys=True).encode().ljust(SLOT - 1) + b"\n"
    assert isinstance(newest_slot(slot * 2), dict)
    assert isinstance(parse_claim(slot * 2), Claim)
