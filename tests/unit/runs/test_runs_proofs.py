"""tanist proofs: what is there is tried, what is lacking is named with what would mend it; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tanist.cli.proofs import render
from tanist.model.definition import PowerDevice, Proof
from tanist.model.storage import MmpMark
from tanist.runs.proofs import Survey, survey
from tests.unit.runs.test_runs_fencing import Outlet
from tests.unit.runs.world import World


@pytest.fixture
def seen(new_world: Callable[..., World]) -> Callable[..., Survey]:
    def look(*devices: PowerDevice, broken: str = "", policy: tuple = (), virt: str = "none") -> Survey:  # type: ignore[type-arg]
        world = new_world()
        world.controller = replace(world.controller, proof=Proof(power=devices, policy=policy))
        world.b.answer(["systemd-detect-virt"], f"{virt}\n", status=1 if virt == "none" else 0)
        outlet = Outlet(world)
        outlet.broken = broken
        before = list(world.b.log)
        found = survey(world.session("ec-b"))
        assert "off" not in outlet.asked
        assert [line for line in world.b.log[len(before) :] if "known_hosts" not in line] == []
        return found

    return look


def state_of(found: Survey, engine: str, about: str = "") -> str:
    (state,) = (one.state for one in found.findings if one.engine == engine and about in ("", one.about))
    return state


BOTH = tuple(PowerDevice(node=node, agent="fence_outlet") for node in ("ec-a", "ec-b"))


def test_a_pair_without_anything_has_a_persons_word_and_is_told_what_to_define(seen: Callable[..., Survey]) -> None:
    found = seen()
    assert found.lacking == ("ec-a",)
    assert (state_of(found, "power", "ec-a"), state_of(found, "attestation")) == ("not set up", "ready")
    text = render(found)
    assert 'apt-get install fence-agents; [[proof.power]] with node = "ec-a"' in text
    assert "ec-a could not be stopped from here" in text
    assert "a machine of its own; a takeover from an owner that did not let go asks for: attestation" in text


def test_with_a_device_that_answers_nothing_is_lacking(seen: Callable[..., Survey]) -> None:
    found = seen(*BOTH)
    assert found.lacking == ()
    assert (state_of(found, "power", "ec-a"), state_of(found, "attestation")) == ("ready", "not set up")
    power = next(one for one in found.findings if one.engine == "power")
    assert power.seconds == 0.2 and power.at_most == 361 and power.suffices == "power"
    assert "--attest is not enough here" in render(found)
    assert "a guest (kvm)" in render(seen(*BOTH, virt="kvm"))


def test_a_device_that_cannot_tell_fails_and_leaves_its_node_lacking(seen: Callable[..., Survey]) -> None:
    found = seen(*BOTH, broken="unknown")
    assert state_of(found, "power", "ec-a") == "fails" and found.lacking == ("ec-a",)
    assert "try the agent by hand" in render(found)


def test_a_device_for_this_node_alone_does_not_stop_the_other(seen: Callable[..., Survey]) -> None:
    assert seen(BOTH[1]).lacking == ("ec-a",)


def test_what_the_mount_guard_costs_is_what_the_kernel_waits() -> None:
    """Measured: 22.5 s with a check interval of 5, 45.9 with 10, journal and all."""
    marks = (MmpMark(sequence=1, node="ec-a", time=0, interval=interval) for interval in (1, 5, 10, 300))
    assert [mark.longest_wait for mark in marks] == [22.0, 22.0, 42.0, 720.0]
