"""Programs that attach a disk: real ones, started as on a node, honest and not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tanist.facts.device import Place
from tanist.facts.kinds import kind_of
from tanist.facts.program import Answer, ask_program, find_place, parse_answer, read_answer, read_states
from tanist.host.files import Files
from tanist.host.local import LocalHost
from tanist.model.dataclasses import replace
from tanist.model.errors import Failed
from tanist.model.growing import Room
from tanist.model.host import Ran
from tanist.model.layer_steps import AttachDisk
from tanist.model.layers import IscsiLayer, ProgramLayer
from tanist.model.unread import Unread
from tanist.plan.layers import build_attach
from tanist.steps import program as steps
from tanist.steps.context import Context

PROGRAM, DEVICE = "/opt/cloud", "/dev/volume"
LAYER = ProgramLayer(program=PROGRAM, device=DEVICE, settings=(("volume", "vol-1"),), timeout=5.0)
SPEC = build_attach(LAYER)
# who has the volume lies in a file, as in a cloud; this node is "me"
CLOUD = """#!/bin/sh
cd "$(dirname "$0")/.."
cat >request
owner=$(cat owner)
echo "$1" >>asked
case $1 in
acquire) [ -z "$owner" ] && owner=me || [ "$owner" = me ] || { echo "vol-1 is in use" >&2; exit 3; } ;;
force-acquire) owner=me ;;
release) [ "$owner" != me ] || owner= ;;
esac
echo "$owner" >owner
rm -f dev/volume
[ "$owner" != me ] || mknod dev/volume b 7 201
case $owner in
me) echo '{"state": "here"}' ;;
"") echo '{"state": "free"}' ;;
*) echo "{\\"state\\": \\"elsewhere\\", \\"holder\\": \\"$owner\\"}" ;;
esac
"""


class Rooted(LocalHost):
    """This machine, with another directory as its root."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._files = Files(str(root))
        self._root = root

    def run(self, argv: Sequence[str], **words: Any) -> Ran:  # type: ignore[explicit-override]
        there = self._root / argv[0].lstrip("/")
        return super().run([str(there) if argv[0].startswith("/") else argv[0], *argv[1:]], **words)


@pytest.fixture
def host(tmp_path: Path) -> Rooted:
    for name in ("opt", "dev"):
        (tmp_path / name).mkdir()
    tmp_path.chmod(0o755)
    return put(Rooted(tmp_path), CLOUD)


def put(host: Rooted, text: str, mode: int = 0o755) -> Rooted:
    host.files.write(PROGRAM, text.encode(), mode)
    return host


def owned(host: Rooted, owner: str = "") -> Rooted:
    host.files.write("/owner", f"{owner}\n".encode())
    host.run([PROGRAM, "state"])
    host.files.write("/asked", b"")
    return host


def asked(host: Rooted) -> list[str]:
    return host.files.read("/asked").decode().split()


def context(host: Rooted) -> Context:
    return Context(host=host, controller=None, node="ec-a")  # type: ignore[arg-type]


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "APPEARS", 0.3)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "no JSON"),
        (b"attached\n", "no JSON: 'attached'"),
        (b'{"state": "here"', "no JSON"),
        (b'["here"]', 'no "state"'),
        (b'{"state": "attached"}', 'no "state" out of here, free'),
        (b'{"state": true}', 'no "state"'),
        (b'{"state": ["here"]}', 'no "state"'),
        (b'{"state": "elsewhere"}', 'without a "holder"'),
        (b'{"state": "elsewhere", "holder": "\\u0007 "}', 'without a "holder"'),
        (b'{"state": "free", "says": 7}', "must be texts"),
        (b'{"state": "here", "says": "' + b"x" * 65536 + b'"}', "at most 65536"),
        (b"[" * 60000, "no JSON"),
        (b"\xff\xfe{}", "no JSON"),
    ],
)
def test_an_answer_that_is_none_is_never_a_state(answer: bytes, says: str) -> None:
    found = parse_answer(answer)
    assert isinstance(found, Unread) and says in found.why


