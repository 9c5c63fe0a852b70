"""What /etc/hosts and DNS say of the controller's names, on one node or the other, that does not agree."""

from __future__ import annotations

import pytest

from tanist.model.dataclasses import replace
from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Name, Readout, Reverse
from tanist.model.unread import Unread
from tanist.parity.names import check_names
from tanist.parity.readiness import assess
from tests.unit.parity.pairs import ADDRESS, OWNER, PAIR, TAKER

Said = tuple[str, ...] | Unread | None
OTHER = "10.88.0.99"
SILENT = Unread("10.0.0.1 does not answer")


def told(
    readout: Readout, *, hosts: tuple[str, ...] = (ADDRESS,), dns: Said = (ADDRESS,), called: Said = ("ec.example.com",)
) -> Readout:
    return replace(
        readout,
        names=(Name(name="ec", addresses=(ADDRESS,), hosts=hosts, dns=dns),),
        reverse=(Reverse(address=ADDRESS, hosts=("ec", "console"), dns=called),),
    )


def pair(owner: Readout, taker: Readout) -> Pair:
    return replace(PAIR, owner=owner, taker=taker)


def dns_of(one: Pair) -> Found:
    (found,) = [found for found in check_names(one) if found.kind == "DNS"]
    return found


def test_what_agrees_is_good() -> None:
    both = (ADDRESS, "fd88::50")
    found = dns_of(pair(told(OWNER, dns=both), told(TAKER, dns=both, hosts=("127.0.1.1", ADDRESS))))
    assert (found.grade, found.says) == (
        "good",
        "DNS and /etc/hosts say the same of its names, as far as both know them",
    )
    assert dns_of(pair(told(OWNER, dns=(), called=()), told(TAKER, dns=(), called=()))).grade == "good"


def test_what_a_node_of_an_older_tanist_does_not_tell_is_not_compared() -> None:
    assert (dns_of(PAIR).grade, dns_of(PAIR).says) == ("good", "no name server is asked here")
    assert dns_of(pair(OWNER, told(TAKER))).grade == "good"


@pytest.mark.parametrize(
    ("owner", "taker", "says"),
    [
        (
            told(OWNER),
            told(TAKER, hosts=(OTHER,)),
            f"ec is {OTHER} in /etc/hosts of ec-b, and {ADDRESS} in DNS",
        ),
        (
            told(OWNER, hosts=("fd88::51",), dns=(ADDRESS, "fd88::50")),
            told(TAKER, dns=(ADDRESS, "fd88::50")),
            "ec is fd88::51 in /etc/hosts of ec-a, and fd88::50 in DNS",
        ),
        (
            told(OWNER),
            told(TAKER, dns=()),
            f"ec is {ADDRESS} in DNS on ec-a, and unknown on ec-b",
        ),
        (
            told(OWNER, hosts=(), dns=SILENT),
            told(TAKER, hosts=(), dns=(OTHER,)),
            f"ec is {OTHER} in DNS on ec-b, and the definition has {ADDRESS}",
        ),
        (
            told(OWNER),
            told(TAKER, called=("old.example.com",)),
            f"DNS on ec-b calls {ADDRESS} old.example.com, and it is ec's",
        ),
        (
            replace(told(OWNER), reverse=(Reverse(address=ADDRESS, hosts=("older", "ecx")),)),
            told(TAKER),
            f"/etc/hosts of ec-a calls {ADDRESS} older, ecx, and it is ec's",
        ),
    ],
)
def test_what_differs_is_told_with_its_node(owner: Readout, taker: Readout, says: str) -> None:
    found = dns_of(pair(owner, taker))
    assert (found.grade, found.says) == ("warning", says)
    assert found.mend


def test_silent_name_servers_are_told_once_and_hide_no_difference() -> None:
    silent = told(TAKER, dns=SILENT, called=SILENT)
    found = dns_of(pair(told(OWNER), silent))
    assert (found.grade, found.says) == ("warning", "cannot tell: ec-b: 10.0.0.1 does not answer")
    assert assess(pair(told(OWNER), silent)).verdict == "READY"
    worse = dns_of(pair(told(OWNER, hosts=(OTHER,)), silent))
    assert worse.says.startswith(f"ec is {OTHER} in /etc/hosts of ec-a")


def test_without_an_owner_the_own_half_is_looked_at() -> None:
    found = dns_of(replace(PAIR, owner=None, owner_why="silence", taker=told(TAKER, hosts=(OTHER,))))
    assert found.says.startswith(f"ec is {OTHER} in /etc/hosts of ec-b")
