"""Storage that fails under its user, by the steps that a takeover uses, on two real kernels: a mount raced from both
nodes, with ext4's guard and without; a database whose power is cut; a mirror whose legs fail one after the other, by
errors and by vanishing."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lab.run import wait_until
from lab.vm.lab import VmLab
from lab.vm.layout import SHARED
from tests.seeds import in_turn
from tests.vm.contract import NODES, Kind, Pair, cut_while_writing, install
from tests.vm.definitions import TREE
from tests.vm.test_asset_contract import ASSET0, ASSET1, KINDS

pytestmark = in_turn(2)
LEASE0 = SHARED[2].by_id
RACED: Kind = (LEASE0, "ext4", "", f"mkfs.ext4 -q -F -O mmp -E mmp_update_interval=1 {LEASE0}", "true")
WRITER = f"n=0; while n=$((n+1)); echo $n >>{TREE}/acked && sync {TREE}/acked; do echo $n; done"
LONG = 600  # seconds; how long a machine may take for what it does in a few
DATA = f"{TREE}/data"
# the numbers of the account are each machine's own
START_SQL = f"""
chown -R postgres:postgres {DATA}
chmod 700 {DATA}
setsid su postgres -s /bin/sh -c '
    exec /usr/lib/postgresql/15/bin/postgres -D {DATA} -c config_file=/etc/postgresql/15/main/postgresql.conf \\
        -c data_directory={DATA}' </dev/null >/root/postgres.log 2>&1 &
n=0
until su postgres -c 'psql -qc "select 1"' >/dev/null 2>&1; do
    n=$((n + 1)); [ $n -lt 300 ] || {{ cat /root/postgres.log; exit 1; }}; sleep 0.5
done
"""
STOP_SQL = f"""
kill -INT $(head -1 {DATA}/postmaster.pid)
while [ -e {DATA}/postmaster.pid ]; do sleep 0.2; done
"""
COMMIT_SQL = """n=0
while n=$((n + 1)); echo "insert into acked values ($n) returning n;"; do sleep 0.01; done |
    su postgres -c 'stdbuf -oL psql -XAtq'"""


@pytest.fixture(scope="module")
def installed(lab: VmLab) -> VmLab:
    install(lab)
    return lab


def race(pair: Pair) -> dict[str, tuple[int, str]]:
    with ThreadPoolExecutor(len(NODES)) as pool:
        return dict(zip(NODES, pool.map(lambda node: pair.try_(node, "acquire"), NODES), strict=True))


@pytest.mark.requirement("A05", "A42")
def test_a_mount_raced_from_both_nodes_is_won_by_one_with_mmp_and_by_both_without(installed: VmLab) -> None:
    """With ext4's guard there is one mount, and it is seen moving, and still; without, two, which only a verdict
    prevents."""
    lab, pair = installed, Pair(installed, RACED)
    pair.sh("ec-a", pair.make)
    results = race(pair)
    winners = [node for node, (status, _) in results.items() if status == 0]
    assert len(winners) == 1, results
    (winner,), (loser,) = winners, [node for node in NODES if node not in winners]
    assert "the kernel says: " in results[loser][1], results
    moving = pair.do(loser, "state")
    assert moving["state"] == "in-use" and f"{winner} writes its MMP block" in moving["detail"], moving
    lab.freeze(winner)
    still = pair.do(loser, "state")
    lab.thaw(winner)
    assert still["state"] in ("dirty", "unknown") and f"last written by {winner}" in still["detail"], still
    pair.do(winner, "release")
    assert pair.state(loser) == "clean"

    pair.sh("ec-a", f"mkfs.ext4 -q -F {LEASE0}")
    assert [status for status, _ in race(pair).values()] == [0, 0]
    for node in NODES:
        pair.sh(node, f"umount {TREE}")


@pytest.mark.requirement("A14", "A61")
def test_what_postgresql_committed_is_there_after_a_power_cut(installed: VmLab) -> None:
    lab, pair = installed, Pair(installed, KINDS["xfs"])
    pair.sh("ec-a", f"wipefs -q -a -f {ASSET0}; {pair.make.format(device=pair.device)}; sync")
    pair.do("ec-a", "acquire")
    pair.sh("ec-a", f"cp -a /var/lib/postgresql/15/main {DATA}; sync; {START_SQL}", LONG)
    pair.sh("ec-a", "su postgres -c 'psql -qc \"create table acked (n bigint primary key)\"'")
    told = cut_while_writing(lab, COMMIT_SQL, 100)
    lab.boot("ec-a", wait=False)
    pair.do("ec-b", "acquire")
    pair.sh("ec-b", f"rm -f {DATA}/postmaster.pid; {START_SQL}", LONG)
    kept = pair.sh("ec-b", "su postgres -c 'psql -XAtqc \"select n from acked\"'").split()
    assert {int(one) for one in kept} >= set(told), f"committed and lost: {sorted(set(told) - set(map(int, kept)))[:5]}"
    pair.sh("ec-b", STOP_SQL)
    pair.do("ec-b", "release")
    lab.wait_booted("ec-a")


@pytest.mark.requirement("A14", "A42")
def test_a_mirror_that_loses_one_leg_and_then_the_other_is_taken_with_what_was_acknowledged(installed: VmLab) -> None:
    lab, pair = installed, Pair(installed, KINDS["ext4 on md"])
    pair.sh("ec-a", f"wipefs -q -a -f {ASSET0} {ASSET1}; {pair.make.format(device=pair.device)}; {pair.put_away}; sync")
    pair.do("ec-a", "acquire")
    argv = lab.enter_argv("ec-a", ["sh", "-c", WRITER])
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(10)]
        lab.disk_error("ec-a", "asset1", True)
        wait_until("md gives the leg up", lambda: "(F)" in pair.sh("ec-a", "cat /proc/mdstat"), timeout=LONG, pause=0.5)
        told += [int(writer.stdout.readline()) for _ in range(10)]
        lab.disk_pull("ec-a", "asset0")
        told += [int(line) for line in writer.stdout if line.endswith(b"\n")]
    assert '"clean"' not in pair.try_("ec-a", "state")[1], "what is left of it there"

    assert pair.state("ec-b") == "dirty"
    seen = {one["name"]: one["wrong"] for one in pair.do("ec-b", "layers") if one.get("wrong")}
    assert f"{ASSET1}: left behind (" in seen["/dev/md/ledger"], seen
    assert all(pair.do("ec-b", "acquire"))
    assert "[U_]" in pair.sh("ec-b", "cat /proc/mdstat"), "the leg that was left behind is not taken"
    kept = [int(line) for line in pair.sh("ec-b", f"cat {TREE}/acked").split()]
    assert kept[: len(told)] == told, f"acknowledged and lost: {told[len(kept) :][:5]}"
    pair.do("ec-b", "release")
