"""The lab of machines itself: kernels of their own, cuts that lose memory, two kinds of frozen, disks that fail."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.errors import LabRefused, LabTimeout
from lab.layout import REPOSITORY
from lab.vm.lab import VmLab


def out(lab: VmLab, node: str, script: str, timeout: float = 120) -> str:
    return lab.exec(node, ["sh", "-c", script], check=True, timeout=timeout).stdout.decode().strip()


def labctl(lab: VmLab, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    env = {**os.environ, "LAB": lab.name}
    return subprocess.run(
        [REPOSITORY / "labctl", *words], env=env, input=stdin, capture_output=True, check=False, timeout=180
    )


def test_each_machine_has_a_kernel_of_its_own_and_both_see_the_same_disks(lab: VmLab) -> None:
    look = (
        "cat /proc/sys/kernel/random/boot_id; hostname; id -u postgres; uname -r; blkid -p -o value -s UUID /dev/asset0"
    )
    out(lab, "ec-a", "mkfs.ext4 -q -F /dev/asset0 && sync")
    a, b = (out(lab, node, look).splitlines() for node in ("ec-a", "ec-b"))
    assert (a[1], b[1]) == ("ec-a", "ec-b")
    assert (a[2], b[2]) == ("113", "118")
    assert a[0] != b[0]
    assert a[3] == b[3] != os.uname().release
    assert a[4] == b[4]
    assert abs(float(out(lab, "ec-b", "date +%s")) - time.time()) < 60


def test_exec_passes_stdin_both_outputs_and_status_by_no_network(lab: VmLab) -> None:
    lab.isolate("ec-a", ("svc", "mgmt", "san"))
    big = os.urandom(3_000_000)
    done = lab.exec("ec-a", ["sh", "-c", "cat; echo oops >&2; exit 7"], input=big)
    assert (done.returncode, done.stdout == big, done.stderr) == (7, True, b"oops\n")
    carrier = out(lab, "ec-a", "cat /sys/class/net/svc0/carrier /sys/class/net/san0/carrier")
    lab.join("ec-a", ("svc", "mgmt", "san"))
    assert carrier.split() == ["0", "0"]
    assert (
        out(
            lab, "ec-a", "until ping -c1 -W1 10.99.0.12 >/dev/null; do sleep 0.1; done; cat /sys/class/net/svc0/carrier"
        )
        == "1"
    )
    done = labctl(lab, "exec", "ec-b", "--", "sh", "-c", "cat; echo oops >&2; kill -9 $$", stdin=b"\0in\n")
    assert (done.returncode, done.stdout, done.stderr) == (137, b"\0in\n", b"oops\n")
    assert lab.exec("ec-a", ["/nonexistent"]).returncode == 127


def test_exec_that_takes_too_long_is_killed_in_the_machine(lab: VmLab) -> None:
    with pytest.raises(LabTimeout):
        lab.exec("ec-b", ["sleep", "4711"], timeout=1)
    out(lab, "ec-b", "for i in 1 2 3 4 5 6 7 8 9; do pgrep -f '^sleep 4711' || exit 0; sleep 0.2; done; exit 1")


def test_files_go_in_and_out(lab: VmLab, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(os.urandom(200_000))
    lab.push("ec-b", tmp_path / "in", "/root/pushed")
    lab.pull("ec-b", "/root/pushed", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "in").read_bytes()


def test_a_paused_machine_does_not_know_it_and_a_stalled_one_does(lab: VmLab) -> None:
    for clock_runs in (False, True):
        before = float(out(lab, "ec-a", "cut -d' ' -f1 /proc/uptime"))
        lab.freeze("ec-a", clock_runs=clock_runs)
        began = time.monotonic()
        assert next(n.state for n in lab.status().nodes if n.name == "ec-a") == "frozen"
        with pytest.raises(LabRefused, match="frozen"):
            lab.exec("ec-a", ["true"])
        assert lab.exec("ec-b", ["ping", "-c", "1", "-W", "1", "10.99.0.11"]).returncode == 1
        time.sleep(max(0.0, began + 6 - time.monotonic()))  # the subject: how much of this time the machine knows of
        lab.thaw("ec-a")
        frozen = time.monotonic() - began
        passed = float(out(lab, "ec-a", "cut -d' ' -f1 /proc/uptime")) - before
        answered = time.monotonic() - began
        assert (passed >= frozen) if clock_runs else (passed < answered - 5)


def test_a_disk_fails_on_one_machine_alone_and_works_again(lab: VmLab) -> None:
    read = ["dd", "if=/dev/asset1", "of=/dev/null", "bs=4k", "count=1", "iflag=direct", "status=none"]
    assert labctl(lab, "disk-error", "ec-a", "on", "asset1").returncode == 0
    assert b"Input/output error" in lab.exec("ec-a", read).stderr
    assert lab.exec("ec-b", read).returncode == 0
    assert labctl(lab, "disk-error", "ec-a", "off", "asset1").returncode == 0
    assert lab.exec("ec-a", read).returncode == 0


def test_a_slow_disk_is_slow_until_it_is_told_otherwise(lab: VmLab) -> None:
    read = "dd if=/dev/asset1 of=/dev/null bs=4k count=12 iflag=direct status=none"
    lab.disk_slow("ec-a", "asset1", 4)
    began = time.monotonic()
    out(lab, "ec-a", read)
    assert time.monotonic() - began > 1
    lab.disk_slow("ec-a", "asset1", 0)
    out(lab, "ec-a", read)


def test_a_disk_that_hangs_answers_nothing_and_then_everything(lab: VmLab) -> None:
    read = ["dd", "if=/dev/asset1", "of=/dev/null", "bs=4k", "count=3", "iflag=direct", "status=none"]
    assert labctl(lab, "disk-hang", "ec-a", "on", "asset1").returncode == 0
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lab.exec, "ec-a", read)
        assert lab.exec("ec-b", read).returncode == 0
        time.sleep(3)  # the subject: nothing comes, no error either
        assert not waiting.done()
        assert labctl(lab, "disk-hang", "ec-a", "off", "asset1").returncode == 0
        assert waiting.result().returncode == 0
    assert lab.exec("ec-a", read).returncode == 0


def test_a_cut_loses_what_was_not_written_and_the_machine_boots_from_its_own_disk(lab: VmLab) -> None:
    """And while ec-a boots, ec-b finds the dirty file system with what had been acknowledged."""
    write = """set -e; mkfs.ext4 -q -F -O mmp /dev/asset0; mkdir -p /mnt/a; mount /dev/asset0 /mnt/a
        echo kept >/mnt/a/kept; echo kept >/root/kept; sync; echo lost >/mnt/a/lost; echo lost >/root/lost"""
    out(lab, "ec-a", write)
    before = out(lab, "ec-a", "cat /proc/sys/kernel/random/boot_id")
    lab.cut("ec-a")
    with pytest.raises(LabRefused, match="off"):
        lab.exec("ec-a", ["true"])
    lab.boot("ec-a", wait=False)
    state = out(lab, "ec-b", "dumpe2fs -h /dev/asset0 2>/dev/null | grep -E 'needs_recovery|MMP'")
    assert "needs_recovery" in state
    seen = out(lab, "ec-b", "mount -o ro,noload /dev/asset0 /mnt && ls /mnt; umount /mnt")
    assert "kept" in seen
    lab.wait_booted("ec-a")
    assert out(lab, "ec-a", "cat /proc/sys/kernel/random/boot_id") != before
    assert (
        out(lab, "ec-a", "cat /root/kept; ! test -s /root/lost; findmnt /mnt/a || echo unmounted") == "kept\nunmounted"
    )


def test_status_tells_states_as_json(lab: VmLab) -> None:
    found = json.loads(labctl(lab, "status", "--json").stdout)
    assert {n["name"]: n["state"] for n in found["nodes"]} == {
        "ec-a": "running",
        "ec-b": "running",
        "client": "off",
        "store": "off",
    }


def test_renew_brings_a_machine_back_to_where_it_began(lab: VmLab) -> None:
    lab.renew(("ec-b",), disks=False)
    assert out(lab, "ec-b", "test -e /root/pushed || echo new") == "new"


def test_the_stores_reservation_refuses_the_writer_that_lost_it(lab: VmLab) -> None:
    """Two machines logged in to one LUN of a real target; the victim is a guest that was paused meanwhile."""
    lab.up(("store",))
    for node, key in (("ec-a", "0xa1"), ("ec-b", "0xb1")):
        out(lab, node, f"lab-store login && sg_persist -n -o -G -S {key} /dev/lun0")
    out(lab, "ec-a", "sg_persist -n -o -R -K 0xa1 -T 5 /dev/lun0")
    write = ["dd", "if=/dev/zero", "of=/dev/lun0", "bs=4k", "count=1", "oflag=direct", "status=none"]
    assert lab.exec("ec-a", write).returncode == 0
    lab.freeze("ec-a")
    out(lab, "ec-b", "sg_persist -n -o -A -K 0xb1 -S 0xa1 -T 5 /dev/lun0")
    lab.thaw("ec-a")
    assert lab.exec("ec-a", write).returncode != 0
    assert lab.exec("ec-b", write).returncode == 0


def test_down_leaves_nothing_even_of_machines_whose_starter_was_killed(lab: VmLab) -> None:
    other = VmLab(f"{lab.name}x")
    env = {**os.environ, "LAB": other.name}
    starter = subprocess.Popen([REPOSITORY / "labctl", "up", "--tier", "vm", "--nodes", "ec-b"], env=env)
    while not (other.layout.node_dir("ec-b") / "qmp").exists():
        assert starter.poll() is None
        time.sleep(0.01)
    starter.kill()
    starter.wait()
    other.down()
    assert other.leftovers() == []
