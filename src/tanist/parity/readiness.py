"""Pair -> Assessment: everything that is looked at, what a person accepted, and the verdict. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.accepted import Accepted
from tanist.model.dataclasses import replace
from tanist.model.pair import Pair
from tanist.model.readiness import Assessment, Found
from tanist.parity.beside import check_beside
from tanist.parity.data import check_data, find_captured
from tanist.parity.drills import check_drill
from tanist.parity.exports import check_exports
from tanist.parity.finding import wrong
from tanist.parity.machines import check_machines
from tanist.parity.measured import check_measured
from tanist.parity.names import check_names
from tanist.parity.network import check_network
from tanist.parity.nfs import check_nfs
from tanist.parity.proofs import check_layers, check_others, check_proofs
from tanist.parity.replica import check_replica
from tanist.parity.serving import check_serving
from tanist.parity.standby import check_standby
from tanist.parity.storage import check_storage


def assess(pair: Pair, accepted: Iterable[Accepted] = ()) -> Assessment:
    looks = (
        *(check_machines, check_beside, check_network, check_names, check_standby, check_nfs, check_serving),
        *(check_others, check_layers, check_replica, check_data, check_exports, check_storage),
        *(check_measured, check_proofs),
    )
    found = [*(one for look in looks for one in look(pair)), check_drill(pair)]
    overrides = {one.finding: one for one in accepted if one.holds(pair.now)}
    return Assessment(
        controller=pair.controller.name,
        taker=pair.taker.node,
        owner=pair.owner_name,
        captured=find_captured(pair),
        drilled=pair.taker.drilled.good,
        owner_seen=pair.remembered or ("now" if pair.owner is not None else "never"),
        found=tuple(_finish(one, pair.controller.name, overrides.get(one.name)) for one in found),
    )


def assess_without(alone: Pair, name: str, why: str, accepted: Iterable[Accepted] = ()) -> Assessment:
    """Of a standby, `name`, that can't be asked and of which nothing is remembered: what `alone`, the owner's readout
    in the place of both nodes, tells of its own storage."""
    found = (wrong("standby", f"{name} can't be asked: {why}", subject=name), *check_storage(alone))
    overrides = {one.finding: one for one in accepted if one.holds(alone.now)}
    return Assessment(
        controller=alone.controller.name,
        taker=name,
        owner=alone.taker.node,
        owner_seen="now",
        found=tuple(_finish(one, alone.controller.name, overrides.get(one.name)) for one in found),
    )


def _finish(found: Found, controller: str, accepted: Accepted | None) -> Found:
    if found.grade == "good":
        return found
    mend = found.mend.replace("{controller}", controller)
    covered = accepted is not None and accepted.covers(found.says)
    return replace(found, mend=mend, accepted=accepted.describe() if accepted and covered else "")
