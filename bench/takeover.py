"""The main job beside the bare steps by hand: takeover, release, a switchover's outage, the start of a status.

Each round goes ec-a, ec-b: the owner releases with tanist; then the script takes over and lets go again on the other
node, and tanist takes over there. So every takeover finds a cleanly released asset, both nodes up, the same data. On
ec-b the numbers of the service accounts differ from those on the disk: the script has to change the files' owners, and
afterwards, untimed, back again. On ec-a they agree, and the script has nothing to do.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from bench.claims import Claim, Result, Series, first_after, longest_gap, paired_ratio
from bench.station import BENCH, Station, Timed, open_station
from lab.controllers import postgresql
from lab.layout import NODES

NAME, TREE, DEVICE = postgresql.NAME, postgresql.TREE, postgresql.DEVICE
FIRST = "ec-a"  # the asset was begun there: its files have that node's numbers, which tanist never changes
RATIO = 1.5
PACEMAKER_OUTAGE = 2.56  # seconds, planned move, same kind of lab (design notes); beside each other: later
STATUS_PAIRS = 21
STATUS_RATIO = 5
TAKE = ["tanist", "takeover", NAME]
RELEASE = ["tanist", "release", NAME]


@dataclass(slots=True)
class Raw:
    """Seconds by (what, who or where), in the order they were measured."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, what: str, who: str, seconds: float) -> None:
        self.values.setdefault((what, who), []).append(seconds)

    def get(self, what: str, who: str) -> list[float]:
        return self.values[what, who]

    def series(self) -> tuple[Series, ...]:
        return tuple(Series(what=" ".join(key), seconds=tuple(found)) for key, found in self.values.items())


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    raw = Raw()
    with open_station() as station:
        owner, other = "ec-a", "ec-b"
        for number in range(2 * rounds):
            progress(f"takeover: {number + 1} of {2 * rounds}: from {owner} to {other}")
            measure_release(station, raw, owner)
            measure_script(station, raw, other, "script")
            measure_script(station, raw, other, "script, announcing beside")
            measure_takeover(station, raw, other)
            owner, other = other, owner
        statuses = [measure_status(station, raw, node) for node in (owner, other)]
        for number in range(2 * rounds):
            progress(f"switchover: {number + 1} of {2 * rounds}: from {owner} to {other}")
            measure_switchover(station, raw, number % 2 == 0, owner, other)
            owner, other = other, owner
    return Result(claims=build_claims(raw, max(statuses)), raw=raw.series(), notes=NOTES)


NOTES = (
    "takeover: from the command's start to the first SELECT answered through the service address. The script does one "
    "thing after the other, as a person would write it; its arping takes a second. The quicker script that announces "
    "beside the start of the server is among the medians: beside it tanist is the slower one.",
    "let-go: from the command's start until the asset is unmounted and the address gone: the other node can begin.",
    f"switchover: Pacemaker's planned move had an outage of {PACEMAKER_OUTAGE} s in the same kind of lab, by itself; "
    "a third of that is the mark. Side by side comes later.",
)


def measure_takeover(station: Station, raw: Raw, node: str) -> None:
    took = station.run(node, TAKE, ask=True)
    raw.add("takeover tanist", node, first_after(took.answers, took.began) - took.began)
    raw.add("takeover tanist, to its end", node, took.ended - took.began)


def measure_release(station: Station, raw: Raw, node: str) -> None:
    add_release(raw, "tanist", node, station.run(node, RELEASE, let_go=True))


def add_release(raw: Raw, who: str, node: str, done: Timed) -> None:
    raw.add(f"let-go {who}", node, done.let_go - done.began)
    raw.add(f"release {who}, to its end", node, done.ended - done.began)


def measure_script(station: Station, raw: Raw, node: str, who: str) -> None:
    """The script takes over, then lets go; the files get their numbers back afterwards, for the next one."""
    theirs, ours = numbers_on(FIRST), numbers_on(node)
    numbers = "" if theirs == ours else theirs
    store = station.read(node, CARRY_STORE).strip()
    how = "beside" if who.endswith("beside") else "after"
    took = station.run(node, ["sh", f"{BENCH}/scripts/takeover.sh", numbers, store, how], ask=True)
    raw.add(f"takeover {who}", node, first_after(took.answers, took.began) - took.began)
    raw.add(f"takeover {who}, to its end", node, took.ended - took.began)
    add_release(raw, who, node, station.run(node, ["sh", f"{BENCH}/scripts/release.sh"], let_go=True))
    if numbers:
        back = f"chown -R --from={ours} {theirs} /mnt"
        station.read(node, f"mount {DEVICE} /mnt && {back} && umount /mnt")


