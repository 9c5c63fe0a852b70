"""storage plan and prepare, typed: two nodes of which each sees the same loop device.

The other node is a process in a mount namespace of its own, behind a script called ssh; lsblk's answer gets the serial
numbers that loop devices lack. The rest is real: commands, journal, disk, mke2fs, kill -9. Mirrors
and volumes are not made here: they need a kernel that has md and the device mapper.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tanist.cli.context import open_session
from tanist.model.errors import Refused
from tanist.plan.disks import Wanted
from tanist.runs.prepare import Outlook, prepare
from tests.unit.host.machines import in_namespaces, shell
from tests.vm.definitions import render_definition

SOURCE = Path(__file__).resolve().parents[3] / "src"
SIZE = 400 << 20
JOURNALS = Path("/var/lib/tanist/ledger/runs")
SCRIPTS = {
    "/mnt/bin/tanist": (
        f"#!/bin/sh\nexport PYTHONPATH={SOURCE}\nexec {sys.executable} -c "
        '"from tanist.cli.main import tanist; raise SystemExit(tanist())" "$@"\n'
    ),
    "/usr/bin/ssh": """#!/bin/sh
[ -e /mnt/silent ] && { echo "ssh: connect to host 10.99.0.12: No route to host" >&2; exit 255; }
for last; do :; done
exec unshare -m sh -c "mount --bind /mnt/ec-b /etc/tanist/node; PATH=/mnt/bin:$PATH; $last"
""",
    "/usr/bin/lsblk": f"""#!{sys.executable}
import json, subprocess, sys
said = json.loads(subprocess.run(["/mnt/lsblk", *sys.argv[1:]], capture_output=True, check=True).stdout)
for one in said["blockdevices"]:
    if one.get("type") == "loop":
        one["serial"] = "S-" + one["kname"]
