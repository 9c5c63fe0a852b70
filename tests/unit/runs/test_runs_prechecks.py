"""What a person asked for, and the asset has not: told before anything is changed, and by a dry run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tanist.model.dataclasses import replace
from tanist.model.errors import Refused
from tanist.model.layers import ZfsLayer
from tanist.runs.session import Session
from tanist.runs.takeover import TakeoverOptions, dry_run, takeover
from tests.unit.runs.picture import differences, take
from tests.unit.runs.world import DEVICE, World


@pytest.mark.parametrize("act", [takeover, dry_run])
def test_no_check_of_a_pool_before_it_is_imported(
    orphan: World, act: Callable[[Session, TakeoverOptions], object]
) -> None:
    layers = (ZfsLayer(dataset="ledger/tree", devices=(DEVICE,)),)
    asset = replace(orphan.controller.asset, device="ledger/tree", fstype="zfs", options=(), layers=layers)
    session = replace(orphan.session("ec-b"), controller=replace(orphan.controller, asset=asset))
    before = take(orphan, "ec-b")
    with pytest.raises(Refused, match="zpool scrub; there is no check before"):
        act(session, TakeoverOptions(attest="I saw its lamps go out", check=True))
    assert differences(before, take(orphan, "ec-b")) == {}
