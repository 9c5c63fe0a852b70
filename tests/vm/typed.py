"""What it takes to type whole commands on two machines: they know each other, and get their keys from this computer.

What an emulated machine takes minutes for, and a takeover does not depend on, is made on this computer: the
installation, and the ssh keys that `tanist pair` and `tanist init` make.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab.controllers.install import unpack_on
from lab.run import run, wait_until
from lab.vm.lab import VmLab
from tests.vm.definitions import ADDRESS, TREE
from tools.build_wheel import wheel

NODES = ("ec-a", "ec-b")
CLIENT = "client"
HERE = Path(__file__).parent
LONG = 600  # seconds; how long a machine may take for what it does in a few
UNIT = "[Service]\nExecStart=perl /usr/local/sbin/ledger.pl {0} {1}/lines {2}\n"
# the key exchange that OpenSSH prefers takes an emulated machine ten seconds
KEX = "KexAlgorithms curve25519-sha256\n"
IN_USE = f"""
mountpoint -q {TREE} && echo {TREE} is mounted
systemctl is-active -q ledger.service && echo ledger.service runs
ip -4 -o address show dev svc0 | grep -qwF {ADDRESS}/24 && echo has {ADDRESS}
true
"""


class Typist:
    def __init__(self, lab: VmLab) -> None:
        self.lab = lab

    def sh(self, node: str, script: str, *words: str) -> str:
        argv = ["bash", "-c", script, "sh", *words]
        return self.lab.exec(node, argv, check=True, timeout=LONG).stdout.decode().strip()


class Pair(Typist):
    """Of nodes whose one controller is the ledger."""

    def tanist(self, node: str, verb: str, *words: str, status: int = 0) -> str:
        done = self.lab.exec(node, ["tanist", *verb.split(), "ledger", *words], timeout=LONG)
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == status, f"tanist {verb} on {node}: {done.returncode}\n{said}"
        return said

    def begin(self) -> None:
        """ec-a, whose file system is on the asset, becomes the controller's first owner."""
        on_both(lambda node: self.tanist(node, "enable"))
        self.tanist("ec-a", "init")

    def take_over(self, node: str, *words: str) -> tuple[float, str]:
        """When the command was typed that did it, and what it said. On a computer that has no time for its machines a
        look at wire, disk or peer ends without an answer, which is no proof and said so: then it is typed again."""
        said = ""
        for _ in range(20):
            begun = time.monotonic()
            done = self.lab.exec(node, ["tanist", "takeover", "ledger", *words], timeout=LONG)
            said = (done.stdout + done.stderr).decode()
            if done.returncode == 0:
                return begun, said
            assert "no answer within" in said or "no end within" in said, said
        raise AssertionError(said)

    def in_use(self, node: str) -> list[str]:
        return self.sh(node, IN_USE).splitlines()

    def lines(self, node: str) -> set[str]:
        """What the service has on the asset, asked where that is mounted."""
        return set(self.sh(node, f"cat {TREE}/lines").splitlines())


def tell_typed(lab: VmLab, keys: Path, definition: str) -> Pair:
    """The main job in few commands, of any kind of asset whose dead owner is a person's word: from ec-a and back to it.
    What was answered is there, and who was cut off boots inert."""
    pair = prepare_pair(lab, keys, definition)
    pair.begin()
    with asking(lab) as asked:
        give_and_take(pair, asked)
    return pair


def give_and_take(pair: Pair, asked: Client) -> None:
    asked.wait_for("ec-a")
    pair.tanist("ec-a", "release")
    assert not pair.in_use("ec-a")
    pair.take_over("ec-b")
    asked.wait_for("ec-b")

    pair.lab.cut("ec-b")
    given = asked.given
    pair.take_over("ec-a", "--attest", "its lamps are out", "--reason", "ec-b is dead")
    asked.wait_for("ec-a")
    assert set(given) <= pair.lines("ec-a"), f"answered and lost: {sorted(set(given) - pair.lines('ec-a'))[:5]}"
    pair.lab.boot("ec-b")
    assert not pair.in_use("ec-b"), "an ex-owner boots inert"
    assert "held by ec-a" in pair.tanist("ec-b", "status", status=10)
    asked.wait_for("ec-a")