print(json.dumps(said))
""",
    "/usr/bin/systemctl": "#!/bin/sh\necho inactive\n[ $1 != is-active ] || exit 3\n",
}


class Nodes:
    def __init__(self, device: str) -> None:
        self.device, self.serial = device, f"S-{device.rpartition('/')[2]}"

    def tanist(self, *words: str, status: int = 0) -> str:
        done = subprocess.run(["/mnt/bin/tanist", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def prepare(self, *words: str, status: int = 0) -> str:
        return self.tanist("storage", "prepare", "ledger", "--confirm", "ledger", *words, status=status)

    def kill_at(self, step: str, *words: str) -> None:
        """As soon as the journal has it that the step was begun."""
        before = self.begun(step)
        with subprocess.Popen(["/mnt/bin/tanist", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            while self.begun(step) == before:
                assert run.poll() is None, (run.stderr and run.stderr.read(), step)
                time.sleep(0.001)
            run.kill()

    def begun(self, step: str) -> int:
        found = "".join(path.read_text() for path in JOURNALS.glob("*.jsonl")) if JOURNALS.exists() else ""
        return sum("StepBegun" in line and f'"{step}"' in line for line in found.splitlines())

    def marks(self) -> str:
        return shell(f"wipefs -p {self.device}")

    @contextlib.contextmanager
    def mounted_elsewhere(self) -> Iterator[None]:
        """In a mount namespace that no node looks into."""
        script = f"mount {self.device} /srv && echo mounted && exec sleep 600"
        with subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None and holder.stdout.readline() == b"mounted\n"
            try:
                yield
            finally:
                holder.kill()
        while subprocess.run(["blkid", "-p", self.device], capture_output=True, check=False).returncode not in (0, 2):
            time.sleep(0.05)


def on_two_nodes(body: Callable[[Nodes], None]) -> None:
    def inside() -> None:
        shell(
            "mkdir -p /mnt/bin /run/e /run/w /run/v /run/x /run/b /run/y; cp /usr/bin/lsblk /mnt/; echo ec-b >/mnt/ec-b"
        )
        shell("mount -t overlay -o lowerdir=/etc,upperdir=/run/e,workdir=/run/w overlay /etc")
        shell("mount -t overlay -o lowerdir=/var/lib,upperdir=/run/v,workdir=/run/x overlay /var/lib")
        shell("mount -t overlay -o lowerdir=/usr/bin,upperdir=/run/b,workdir=/run/y overlay /usr/bin")
        for path, text in SCRIPTS.items():
            script = Path(path)
            script.unlink(missing_ok=True)
            script.write_text(text)
            script.chmod(0o755)
        with open("/mnt/image", "wb") as image:
            image.truncate(SIZE)
        device = shell("losetup -f --show /mnt/image")
        try:
            shell("mkdir -p /etc/tanist/controllers; echo ec-a >/etc/tanist/node")
            Path("/etc/tanist/controllers/ledger.toml").write_text(render_definition(device, "ext4"))
            body(Nodes(device))
        finally:
            shell(f"losetup -d {device}")

    in_namespaces(inside)


def blank_to_asset(nodes: Nodes) -> None:
    planned = nodes.tanist("storage", "plan", "ledger")
    assert "on it: blank" in planned and "-E mmp_update_interval=1" in planned
    assert "not confirmed: nothing was written" in nodes.tanist("storage", "prepare", "ledger", status=3)
    assert nodes.marks() == ""
    said = nodes.prepare("--reason", "new disk")
    assert f"every node sees {nodes.device}: clean, nobody has it" in said
    assert nodes.marks().endswith(",ledger,ext4")
    assert "new disk" in nodes.tanist("history", "ledger", "--json")
    assert 'it is not blank: ext4 "ledger"' in nodes.prepare(status=3)


def foreign_or_in_use(nodes: Nodes) -> None:
    shell(f"mke2fs -q -F -t ext4 -L foreign {nodes.device}")
    before = shell(f"sha256sum {nodes.device}")
    assert 'it is not blank: ext4 "foreign"' in nodes.prepare(status=3)
    assert "--erase S-other: no disk of this asset" in nodes.prepare("--erase", "S-other", status=3)
    Path("/mnt/silent").touch()
    assert "ec-b can't be asked: ssh: connect to host" in nodes.prepare("--erase", nodes.serial, status=3)
    Path("/mnt/silent").unlink()
    assert shell(f"sha256sum {nodes.device}") == before
    with nodes.mounted_elsewhere():
        assert "the kernel lets nobody have it alone" in nodes.prepare("--erase", nodes.serial, status=3)
    assert 'lost for good: ext4 "foreign"' in nodes.prepare("--erase", nodes.serial)
    assert nodes.marks().endswith(",ledger,ext4")


def changed_since_the_plan(nodes: Nodes) -> None:
    session = open_session("ledger")
    outlook = Outlook(session, Wanted(), "RUN")
    assert outlook.obstacles == ()
    shell(f"mke2fs -q -F -t ext4 -L theirs {nodes.device}")
    before = shell(f"sha256sum {nodes.device}")
    with pytest.raises(Refused, match=r"something was put on it meanwhile: ext4 .* Nothing was written"):
        prepare(session, Wanted(), outlook, "")
    assert shell(f"sha256sum {nodes.device}") == before
    assert nodes.tanist("undo", "ledger", status=3), "no run is left open"


def killed_and_resumed(nodes: Nodes) -> None:
    prepare = ("storage", "prepare", "ledger", "--confirm", "ledger")
    nodes.kill_at("prepare.1", *prepare)
    assert "a prepare of ledger was cut off" in nodes.prepare(status=3)
    nodes.kill_at("prepare.2", "resume", "ledger")
    nodes.kill_at("prepare.3", "resume", "ledger")
    Path("/mnt/silent").touch()
    assert "ec-b can't be asked" in nodes.tanist("resume", "ledger", status=8)
    Path("/mnt/silent").unlink()
    assert "clean, nobody has it" in nodes.tanist("resume", "ledger")
    assert nodes.marks().endswith(",ledger,ext4")


def killed_and_taken_back(nodes: Nodes) -> None:
    prepare = ("storage", "prepare", "ledger", "--confirm", "ledger")
    nodes.kill_at("prepare.2", *prepare)
    assert "what was on the disks before stays erased" in nodes.tanist("undo", "ledger")
    assert nodes.marks() == ""
    nodes.kill_at("prepare.1", *prepare)
    shell(f"mkswap -q -L theirs {nodes.device} || mkswap -L theirs {nodes.device}")
    said = nodes.tanist("resume", "ledger", status=8)
    assert "something was put on it meanwhile: swap" in said
    assert "Nothing was written" not in said, "the run that was killed may have"
    assert "stays erased" in nodes.tanist("undo", "ledger")
    assert "theirs" in nodes.marks(), "left alone"


@pytest.mark.requirement("A14", "A20", "A21")
@pytest.mark.parametrize(
    "story", [blank_to_asset, foreign_or_in_use, changed_since_the_plan, killed_and_resumed, killed_and_taken_back]
)
def test_an_asset_is_made_on_two_nodes(story: Callable[[Nodes], None]) -> None:
    on_two_nodes(story)
