"""Whether the packet filter lets a service's packets in (nft(8), libnftables-json(5)).

Iptables of today writes nftables rules and is seen here; the old kind (iptables-legacy) is not, and is told so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tanist.facts.tool import read_text
from tanist.model.readout import Firewall
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

LEGACY = "/proc/net/ip_tables_names"


def read_firewall(host: Host) -> Firewall | Unread | None:
    said = read_text(host, ("nft", "-j", "list", "ruleset"))
    if isinstance(said, Unread):
        return None if said.why.endswith("not found") and not _has_legacy(host) else said
    try:
        found = parse_ruleset(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Unread(f"nft: its answer can't be read: {error!r}")
    if found is None and _has_legacy(host):
        return Unread("rules of iptables-legacy are in force, which nft does not show")
    return found


def _has_legacy(host: Host) -> bool:
    try:
        return bool(host.files.read(LEGACY, 4096).split())
    except OSError:
        return False


def parse_ruleset(text: str) -> Firewall | None:
    """None where no chain looks at incoming packets."""
    items = [item for item in json.loads(text)["nftables"] if isinstance(item, dict)]
    chains = [item["chain"] for item in items if "chain" in item]
    bases = {_key(one): one.get("policy", "accept") for one in chains if one.get("hook") == "input"}
    if not bases:
        return None
    rules = [item["rule"] for item in items if "rule" in item]
    sets = {_key(item["set"]): item["set"].get("elem", []) for item in items if "set" in item}
    reached = _reached(rules, set(bases))
    seen = [_Rule(one, sets) for one in rules if _key(one, "chain") in reached]
    refuses = any(one.ends("drop", "reject") and not one.narrow for one in seen)
    accepts = sorted({port for one in seen if one.ends("accept") for port in one.accepted})
    return Firewall(drops="drop" in bases.values() or refuses, accepts=tuple(accepts))


_Key = tuple[str, str, str]


def _key(item: dict[str, Any], field: str = "name") -> _Key:
    return (str(item["family"]), str(item["table"]), str(item[field]))


def _reached(rules: list[dict[str, Any]], bases: set[_Key]) -> set[_Key]:
    """The chains that incoming packets can come to by jump and goto."""
    found, waiting = set(bases), list(bases)
    while waiting:
        key = waiting.pop()
        for statement in [one for rule in rules if _key(rule, "chain") == key for one in rule.get("expr", ())]:
            jump = statement.get("jump") or statement.get("goto")
            target = (key[0], key[1], str(jump["target"])) if jump else key
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


class _Rule:
    def __init__(self, rule: dict[str, Any], sets: dict[_Key, list[Any]]) -> None:
        self._expr = [one for one in rule.get("expr", ()) if isinstance(one, dict)]
        self._place = (str(rule["family"]), str(rule["table"]))
        self._sets = sets
        self.narrow = any("match" in one for one in self._expr)  # it is not about every packet

    def ends(self, *verdicts: str) -> bool:
        return any(verdict in one for one in self._expr for verdict in verdicts)

    @property
    def accepted(self) -> list[str]:
        """The ports of a rule that accepts; "any" for one that accepts everything there is."""
        ports = [port for one in self._expr if "match" in one for port in self._ports(one["match"])]
        return ports or ([] if self.narrow else ["any"])

    def _ports(self, match: dict[str, Any]) -> Iterator[str]:
        left = match["left"].get("payload") if isinstance(match["left"], dict) else None
        if match["op"] != "==" or not isinstance(left, dict) or left.get("field") != "dport":
            return
        for value in self._values(match["right"]):
            if isinstance(value, dict) and "range" in value:
                yield f"{left['protocol']} {value['range'][0]}-{value['range'][1]}"
            elif isinstance(value, int):
                yield f"{left['protocol']} {value}"

    def _values(self, right: Any) -> list[Any]:
        if isinstance(right, str) and right.startswith("@"):
            return self._sets.get((*self._place, right[1:]), [])
        return list(right["set"]) if isinstance(right, dict) and "set" in right else [right]
