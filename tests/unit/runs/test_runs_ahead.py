"""What is begun before its turn: only looks, and no word before it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tanist.host.conversation import Conversation
from tanist.model.definition import Node
from tanist.model.peer import PeerWord
from tanist.model.unread import Unread
from tanist.runs.ahead import begun_ahead
from tanist.runs.peers import ask_peer, read_word, render_word
from tests.unit.runs.world import World


def on_the_line(world: World, script: str) -> tuple[PeerWord | Unread, PeerWord | Unread]:
    """What is said at the first and at the second question, when ssh is this script."""
    asked: list[Sequence[str]] = []

    def open_peer(_: Node, argv: Sequence[str], **__: object) -> Conversation:
        asked.append(argv)
        return Conversation(["sh", "-c", script])

    with begun_ahead(replace(world.session("ec-b"), open_peer=open_peer)) as session:
        assert asked == [["tanist", "word", "oc", "--when-asked"]]
        return ask_peer(session, "ec-a"), ask_peer(session, "ec-a")


def test_a_node_on_the_line_gives_its_word_when_it_is_asked(world: World) -> None:
    word = render_word(replace(read_word(world.session("ec-a")), detail="on the line"))
    first, second = on_the_line(world, f"read question && test $question = now && echo '{word}'")
    assert isinstance(first, PeerWord) and first.detail == "on the line"
    assert isinstance(second, PeerWord) and second.detail != "on the line"  # each is asked once: then it is called


def test_a_line_that_broke_says_why(world: World) -> None:
    first, _ = on_the_line(world, "echo 'No route to host' >&2; exit 255")
    assert isinstance(first, Unread) and "No route to host" in first.why


def test_nonsense_on_the_line_is_no_word(world: World) -> None:
    first, _ = on_the_line(world, "read question; echo '{'")
    assert isinstance(first, Unread) and "can't be read" in first.why


def test_without_an_ssh_program_the_node_is_called_in_its_turn(world: World) -> None:
    def open_peer(_: Node, argv: Sequence[str], **__: object) -> Conversation:
        return Conversation(["/no/such/program", *argv])

    with begun_ahead(replace(world.session("ec-b"), open_peer=open_peer)) as session:
        assert not session.called
        assert isinstance(ask_peer(session, "ec-a"), PeerWord)


def test_a_wire_that_can_not_be_asked_is_told_of_in_its_turn(world: World) -> None:
    world.b.network.ports["ens3"].up = False

    def open_peer(_: Node, argv: Sequence[str], **__: object) -> Conversation:
        return Conversation(["true", *argv])

    with begun_ahead(replace(world.session("ec-b"), open_peer=open_peer)):
        pass
