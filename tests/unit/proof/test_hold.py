"""Opinions about this node's hold: every combination, and that a sign against it never makes the opinion better."""

from __future__ import annotations

import itertools

import pytest

from tanist.model.claim import Claim
from tanist.model.host import Answer
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread
from tanist.proof.hold import KEPT, Opinion, combine, judge_claim, judge_others, judge_tree

OTHER = Answer(address="10.88.0.60", mac="02:00:00:00:00:b0")
DARK = Unread("ssh: No route to host")


def claim(node: str, epoch: int, state: str = "held") -> Claim:
    assert state in ("held", "released")
    return Claim(controller="oc", node=node, epoch=epoch, state=state, since="", run="r")  # type: ignore[arg-type]


def word(node: str, epoch: int, state: str = "active") -> PeerWord:
    assert state in ("active", "inactive")
    return PeerWord(
        node=node,
        state=state,  # type: ignore[arg-type]
        detail="",
        epoch_seen=epoch,
        boot_id="b",
        busy_run="",
        busy_since="",
        busy_who="",
        intent=None,
    )


@pytest.mark.parametrize(
    ("found", "unfinished", "says", "foreign"),
    [
        (claim("ec-a", 3), False, "kept", False),
        (claim("ec-a", 3), True, "kept", False),
        (claim("ec-b", 4), False, "lost", True),
        (claim("ec-b", 4), True, "lost", True),
        (claim("ec-b", 4, "released"), False, "lost", True),
        (claim("ec-a", 4), False, "lost", True),  # held by this node in a later life: this process is a ghost
        (claim("ec-b", 3), False, "lost", True),  # cannot be by the rules, so it is not this node's
        (claim("ec-b", 3), True, "lost", True),
        (claim("ec-a", 3, "released"), False, "lost", True),
        (claim("ec-a", 3, "released"), True, "kept", False),  # a release that was cut off
        (claim("ec-b", 2), False, "untold", False),
        (claim("ec-b", 2), True, "kept", False),  # a takeover cut off before it raised the epoch
        (Unread("dd: I/O error"), False, "untold", False),
        (Unread("dd: I/O error"), True, "untold", False),
    ],
)
@pytest.mark.requirement("A05")
def test_a_higher_epoch_always_wins_and_what_cannot_be_read_is_neither(
    found: Claim | Unread, unfinished: bool, says: str, foreign: bool
) -> None:
    opinion = judge_claim(found, "ec-a", 3, unfinished=unfinished)
    assert (opinion.says, opinion.foreign) == (says, foreign)
    assert bool(opinion.why) == (says != "kept")


def test_the_tree() -> None:
    found = {
        flags: judge_tree("/t", mounted=flags[0], read_only=flags[1], write_error=flags[2]).says
        for flags in itertools.product((True, False), (True, False), ("", "Input/output error"))
    }
    assert {flags for flags, says in found.items() if says == "kept"} == {(True, False, "")}
    assert {flags for flags, says in found.items() if says == "lost"} == {
        (True, True, ""),
        (True, True, "Input/output error"),
    }


def test_on_a_shared_disk_the_claim_decides_who_may_answer() -> None:
    """The one that took over must not give way to a stale owner that answers for its address."""
    kept, untold = KEPT, Opinion(says="untold", why="the claim can't be read: x")
    assert judge_others((), untold, (), 3, shared=True) == KEPT
    assert judge_others((OTHER,), kept, (word("ec-b", 9),), 3, shared=True) == KEPT
    lost = judge_others((OTHER,), untold, (), 3, shared=True)
    assert (lost.says, lost.foreign) == ("lost", True)
    assert "02:00:00:00:00:b0 answers for 10.88.0.60" in lost.why and "can't be read" in lost.why


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((word("ec-b", 4),), "lost"),
        ((word("ec-b", 2),), "kept"),
        ((word("ec-b", 4, "inactive"),), "kept"),
        ((DARK,), "lost"),
        ((word("ec-b", 2), DARK), "lost"),
        ((), "kept"),
    ],
)
def test_a_directory_is_not_shared_so_the_other_nodes_word_counts(
    words: tuple[PeerWord | Unread, ...], says: str
) -> None:
    assert judge_others((OTHER,), KEPT, words, 3, shared=False).says == says


def test_one_loss_is_a_loss_and_nothing_adds_up_to_kept() -> None:
    opinions = [KEPT, Opinion(says="untold", why="u"), Opinion(says="lost", why="l", foreign=True)]
    order = {"kept": 0, "untold": 1, "lost": 2}
    for chosen in itertools.product(opinions, repeat=3):
        both = combine(chosen)
        assert order[both.says] == max(order[one.says] for one in chosen)
        assert both.foreign == any(one.foreign for one in chosen)
    assert combine([Opinion(says="lost", why="a"), Opinion(says="lost", why="b")]).why == "a; b"
    assert combine([]) == KEPT
