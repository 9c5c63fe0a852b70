"""Captures that went bad and disks without room: the last good capture stays, and nothing is lost or changed.

One lab with PostgreSQL; each test begins and ends with the controller released, as `set_up` leaves it.
"""

from __future__ import annotations

import pytest

from lab.checks import diff, read_fingerprint
from lab.lab import Lab
from tests.lab.kills import let_go, take
from tests.lab.mistakes import BAD_CAPTURE, FAILED, REFUSED, captures, come_home, flip_bit, released, unchanged
from tests.lab.subject import POSTGRESQL, Pair, expect, said, set_up


@pytest.fixture(scope="module")
def made(lab: Lab) -> Pair:
    return set_up(lab, POSTGRESQL)


@pytest.fixture
def pair(made: Pair) -> Pair:
    return released(made)


@pytest.mark.requirement("A38")
def test_a_capture_with_a_flipped_bit_is_refused_by_name_and_the_one_before_is_offered(pair: Pair) -> None:
    take(pair, "ec-a")
    pair.sh("ec-a", "echo '# later' > /etc/postgresql/15/main/conf.d/extra.conf")
    pair.lab.exec("ec-a", ["habackup", "postgresql"], check=True)
    newest, previous = captures(pair, "ec-a")[:2]
    flip_bit(pair, "ec-a", f"/var/lib/postgresql/.tanist/captures/{newest}/files.tar")
    verified = pair.tanist("ec-a", "captures", "--verify")
    expect(verified, BAD_CAPTURE, [newest, "altered", f"{previous}  good"])
    pair.lab.cut("ec-a")
    with unchanged(pair, "ec-b"):
        refused = pair.tanist("ec-b", "takeover", "--attest", "seen off")
        expect(refused, BAD_CAPTURE, [newest, "altered", f"tanist takeover postgresql --capture {previous}"])
    take(pair, "ec-b", "--attest", "seen off", "--capture", previous)
    pair.check_active("ec-b")
    assert pair.lab.exec("ec-b", ["test", "-e", "/etc/postgresql/15/main/conf.d/extra.conf"]).returncode == 1
    come_home(pair)


def test_a_bad_capture_is_not_the_last_one_for_long(pair: Pair) -> None:
    """The active node makes a good one beside it at once; the bad one stays for people to look at."""
    take(pair, "ec-b")
    newest = captures(pair, "ec-b")[0]
    flip_bit(pair, "ec-b", f"/var/lib/postgresql/.tanist/captures/{newest}/manifest.json")
    pair.lab.exec("ec-b", ["habackup", "postgresql"], check=True)
    assert captures(pair, "ec-b")[:2][1] == newest
    let_go(pair, "ec-b")
    take(pair, "ec-a")
    pair.check_active("ec-a")
    let_go(pair, "ec-a")


@pytest.mark.requirement("A19", "A38", "A42")
def test_a_full_asset_keeps_the_last_good_capture_and_can_be_taken_over(pair: Pair) -> None:
    take(pair, "ec-a")
    good = captures(pair, "ec-a")[0]
    pair.sh("ec-a", "head -c 130000000 /dev/urandom > /etc/postgresql/15/main/conf.d/large.dat")
    free = "$(($(stat -f -c '%a * %S' /var/lib/postgresql) - 30000000))"  # PostgreSQL needs a little; root has 5 % more
    pair.sh("ec-a", f"fallocate -l {free} /var/lib/postgresql/ballast && sync")
    done = pair.lab.exec("ec-a", ["habackup", "postgresql"])
    expect(done, FAILED, ["No space left on device", "nothing of it is kept"])
    assert captures(pair, "ec-a")[0] == good
    assert f"{good}  good" in said(pair.tanist("ec-a", "captures", "--verify"))
    pair.check_active("ec-a")
    pair.lab.cut("ec-a")
    take(pair, "ec-b", "--attest", "seen off")
    pair.check_active("ec-b")
    pair.sh("ec-b", "rm /var/lib/postgresql/ballast")
    come_home(pair)


