"""Records to journal lines and back.

A line is a JSON object {"n", "at", "boot", "body", "sum"}: numbered from 1 without gaps, `sum` the first 16 hex digits
of the SHA-256 of the line's other fields. A torn last line is dropped (it was never acknowledged); anything wrong
before it is an error, because what stands behind it can't be trusted. See docs/formats.md.
"""

from __future__ import annotations

import json
from typing import Any

from tanist.journal.slots import sha256
from tanist.model.codec import decode, encode
from tanist.model.errors import Failed
from tanist.model.run import Record


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def _sum(fields: dict[str, Any]) -> str:
    return sha256(_canonical(fields))[:16]


def render_record(record: Record) -> bytes:
    fields = {"n": record.n, "at": record.at, "boot": record.boot, "body": encode(record.body)}
    return _canonical({**fields, "sum": _sum(fields)}) + b"\n"


def parse_record(line: bytes) -> Record:
    """ValueError for anything that `render_record` would not have written."""
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    if fields.pop("sum", None) != _sum(fields):
        raise ValueError("the checksum does not fit")
    return decode(Record, fields, "record")


def parse_journal(text: bytes, name: str) -> tuple[tuple[Record, ...], int]:
    """The records, and how many bytes of the text they fill: what lies behind is a torn last line.

    Failed when a line that is not the last one is damaged or out of order.
    """
    records: list[Record] = []
    good = 0
    while good < len(text):
        end = text.find(b"\n", good)
        if end < 0:
            break
        try:
            record = parse_record(text[good:end])
            if record.n != len(records) + 1:
                raise ValueError(f"numbered {record.n}, expected {len(records) + 1}")
        except ValueError as error:
            if end + 1 == len(text) and not _begins_with_record(text[good:end]):
                break
            raise Failed(
                f"the journal {name} is damaged at line {len(records) + 1}: {error}",
                next_step="see the manual, 'A damaged journal': a person must compare the host with its readable lines",
            ) from error
        records.append(record)
        good = end + 1
    return tuple(records), good


def _begins_with_record(line: bytes) -> bool:
    """Then this is no torn append: the end of an acknowledged line was damaged, and two lines became one."""
    try:
        _, end = json.JSONDecoder().raw_decode(line.decode("latin-1"))
        parse_record(line[:end])
    except ValueError:
        return False
    return True
