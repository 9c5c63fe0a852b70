"""Two nodes, one moment: every order of their actions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from tanist.host.fake import FakeHost
from tanist.model.peer import Intent
from tanist.model.unread import Unread
from tanist.proof import intent
from tanist.proof.intent import judge

ORDER = ("ec-a", "ec-b", "ec-c")


def made(node: str, phase: Literal["intending", "committed"] = "intending") -> Intent:
    return Intent(node=node, run=f"run-{node}", who="ann", since="2026-01-01T00:00:00Z", phase=phase)


def test_the_rules_one_by_one() -> None:
    first, second = made("ec-a"), made("ec-b")
    assert judge(first, None, ORDER) == judge(second, None, ORDER) == "go"
    assert judge(first, second, ORDER) == "wait"
    assert judge(second, first, ORDER) == "give-way"
    assert judge(first, made("ec-b", "committed"), ORDER) == "give-way"
    assert judge(second, made("ec-a", "committed"), ORDER) == "give-way"
    assert judge(first, made("ec-z"), ORDER) == judge(made("ec-z"), first, ORDER) == "give-way"


# -- every interleaving. A node: write, ask each peer, judge, then commit, give way, or ask again.
@dataclass(frozen=True, slots=True)
class Player:
    node: str
    doing: str = "write"  # write, ask, commit, clear, done
    shown: Intent | None = None  # what its word would carry
    asking: int = 0  # which peer it asks next


State = tuple[Player, ...]


def moves(state: State, order: tuple[str, ...] = ORDER) -> list[State]:
    """What any one of the players may do next."""
    found = []
    for at, player in enumerate(state):
        peers = [other for other in state if other is not player]
        after = step(player, peers, order)
        if after is not None and after != player:  # a "wait" that changes nothing is no move
            found.append((*state[:at], after, *state[at + 1 :]))
    return found


def step(player: Player, peers: list[Player], order: tuple[str, ...]) -> Player | None:
    match player.doing:
        case "write":
            return replace(player, doing="ask", shown=made(player.node))
        case "ask":
            assert player.shown is not None
            match judge(player.shown, peers[player.asking].shown, order):
                case "go":
                    last = player.asking == len(peers) - 1
                    return replace(player, doing="commit") if last else replace(player, asking=player.asking + 1)
                case "give-way":
                    return replace(player, doing="clear")
                case "wait":
                    return player
        case "commit":
            return replace(player, doing="done", shown=made(player.node, "committed"))
        case "clear":
            return replace(player, doing="done", shown=None)
    return None


def explore(start: State, order: tuple[str, ...] = ORDER) -> tuple[list[State], Counter[int]]:
    """Every state that can be reached; and how many committed in each of the ends."""
    seen, todo, ends = {start}, [start], Counter[int]()
    while todo:
        state = todo.pop()
        following = moves(state, order)
        if not following:
            assert all(player.doing == "done" for player in state), f"stuck: {state}"
            ends[committed(state)] += 1
        for new in following:
            if new not in seen:
                seen.add(new)
                todo.append(new)
    return list(seen), ends


def committed(state: State) -> int:
    return sum(player.shown is not None and player.shown.phase == "committed" for player in state)


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("nodes", [("ec-a", "ec-b"), ("ec-b", "ec-a"), ("ec-a", "ec-b", "ec-c")])
def test_in_no_order_of_actions_do_two_commit_and_in_each_one_does(nodes: tuple[str, ...]) -> None:
    states, ends = explore(tuple(Player(node) for node in nodes))
    assert max(map(committed, states)) == 1
    assert set(ends) == {1} and len(states) > 15


@pytest.mark.requirement("A05")
def test_two_never_commit_even_when_the_nodes_do_not_agree_on_the_order() -> None:
    for order in (("ec-a",), (), ("ec-b", "ec-a")):
        states, _ = explore((Player("ec-a"), Player("ec-b")), order)
        assert max(map(committed, states)) <= 1


def test_asking_before_writing_would_let_both_commit() -> None:
    """The rule that this protocol stands on, removed: the search must find the two actives."""
    asked_first = (Player("ec-a", doing="ask", shown=None), Player("ec-b", doing="ask", shown=None))
    both_saw_nothing = tuple(replace(player, doing="commit", shown=made(player.node)) for player in asked_first)
    states, _ = explore(both_saw_nothing)
    assert max(map(committed, states)) == 2


# -- on disk
def test_an_intent_is_saved_committed_and_cleared(tmp_path: Path) -> None:
    host = FakeHost(str(tmp_path))
    mine = made("ec-a")
    assert intent.load_intent(host, "opscenter") is None
    intent.save_intent(host, "opscenter", mine)
    assert intent.load_intent(host, "opscenter") == mine
    assert intent.commit_intent(host, "opscenter", mine).phase == "committed"
    assert intent.load_intent(host, "opscenter") == made("ec-a", "committed")
    intent.clear_intent(host, "opscenter", "another run")
    assert intent.load_intent(host, "opscenter") is not None
    intent.clear_intent(host, "opscenter", mine.run)
    assert intent.load_intent(host, "opscenter") is None
    intent.clear_intent(host, "opscenter", mine.run)


def test_a_boot_forgets_it(tmp_path: Path) -> None:
    host = FakeHost(str(tmp_path))
    intent.save_intent(host, "opscenter", made("ec-a"))
    host.reboot()
    assert intent.load_intent(host, "opscenter") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"node": 1}', b"\xff"])
def test_a_torn_intent_is_unread_and_not_absent(tmp_path: Path, content: bytes) -> None:
    host = FakeHost(str(tmp_path))
    host.files.make_directory("/run/tanist/opscenter")
    host.files.write(intent.intent_path("opscenter"), content)
    assert isinstance(intent.load_intent(host, "opscenter"), Unread)


def test_an_intent_that_cannot_be_read_is_unread(tmp_path: Path) -> None:
    host = FakeHost(str(tmp_path))
    host.files.make_directory(intent.intent_path("opscenter"))
    assert isinstance(intent.load_intent(host, "opscenter"), Unread)
