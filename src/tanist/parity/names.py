"""Do both nodes find the same addresses for its names, whatever they ask: programs, /etc/hosts, DNS? Pair -> Found."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.pair import Pair
from tanist.model.readiness import Found
from tanist.model.readout import Name, Readout, Reverse
from tanist.model.unread import Unread
from tanist.parity.finding import gaps_of, good, untold, wrong


def check_names(pair: Pair) -> Iterator[Found]:
    if pair.owner is not None:
        yield _check_told(pair)
    yield _check_dns(pair)


def _check_told(pair: Pair) -> Found:
    """What programs are told on the one node and on the other."""
    if gaps := gaps_of(pair.known, lambda one: one.names):
        return untold("names", gaps)
    theirs, mine = ({one.name: one.addresses for one in _names(known)} for known in pair.known)
    said = [
        f"{name} is {', '.join(theirs[name]) or 'unknown'} on {pair.owner_name} "
        f"and {', '.join(mine[name]) or 'unknown'} on {pair.taker.node}"
        for name in sorted(set(theirs) & set(mine))
        if _foreign(theirs[name]) != _foreign(mine[name])
    ]
    said += _elsewhere(pair, mine) if not said else []
    return (
        wrong("names", "; ".join(said)) if said else good("names", "both nodes find the same addresses for its names")
    )


def _elsewhere(pair: Pair, known: dict[str, tuple[str, ...]]) -> list[str]:
    """Both agree, and send whoever asks for the controller to another machine."""
    identity = pair.controller.identity
    found, own = _foreign(known.get(identity.hostname, ())), {one.address for one in identity.addresses}
    if not found or not own or own & set(found):
        return []
    return [f"{identity.hostname} is {', '.join(found)}, and the definition has {', '.join(sorted(own))}"]


def _check_dns(pair: Pair) -> Found:
    """DNS against /etc/hosts of each node, against DNS as the other node asks it, and against the definition."""
    said = [line for one in pair.known for line in (*_against_hosts(one), *_backwards(pair, one))]
    said += _against_each_other(pair) + _dns_elsewhere(pair)
    if said:
        return wrong("DNS", "; ".join(said))
    if gaps := [gap for one in pair.known for gap in _gaps(one)]:
        return untold("DNS", gaps)
    if not any(_asks(one) for one in pair.known):
        return good("DNS", "no name server is asked here")
    return good("DNS", "DNS and /etc/hosts say the same of its names, as far as both know them")


def _names(readout: Readout) -> tuple[Name, ...]:
    return () if isinstance(readout.names, Unread) else readout.names


def _reverse(readout: Readout) -> tuple[Reverse, ...]:
    return () if isinstance(readout.reverse, Unread) else readout.reverse


def _dns(readout: Readout) -> list[tuple[str, ...] | Unread | None]:
    return [*(one.dns for one in _names(readout)), *(one.dns for one in _reverse(readout))]


def _asks(readout: Readout) -> bool:
    return any(one is not None for one in _dns(readout))


def _gaps(readout: Readout) -> list[tuple[str, str]]:
    """Each reason once: a silent server is silent for every name."""
    why = [one.why for one in (readout.reverse, *_dns(readout)) if isinstance(one, Unread)]
    return [(readout.node, one) for one in dict.fromkeys(why)]


def _known(said: tuple[str, ...] | Unread | None) -> tuple[str, ...]:
    return said if isinstance(said, tuple) else ()


def _against_hosts(readout: Readout) -> list[str]:
    """By family: a hosts file with the IPv4 address alone says nothing of the other."""
    return [
        f"{one.name} is {', '.join(there)} in /etc/hosts of {readout.node}, and {', '.join(dns)} in DNS"
        for one in _names(readout)
        for there, dns in zip(_families(_foreign(one.hosts)), _families(_known(one.dns)), strict=True)
        if there and dns and there != dns
    ]


def _families(addresses: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(one for one in addresses if ":" not in one), tuple(one for one in addresses if ":" in one)


def _backwards(pair: Pair, readout: Readout) -> list[str]:
    """The name of a service address, where it has one, is the controller's."""
    hostname = pair.controller.identity.hostname
    return [
        f"{where} calls {one.address} {', '.join(called)}, and it is {hostname}'s"
        for one in _reverse(readout)
        for where, called in ((f"/etc/hosts of {readout.node}", one.hosts), (f"DNS on {readout.node}", _known(one.dns)))
        if called and not any(_is_called(hostname, name) for name in called)
    ]


def _is_called(hostname: str, name: str) -> bool:
    """ "db" and "db.example.com" are one name; "db.example.com" and "db.example.org" are two."""
    mine, theirs = hostname.lower().rstrip("."), name.lower().rstrip(".")
    return mine == theirs or mine.startswith(f"{theirs}.") or theirs.startswith(f"{mine}.")


def _against_each_other(pair: Pair) -> list[str]:
    if len(pair.known) < 2:
        return []
    theirs, mine = ({one.name: one.dns for one in _names(known)} for known in pair.known)
    return [
        f"{name} is {', '.join(there) or 'unknown'} in DNS on {pair.owner_name}, "
        f"and {', '.join(here) or 'unknown'} on {pair.taker.node}"
        for name in sorted(set(theirs) & set(mine))
        if isinstance(there := theirs[name], tuple) and isinstance(here := mine[name], tuple) and there != here
    ]


def _dns_elsewhere(pair: Pair) -> list[str]:
    """What clients are told, whatever the hosts files of the nodes say."""
    hostname = pair.controller.identity.hostname
    own = {one.address for one in pair.controller.identity.addresses}
    found = {
        (found, one.node)
        for one in pair.known
        for name in _names(one)
        if name.name == hostname and (found := _known(name.dns)) and own and not own & set(found)
    }
    return [
        f"{hostname} is {', '.join(known)} in DNS on {node}, and the definition has {', '.join(sorted(own))}"
        for known, node in sorted(found)
    ]


def _foreign(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Without the ones that only name this machine itself: Debian's installer writes 127.0.1.1 for its own name."""
    return tuple(one for one in addresses if not one.startswith("127.") and one != "::1")
