"""The controller's export on real kernels: NFSv3 and NFSv4 clients write, with a lock, through a release and a
takeover, and through a power cut and a takeover. No error, no lost line, no lost lock; another node serves nothing.

A third process asks all the time what is exported: silence or the export, never anything else.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from lab.controllers.install import unpack_on
from lab.run import wait_until
from lab.vm.lab import VmLab
from tests.seeds import in_turn
from tests.vm.definitions import ADDRESS, TREE, render_definition
from tests.vm.typed import LONG, NODES, Typist, make_keys, on_both, render_ssh
from tools.build_wheel import wheel

pytestmark = in_turn(1)
HERE = Path(__file__).parent
DISK = "/dev/asset0"
VERSIONS = ("3", "4.2")
UNIT = "[Service]\nExecStart=sleep infinity\n"
REST = """
[[export]]
path = "share"
clients = ["10.88.0.0/24"]
options = ["rw", "sync", "no_subtree_check", "no_root_squash"]
[gate]
stop_within = 600
"""
# the pipes of nfsdcld, which the lab does without
PREPARE = f"""
set -e
rm -f /etc/systemd/system-generators/nfs-server-generator /etc/systemd/system-generators/rpc-pipefs-generator
mkdir -p {TREE}
systemctl daemon-reload
"""
MOUNT = """
set -e
for version in 3 4.2; do
    mkdir -p /mnt/v$version
    mount -t nfs -o vers=$version,proto=tcp,hard $1:$2/share /mnt/v$version
    setsid python3 /root/appender.py /mnt/v$version/lines.v$version /root/notes.v$version </dev/null >/dev/null 2>&1 &
done
"""
# each answer of the server's, or its silence: "Clnt_create" is what showmount(8) says without one
ASK = """
while :; do
    said=$(timeout 20 showmount --no-headers -e $1 2>&1) && echo "exports $said" || echo "none: $said"
    sleep 0.5
done >/root/asked
"""
# asked only: a lock that is tried could be had, and the client's claim of it refused for that
LOCK = """
import fcntl, struct, sys
with open(sys.argv[1], "r+") as file:
    asked = struct.pack("hhxxxxqqixxxx", fcntl.F_WRLCK, 0, 0, 0, 0)
    answer = struct.unpack_from("h", fcntl.fcntl(file, fcntl.F_GETLK, asked))[0]
