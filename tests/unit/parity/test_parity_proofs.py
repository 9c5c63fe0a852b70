"""Readiness: proofs and their age, verified captures, layers below the file system, memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tanist.model.readiness import Assessment
from tanist.model.readout import Clash, LayerState, Memory, Proofs
from tanist.model.unread import Unread
from tanist.parity.clashes import find_clashes, read_wants
from tanist.parity.kinds import KINDS
from tanist.parity.readiness import assess
from tests.unit.parity.besides import OPSCENTER
from tests.unit.parity.pairs import NOW, OWNER, PAIR, TAKER, VERIFIED

PROOFS = TAKER.proofs
assert isinstance(PROOFS, Proofs)


def with_taker(**changes: Any) -> Assessment:
    return assess(replace(PAIR, taker=replace(TAKER, **changes)))


def bad(found: Assessment) -> dict[str, str]:
    return {one.name: one.grade for one in found.found if one.grade != "good"}


@pytest.mark.parametrize(
    ("changes", "expected", "says"),
    [
        ({"proofs": replace(PROOFS, lacking=("ec-a",))}, {"fence": "warning"}, "ec-a could not be stopped"),
        ({"proofs": replace(PROOFS, broken=("power of ec-a",))}, {"fence": "warning"}, "power of ec-a"),
        ({"proofs": replace(PROOFS, at=NOW - 2e5)}, {"fence": "warning"}, "2 days ago"),
        ({"proofs": replace(PROOFS, at=NOW + 2e5)}, {"fence": "warning"}, "still to come"),
        ({"proofs": replace(PROOFS, enough=False)}, {"proofs": "blocks"}, "no set that [proof] asks for"),
        ({"proofs": replace(PROOFS, guard="ext4 without mmp")}, {"mount guard": "warning"}, "ext4 without mmp"),
        ({"proofs": Unread("nobody looked on ec-b yet")}, {"fence": "warning"}, "nobody looked"),
        ({"proofs": None}, {"fence": "warning"}, "cannot tell"),
        ({"verified": Unread("never")}, {"verification": "warning"}, "never"),
        ({"verified": None}, {"verification": "warning"}, "does not tell"),
        ({"verified": replace(VERIFIED, checked="2027-01-10T07:00:00+00:00")}, {"verification": "warning"}, "5 days"),
        ({"verified": replace(VERIFIED, result="bad", says="a bit fell over")}, {"bad capture": "loss"}, "a bit fell"),
        ({"verified": replace(VERIFIED, checked="2028-01-15T07:00:00+00:00")}, {"verification": "warning"}, "to come"),
        (
            {"verified": replace(VERIFIED, result="bad", generation="older")},
            {"verification": "warning"},
            "older was bad",
        ),
        ({"memory": Memory(available=1 << 20, used=0)}, {"memory": "warning"}, "1024 MiB on ec-a, and 1 MiB"),
        ({"memory": Unread("no meminfo")}, {"memory": "warning"}, "no meminfo"),
        ({"layers": Unread("no disk")}, {"array ec-b": "warning"}, "no disk"),
        ({"promised": ("the takeover of ann on ec-a",)}, {"word": "warning"}, "the takeover of ann on ec-a"),
        ({"promised": Unread("a bit fell over")}, {"word": "warning"}, "a bit fell over"),
    ],
)
def test_just_that_is_found_with_its_weight_and_what_was_seen(
    changes: dict[str, Any], expected: dict[str, str], says: str
) -> None:
    found = with_taker(**changes)
    assert bad(found) == expected
    (one,) = [item for item in found.found if item.grade != "good"]
    assert {one.kind} == {name for name in KINDS if one.name.startswith(name)}
    assert says in one.says and one.mend and KINDS[one.kind].why


def test_a_layer_that_is_wrong_is_named_with_its_node() -> None:
    dead = LayerState(kind="array", name="/dev/md/a", says="", wrong="1 of 2 members; /dev/sdb: gone", mend="mdadm")
    group = LayerState(kind="volume group", name="vg0", says="", wrong="no system id", mend="lvm.conf")
    found = with_taker(layers=(dead, group))
    assert bad(found) == {"array /dev/md/a on ec-b": "warning", "volume group vg0 on ec-b": "blocks"}
    assert bad(assess(replace(PAIR, owner=replace(OWNER, layers=(dead,))))) == {"array /dev/md/a on ec-a": "warning"}


def test_two_nodes_with_one_initiator_name_are_named() -> None:
    clone = LayerState(kind="initiator name", name="iSCSI", says="its name is iqn.a", own="iqn.a", mend="rename one")
    both = replace(PAIR, owner=replace(OWNER, layers=(clone,)), taker=replace(PAIR.taker, layers=(clone,)))
    assert bad(assess(both)) == {"initiator name iSCSI on ec-a": "blocks", "initiator name iSCSI on ec-b": "blocks"}
    other = replace(clone, own="iqn.b")
    assert bad(assess(replace(both, owner=replace(OWNER, layers=(other,))))) == {}


def test_two_nodes_with_one_host_id_and_a_pool_with_a_device_missing_are_named() -> None:
    clone = LayerState(kind="host id", name="ZFS", says="its host id is 1", own="00000001", mend="zgenhostid")
    pool = LayerState(kind="pool", name="tank", says="", wrong="1 devices of tank can be read", mend="zpool status")
    both = replace(PAIR, owner=replace(OWNER, layers=(clone,)), taker=replace(PAIR.taker, layers=(clone, pool)))
    assert bad(assess(both)) == {
        "host id ZFS on ec-a": "blocks",
        "host id ZFS on ec-b": "blocks",
        "pool tank on ec-b": "blocks",
    }


def test_a_clash_blocks_only_while_the_other_one_is_active_here() -> None:
    clash = Clash(other="db", what=("both have the unit x",), here=False)
    assert bad(with_taker(clashes=(clash,))) == {"shared standby db": "warning"}
    found = with_taker(clashes=(replace(clash, here=True),))
    assert bad(found) == {"conflict db": "blocks"} and found.verdict == "NOT READY"


def test_the_age_of_a_proof_is_told_where_it_is_good() -> None:
    (one,) = [item for item in assess(PAIR).found if item.name == "fence"]
    assert one.grade == "good" and "10 min ago" in one.says


# -- two controllers on one node
def test_a_controller_clashes_with_its_twin_in_everything() -> None:
    mine = read_wants(OPSCENTER)
    said = " / ".join(find_clashes(mine, replace(mine, name="twin")))
    for part in ('mode "host"', "the address", "the unit", "the device", "the host name", "listen on port", "trees"):
        assert part in said


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"addresses": ("10.88.0.60",)}, "both have the address 10.88.0.60"),
        ({"units": ("sun-xvm-ec.service",)}, "both have the unit sun-xvm-ec.service"),
        ({"tree": "/var/opt/sun/xvm/below"}, "lie in each other"),
        ({"paths": ("/etc/opt/sun",)}, "restored by"),
        ({"tree": "/"}, "restored by this one, and / is the other's tree"),
        ({"mode": "host"}, "only one of them"),
        ({"ports": (("tcp", "*", 21165),)}, "both listen on port 21165 (tcp) of every address"),
        ({"exports": ("share",)}, "both export directories"),
        ({"paths": ("/etc/tanist/identity/opscenter",)}, "/etc/tanist/identity/opscenter by the other"),
    ],
)
def test_each_thing_that_both_want_is_told(changes: dict[str, Any], says: str) -> None:
    mine = read_wants(OPSCENTER)
    apart = replace(
        mine,
        name="other",
        mode="alias",
        hostname="other",
        tree="/srv/other",
        devices=("/dev/other",),
        addresses=("10.88.0.99",),
        ports=(("tcp", "10.88.0.99", 8080), ("udp", "*", 21165)),
        units=("other.service",),
        paths=("/etc/other",),
        makes=(),
        exports=(),
    )
    assert find_clashes(mine, apart) == ()
    mine = replace(mine, paths=("/etc/opt/sun/xvm", "/etc/x", "/etc/tanist/identity/opscenter"))
    assert says in " / ".join(find_clashes(mine, replace(apart, **changes)))


def test_accounts_that_both_would_make_and_take_away_are_told() -> None:
    mine = replace(read_wants(OPSCENTER), makes=("www",))
    assert any("the account www" in one for one in find_clashes(mine, mine))
