"""One standby for many: what a check takes, and what the agent does with 200 controllers more on one node.

The 200 are plain directories with a unit, an address and two files each, defined on both nodes with ec-a as their
primary. Two of them are begun on ec-b, so that two controllers are active on one node; the others are defined and
watched, as on the day when the spare machine is set up. All share one network and one processor with ec-a. In the end
ec-a loses its power, and postgresql (mode host) comes to ec-b beside the two that are active there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from statistics import median

from bench.claims import Claim, Result, Series
from bench.station import BENCH, BenchError, Station, open_station
from lab.controllers import postgresql
from lab.controllers.install import listen_on_management

NAME = postgresql.NAME
MANY, HERE = 200, ("c000", "c001")
HOSTNAME = "db"
MEMORY = 60 << 10  # KiB
WITH_PEER, ALONE, STATUS = 5.0, 2.0, 1.0  # seconds: a person waits for it
UNIT = """[Unit]
Description=a service that does nothing, for %i
[Service]
ExecStart=/bin/sleep infinity
"""
DEFINITION = """format = 1
name = "{name}"
[asset]
kind = "directory"
[tree]
path = "/srv/{name}"
[identity]
mode = "alias"
hostname = "{name}"
ssh_host_keys = "/etc/tanist/identity/{name}"
[[identity.address]]
address = "10.88.0.{number}/24"
interface = "svc0"
[outside]
files = ["/etc/many/{name}.conf"]
[[service]]
unit = "many@{name}.service"
[[node]]
name = "ec-a"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
[[node]]
name = "ec-b"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
"""
MAKE = """
import os, sys
from pathlib import Path
unit, text = sys.argv[1:]
Path("/etc/systemd/system/many@.service").write_text(unit)
for number in range(200):
    name = f"c{number:03d}"
    Path(f"/etc/tanist/controllers/{name}.toml").write_text(text.format(name=name, number=51 + number))
    for place in (f"/srv/{name}", "/etc/many"):
        os.makedirs(place, exist_ok=True)
    Path(f"/etc/many/{name}.conf").write_text(f"# of {name}")
os.system("systemctl daemon-reload")
"""
COUNT = "ls /var/lib/tanist/*/readiness.json 2>/dev/null | wc -l"
ALL = f"for i in $(seq 1800); do [ $({COUNT}) -gt {MANY} ] && exit 0; sleep 1; done; exit 1"


def measure(rounds: int, progress: Callable[[str], None], *, minutes: float = 5.0) -> Result:
    with open_station() as station:
        progress("many: one controller")
        station.read("ec-b", f"tanist check {NAME} > /dev/null || true")
        alone = times(station, ["tanist", "readout", NAME], rounds)
        paired = times(station, ["sh", "-c", f"tanist check {NAME}; true"], rounds)
        progress(f"many: {MANY} controllers")
        make(station)
        begun = time.monotonic()
        station.read("ec-b", "systemctl enable -q --now tanist-agent")
        station.lab.exec("ec-b", ["sh", "-c", ALL], check=True, timeout=1900)
        took = time.monotonic() - begun
        progress(f"many: all were checked after {took:.0f} s; {minutes:g} minutes of nothing")
        argv = ["python3", f"{BENCH}/node/agent_cost.py", str(minutes * 60)]
        cost = json.loads(station.lab.exec("ec-b", argv, check=True, timeout=minutes * 60 + 120).stdout)
        crowded = times(station, ["sh", "-c", f"tanist check {NAME}; true"], rounds)
        status = times(station, ["sh", "-c", "tanist status > /dev/null; true"], rounds)
        demand_active(station, HERE)
        progress("many: a takeover beside two that are active")
        takeover = take_over(station)
    series = (
        Series(what="what one node tells of itself (tanist readout)", seconds=tuple(alone)),
        Series(what="check of one controller, with the other node", seconds=tuple(paired)),
        Series(what=f"the same, beside {MANY} others", seconds=tuple(crowded)),
        Series(what=f"tanist status of {MANY + 1} controllers", seconds=tuple(status)),
        Series(what="takeover beside two active ones, of an owner without power", seconds=(takeover,)),
    )
    share = 100 * cost["processor"] / cost["seconds"]
    notes = (
        f"{MANY + 1} controllers on ec-b, 2 of them active there: all checked {took:.0f} s after the agent's "
        f"start; then in {cost['seconds'] / 60:.0f} min {cost['processor']:.1f} s of processor ({share:.2f} % of a "
        f"core; the agent alone {cost['processor_alone']:.1f} s), "
        f"{cost['resident_kib'] / 1024:.1f} MiB resident, {cost['unit_kib'] / 1024:.1f} MiB with what it ran",
    )
    return Result(claims=build_claims(alone, paired, status, cost["resident_kib"]), raw=series, notes=notes)


def times(station: Station, argv: list[str], rounds: int) -> list[float]:
    found = [station.run("ec-b", argv) for _ in range(2 * rounds + 1)]
    return [one.ended - one.began for one in found]


def make(station: Station) -> None:
    for node in ("ec-a", "ec-b"):
        station.lab.exec(node, ["python3", "-c", MAKE, UNIT, DEFINITION], check=True)
    listen_on_management(station.lab)  # the service addresses are for the controllers' own sshd
    for name in HERE:
        for node in ("ec-a", "ec-b"):
            station.read(node, f"tanist enable {name}")
        station.read("ec-b", f"tanist init {name}")


def take_over(station: Station) -> float:
    """Seconds. Two stay active, a third comes."""
    station.lab.cut("ec-a")
    one = station.run("ec-b", ["tanist", "takeover", NAME, "--attest", "bench: the power of ec-a was cut"])
    demand_active(station, (*HERE, NAME))
    if station.read("ec-b", "hostname").strip() != HOSTNAME:
        raise BenchError(f"ec-b is not called {HOSTNAME}")
    return one.ended - one.began


def demand_active(station: Station, names: Sequence[str]) -> None:
    """All are active on ec-b, and nothing of the others is in their way."""
    for name in names:
        state = json.loads(station.read("ec-b", f"tanist status {name} --json || true"))["state"]
        found = json.loads(station.read("ec-b", f"tanist check {name} --json || true"))
        clashes = [one["says"] for item in found for one in item["findings"] if one["kind"] == "conflict"]
        if state != "active" or clashes:
            raise BenchError(f"{name} is {state} on ec-b; {'; '.join(clashes)}")


def build_claims(alone: list[float], paired: list[float], status: list[float], resident: int) -> tuple[Claim, ...]:
    return (
        Claim(name="check-alone", value=median(alone), limit=ALONE, compared=f"tanist readout {NAME}; seconds"),
        Claim(name="check-pair", value=median(paired), limit=WITH_PEER, compared=f"tanist check {NAME}; seconds"),
        Claim(name="status-many", value=median(status), limit=STATUS, compared=f"tanist status, {MANY + 1}; seconds"),
        Claim(
            name="agent-memory-many", value=resident / MEMORY, limit=1.0, compared=f"{MANY + 1} controllers | 60 MiB"
        ),
    )
