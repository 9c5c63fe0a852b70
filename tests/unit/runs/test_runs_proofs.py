"""tanist proofs: what is there is tried, what is lacking is named with what would mend it; nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tanist.cli.proofs import render
from tanist.model.definition import PowerDevice, Proof
from tanist.runs.proofs import Survey, longest_mmp_wait, survey
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
    """Measured: 22.5 s with an interval of 1, 45.9 with 5 (a check interval of 10), journal and all."""
    assert longest_mmp_wait(1) == 22.0
    assert longest_mmp_wait(5) == 42.0
