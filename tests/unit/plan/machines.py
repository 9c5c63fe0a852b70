"""Plans as text, one step a line: direction, kind, words for people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tanist.definition.load import load_controller
from tanist.model.claim import Claim
from tanist.model.definition import Asset, Controller
from tanist.model.standing import Standing
from tanist.model.steps import Plan

ROOT = Path(__file__).parents[3]
CASES = Path(__file__).parent / "cases"
KEYS = tuple(f"ssh_host_{kind}_key{end}" for kind in ("ecdsa", "ed25519", "rsa") for end in ("", ".pub"))
RUN, EPOCH = "20260131T120000000-takeover-ec-b", 8


def load_profile(name: str, mode: str, fstype: str) -> Controller:
    controller = load_controller((ROOT / f"profiles/{name}.toml").read_bytes(), f"{name}.toml")
    controller = replace(controller, identity=replace(controller.identity, mode="alias" if mode == "alias" else "host"))
    match fstype:
        case "xfs":
            return replace(controller, asset=replace(controller.asset, fstype="xfs"))
        case "directory":
            return replace(controller, asset=Asset(kind="directory"))
    return controller


def make_standing(controller: Controller, shift: int = 0) -> Standing:
    """ec-b; `shift` is how much its account numbers differ from those of the disk."""
    return Standing(
        node="ec-b",
        hostname="ec-b",
        boot_id="boot-1",
        users=tuple((name, 100 + n + shift) for n, name in enumerate(controller.accounts.users)),
        groups=tuple((name, 200 + n) for n, name in enumerate(controller.accounts.groups)),
        no_idmap="",
        new_users=(),
        new_groups=(),
        ssh_unit="ssh.service",
        ssh_keys=tuple(f"/etc/ssh/{name}" for name in KEYS),
        controller_keys=KEYS,
    )


def make_claim(controller: Controller) -> Claim:
    standing = make_standing(controller)
    return Claim(
        controller=controller.name,
        node="ec-a",
        epoch=EPOCH - 1,
        state="held",
        since="2026-01-31T11:00:00.000+00:00",
        run="20260131T110000000-init-ec-a",
        users=standing.users,
        groups=standing.groups,
    )


def render(plan: Plan) -> str:
    lines = [f"# {plan.title}"]
    lines += [f"{step.id:<12} {step.direction:<5} {type(step.spec).__name__:<13} {step.says}" for step in plan.steps]
    return "\n".join(lines) + "\n"
