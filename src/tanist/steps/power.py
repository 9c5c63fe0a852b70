"""Another node's power: off, and read back as off."""

from __future__ import annotations

from tanist.model.errors import Failed
from tanist.model.evidence import Says
from tanist.model.steps import PowerOff
from tanist.proof.power import cut_power
from tanist.steps.context import Context


def apply_power_off(spec: PowerOff, context: Context) -> None:
    says, detail = cut_power(context.host, spec.devices)
    if says is not Says.OFF:
        raise Failed(f"{spec.node} was not read back as off: {detail}")
