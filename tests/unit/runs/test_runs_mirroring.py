"""Captures on their way to the other node."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tanist.capture.believed import is_believed
from tanist.capture.generations import list_generations
from tanist.capture.sealing import Key, load_keys, save_keys
from tanist.model.definition import Mirror
from tanist.model.errors import BadCapture, Refused
from tanist.plan import places
from tanist.runs.backup import backup
from tanist.runs.check import read_captured_facts
from tanist.runs.diffing import diff_captures
from tanist.runs.mirror_key import share_keys
from tanist.runs.mirrored import capture_directory
from tanist.runs.mirroring import mirror_to_peers, note_what_it_tells
from tanist.runs.release import release
from tanist.runs.seen import read_epoch_seen
from tanist.runs.switchover import prepared
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tanist.runs.verification import verify_all, verify_newest
from tests.unit.runs.world import TREE, World


def calls(world: World) -> int:
    return sum(argv[0] == "ssh" and "mirror" in argv[-1] for argv in world.a.ran)


def mirrored_names(world: World) -> list[str]:
    found = list_generations(world.b, capture_directory(world.session("ec-b")))
    return [one.name for one in found if one.state != "bad"]


def test_an_ex_owners_late_capture_does_not_make_the_new_owner_forget_its_claim(world: World) -> None:
    """It slept while it was sending."""
    session = world.session("ec-b")
    late = list_generations(world.b, places.mirror("oc"))[0]
    assert late.epoch == 1
    release(world.session("ec-a"))
    takeover(session, TakeoverOptions())
    assert read_epoch_seen(session) == 2
    note_what_it_tells(session, late.path)
    assert read_epoch_seen(session) == 2
    release(session)
    note_what_it_tells(session, late.path)
    assert read_epoch_seen(session) == 1, "a standby is told, where the asset was made anew as well"


def test_a_release_does_not_ask_a_node_that_has_the_newest_capture(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    before = calls(world)
    release(world.session("ec-a"))
    assert calls(world) == before


def test_a_release_brings_what_changed_to_the_other_node(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    before = set(mirrored_names(world))
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", b"changed just now\n", 0o640, 101, 101)
    release(world.session("ec-a"))
    assert set(mirrored_names(world)) - before


def test_an_hourly_capture_always_asks_for_the_other_node_may_have_lost_it(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    world.b.files.remove_tree(places.mirror("oc"))
    backup(world.session("ec-a"), mirror=True)
    assert mirrored_names(world)


def test_a_changed_capture_is_one_call_where_both_nodes_have_the_same_history(world: World) -> None:
    def ssh_calls() -> list[str]:
        return [argv[-1].split()[1] for argv in world.a.ran if argv[0] == "ssh"]

    backup(world.session("ec-a"), mirror=True)
    for history, expected in ((None, ["mirror"]), (b"", ["mirror", "chain", "chain"])):
        world.clock.advance(60)
        world.a.files.write("/etc/oc/main.conf", f"changed {history!r}\n".encode(), 0o640, 101, 101)
        if history is not None:
            world.b.files.write(places.history("oc"), history)
        before = len(ssh_calls())
        backup(world.session("ec-a"), mirror=True)
        assert ssh_calls()[before:] == expected
    copies = [one.files.read(places.history("oc")) for one in (world.a, world.b)]
    assert copies[0] == copies[1] != b""


def test_a_node_that_could_not_be_reached_is_not_believed_to_have_it(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", b"changed just now\n", 0o640, 101, 101)
    world.ssh_works = False
    backup(world.session("ec-a"), mirror=True)
    world.ssh_works = True
    before = set(mirrored_names(world))
    mirror_to_peers(world.session("ec-a"), ask_again=False)
    assert set(mirrored_names(world)) - before


def test_a_base_that_rotted_is_found_by_the_verification_and_everything_is_sent_again(world: World) -> None:
    change(world)
    directory = places.mirror("oc")
    newest = mirrored_names(world)[0]
    assert is_believed(world.b, directory, newest)
    for victim in Path(world.b.files.real(f"{directory}/{newest}")).iterdir():  # as a disk does it: no time changes
        info, data = victim.stat(), victim.read_bytes()
        victim.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)) if data else b"")
        os.utime(victim, ns=(info.st_atime_ns, info.st_mtime_ns))
    assert is_believed(world.b, directory, newest)
    assert verify_newest(world.session("ec-b")).result == "bad"
    assert not is_believed(world.b, directory, newest)
    mirror_to_peers(world.session("ec-a"))
    assert verify_newest(world.session("ec-b")).result == "good"


def test_a_file_that_was_touched_is_not_believed(world: World) -> None:
    change(world)
    directory, newest = places.mirror("oc"), mirrored_names(world)[0]
    path = Path(world.b.files.real(f"{directory}/{newest}/README"))
    path.write_bytes(path.read_bytes() + b"x")
    assert not is_believed(world.b, directory, newest)
    mirror_to_peers(world.session("ec-a"))
    assert verify_newest(world.session("ec-b")).result == "good"
    for text in (b"", b"[", b"null", b"[" * 50_000):
        world.b.files.write(f"{directory}/believed.json", text)
        assert not is_believed(world.b, directory, newest)


# -- encrypted at rest


@pytest.fixture
def secret(world: World) -> World:
    """The definition wants the mirror encrypted, and both nodes have the key."""
    world.controller = replace(world.controller, mirror=Mirror(at_rest="encrypted"))
    assert [line.split(":")[0] for line in share_keys(world.session("ec-a"), new=False)] == ["ec-a", "ec-b"]
    return world


def mirror_files(world: World) -> list[Path]:
    return [path for path in Path(world.b.files.real(places.mirror("oc"))).rglob("*") if path.is_file()]


def test_a_sealed_mirror_shows_nothing_and_can_be_listed_verified_compared_and_rehearsed(secret: World) -> None:
    secret.a.files.write("/etc/oc/main.conf", b"password = geheim\n", 0o600, 101, 101)
    backup(secret.session("ec-a"), mirror=True)
    secret.clock.advance(60)
    secret.a.files.write("/etc/oc/main.conf", b"password = geheimer\n", 0o600, 101, 101)
    backup(secret.session("ec-a"), mirror=True)
    content = b"".join(path.read_bytes() for path in mirror_files(secret))
    assert not any(word in content for word in (b"geheim", b"main.conf", b"/etc/oc", b"ocproxy"))
    session = secret.session("ec-b")
    assert len([name for name in mirrored_names(secret) if "-e1-" in name]) >= 2
    assert verify_newest(session).result == "good"
    assert {problem for _, problem in verify_all(session)} == {""}
    older = mirrored_names(secret)[1]
    assert [line for line in diff_captures(session, older, "latest") if "/etc/oc/main.conf" in line]
    assert list(diff_captures(session, "latest", "ec-b"))
    assert read_captured_facts(session) is not None
    secret.a.power_off()
    _, plans = dry_run(session, TakeoverOptions(attest="seen off"))
    assert f"from the capture {mirrored_names(secret)[0]}" in plans
    assert secret.b.files.list(places.unsealed("oc")) == ()
    takeover(session, TakeoverOptions(attest="seen off"))
    assert secret.b.files.read("/etc/oc/main.conf") == b"password = geheimer\n"


def test_a_switchover_checks_the_sealed_capture_beforehand_while_it_can_be_read(secret: World) -> None:
    change(secret)
    with prepared(secret.session("ec-b")):
        assert secret.b.files.list(places.unsealed("oc")) == ()
    del secret.b.users["ocproxy"]
    with pytest.raises(Refused, match="ocproxy"), prepared(secret.session("ec-b")):
        pass


def test_without_the_key_the_standby_refuses_and_says_how_to_get_it(world: World) -> None:
    world.b.files.remove_tree(places.mirror("oc"))
    world.controller = replace(world.controller, mirror=Mirror(at_rest="encrypted"))
    backup(world.session("ec-a"), mirror=True)
    assert "not mirrored to ec-b" in world.said("ec-a")
    assert "ec-b has no key for it" in world.said("ec-a")
    assert mirrored_names(world) == []
    share_keys(world.session("ec-a"), new=False)
    backup(world.session("ec-a"), mirror=True)
    assert verify_newest(world.session("ec-b")).result == "good"
    world.b.files.remove(places.mirror_keys("oc"))
    found = verify_newest(world.session("ec-b"))
    assert (found.result, "has no key" in found.says) == ("bad", True)
    save_keys(world.b.files, places.mirror_keys("oc"), (Key(bytes(32)),))
    found = verify_newest(world.session("ec-b"))
    assert (found.result, "sealed with a key that this node lacks" in found.says) == ("bad", True)
    with pytest.raises(BadCapture, match="sealed with a key that this node lacks"):
        dry_run(world.session("ec-b"), TakeoverOptions(attest="off"))
    with pytest.raises(Refused, match="ec-b has a key that the other node lacks"):
        share_keys(world.session("ec-a"), new=False)


def test_a_sealed_capture_that_was_altered_is_bad_and_sent_again(secret: World) -> None:
    backup(secret.session("ec-a"), mirror=True)
    for victim in mirror_files(secret):
        data = victim.read_bytes()
        victim.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    assert verify_newest(secret.session("ec-b")).result == "bad"
    backup(secret.session("ec-a"), mirror=True)
    assert verify_newest(secret.session("ec-b")).result == "good"


def test_what_was_mirrored_before_is_sealed_too_and_a_new_key_opens_the_old_ones(world: World) -> None:
    backup(world.session("ec-a"), mirror=True)
    plain = {path.name for path in mirror_files(world)}
    world.controller = replace(world.controller, mirror=Mirror(at_rest="encrypted"))
    share_keys(world.session("ec-a"), new=False)
    change(world)
    assert not any(b"main.conf" in path.read_bytes() for path in mirror_files(world))
    assert plain <= {path.name for path in mirror_files(world)}
    told = share_keys(world.session("ec-a"), new=True)
    assert all("and 1 older" in line for line in told)
    change(world)
    assert {problem for _, problem in verify_all(world.session("ec-b"))} == {""}


def change(world: World) -> None:
    world.clock.advance(60)
    world.a.files.write("/etc/oc/main.conf", f"at {world.a.now()}\n".encode(), 0o640, 101, 101)
    backup(world.session("ec-a"), mirror=True)


def test_the_key_travels_on_standard_input_and_is_told_by_name_only(secret: World) -> None:
    keys = load_keys(secret.a.files, places.mirror_keys("oc"))
    assert load_keys(secret.b.files, places.mirror_keys("oc")) == keys
    digits = keys[0].secret.hex()
    for words in (*secret.a.ran, *secret.b.ran, secret.said("ec-a"), secret.said("ec-b"), *secret.a.log, *secret.b.log):
        assert digits not in " ".join(words)
    assert digits not in "\n".join(share_keys(secret.session("ec-a"), new=False))


def test_the_standby_never_writes_into_the_tree(world: World) -> None:
    """Neither its mount point nor the disk, whatever is mirrored, verified, compared and rehearsed."""
    change(world)
    places_of_the_tree = [world.top / "ec-b" / TREE[1:], world.top / "disk"]
    before = [picture(place) for place in places_of_the_tree]
    session = world.session("ec-b")
    verify_newest(session)
    verify_all(session)
    list(diff_captures(session, "latest", "ec-b"))
    backup(session, mirror=True)
    receive_again(world)
    world.a.power_off()
    dry_run(session, TakeoverOptions(attest="seen off"))
    assert [picture(place) for place in places_of_the_tree] == before


def receive_again(world: World) -> None:
    world.b.files.remove_tree(places.mirror("oc"))
    mirror_to_peers(world.session("ec-a"))
    assert mirrored_names(world)


def picture(top: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for path in (top, *top.rglob("*")):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        found[str(path)] = (info.st_mode, info.st_uid, info.st_mtime_ns, content)
    return found
