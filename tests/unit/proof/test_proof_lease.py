"""What sanlock 3.8.5 says and writes, as it was recorded, and what is concluded from it."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from tanist.facts.device import crc32c
from tanist.facts.lease import (
    HOST_MAGIC,
    RESOURCE_MAGIC,
    SEED,
    Daemon,
    HostView,
    Mark,
    parse_daemon,
    parse_hosts,
    parse_mark,
)
from tanist.journal.slots import SLOT, next_slot
from tanist.model.definition import Lease
from tanist.model.unread import Unread
from tanist.proof.lease import METAL, LeaseRecord, Sight, judge_lease, parse_record, render_record

# sanlock 3.8.5 (Debian 12), two daemons with -w 0 over one file, io_timeout 2
STATUS = """daemon ec-a
    our_host_name=ec-a
    use_watchdog=0
    monotime=24421
    version_str=3.8.5
p -1 helper
    ci=0
    pid=-1
p 8308
    ci=3
s tanist-oc:1:/dev/lease:0
    list=spaces
    space_id=1
    io_timeout=2
    host_generation=1
    renewal_last_attempt=24420
    renewal_last_success=24420
r tanist-oc:owner:/dev/lease:1048576:1 p 8308
"""
GETS = "s tanist-oc:2:/dev/lease:0 \nh 1 gen 1 timestamp 24533 {state}\nh 2 gen 1 timestamp 24606 LIVE\n"
NOT_READY = "s tanist-oc:1:/dev/lease:0 \nhosts not ready\n"
HOST_STATUS = """1 timestamp 24533
    last_check=24611
    last_live=24534
    last_req=0
    owner_id=1
    owner_generation=1
    timestamp=24533
    io_timeout=2
    owner_name=ec-a
2 timestamp 24606
    last_check=24611
    last_live=24611
    last_req=0
    owner_id=2
    owner_generation=1
    timestamp=24606
    io_timeout=2
    owner_name=ec-b