def test_words_of_an_answer_do_no_harm_to_a_terminal() -> None:
    found = parse_answer(b'{"state": "elsewhere", "holder": "i-1\\u001b[2J\\n", "says": "%s"}' % (b"y" * 999))
    assert found == Answer(where="elsewhere", holder="i-1 [2J", says="y" * 200)


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('#!/bin/sh\necho \'{"state": "here"}\'; exit 1\n', "exit status 1"),
        ("#!/bin/sh\necho no credentials >&2; exit 4\n", "exit status 4, no credentials"),
        ("#!/bin/sh\nsleep 60\n", "killed"),
        ("#!/bin/sh\nkill -9 $$\n", "exit status"),
        ("#!/nonexistent\n", "exit status 127"),
        ("no program at all", "/opt/cloud state: "),
    ],
)
def test_a_program_that_fails_or_hangs_cannot_tell(host: Rooted, script: str, says: str) -> None:
    found = ask_program(put(host, script), LAYER, "state", 1.0)
    assert isinstance(found, Unread) and says in found.why, found


def test_a_program_that_others_could_change_is_not_started(host: Rooted, tmp_path: Path) -> None:
    owned(host)
    for path, mode in (("opt/cloud", 0o775), ("opt", 0o777), (".", 0o1777), ("opt/cloud", 0o600)):
        before = (tmp_path / path).stat().st_mode & 0o7777
        (tmp_path / path).chmod(mode)
        found = read_answer(host, LAYER)
        assert isinstance(found, Unread) and "chmod" in found.why
        (tmp_path / path).chmod(before)
    assert asked(host) == []
    os.chown(tmp_path / "opt/cloud", 1, 1)
    assert isinstance(read_answer(host, LAYER), Unread)
    (tmp_path / "opt/cloud").unlink()
    (tmp_path / "opt/cloud").symlink_to("/bin/true")
    found = read_answer(host, LAYER)
    assert isinstance(found, Unread) and "is no program" in found.why and asked(host) == []


def test_it_is_told_what_it_needs_on_stdin_and_nothing_else(host: Rooted) -> None:
    owned(host, "i-2")
    ask_program(host, LAYER, "force-acquire", 5.0, proof="ec-a has no power")
    assert host.files.read("/request") == (
        b'{"format": 1, "device": "/dev/volume", "settings": {"volume": "vol-1"}, "proof": "ec-a has no power"}'
    )


def test_what_is_elsewhere_or_free_is_not_read_here(host: Rooted) -> None:
    below = Place(device="", offset=0, size=0)
    held = find_place(owned(host, "i-2"), LAYER, below)
    assert isinstance(held, Unread) and held.why == "/dev/volume is attached to i-2"
    free = find_place(owned(host), LAYER, below)
    assert isinstance(free, Unread) and free.why == "/dev/volume is attached to no node"
    assert find_place(owned(host, "me"), LAYER, below) == Place(device=DEVICE, offset=0, size=0)
    assert asked(host) == [], "it is not asked while the device is there"
    (state,) = read_states(host, LAYER)
    assert not state.wrong
    host.files.remove(DEVICE)
    (state,) = read_states(put(host, '#!/bin/sh\necho \'{"state": "here"}\'\n'), LAYER)
    assert state.wrong.endswith("the device is not there")


def test_a_disk_is_attached_and_detached_and_both_may_run_twice(host: Rooted) -> None:
    owned(host)
    for _ in range(2):
        steps.apply_attach_disk(SPEC, context(host))
    assert steps.is_attach_disk_applied(SPEC, context(host)) is True
    for _ in range(2):
        steps.undo_attach_disk(SPEC, context(host))
    assert steps.is_attach_disk_applied(SPEC, context(host)) is False
    assert [word for word in asked(host) if word != "state"] == ["acquire", "release"]


def test_a_disk_is_taken_from_another_node_only_with_a_proof(host: Rooted) -> None:
    owned(host, "i-2")
    with pytest.raises(Failed, match=r"attached to i-2, and nothing proves"):
        steps.apply_attach_disk(SPEC, context(host))
    steps.undo_attach_disk(SPEC, context(host))
    assert set(asked(host)) == {"state"}, "and what another node has is not detached from it"
    steps.apply_attach_disk(replace(SPEC, proof="ec-a has no power"), context(host))
    assert "force-acquire" in asked(host)


def test_where_nobody_can_tell_nothing_is_done(host: Rooted) -> None:
    proved = replace(SPEC, proof="ec-a has no power")
    put(owned(host), '#!/bin/sh\necho "$1" >>"$(dirname "$0")/../asked"\necho \'{"state": "unknown"}\'\n')
    for spec in (SPEC, proved):
        with pytest.raises(Failed, match="nobody can tell"):
            steps.apply_attach_disk(spec, context(host))
    assert steps.is_attach_disk_applied(SPEC, context(host)) is None
    assert set(asked(host)) == {"state"}