class Client:
    """What the service answered, in order, each with the time at which it was read here."""

    def __init__(self, lab: VmLab, machine: str) -> None:
        lab.push(machine, HERE / "asker.pl", "/root/asker.pl")
        argv = lab.enter_argv(machine, ["perl", "/root/asker.pl", ADDRESS])
        self._asks = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.answers: list[tuple[float, str]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def given(self) -> list[str]:
        return [line for _, line in self.answers]

    def _read(self) -> None:
        assert self._asks.stdout is not None
        for line in self._asks.stdout:
            self.answers.append((time.monotonic(), line.strip()))

    def wait_for(self, node: str, seen: int | None = None) -> float:
        """When the first answer of the node was read: from now on, or since there were `seen` ones."""
        seen = len(self.answers) if seen is None else seen
        wait_until(f"{node} answers", lambda: self._of(node, seen) is not None, timeout=LONG, pause=0.1)
        return self._of(node, seen) or 0.0

    def _of(self, node: str, seen: int) -> float | None:
        return next((at for at, line in self.answers[seen:] if line.startswith(f"{node} ")), None)

    def close(self) -> None:
        self._asks.terminate()
        self._asks.wait()
        self._reader.join()
        if self._asks.stdout is not None:
            self._asks.stdout.close()


@contextmanager
def asking(lab: VmLab, machine: str = CLIENT) -> Iterator[Client]:
    lab.up((machine,))
    client = Client(lab, machine)
    try:
        yield client
    finally:
        client.close()


def on_both(work: Callable[[str], object]) -> None:
    with ThreadPoolExecutor(len(NODES)) as pool:
        list(pool.map(work, NODES))


def make_keys(directory: Path) -> None:
    """A controller's ssh host keys."""
    for kind in ("rsa", "ecdsa", "ed25519"):
        run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", directory / f"ssh_host_{kind}_key"])


def render_ssh(lab: VmLab) -> dict[str, str]:
    """Files by which each node knows the other one's ssh server, as `tanist pair` makes them."""
    lines = []
    for node in NODES:
        shown = lab.exec(node, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"], check=True).stdout.decode()
        lines.append(" ".join([f"tanist-{node}", *shown.split()[:2]]) + "\n")
    return {"/etc/ssh/ssh_config.d/lab.conf": KEX, "/etc/tanist/known_hosts": "".join(lines)}


def put(lab: VmLab, node: str, path: str, text: str) -> None:
    lab.exec(node, ["sh", "-c", f"cat >{path}"], input=text.encode(), check=True)


def prepare_pair(lab: VmLab, keys: Path, definition: str, script: str = "true") -> Pair:
    """tanist, the service and the definition on both nodes, which know each other; `script` runs on each, its last
    letter as $1."""
    make_keys(keys)
    built = wheel()
    files = {**render_ssh(lab), "/etc/tanist/controllers/ledger.toml": definition}

    def prepare(node: str) -> None:
        unpack_on(lab, node, built)
        unit = {"/etc/systemd/system/ledger.service": UNIT.format(ADDRESS, TREE, node)}
        for path, text in (files | unit).items():
            put(lab, node, path, text)
        lab.push(node, HERE / "ledger.pl", "/usr/local/sbin/ledger.pl")
        lab.push(node, keys, "/etc/tanist/identity/ledger")
        ready = f"set -e; mkdir -p {TREE}; systemctl daemon-reload; {script}"
        lab.exec(node, ["bash", "-c", ready, "sh", node[-1]], check=True, timeout=LONG)

    on_both(prepare)
    return Pair(lab)
