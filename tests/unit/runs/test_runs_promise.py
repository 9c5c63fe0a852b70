"""A word that is kept: who told a takeover "I run nothing" mounts nothing before it knows what came of it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tanist.host.fake import Crash
from tanist.model.definition import PowerDevice, Proof, Reserving
from tanist.model.errors import Busy, NotProved, Refused
from tanist.model.event import Event
from tanist.model.evidence import Outcome, Says
from tanist.model.host import Ran
from tanist.model.steps import MountTree, StartService
from tanist.model.unread import Unread
from tanist.plan import places
from tanist.proof.decide import Policy
from tanist.runs.boot import boot
from tanist.runs.carry_on import resume, undo
from tanist.runs.filing import find_open_run
from tanist.runs.history import load_history
from tanist.runs.observe import observe
from tanist.runs.peers import ask_peer, find_activity, read_word, render_word
from tanist.runs.promise import give_word, parse_request, read_promised
from tanist.runs.promised import load_promises
from tanist.runs.readout import read_owed
from tanist.runs.release import release
from tanist.runs.session import WORD, Session, exclusive
from tanist.runs.switchover import switchover
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.test_runs_takeover import is_active
from tests.unit.runs.test_runs_watch import told
from tests.unit.runs.world import TREE, World, said

Make = Callable[..., World]
NODES = ("ec-a", "ec-b")
NOTE = places.promised("oc")
PLAIN = TakeoverOptions()
BOTH = tuple(PowerDevice(node=name, agent="fence_outlet", retry=0) for name in NODES)
PERSON_TOO: Policy = (("power",), ("attestation",))


def reply(world: World, me: str, argv: Sequence[str], stdin: bytes) -> Ran:
    """The plug of the other one."""
    node = world.nodes[NODES[1 - NODES.index(me)]]
    world.clock.advance(0.2)
    action = stdin.decode().strip().rpartition("action=")[2]
    if action == "off" and node.power:
        node.power_off()
    text = f"Status: {'ON' if node.power else 'OFF'}\n" if action == "status" else ""
    return said(argv, text.encode(), status=0 if node.power or not text else 2)


@pytest.fixture
def powered(new_world: Callable[..., World]) -> Callable[..., World]:
    def make(policy: Policy = (), kind: str = "filesystem") -> World:
        world = new_world(kind=kind)
        world.controller = replace(world.controller, proof=Proof(power=BOTH, policy=policy))
        for name, node in world.nodes.items():
            node.answer_with(["fence_outlet"], partial(reply, world, name))
        return world

    return make


@pytest.fixture
def bound(powered: Callable[..., World]) -> World:
    return bind(powered())


def bind(world: World) -> World:
    """ec-a holds the claim, lost its power and is up again; ec-b went by its word, was killed behind its mount and
    can't be heard any more."""
    world.a.power_off()
    world.a.boot()
    with pytest.raises(Crash):
        takeover(killed_behind(world, "ec-b", MountTree), PLAIN)
    world.b.revive()
    world.b.silent = True
    return world


def killed_behind(world: World, name: str, kind: type) -> Session:
    def report(event: Event) -> None:
        world.events[name].append(event)
        if event.kind == "done" and event.step is not None and isinstance(event.step.spec, kind):
            world.nodes[name].die("behind it")

    return replace(world.session(name), report=report)


def owed(world: World, name: str) -> tuple[tuple[str, int], ...]:
    found = load_promises(world.nodes[name], "oc")
    assert not isinstance(found, Unread)
    return tuple((one.node, one.epoch) for one in found)


def mounted(world: World, name: str) -> bool:
    return any(mount.target == TREE for mount in world.nodes[name].mounts())


# -- the note
@pytest.mark.requirement("A05", "A61")
def test_a_word_that_a_takeover_goes_by_is_on_the_disk_of_whoever_gave_it(bound: World) -> None:
    assert owed(bound, "ec-a") == (("ec-b", 1),) and owed(bound, "ec-b") == ()
    found = load_promises(bound.a, "oc")
    assert not isinstance(found, Unread)
    (promise,) = found
    assert promise.run.endswith("-takeover-ec-b") and promise.who == "operator of ec-b"
    bound.a.power_off()
    bound.a.boot()
    assert owed(bound, "ec-a") == (("ec-b", 1),)


