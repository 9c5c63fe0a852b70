"""All nodes at the same time, and each way in which a node's answer is none."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Sequence

import pytest

from tanist.model.codec import encode
from tanist.model.dataclasses import replace
from tanist.model.growing import NodeSizes
from tanist.model.host import Ran
from tanist.model.unread import Unread
from tanist.runs.asking import ask_all
from tanist.runs.session import Session
from tests.unit.runs.world import World, said


def three(world: World) -> Session:
    """A third node that nobody has ever heard of."""
    more = replace(world.controller.node("ec-b"), name="ec-c", ssh="root@10.99.0.13")
    return replace(world.session("ec-a"), controller=replace(world.controller, nodes=(*world.controller.nodes, more)))


def told(node: str) -> bytes:
    return json.dumps(encode(NodeSizes(node=node, sizes=(("/dev/asset", 4096),)))).encode()


def ask(session: Session, mine: Callable[[], None] = lambda: None) -> dict[str, NodeSizes | Unread]:
    def look() -> NodeSizes:
        mine()
        return NodeSizes(node=session.node, sizes=())

    return ask_all(session, ["tanist", "sizes", "oc"], NodeSizes, look, connect_timeout=3)


def test_all_are_asked_before_this_node_looks_and_before_any_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def begin(argv: Sequence[str], **_: object) -> Callable[[], Ran]:
        name = "ec-b" if "root@10.99.0.13" not in argv else "ec-c"
        events.append(f"begun {name}")

        def end() -> Ran:
            events.append(f"ended {name}")
            return said(argv, told(name))

        return end

    monkeypatch.setattr(world.a, "begin", begin)
    found = ask(three(world), lambda: events.append("looked"))
    assert events == ["begun ec-b", "begun ec-c", "looked", "ended ec-b", "ended ec-c"]
    assert list(found) == ["ec-a", "ec-b", "ec-c"]
    assert [one.node for one in found.values() if isinstance(one, NodeSizes)] == list(found)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "its answer can't be read: "),
        (b"{}", "its answer can't be read: "),
        (b"[" * 100000, "its answer can't be read: "),
        (told("ec-c"), "it calls itself 'ec-c'"),
        (255, "No route to host"),
        (OSError(errno.ETIMEDOUT, "ssh: no end within 120 s, killed"), "no end within 120 s"),
    ],
)
def test_what_is_no_answer_says_why(world: World, answer: bytes | int | OSError, says: str) -> None:
    def ssh(argv: Sequence[str], _: bytes) -> Ran:
        if isinstance(answer, OSError):
            raise answer
        if isinstance(answer, int):
            return said(argv, status=answer, stderr=b"ssh: connect to host: No route to host\n")
        return said(argv, answer)

    world.a.answer_with(["ssh"], ssh)
    found = ask(world.session("ec-a"))["ec-b"]
    assert isinstance(found, Unread) and says in found.why
