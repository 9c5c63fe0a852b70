"""What a proof costs: a takeover from an owner that did not let go, by each way to prove it down.

Each round, in turn from one node to the other and back: the owner's power is cut and a person attests; it is cut and
the power device says so; it hangs, and `--fence` cuts it. Then, a few times: it is cut, and its lease runs out, with
the shortest time-out that sanlock has (how long that takes is its arithmetic, not this tool's). From the command's
start to the first SELECT answered. The power device is the lab's own: a real management controller is slower, by as
much as `tanist proofs` tells.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Literal

from bench.claims import Claim, Result, Series, first_after, paired_ratio
from bench.station import BenchError, Station, open_station
from lab.controllers import postgresql
from lab.controllers.lease import define_lease, fit_lease
from lab.controllers.power import define_power, fit_power

NAME = postgresql.NAME
LEASES = 3  # rounds at most: each takes more than a minute
IO_TIMEOUT = 1
WAY_OF_LEASE = f"lease run out, owner cut (io_timeout {IO_TIMEOUT})"
RATIO = 1.5  # a proof by power beside a person's word: one more look, side by side with the others
FENCED = 2.5  # everything is looked at twice, before the fence and after it
PACEMAKER = 7.31  # seconds, median: kill of the active host to the first answer, its defaults, in the same kind of lab
TAKE = ["tanist", "takeover", NAME]
Way = Literal["attested, owner cut", "power found off, owner cut", "fence, owner hangs"]
WAYS: dict[Way, list[str]] = {
    "attested, owner cut": [*TAKE, "--attest", "seen dark"],
    "power found off, owner cut": TAKE,
    "fence, owner hangs": [*TAKE, "--fence"],
}


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    first: dict[str, list[float]] = {}
    with open_station() as station:
        fit_power(station.lab)
        owner, other = "ec-a", "ec-b"
        for number in range(rounds):
            for way in WAYS:
                progress(f"proofs: round {number + 1} of {rounds}: {way}")
                define_power(station.lab, NAME, none=way.startswith("attested"))
                measure_way(station, first, way, owner, other)
                owner, other = other, owner
        progress("proofs: the lease is set up")
        begin_leases(station, owner)
        for number in range(min(rounds, LEASES)):
            progress(f"proofs: lease {number + 1} of {min(rounds, LEASES)}")
            await_renewal(station, owner, other)
            station.lab.cut(owner)
            took = station.run(other, [*TAKE, "--fence", "--attest", "seen dark"], ask=True)
            first.setdefault(WAY_OF_LEASE, []).append(first_after(took.answers, took.began) - took.began)
            station.lab.boot(owner)
            owner, other = other, owner
    return Result(claims=build_claims(first), raw=series(first), notes=NOTES)


def begin_leases(station: Station, owner: str) -> None:
    define_power(station.lab, NAME, none=True)
    fit_lease(station.lab)
    define_lease(station.lab, NAME, io_timeout=IO_TIMEOUT, suffices=("lease+attestation",))
    for node in ("ec-a", "ec-b"):
        station.lab.exec(node, ["tanist", "lease", "init", NAME, "--without-watchdog"], check=True)
    for verb in ("release", "takeover"):
        station.lab.exec(owner, ["tanist", verb, NAME], check=True)


def await_renewal(station: Station, owner: str, other: str) -> None:
    """Until the standby's sanlock knows that the owner renews: after a boot it joins within a minute."""
    end = time.monotonic() + 120
    while f"{owner}: renewed" not in station.read(other, f"tanist lease status {NAME}"):
        if time.monotonic() > end:
            raise BenchError(f"{other} does not see that {owner} renews its lease")
        time.sleep(0.5)


def measure_way(station: Station, first: dict[str, list[float]], way: Way, owner: str, other: str) -> None:
    if way == "fence, owner hangs":
        station.lab.freeze(owner)
    else:
        station.lab.cut(owner)
    took = station.run(other, WAYS[way], ask=True)
    first.setdefault(way, []).append(first_after(took.answers, took.began) - took.began)
    if way == "fence, owner hangs":
        first.setdefault("the fence alone: off, and read back", []).append(fence_seconds(station, other))
    station.lab.boot(owner)


def fence_seconds(station: Station, node: str) -> float:
    """As the history of the node that took over has it."""
    lines = station.lab.exec(node, ["tanist", "history", NAME, "--json"], check=True).stdout.splitlines()
    steps = json.loads(lines[-1])["steps"]
    return float(next(seconds for says, seconds in steps if "read it back" in says))


def build_claims(first: dict[str, list[float]]) -> tuple[Claim, ...]:
    attested, found, fenced = (first[way] for way in WAYS)
    return (
        Claim(
            name="takeover-power-found-off",
            value=paired_ratio(found, attested),
            limit=RATIO,
            compared="owner cut: tanist takeover with a power device / tanist takeover --attest",
        ),
        Claim(
            name="takeover-with-a-fence",
            value=paired_ratio(fenced, attested),
            limit=FENCED,
            compared="owner hangs: tanist takeover --fence / owner cut: tanist takeover --attest",
        ),
    )


def series(first: dict[str, list[float]]) -> tuple[Series, ...]:
    return tuple(Series(what=f"{what} (worst {max(found):.2f})", seconds=tuple(found)) for what, found in first.items())


NOTES = (
    f"Pacemaker: {PACEMAKER} s from the kill, with its default time-outs, measured by itself in the same kind of lab; "
    "it needs no person, and its seconds are mostly the wait until it is sure. Side by side comes later.",
    "the lab's power switch answers in milliseconds and cuts in about 0.2 s; a management controller takes seconds.",
)