def test_nobody_notes_a_word_that_a_dry_run_or_another_kind_of_pair_asks_for(powered: Make, world: World) -> None:
    """Where a reservation or a lease is taken before each mount, or a person's word is all there is."""
    by_power = powered()
    release(by_power.session("ec-a"))
    dry_run(by_power.session("ec-b"), PLAIN)
    assert owed(by_power, "ec-a") == ()
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), PLAIN)
    assert owed(world, "ec-a") == ()
    for proof in (Proof(power=BOTH, reservation=Reserving()), Proof(power=BOTH, policy=(("attestation",),)), Proof()):
        assert proof.free_suffices
    assert not Proof(power=BOTH, policy=PERSON_TOO).free_suffices


def test_after_the_takeover_the_claim_is_past_the_note(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    takeover(world.session("ec-b"), PLAIN)
    assert owed(world, "ec-a") == (("ec-b", 1),)
    world.a.silent = True
    assert not [one for one in observe(world.session("ec-a"), "").evidence if one.source == "promise"]
    assert told(world, "ec-a").why == ""
    world.a.silent = False
    switchover(world.session("ec-b"), "", "")
    assert is_active(world, "ec-a") and not world.a.files.exists(NOTE)


@pytest.mark.requirement("A07")
def test_a_takeover_that_is_refused_or_taken_back_says_so_to_whom_it_bound(powered: Make) -> None:
    world = powered()
    world.a.power_off()
    world.a.boot()
    with pytest.raises(Refused, match="no-such"):
        takeover(world.session("ec-b"), replace(PLAIN, capture="no-such"))
    assert owed(world, "ec-a") == ()
    with pytest.raises(Crash):
        takeover(killed_behind(world, "ec-b", MountTree), PLAIN)
    world.b.revive()
    assert owed(world, "ec-a") == (("ec-b", 1),)
    undo(world.session("ec-b"))
    assert owed(world, "ec-a") == ()


def test_a_word_that_cannot_be_noted_is_none(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    os.mkdir(world.a.files.real(NOTE))
    Path(world.a.files.real(NOTE), "full").touch()  # nothing can be put in its place
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), PLAIN)
    assert "can't note that it said so" in world.said("ec-b")


