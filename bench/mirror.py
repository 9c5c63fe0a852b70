"""One changed file to the standby: from the command's start to "taken", in the lab of two hosts, over OpenSSH.

The captured directory has 20,000 small files. The capture itself is made untimed; what is timed is a `habackup` that
finds it made, so a look at all files is in it, the ssh call, the standby's verification and its syncs as well.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from bench.claims import Claim, Result, Series
from bench.station import Station, open_station
from lab.controllers import postgresql

NAME, PAIR = postgresql.NAME, ("ec-a", "ec-b")
PLACE = "/etc/postgresql/15/main/conf.d/bench"
FILES = 20_000
LIMIT = 1.0  # seconds
FILL = f"""
set -e
systemctl stop 'tanist-agent@*' 'habackup@*.timer' 'tanist-verify@*.timer' 2>/dev/null || true
mkdir -p {PLACE} && cd {PLACE}
python3 - <<'PY'
import os
for number in range({FILES}):
    directory = f"d{{number // 200:03d}}"
    os.makedirs(directory, exist_ok=True)
    with open(f"{{directory}}/f{{number}}.conf", "wb") as file:
        file.write(os.urandom(200 + number % 7 * 300).hex().encode())
PY
chown -R postgres:postgres {PLACE}
habackup {NAME}
"""
SSH = (
    "ssh -oBatchMode=yes -oControlPath=none -oHostKeyAlias=tanist-ec-b "
    "-oUserKnownHostsFile=/etc/tanist/known_hosts ec-b true"
)
SEAL = f"""
set -e
tanist captures key {NAME}
"""
ENCRYPT = f"printf '\\n[mirror]\\nat_rest = \"encrypted\"\\n' >> /etc/tanist/controllers/{NAME}.toml"


def measure(rounds: int, progress: Callable[[str], None]) -> Result:
    with open_station() as station:
        progress(f"mirror: {FILES} files")
        station.lab.exec("ec-a", ["bash", "-c", FILL], check=True, timeout=600)
        plain, ssh, idle = [], [], []
        for number in range(rounds):
            plain.append(mirror_once(station, number, progress))
            ssh.append(seconds(station, SSH))
            idle.append(seconds(station, f"habackup {NAME} --no-mirror"))
        for node in PAIR:
            station.read(node, ENCRYPT)
        station.read("ec-a", f"{SEAL} habackup {NAME}")
        sealed = [mirror_once(station, number, progress) for number in range(rounds, 2 * rounds)]
    series = (
        Series(what="mirror of one changed file, plain", seconds=tuple(plain)),
        Series(what="ssh to the standby that does nothing: `true`", seconds=tuple(ssh)),
        Series(what="habackup --no-mirror with nothing changed", seconds=tuple(idle)),
        Series(what="mirror of one changed file, encrypted at rest", seconds=tuple(sealed)),
    )
    compared = f"habackup {NAME}, with one of {FILES} files new in the last capture: everything but making it"
    claim = Claim(name="mirror-one-changed-file", value=median(plain), limit=LIMIT, compared=compared)
    return Result(claims=(claim,), raw=series, notes=(f"{FILES} files in {PLACE}; both hosts on this machine.",))


def mirror_once(station: Station, number: int, progress: Callable[[str], None]) -> float:
    progress(f"mirror: change {number + 1}")
    station.read("ec-a", f"echo 'changed {number}' > {PLACE}/d000/f{number}.conf && habackup {NAME} --no-mirror")
    took = station.run("ec-a", ["habackup", NAME])
    names = [f"ls -d {path}/*Z-e* | sort | tail -n 1" for path in (f"{postgresql.TREE}/.tanist/captures", mirror())]
    newest = [station.read(node, script).strip().rsplit("/", 1)[1] for node, script in zip(PAIR, names, strict=True)]
    if newest[0] != newest[1]:
        raise RuntimeError(f"ec-b has {newest[1]}, not {newest[0]}")
    return took.ended - took.began


def seconds(station: Station, script: str) -> float:
    took = station.run("ec-a", ["sh", "-c", script])
    return took.ended - took.began


def mirror() -> str:
    return f"/var/lib/tanist/{NAME}/mirror"