LIARS = {
    "it says here, and there is no disk": ('echo \'{"state": "here"}\'', "did not appear"),
    "it says that it was done, and then not": (
        '[ $1 != acquire ] || mknod dev/volume b 7 201\necho \'{"state": "free"}\'',
        "and now: /dev/volume is attached to no node",
    ),
}


@pytest.mark.parametrize(("lie", "says"), LIARS.values(), ids=list(LIARS))
def test_a_program_that_lies_is_found_out(host: Rooted, monkeypatch: pytest.MonkeyPatch, lie: str, says: str) -> None:
    patient(monkeypatch)
    put(owned(host), f'#!/bin/sh\ncd "$(dirname "$0")/.."\n{lie}\n')
    with pytest.raises(Failed, match=says):
        steps.apply_attach_disk(SPEC, context(host))


def test_a_disk_that_does_not_go_is_not_let_go(host: Rooted, monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)
    owned(host, "me")
    put(host, '#!/bin/sh\necho \'{"state": "here"}\'\n')
    with pytest.raises(Failed, match="did not go"):
        steps.undo_attach_disk(SPEC, context(host))


def test_the_step_is_whole(host: Rooted) -> None:
    assert AttachDisk(program=PROGRAM, device=DEVICE, settings=(("volume", "vol-1"),), timeout=5.0) == SPEC


# -- the example

EXAMPLE = (Path(__file__).parents[4] / "packaging/program/cloud-volume").read_text()
FUNCTIONS = """
here=$(dirname "$0")/..
cloud_self() { echo i-1; }
cloud_holder() { [ "$1" = vol-1 ] && [ ! -e "$here/mute" ] && cat "$here/owner"; }
cloud_attach() { [ ! -s "$here/owner" ] && cloud_self >"$here/owner" && mknod "$here/dev/volume" b 7 201; }
cloud_detach() { [ "$(cat "$here/owner")" = "$2" ] && : >"$here/owner" && rm -f "$here/dev/volume"; }
"""


@pytest.fixture
def example(host: Rooted) -> Rooted:
    host.files.write("/opt/functions", FUNCTIONS.encode())
    host.files.write("/owner", b"")
    return put(host, EXAMPLE.replace("/etc/tanist/cloud-volume.sh", '"$(dirname "$0")/functions"'))


def test_the_example_keeps_the_contract(example: Rooted) -> None:
    for _ in range(2):
        steps.apply_attach_disk(SPEC, context(example))
    assert read_answer(example, LAYER) == Answer(where="here", holder="i-1")
    for _ in range(2):
        steps.undo_attach_disk(SPEC, context(example))
    assert read_answer(example, LAYER) == Answer(where="free")
    example.files.write("/owner", b'i-2"}\n')
    assert read_answer(example, LAYER) == Answer(where="elsewhere", holder="i-2")
    refused = ask_program(example, LAYER, "acquire", 5.0)
    assert isinstance(refused, Unread) and "exit status 1" in refused.why
    steps.apply_attach_disk(replace(SPEC, proof="i-2 has no power"), context(example))
    assert read_answer(example, LAYER) == Answer(where="here", holder="i-1")


def test_the_example_says_where_it_cannot_tell(example: Rooted) -> None:
    example.files.write("/mute", b"")
    seen = read_answer(example, LAYER)
    assert isinstance(seen, Answer) and seen.where == "unknown"
    without = read_answer(example, replace(LAYER, settings=()))
    assert isinstance(without, Unread) and "settings have no volume" in without.why


@pytest.mark.parametrize("layer", [LAYER, IscsiLayer(target="iqn.a", portals=("10.66.0.21:3260",), device=DEVICE)])
def test_a_disk_is_as_large_as_it_says(layer: ProgramLayer | IscsiLayer) -> None:
    kind, host = kind_of(layer), LocalHost()
    assert kind.read_room(host, layer, {DEVICE: 5}, 7) == Room(device=DEVICE, now=5, could=5)
    assert kind.read_room(host, layer, {}, 7) == Room(device=DEVICE, now=0, could=0)
