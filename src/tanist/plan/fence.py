"""What is done to an old owner that is not proved down, and what it costs. Pure."""

from __future__ import annotations

from tanist.model.definition import Controller, ProofName
from tanist.model.steps import Plan, PlannedStep, PowerOff, Reserve, StepSpec, WaitLease
from tanist.plan.acquire import build_reserve, number_steps

Names = tuple[ProofName, ...]


def fences(controller: Controller, suspects: tuple[str, ...], *, attested: bool) -> tuple[Names, ...]:
    """The sets of the policy that can be acted on: each begins with what is done, and all of it can be had."""
    there = {
        "power": bool(suspects) and all(controller.proof.devices(node) for node in suspects),
        "reservation": controller.proof.reservation is not None and bool(controller.disks),
        "lease": bool(suspects) and controller.proof.lease is not None,
        "attestation": attested,
    }
    acts = (names for names in controller.proof.suffices if set(names) != {"attestation"})
    return tuple(names for names in acts if all(there[name] for name in names))


def build_fence(
    controller: Controller, part: str, names: Names, suspects: tuple[str, ...], *, node: str, epoch: int
) -> Plan:
    """`node`: who fences, `epoch`: what for."""
    steps: list[tuple[str, StepSpec]] = []
    if "reservation" in names:
        steps += build_reserve(controller, node, epoch, keep=True)
    if "power" in names:
        for suspect in suspects:
            devices = controller.proof.devices(suspect)
            how = ", ".join(device.label for device in devices)
            steps.append((f"switch {suspect} off and read it back: {how}", PowerOff(node=suspect, devices=devices)))
    lease = controller.proof.lease
    if "lease" in names and lease is not None:
        for suspect in suspects:
            says = f"wait until the lease of {suspect} has run out"
            wait = WaitLease(node=suspect, alone=names == ("lease",), seconds=float(lease.longest_wait))
            steps.append((says, wait))
    return Plan(title=f"fence: {describe(names)}", steps=number_steps(part, steps))


def describe(names: Names) -> str:
    return " and ".join(names)


def longest(plan: Plan) -> float:
    """Seconds that it takes at most."""
    return sum(_longest(step) for step in plan.steps)


def _longest(step: PlannedStep) -> float:
    match step.spec:
        case PowerOff(devices=devices):
            return sum(device.longest for device in devices)
        case WaitLease(seconds=seconds):
            return seconds
        case Reserve() as reserve:
            return reserve.longest
        case _:
            return 0.0


def describe_offer(controller: Controller, names: Names, suspects: tuple[str, ...], *, node: str, epoch: int) -> str:
    plan = build_fence(controller, "fence", names, suspects, node=node, epoch=epoch)
    acts = "; ".join(step.says for step in plan.steps)
    return f"tanist takeover {controller.name} --fence    ({acts}; at most {longest(plan):.0f} s)"


def describe_kept(steps: tuple[PlannedStep, ...]) -> str:
    """What an undo leaves as it is: nobody but a person knows whether a machine may run again."""
    nodes = [step.spec.node for step in steps if isinstance(step.spec, PowerOff)]
    off = f"; {', '.join(nodes)} was told to switch off and is not switched on again" if nodes else ""
    kept = [step.spec for step in steps if isinstance(step.spec, Reserve) and step.spec.keep]
    if not kept:
        return off
    disks, name, node = ", ".join(kept[0].devices), kept[0].controller, kept[0].node
    return f"{off}; the old owner stays shut out of {disks} until, on {node}: tanist proofs {name} --clear"
