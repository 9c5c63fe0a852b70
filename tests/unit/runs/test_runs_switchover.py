"""Switchover and failback from either node, over a pipe instead of ssh; and two operators at one moment."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from tanist.model.errors import Busy, Failed, NotProved, Refused, TanistError
from tanist.model.host import Ran
from tanist.model.peer import Intent, PeerWord
from tanist.runs.boot import boot
from tanist.runs.peers import render_word
from tanist.runs.release import release
from tanist.runs.session import exclusive
from tanist.runs.switchover import LET_GO, switchover, take_planned
from tanist.runs.takeover import TakeoverOptions, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.talk import Pipe
from tests.unit.runs.test_runs_takeover import claim_of, is_active
from tests.unit.runs.world import World, said

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


@pytest.mark.requirement("A05", "A59", "A64", "A65", "A66", "A67")
@pytest.mark.parametrize("typed_on", ["owner", "target"])
def test_there_and_back_three_times_without_drift(world: World, typed_on: str) -> None:
    first = {name: take(world, name) for name in world.nodes}
    for epoch in range(2, 8):
        owner, target = ("ec-a", "ec-b") if epoch % 2 == 0 else ("ec-b", "ec-a")
        switchover(world.session(owner if typed_on == "owner" else target), target, "maintenance")
        assert is_active(world, target) and not is_active(world, owner)
        assert claim_of(world, target) == (target, epoch, "held")
    for name, before in first.items():
        assert set(differences(before, take(world, name))) <= {"claim"}, name
    assert world.violations == ()


def test_a_target_that_is_not_fit_stops_nothing(world: World) -> None:
    before = take(world, "ec-a")
    world.b.files.remove("/opt/oc/bin/check")
    with pytest.raises(Refused, match=r"ec-b is not ready: refused: .*not installed"):
        switchover(world.session("ec-a"), "", "")
    assert differences(before, take(world, "ec-a")) == {}
    with pytest.raises(Refused, match="not installed"):
        switchover(world.session("ec-b"), "", "")
    assert differences(before, take(world, "ec-a")) == {}


def test_a_target_that_fails_after_the_release_says_what_to_type(world: World) -> None:
    world.b.units["oc-ec.service"].fails = True
    with pytest.raises(Failed, match="ec-b did not take it") as caught:
        switchover(world.session("ec-a"), "ec-b", "")
    assert "tanist takeover oc" in caught.value.next_step


@pytest.mark.parametrize(
    ("node", "to", "says"),
    [
        ("ec-a", "ec-a", "is the active node of oc already"),
        ("ec-a", "ec-z", "there is no node 'ec-z'"),
    ],
)
def test_a_switchover_to_nowhere_is_refused(world: World, node: str, to: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        switchover(world.session(node), to, "")


def test_a_switchover_needs_a_living_owner(orphan: World) -> None:
    with pytest.raises(Refused, match="a switchover needs a living owner") as caught:
        switchover(orphan.session("ec-b"), "", "")
    assert "--dry-run" in caught.value.next_step


# -- two operators
def try_takeover(world: World, name: str, errors: dict[str, TanistError]) -> None:
    try:
        takeover(world.session(name), TakeoverOptions(reason=f"from {name}"))
    except (Busy, NotProved, Refused, Failed) as error:
        errors[name] = error


def one_active(world: World, errors: dict[str, TanistError]) -> None:
    active = [name for name in world.nodes if is_active(world, name)]
    assert len(active) + len(errors) == 2 and len(active) <= 1, (active, errors)
    assert world.violations == ()


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("first", ["ec-a", "ec-b"])
def test_a_second_operator_at_any_moment_of_a_takeover_changes_nothing(
    new_world: Callable[..., World], first: str
) -> None:
    """The other takeover is tried right after each kind of change of the first one."""
    moments = ("files.write /run/tanist/oc/intent", "files.append", "mount_device", "files.overwrite", "add_address")
    other = "ec-b" if first == "ec-a" else "ec-a"
    for moment in moments:
        world, errors = new_world(), dict[str, TanistError]()
        release(world.session("ec-a"))
        world.nodes[first].then.append((moment, lambda w=world, e=errors: try_takeover(w, other, e)))  # type: ignore[misc]
        try_takeover(world, first, errors)
        one_active(world, errors)
        assert is_active(world, first) or is_active(world, other), (moment, errors)


@pytest.mark.requirement("A05")
def test_two_operators_at_once_make_at_most_one_node_active(new_world: Callable[..., World]) -> None:
    for _ in range(4):
        world, errors = new_world(), dict[str, TanistError]()
        release(world.session("ec-a"))
        threads = [threading.Thread(target=try_takeover, args=(world, name, errors)) for name in world.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        one_active(world, errors)


def answer_first(world: World, *words: PeerWord) -> None:
    """ec-b's first words to ec-a; afterwards its real ones."""
    left = list(words)

    def answer(argv: Sequence[str], stdin: bytes) -> Ran:
        if left and "word" in argv[-1]:
            return said(argv, render_word(left.pop(0)).encode())
        return world.ssh(world.a, argv, stdin)

    world.a.answer_with(["ssh"], answer)