# what lies outside the tree, in the tree: where a person would keep it. The capture is a plain tar.
CARRY_STORE = f"mount -r {DEVICE} /mnt; ls -d /mnt/.tanist/captures/*Z-e* | tail -1 | sed s,/mnt,{TREE},; umount /mnt"


def numbers_on(node: str) -> str:
    """uid:gid of the service account."""
    account = next(one for one in NODES[node].accounts if one.name == "postgres")
    return f"{account.uid}:{account.gid}"


def measure_switchover(station: Station, raw: Raw, push: bool, owner: str, to: str) -> None:
    """Typed on the owner (push) or on the node that is to have it, in turn."""
    node = owner if push else to
    done = station.run(node, ["tanist", "switchover", NAME, "--to", to], ask=True)
    last, first = longest_gap(done.answers)
    raw.add("switchover outage, typed on the", "owner" if push else "target", first - last)
    raw.add("switchover command, typed on the", "owner" if push else "target", done.ended - done.began)


def measure_status(station: Station, raw: Raw, node: str) -> float:
    """How many times `python3 -c pass` a status takes there: the median of pairs."""
    argv = ["python3", f"{BENCH}/node/pairs.py", str(STATUS_PAIRS), f"tanist status {NAME}", "python3 -c pass"]
    found = json.loads(station.read(node, shlex.join(argv)))
    for what, seconds in (("tanist status", found["first"]), ("python3 -c pass", found["second"])):
        for one in seconds:
            raw.add(what, node, one)
    return paired_ratio(found["first"], found["second"])


def build_claims(raw: Raw, status: float) -> tuple[Claim, ...]:
    outages = [
        *raw.get("switchover outage, typed on the", "owner"),
        *raw.get("switchover outage, typed on the", "target"),
    ]
    by_hand = "mount, chown -R, tar, ip addr add, arping, systemctl start (bench/scripts/takeover.sh)"
    let_go = "systemctl stop, ip addr del, umount, tar (bench/scripts/release.sh)"
    return (
        Claim(
            name="takeover-over-script",
            value=paired_ratio(raw.get("takeover tanist", "ec-b"), raw.get("takeover script", "ec-b")),
            limit=RATIO,
            compared=f"tanist takeover {NAME} | {by_hand}; to the first SELECT",
        ),
        Claim(
            name="takeover-over-script-same-ids",
            value=paired_ratio(raw.get("takeover tanist", "ec-a"), raw.get("takeover script", "ec-a")),
            limit=RATIO,
            compared=f"tanist takeover {NAME} | the same without chown; to the first SELECT",
        ),
        Claim(
            name="let-go-over-script",
            value=_both(raw, "let-go {}"),
            limit=RATIO,
            compared=f"tanist release {NAME} | {let_go}; until unmounted and the address gone",
        ),
        Claim(
            name="release-over-script",
            value=_both(raw, "release {}, to its end"),
            limit=RATIO,
            compared=f"tanist release {NAME} | {let_go}; until the command ends",
        ),
        Claim(
            name="switchover-outage-seconds",
            value=median(outages),
            limit=round(PACEMAKER_OUTAGE / 3, 2),
            compared=f"tanist switchover {NAME}, a client that asks every 10 ms | a third of crm_resource --move",
        ),
        Claim(
            name="status-over-python",
            value=status,
            limit=STATUS_RATIO,
            compared=f"tanist status {NAME} | python3 -c pass; cold processes, the worse of owner and standby",
        ),
    )


def _both(raw: Raw, what: str) -> float:
    """On both nodes together."""
    ours, theirs = ([*raw.get(what.format(who), "ec-a"), *raw.get(what.format(who), "ec-b")] for who in WHO)
    return paired_ratio(ours, theirs)


WHO = ("tanist", "script")
