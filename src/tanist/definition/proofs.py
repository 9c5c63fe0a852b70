"""[proof], [proof.reservation], [proof.lease] and [[proof.power]] -> Proof, each value checked on its own."""

from __future__ import annotations

from tanist.definition import values as v
from tanist.definition.table import Table, suggest
from tanist.model.definition import Lease, PowerDevice, Proof, ProofName, Reserving

PROOFS: tuple[ProofName, ...] = ("power", "reservation", "lease", "attestation")
_SMALL, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"
_OWN = ("action", "verbose", "debug", "debug_file", "delay", "nodename", "version", "help", "quiet")


def build_proof(table: Table | None) -> Proof:
    if table is None:
        return Proof()
    proof = Proof(
        power=tuple(_build_device(inner) for inner in table.tables("power")),
        lease=_build_lease(table.table("lease")),
        reservation=_build_reserving(table.table("reservation")),
        policy=tuple(map(split_set, table.texts("suffices", _check_set))),
    )
    if "suffices" in table and not proof.policy:
        table.complain("suffices", 'nothing would suffice; allowed: like ["power", "attestation"]')
    _check_there(table, proof)
    table.finish()
    return proof


def _check_there(table: Table, proof: Proof) -> None:
    """A set that can never be had is a takeover that can never be made."""
    there: dict[str, tuple[ProofName, object]] = {
        "[[proof.power]]": ("power", proof.power),
        "[proof.reservation]": ("reservation", proof.reservation),
        "[proof.lease]": ("lease", proof.lease),
    }
    for where, (name, defined) in there.items():
        if not defined and any(name in names for names in proof.policy):
            table.complain("suffices", f'"{name}" cannot be had without {where}; allowed: what is defined here')


def _build_reserving(table: Table | None) -> Reserving | None:
    if table is None:
        return None
    reserving = Reserving(
        devices=table.texts("devices", v.check_device), timeout=table.seconds("timeout", Reserving().timeout)
    )
    table.finish()
    return reserving


def split_set(text: str) -> tuple[ProofName, ...]:
    words = [word.strip() for word in text.split("+")]
    return tuple(name for name in PROOFS if name in words)


def _check_set(text: str) -> str:
    for word in (one.strip() for one in text.split("+")):
        if word not in PROOFS:
            return f'"{word}" is no proof{suggest(word, PROOFS)}; allowed: {", ".join(PROOFS)}, several joined by +'
    return ""


def _build_lease(table: Table | None) -> Lease | None:
    if table is None:
        return None
    lease = Lease(device=table.text("device", _check_lease), io_timeout=table.whole("io_timeout", 1, 120, default=10))
    table.finish()
    return lease


def _check_lease(text: str) -> str:
    """sanlock parts the fields of a place by colons, as tanist gives it one."""
    if ":" in text or "\\" in text:
        return f'"{text}" has a colon or a backslash, which sanlock cannot take; allowed: another name of it'
    return v.check_absolute(text)


def _build_device(table: Table) -> PowerDevice:
    device = PowerDevice(
        node=table.text("node", v.check_node_name),
        agent=table.text("agent", _check_agent),
        options=table.options("options", _check_option),
        secrets=table.text("secrets", _check_secrets, default=""),
        level=table.whole("level", 1, 9, default=1),
        delay=table.seconds("delay", 0.0),
        retry=table.whole("retry", 0, 10, default=1),
        timeout=table.seconds("timeout", 60.0),
    )
    table.finish()
    return device


def _check_agent(text: str) -> str:
    name = text.rpartition("/")[2]
    if v.is_made_of(name, _SMALL, _SMALL + _DIGITS + "_-") and name.startswith("fence_"):
        return v.check_absolute(text) if "/" in text else ""
    return f'"{text}" is no fence agent; allowed: the name of its program, like "fence_ipmilan", or its path'


def _check_option(key: str) -> str:
    """The agents' parameters, as their metadata has them; what tanist tells them itself and secrets apart."""
    if key in _OWN:
        return "is tanist's own business; allowed: the agent's other parameters"
    if key != "passwd_script" and any(word in key for word in ("passw", "secret", "token", "community")):
        return "is a secret, which every reader of the definition would know; allowed: in the file that secrets names"
    if v.is_made_of(key, _SMALL, _SMALL + _DIGITS + "_-"):
        return ""
    return 'is no parameter of a fence agent; allowed: those of "AGENT -o metadata"'


def _check_secrets(text: str) -> str:
    scheme, colon, name = text.partition(":")
    if colon and scheme == "credential":
        if v.is_made_of(name, _SMALL + _SMALL.upper() + _DIGITS, _SMALL + _SMALL.upper() + _DIGITS + "._-"):
            return ""
        return f'"{name}" is no name of a credential; allowed: letters, digits, ., _ and -'
    return v.check_absolute(text)