def word_of_b(state: Literal["active", "inactive", "busy"], what: str = "", phase: str = "") -> PeerWord:
    began = Intent(node="ec-b", run="r1", who="root", since="2026-01-31T12:00:00", phase="committed")
    intent = replace(began, phase="intending") if phase == "intending" else began if phase else None
    return PeerWord(
        node="ec-b",
        state=state,
        detail="",
        epoch_seen=1,
        boot_id="b",
        busy_run=what,
        busy_since="",
        busy_who="root",
        intent=intent,
    )


@pytest.mark.parametrize(
    "words",
    [
        [word_of_b("busy", "takeover")],  # its intent was not written yet; then it gave way
        [word_of_b("busy")],  # it was only being looked at
        [word_of_b("busy", "takeover"), word_of_b("busy", "takeover"), word_of_b("inactive", phase="intending")],
    ],
)
def test_a_takeover_that_gave_way_is_not_held_against_the_one_that_goes_first(
    world: World, words: list[PeerWord]
) -> None:
    release(world.session("ec-a"))
    answer_first(world, *words)
    takeover(world.session("ec-a"), TakeoverOptions())
    assert is_active(world, "ec-a")


def test_signs_of_life_that_are_another_takeover_are_told_as_such(world: World) -> None:
    """Its word was asked for before it began; what was seen of it came later."""
    release(world.session("ec-a"))
    answer_first(world, word_of_b("active"), *[word_of_b("active", phase="committed")] * 3)
    with pytest.raises(Busy, match=r"root on ec-b.*2026-01-31T12:00:00.*is taking oc over already"):
        takeover(world.session("ec-a"), TakeoverOptions())
    assert not is_active(world, "ec-a")


class Silence(Pipe):
    """The owner's end of a connection that nobody has ended: no word, no end. Each wait is one of `happens`."""

    def __init__(self, world: World, happens: Sequence[Callable[[], object]]) -> None:
        super().__init__()
        self.world, self.happens = world, list(happens)

    @override
    def hear(self, timeout: float) -> str | None:
        if not self.happens:
            return LET_GO
        self.happens.pop(0)()
        self.world.clock.advance(timeout)
        return None


def nothing() -> None:
    pass


@pytest.mark.parametrize("boots", [False, True])
def test_a_target_does_not_wait_for_an_owner_that_lost_its_power(world: World, boots: bool) -> None:
    """It would keep the owner from starting again, and a person from a takeover here."""
    happens = (world.a.reboot if boots else world.a.power_off, *(nothing for _ in range(9)))
    silence = Silence(world, happens)
    with pytest.raises(Refused, match="did not let go; nothing was changed here"):
        take_planned(world.session("ec-b"), "planned", silence)
    assert len(silence.happens) == 8
    if boots:
        boot(world.session("ec-a"))
        assert is_active(world, "ec-a")
    else:
        takeover(world.session("ec-b"), TakeoverOptions(attest="its power was cut"))


def test_a_target_waits_for_an_owner_whose_release_takes_long(world: World) -> None:
    """However often it is asked: it says itself that it is at work on it."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(exclusive(world.session("ec-a"), "release"))

        def lets_go() -> None:
            stack.close()
            release(world.session("ec-a"))

        take_planned(world.session("ec-b"), "planned", Silence(world, [*(nothing for _ in range(9)), lets_go]))
    assert is_active(world, "ec-b")