print("free" if answer == fcntl.F_UNLCK else "locked")
"""
SERVES = "exportfs -s; cat /proc/fs/nfsd/threads 2>/dev/null || echo 0"


class Pair(Typist):
    def tanist(self, node: str, verb: str, *words: str) -> None:
        """On a computer that has no time for its machines a look may end without an answer: then it is typed again."""
        said = ""
        for _ in range(5):
            done = self.lab.exec(node, ["tanist", verb, "ledger", *words], timeout=LONG)
            said = (done.stdout + done.stderr).decode()
            if done.returncode == 0:
                return
            assert "no answer within" in said or "no end within" in said, f"tanist {verb} on {node}:\n{said}"
        raise AssertionError(said)

    def notes(self, version: str) -> list[tuple[float, str]]:
        lines = self.sh("client", f"cat /root/notes.v{version} 2>/dev/null || :").splitlines()
        return [(float(at), what) for at, what in (line.split(" ", 1) for line in lines)]

    def wait_for_writes(self) -> None:
        """Two more of each client, from now on."""
        before = {version: len(self.notes(version)) for version in VERSIONS}
        for version, count in before.items():
            wait_until(f"NFSv{version} writes", partial(self.has_more, version, count), timeout=LONG, pause=1)

    def has_more(self, version: str, count: int) -> bool:
        notes = self.notes(version)
        assert not [what for _, what in notes if what.startswith("failed")], notes[-1]
        return len(notes) >= count + 2

    def check(self, node: str, capsys: pytest.CaptureFixture[str], what: str, since: float) -> None:
        """Every line that a client was told to be on the disk is, once, in order; its lock is held on this server."""
        for version in VERSIONS:
            path = f"{TREE}/share/lines.v{version}"
            notes = self.notes(version)
            told = [int(what) for _, what in notes if what.isdigit()]
            kept = [int(line) for line in self.sh(node, f"cat {path}").splitlines()]
            assert kept[: len(told)] == told, f"NFSv{version}: {len(told)} told, {len(kept)} there"
            claimed = partial(self.is_locked, node, path)
            wait_until(f"the NFSv{version} client has claimed its lock", claimed, timeout=120, pause=1)
            stall = max(two[0] - one[0] for one, two in pairwise(notes) if two[0] > since)
            with capsys.disabled():
                print(f"\nNFSv{version}, {what}: stalled for {stall:.1f} s")
        said = self.sh("client", "dmesg | grep -iE 'reclaim|stale|lost' || true")
        assert not said, said

    def is_locked(self, node: str, path: str) -> bool:
        return self.sh(node, f'/opt/tanist/bin/python -c "$1" {path}', LOCK) == "locked"

    def asked(self) -> set[str]:
        return {line.strip() for line in self.sh("client", "cat /root/asked").splitlines()}


@pytest.fixture(scope="module")
def pair(lab: VmLab, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    lab.up(("client",))
    return prepare(lab, tmp_path_factory.mktemp("keys"))


def prepare(lab: VmLab, keys: Path) -> Pair:
    """ec-a is active, and the client at work."""
    built = wheel()
    make_keys(keys)
    files = {
        **render_ssh(lab),
        "/etc/tanist/controllers/ledger.toml": render_definition(
            DISK, "ext4", service="start_timeout = 300", rest=REST
        ),
        "/etc/systemd/system/ledger.service": UNIT,
    }

    def install(node: str) -> None:
        unpack_on(lab, node, built)
        for path, text in files.items():
            lab.exec(node, ["sh", "-c", f"cat >{path}"], input=text.encode(), check=True)
        lab.push(node, keys, "/etc/tanist/identity/ledger")
        lab.exec(node, ["bash", "-c", PREPARE], check=True, timeout=LONG)

    on_both(install)
    made = Pair(lab)
    made.sh("ec-a", f"mkfs.ext4 -q -F {DISK}; mount {DISK} {TREE}; mkdir -m 1777 {TREE}/share; umount {TREE}")
    made.sh("ec-b", "systemctl start nfs-server.service")  # this node has a server of its own
    for node in NODES:
        made.tanist(node, "enable")
    made.tanist("ec-a", "init")
    lab.push("client", HERE / "appender.py", "/root/appender.py")
    made.sh("client", MOUNT, ADDRESS, TREE)
    lab.exec("client", ["sh", "-c", "cat >/root/ask"], input=ASK.encode(), check=True)
    made.sh("client", f"setsid sh /root/ask {ADDRESS} </dev/null >/dev/null 2>&1 &")
    made.wait_for_writes()
    return made


@pytest.mark.requirement("A46", "A47")
def test_clients_write_and_keep_their_locks_through_a_release_and_a_takeover(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(pair.is_locked("ec-a", f"{TREE}/share/lines.v{version}") for version in VERSIONS)
    since = float(pair.sh("client", "date +%s.%N"))
    pair.tanist("ec-a", "release")
    assert pair.sh("ec-a", SERVES).splitlines() == ["0"]
    pair.tanist("ec-b", "takeover")
    pair.wait_for_writes()
    pair.check("ec-b", capsys, "a release and a takeover", since)


@pytest.mark.requirement("A46", "A47")
def test_clients_write_and_keep_their_locks_through_a_power_cut_and_a_takeover(
    pair: Pair, capsys: pytest.CaptureFixture[str]
) -> None:
    since = float(pair.sh("client", "date +%s.%N"))
    pair.lab.cut("ec-b")
    pair.tanist("ec-a", "takeover", "--attest", "its plug is pulled", "--reason", "ec-b is dead")
    pair.wait_for_writes()
    pair.check("ec-a", capsys, "a power cut and a takeover", since)
    expected = {f"exports {TREE}/share 10.88.0.0/24"}
    said = pair.asked()
    assert {line for line in said if line.startswith("exports")} == expected
    assert all(
        "Unable to receive" in line or line == "none:" or "timed out" in line.lower() or "No route" in line
        for line in said - expected
    ), said