def test_a_brim_full_asset_is_let_go_and_its_services_wait_for_a_person(pair: Pair) -> None:
    """With nothing new to capture a release needs no room. PostgreSQL does: the takeover stops there and holds."""
    take(pair, "ec-b")
    pair.sh("ec-b", "head -c 100000000000 /dev/zero > /var/lib/postgresql/ballast || true; sync")
    assert pair.sh("ec-b", "stat -f -c %a /var/lib/postgresql") == "0"
    expect(pair.lab.exec("ec-b", ["habackup", "postgresql"]), 0, ["nothing changed"])
    let_go(pair, "ec-b")
    pair.turn("ec-a")
    held = pair.tanist("ec-a", "takeover")
    expect(
        held,
        FAILED,
        ["postgresql@15-main.service did not come up", "tanist resume postgresql", "tanist undo postgresql"],
    )
    assert pair.look("ec-a").claim.startswith("held ec-a ")
    pair.sh("ec-a", "rm /var/lib/postgresql/ballast")
    pair.must("ec-a", "resume")
    pair.check_active("ec-a")
    let_go(pair, "ec-a")


# /var/lib/tanist on a disk of its own, a small one
SMALL = """
cp -a /var/lib/tanist /run/kept
mount -t tmpfs -o size=64m,mode=0700 tmpfs /var/lib/tanist
cp -a /run/kept/. /var/lib/tanist/
rm -r /run/kept
"""
LARGE = """
rm -f /var/lib/tanist/ballast
cp -a /var/lib/tanist /run/kept
umount /var/lib/tanist
find /var/lib/tanist -mindepth 1 -delete
cp -a /run/kept/. /var/lib/tanist/
rm -r /run/kept
"""
FILL = "fallocate -l $(($(stat -f -c '%a * %S' /var/lib/tanist) - $1)) /var/lib/tanist/ballast"
PAGE = 4096


def test_a_standby_whose_own_disk_is_full_at_any_step_ends_cleanly_and_goes_on_once_there_is_room(pair: Pair) -> None:
    """There is more room in each round, so that another step is the first that can't be written down."""
    pair.turn("ec-b")
    pair.sh("ec-b", SMALL)
    pair.own["ec-b"] = read_fingerprint(pair.lab, "ec-b")
    room, more = 0, PAGE
    try:
        while True:
            pair.sh("ec-b", FILL, str(room))
            done = pair.tanist("ec-b", "takeover")
            pair.sh("ec-b", "rm /var/lib/tanist/ballast")
            if done.returncode == 0:
                break
            expect(done, FAILED if room else REFUSED, ["No space left on device", "what to do: "])
            if pair.look("ec-b").journal:  # or it is over, and had no room in the history
                ended = pair.tanist("ec-b", "resume" if room % (2 * PAGE) else "undo")
                assert ended.returncode == 0 or "no run of postgresql is open" in said(ended), said(ended)
            if pair.look("ec-b").active_file:
                pair.check_active("ec-b")
                let_go(pair, "ec-b")
            assert not pair.look("ec-b").journal
            room, more = room + more, more + PAGE
        assert room > 2 * PAGE, "it was full at the beginning, and in the middle"
        pair.check_active("ec-b")
        let_go(pair, "ec-b")
    finally:
        pair.sh("ec-b", LARGE)


@pytest.mark.requirement("A37")
def test_habackup_is_silent_on_a_standby_and_refuses_a_bare_mount_point(pair: Pair) -> None:
    done = pair.lab.exec("ec-b", ["habackup", "postgresql"])
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    take(pair, "ec-b")
    pair.sh("ec-b", "systemctl stop postgresql@15-main && umount /var/lib/postgresql")
    bare = read_fingerprint(pair.lab, "ec-b", ["/var/lib/postgresql"])
    refused = pair.lab.exec("ec-b", ["habackup", "postgresql"])
    expect(refused, REFUSED, ["/var/lib/postgresql is not mounted", "bare mount point", "tanist status postgresql"])
    assert not diff(bare, read_fingerprint(pair.lab, "ec-b", ["/var/lib/postgresql"]))
    status = pair.tanist("ec-b", "status")
    expect(status, 20, ["the tree is not here", "systemctl restart tanist@postgresql"])
    pair.sh("ec-b", "systemctl restart tanist@postgresql")  # what status says, and it works
    pair.check_active("ec-b")
    let_go(pair, "ec-b")