def test_a_tanist_that_knows_of_no_promises_gives_a_word_that_proves_nothing(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    old = render_word(read_word(world.session("ec-a")))
    assert "promised" not in json.loads(old)
    world.b.answer(["ssh"], old)
    with pytest.raises(NotProved):
        takeover(world.session("ec-b"), PLAIN)
    assert "its word is not kept there" in world.said("ec-b")


def test_while_a_run_is_at_work_a_node_promises_nothing(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    asker = replace(world.session("ec-b"), asks_for="run-1")
    with exclusive(world.session("ec-a"), "boot"):
        word = ask_peer(asker, "ec-a", json.dumps({"promise": WANTED}))
    assert not isinstance(word, Unread) and word.state == "busy" and owed(world, "ec-a") == ()


def test_a_run_waits_for_a_word_that_is_being_noted_and_no_longer_than_that(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    lock = world.a.lock(f"{places.runtime('oc')}/lock", json.dumps({"what": WORD}))
    assert not isinstance(lock, str)
    began = world.a.monotonic()
    with pytest.raises(Busy), exclusive(world.session("ec-a"), "boot"):
        pass
    assert 4.0 < world.a.monotonic() - began < 7.0
    lock.close()
    with exclusive(world.session("ec-a"), "boot"):
        pass


@pytest.mark.parametrize("line", ["now", "", "{}", "[]", '{"promise": {}}', '{"promise": 1}'])
def test_a_request_that_is_none_asks_for_the_word_alone(line: str) -> None:
    assert parse_request(line) is None


def test_nothing_is_promised_to_a_stranger(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    request = parse_request(json.dumps({"promise": {**WANTED, "node": "ec-z"}}))
    word = give_word(world.session("ec-a"), request)
    assert word.promised == "" and "knows no node ec-z" in word.detail and owed(world, "ec-a") == ()


WANTED = {"node": "ec-b", "run": "run-1", "who": "ann", "since": "2026-01-01T00:00:00.000+00:00", "epoch": 1}


def told_of(world: World) -> tuple[str, ...]:
    """To `tanist check`."""
    found = read_owed(world.session("ec-a"))
    assert not isinstance(found, Unread)
    return found


# -- what it holds back, and what ends that
@pytest.mark.requirement("A05", "A61", "A62")
def test_a_boot_of_a_node_that_gave_its_word_stays_inert_and_says_why(bound: World) -> None:
    with pytest.raises(NotProved) as refused:
        boot(bound.session("ec-a"))
    assert refused.value.message.startswith("ec-a gave ec-b its word, and has not heard ec-b since")
    assert "ec-b answers over ssh that it is not active" in refused.value.next_step
    assert "ec-b is switched off, however that is done: its power is looked at each time" in refused.value.next_step
    assert "--fence" not in refused.value.next_step, "that is a takeover's, and this node has it already"
    assert not mounted(bound, "ec-a") and mounted(bound, "ec-b")
    status = told(bound, "ec-a")
    assert status.state == "needs-a-person"
    assert "gave ec-b its word for its takeover" in status.why and "(epoch 2, since" in status.why
    (one,) = told_of(bound)
    assert one.startswith("the takeover of operator of ec-b on ec-b")


def test_once_the_other_one_is_heard_and_runs_nothing_it_is_over(bound: World) -> None:
    bound.b.silent = False
    with pytest.raises(NotProved, match="shows life"):
        boot(bound.session("ec-a"))
    undo(bound.session("ec-b"))
    assert boot(bound.session("ec-a")) == "active" and not bound.a.files.exists(NOTE)


def test_a_node_that_was_told_nothing_finds_out_by_asking(bound: World) -> None:
    """The takeover was taken back while the network was cut."""
    undo(bound.session("ec-b"))
    assert owed(bound, "ec-a") == (("ec-b", 1),)
    bound.b.silent = False
    assert boot(bound.session("ec-a")) == "active" and not bound.a.files.exists(NOTE)


def test_once_the_other_one_is_off_it_is_over(bound: World) -> None:
    bound.b.power_off()
    assert boot(bound.session("ec-a")) == "active" and not bound.a.files.exists(NOTE)


def test_once_the_claim_was_raised_it_is_over(bound: World) -> None:
    bound.b.silent = False
    resume(bound.session("ec-b"))
    bound.b.silent = True
    assert boot(bound.session("ec-a")) == "inert" and is_active(bound, "ec-b")


@pytest.mark.requirement("A43")
def test_a_person_opens_it_where_the_policy_believes_one_and_nobody_shows_life(powered: Make) -> None:
    world = bind(powered(PERSON_TOO))
    world.disk.holder = ""  # ec-b is a wreck
    world.b.power_off()
    world.a.answer(["fence_outlet"], status=1)
    with pytest.raises(NotProved) as refused:
        boot(world.session("ec-a"))
    assert "--attest" in refused.value.next_step
    assert boot(world.session("ec-a"), "ec-b is a wreck, I stand before it") == "active"
    (entry,) = [one for one in load_history(world.session("ec-a")) if one["kind"] == "start"]
    assert entry["attested"] == "ec-b is a wreck, I stand before it"


@pytest.mark.requirement("A43")
@pytest.mark.parametrize("way", [resume, undo])
def test_a_person_opens_it_for_an_unfinished_run(powered: Make, way: Callable[..., None]) -> None:
    world = powered(PERSON_TOO)
    with pytest.raises(Crash):
        release(killed_behind(world, "ec-a", StartService))
    world.a.revive()
    bind(world)
    world.disk.holder = ""
    world.b.power_off()
    world.a.answer(["fence_outlet"], status=1)
    with pytest.raises(NotProved, match="gave ec-b its word"):
        way(world.session("ec-a"))
    way(world.session("ec-a"), attest="ec-b is a wreck")
    assert find_open_run(world.session("ec-a")) is None
    assert is_active(world, "ec-a") is (way is undo)
    assert "ec-b is a wreck" in json.dumps(load_history(world.session("ec-a")))


def test_a_note_that_cannot_be_read_binds_to_everybody_until_they_are_heard(bound: World) -> None:
    Path(bound.a.files.real(NOTE)).write_text("{")
    with pytest.raises(NotProved, match="gave ec-b its word"):
        boot(bound.session("ec-a"))
    assert "whom this node gave its word can't be read, so that it may be ec-b" in bound.said("ec-a")
    assert "can't be read, so it starts nothing unheard" in told(bound, "ec-a").why
    assert isinstance(read_owed(bound.session("ec-a")), Unread)
    undo(bound.session("ec-b"))
    bound.b.silent = False
    assert boot(bound.session("ec-a")) == "active" and not bound.a.files.exists(NOTE)


def test_a_new_promise_takes_the_place_of_a_note_that_cannot_be_read(bound: World) -> None:
    for spoilt in ("[]", '{"format": 2, "promises": []}', '{"format": 1, "promises": [{"node": 1}]}'):
        Path(bound.a.files.real(NOTE)).write_text(spoilt)
        assert isinstance(load_promises(bound.a, "oc"), Unread)
    word = give_word(bound.session("ec-a"), parse_request(json.dumps({"promise": WANTED})))
    assert word.promised == "run-1" and owed(bound, "ec-a") == (("ec-b", 1),)


def test_a_promise_to_a_node_that_the_definition_has_lost_is_one_to_every_other(bound: World) -> None:
    path = Path(bound.a.files.real(NOTE))
    path.write_text(path.read_text().replace('"ec-b"', '"ec-z"', 1))
    (item,) = read_promised(bound.session("ec-a"), observe(bound.session("ec-a"), "").claim)
    assert (item.about, item.says) == ("ec-b", Says.PROMISED)


def test_in_a_plain_directory_no_epoch_ends_it(powered: Make) -> None:
    world = powered(kind="directory")
    request = parse_request(json.dumps({"promise": {**WANTED, "epoch": 0}}))
    release(world.session("ec-a"))
    give_word(world.session("ec-a"), request)
    assert [one.about for one in read_promised(world.session("ec-a"), observe(world.session("ec-a"), "").claim)] == [
        "ec-b"
    ]
    assert len(told_of(world)) == 1
    assert "gave ec-b its word for its takeover" in told(world, "ec-a").why


def test_who_gave_its_word_to_a_takeover_whose_asset_died_is_freed(powered: Make) -> None:
    world = bind(powered())
    world.b.silent = False
    world.b.power_off()
    for program in ("debugfs", "dd"):
        world.b.answer_with([program], lambda argv, _: said(argv, status=1, stderr=b"Input/output error"))
    world.b.boot()
    assert owed(world, "ec-a") == (("ec-b", 1),)
    undo(world.session("ec-b"), lost="the shelf burnt")
    assert owed(world, "ec-a") == ()


def test_a_switchover_needs_an_answer_to_an_older_promise_and_has_it(powered: Make) -> None:
    """The owner's own word, that it let go, is one."""
    world = bind(powered())
    undo(world.session("ec-b"))
    world.b.silent = False
    assert boot(world.session("ec-a")) == "active"
    give_word(world.session("ec-b"), parse_request(json.dumps({"promise": {**WANTED, "node": "ec-a"}})))
    assert owed(world, "ec-b") == (("ec-a", 1),)
    switchover(world.session("ec-a"), "", "")
    assert is_active(world, "ec-b") and not world.b.files.exists(NOTE)


# -- a claim that is free
@pytest.mark.requirement("A05", "A63")
def test_what_was_released_is_not_taken_from_a_node_that_is_silent_but_by_its_power(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    world.a.silent = True
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), PLAIN)
    assert refused.value.message.startswith("the claim is free, but ec-a gives no word and is not seen to be off")
    assert "tanist takeover oc --fence    (switch ec-a off and read it back" in refused.value.next_step
    assert "tanist release" not in refused.value.next_step, "it did that"
    observation, text = dry_run(world.session("ec-b"), TakeoverOptions(fence=True))
    assert observation.verdict.outcome is Outcome.NOT_PROVED and "switch ec-a off and read it back" in text
    takeover(world.session("ec-b"), TakeoverOptions(fence=True))
    assert is_active(world, "ec-b")


def test_what_was_released_by_a_node_that_is_off_is_taken_without_a_fence(powered: Make) -> None:
    world = powered()
    release(world.session("ec-a"))
    world.a.power_off()
    takeover(world.session("ec-b"), PLAIN)
    assert is_active(world, "ec-b")


@pytest.mark.requirement("A43")
def test_where_a_person_suffices_a_person_suffices_for_a_free_claim(powered: Make) -> None:
    world = powered(PERSON_TOO)
    release(world.session("ec-a"))
    world.a.silent = True
    with pytest.raises(NotProved) as refused:
        takeover(world.session("ec-b"), PLAIN)
    assert "--attest" in refused.value.next_step
    takeover(world.session("ec-b"), TakeoverOptions(attest="it was switched off"))
    assert is_active(world, "ec-b")


# -- the word itself
def test_an_asset_that_is_mounted_where_nobody_sees_it_is_in_use(world: World) -> None:
    """A takeover that re-owns, killed between the hidden mount and the claim: nothing but that mount tells."""
    release(world.session("ec-a"))
    assert find_activity(world.session("ec-a")) == ()
    world.a.files.make_directory(places.hidden("oc"))
    world.a.mount_device("/dev/asset", places.hidden("oc"), "ext4", (), None)
    assert read_word(world.session("ec-a")).state == "active"
    world.a.unmount(places.hidden("oc"))