"""
# the sectors of the two leases, without the zeros at their ends
HOST_SECTOR = bytes.fromhex(
    "10202112040003001000000000020000" + "00000000000000000100000000000000" + "01000000000000000100000000000000"
    "00000000000000006563" + "00" * 46 + "65632d61" + "00" * 44 + "7b5f000000000000" + "00" * 8 + "0ecb2e1700000200"
).ljust(512, b"\0")
LEASE = Lease(device="/dev/lease", io_timeout=2)
VIEW = HostView(host_id=1, generation=1, timestamp=24533, state="DEAD", seen=24534, io_timeout=2)
MARK = Mark(lockspace="tanist-oc", name="ec-a", host_id=1, generation=1, timestamp=24533)
RECORD = LeaseRecord(
    controller="oc",
    node="ec-a",
    epoch=3,
    state="held",
    generation=1,
    machine=METAL,
    watchdog=True,
    since="2026-11-22T12:00:00Z",
    run="r1",
)


def sector(magic: int, space: bytes = b"tanist-oc", name: bytes = b"ec-a", host_id: int = 1, stamp: int = 5) -> bytes:
    head = struct.pack("<IIIIQQQQQ48s48sQ", magic, 0x30004, 16, 512, 0, 1, host_id, 1, 0, space, name, stamp)
    head += bytes(168 - len(head))
    return (head + struct.pack("<I", crc32c(head, SEED))).ljust(512, b"\0")


# -- text and bytes
def test_a_recorded_sector_is_read_with_its_checksum() -> None:
    assert parse_mark(HOST_SECTOR, HOST_MAGIC) == Mark(
        lockspace="ec", name="ec-a", host_id=1, generation=1, timestamp=24443
    )


def test_a_sector_that_is_blank_damaged_foreign_or_short_is_unread() -> None:
    whole = sector(HOST_MAGIC)
    assert isinstance(parse_mark(whole, HOST_MAGIC), Mark)
    for broken, why in (
        (bytes(512), "no lease yet"),
        (whole[:100], "cut short"),
        (b"\x01" + whole[1:], "no lease of sanlock"),
        (sector(RESOURCE_MAGIC), "no lease of sanlock"),
        (whole[:152] + b"\xff" + whole[153:], "wrong checksum"),
        (sector(HOST_MAGIC, space=b"\xff\xfe"), "garbage"),
    ):
        found = parse_mark(broken, HOST_MAGIC)
        assert isinstance(found, Unread) and why in found.why


def test_every_byte_that_counts_is_covered_by_the_checksum() -> None:
    whole = sector(HOST_MAGIC)
    for at in range(172):
        assert isinstance(parse_mark(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], HOST_MAGIC), Unread), at


def test_the_daemons_status_is_read() -> None:
    assert parse_daemon(STATUS) == Daemon(
        watchdog=False,
        joined=("tanist-oc:1:/dev/lease:0",),
        held=("tanist-oc:owner:/dev/lease:1048576",),
        renewed=(("tanist-oc:1:/dev/lease:0", 24420),),
    )
    joining = STATUS.replace(":0\n    list=spaces", ":0 ADD\n    list=add")
    assert parse_daemon(joining).joined == ()
    assert parse_daemon(STATUS.replace("use_watchdog=0", "use_watchdog=1")).watchdog


def test_hosts_are_read_where_both_answers_agree() -> None:
    found = parse_hosts(GETS.format(state="DEAD"), HOST_STATUS, "tanist-oc")
    assert not isinstance(found, Unread) and found[0] == VIEW and found[1].state == "LIVE"
    moved = parse_hosts(GETS.format(state="DEAD"), HOST_STATUS.replace("=24533", "=24537"), "tanist-oc")
    assert not isinstance(moved, Unread) and [one.host_id for one in moved] == [2]
    for text, why in ((NOT_READY, "just joined"), ("", "not in the lockspace"), ("s other:1:/x:0 \n", "not in")):
        other = parse_hosts(text, HOST_STATUS, "tanist-oc")
        assert isinstance(other, Unread) and why in other.why
    garbage = parse_hosts(GETS.format(state="WHO?"), "\0\xff garbage", "tanist-oc")
    assert garbage == ()


# -- what is concluded
def judge(now: float = 24611.0, **changed: object) -> Sight:
    view = replace(VIEW, **{key: value for key, value in changed.items() if hasattr(VIEW, key) and key != "generation"})  # type: ignore[arg-type]
    return judge_lease(view, MARK, RECORD, LEASE, now)


@pytest.mark.requirement("A05")
def test_a_lease_runs_out_after_eight_time_outs_and_a_minute_and_not_before() -> None:
    assert (LEASE.lapses_after, LEASE.longest_wait) == (76, 80)
    assert judge(24534 + 76).state == "out"
    before = judge(24534 + 75, state="FAIL")
    assert (before.state, before.left) == ("waiting", 1.0) and "runs out in 1 s" in before.detail
    assert judge(24534 + 75).state == "waiting"  # sanlock counts whole seconds
    assert judge(24534 + 500, state="FAIL").state == "waiting"  # sanlock does not say so yet


def test_a_renewal_that_may_be_the_last_one_is_a_sign_of_life_of_the_earliest_moment_it_can_be_of() -> None:
    sight = judge(24534 + 4, state="LIVE")
    assert (sight.state, sight.at) == ("renews", 24534 - 5)
    assert judge(24534 + 6, state="LIVE").state == "waiting"


def test_the_disk_decides_where_this_nodes_own_clock_has_jumped() -> None:
    moved = judge_lease(VIEW, replace(MARK, timestamp=24600), RECORD, LEASE, 24700.0)
    assert (moved.state, moved.at) == ("renews", 24695.0)  # what the daemon has not seen yet


@pytest.mark.requirement("A05")
def test_nothing_is_concluded_without_a_record_of_that_very_lease() -> None:
    for view, mark, record, why in (
        (VIEW, MARK, replace(RECORD, state="released"), "gave the lease back"),
        (VIEW, replace(MARK, timestamp=0), RECORD, "left the lockspace"),
        (VIEW, replace(MARK, generation=2), RECORD, "started again"),
        (None, MARK, RECORD, "does not know it yet"),
        (replace(VIEW, state="UNKNOWN"), MARK, RECORD, "does not know it yet"),
        (replace(VIEW, io_timeout=10), MARK, RECORD, "io_timeout of 10"),
    ):
        sight = judge_lease(view, mark, record, LEASE, 99999.0)
        assert sight.state == "unknown" and why in sight.detail


def test_a_guest_and_a_machine_without_a_watchdog_are_told_as_weak() -> None:
    assert judge().weakness == ""
    for record, why in (
        (replace(RECORD, machine="a guest (kvm)"), "a pause that stops its clock"),
        (replace(RECORD, machine="not known"), "not known"),
        (replace(RECORD, watchdog=False), "no watchdog"),
    ):
        assert why in judge_lease(VIEW, MARK, record, LEASE, 24611.0).weakness


# -- records
def test_a_record_torn_at_any_byte_is_the_one_before_or_the_one_after() -> None:
    before = render_record(RECORD, 1) + render_record(RECORD, 2)
    newer = replace(RECORD, epoch=4)
    offset, seq = next_slot(before)
    slot = render_record(newer, seq)
    assert (offset, seq) == (0, 3)
    for at in range(SLOT + 1):
        torn = slot[:at] + before[at:]
        assert parse_record(torn) in (RECORD, newer), at
    assert parse_record(slot + before[SLOT:]) == newer


def test_a_bit_that_fell_over_anywhere_in_a_record_makes_no_other_record() -> None:
    older = replace(RECORD, epoch=2, state="released")
    whole = render_record(older, 1) + render_record(RECORD, 2)
    for at in range(2 * SLOT):
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        assert parse_record(bytes(flipped)) in (older, RECORD), at
    twice = bytearray(whole)
    twice[7] ^= 1
    twice[SLOT + 7] ^= 1
    assert isinstance(parse_record(bytes(twice)), Unread)


def test_what_is_no_record_is_unread() -> None:
    for data, why in ((bytes(2 * SLOT), "never took"), (b"x" * 2 * SLOT, "unreadable"), (b"", "never took")):
        found = parse_record(data)
        assert isinstance(found, Unread) and why in found.why
