"""The lab itself: its cuts must be power cuts and its hosts separate, or every other test shows nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import LabError, LabRefused, LabTimeout
from lab.lab import Lab
from lab.layout import NODES, REPOSITORY
from tests.lab.witness import watched

LABCTL = REPOSITORY / "labctl"


def out(lab: Lab, node: str, script: str) -> str:
    return lab.exec(node, ["sh", "-c", script], check=True).stdout.decode().strip()


def labctl(name: str, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [LABCTL, *words], env={**os.environ, "LAB": name}, input=stdin, capture_output=True, check=False, timeout=120
    )


def traces(name: str) -> set[str]:
    """Everything on the machine that mentions the lab, found without the lab's own code."""
    marks = (f"tl-{name}-", f"/tanist-lab/{name}/")
    found = {f"mount {line}" for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    found |= {f"netns {p}" for p in Path("/run/netns").glob("*")}
    found |= {f"loop {p.read_text()}" for p in Path("/sys/block").glob("loop*/loop/backing_file")}
    found |= {f"cgroup {p}" for p in Path("/sys/fs/cgroup").glob("*/tl-*")}
    found |= {f"link {line}" for line in Path("/proc/net/dev").read_text().splitlines()}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue  # dead; only the machine's PID 1 can take it away
            text = (process / "cgroup").read_text() + (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        found.add(f"process {process.name} {text}")
    return {f for f in found if any(m in f for m in marks) or f"lab.supervise {name} " in f}


# ---- exec


def test_exec_passes_stdin_both_outputs_and_status(lab: Lab) -> None:
    done = lab.exec("ec-a", ["sh", "-c", "cat; echo oops >&2; exit 7"], input=b"\0binary\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"\0binary\n", b"oops\n")
    assert lab.exec("ec-a", ["sh", "-c", "kill -9 $$"]).returncode == 137
    with pytest.raises(LabError, match="status 3: no"):
        lab.exec("ec-a", ["sh", "-c", "echo no >&2; exit 3"], check=True)


def test_labctl_exec_passes_stdin_both_outputs_and_status(lab: Lab) -> None:
    done = labctl(lab.name, "exec", "ec-b", "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin=b"in\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"in\n", b"oops\n")
    assert labctl(lab.name, "exec", "ec-b", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_exec_runs_in_the_node_with_a_clean_environment(lab: Lab) -> None:
    seen = out(lab, "ec-b", "hostname; pwd; echo $HOME $LANG; ps -p 1 -o comm=; env | grep -c PYTEST || true")
    assert seen.split("\n") == ["ec-b", "/root", "/root C.UTF-8", "systemd", "0"]


def test_exec_that_takes_too_long_is_killed_in_the_node(lab: Lab) -> None:
    with pytest.raises(LabTimeout):
        lab.exec("ec-a", ["sleep", "4711"], timeout=0.3)
    out(lab, "ec-a", "for i in 1 2 3 4 5 6 7 8 9; do pgrep -f '^sleep 4711' || exit 0; sleep 0.1; done; exit 1")


def test_unknown_node_and_lab_names_are_refused(lab: Lab) -> None:
    assert labctl(lab.name, "exec", "ec-z", "--", "true").returncode == 2
    assert labctl(lab.name, "cut", "ec-z").returncode == 2
    assert labctl("No-Such", "status").returncode == 2
    with pytest.raises(LabRefused):
        lab.exec("ec-z", ["true"])


# ---- what the hosts are


def test_hosts_boot_fully_with_their_own_addresses(lab: Lab) -> None:
    for spec in NODES.values():
        assert out(lab, spec.name, "systemctl is-system-running") == "running"
        addresses = out(lab, spec.name, "ip -br address")
        assert f"{spec.svc_ip}/24" in addresses
        assert f"{spec.mgmt_ip}/24" in addresses
        assert f"{spec.svc_ip6}/64" in addresses
        assert out(lab, spec.name, "getent hosts db.lab.test ec-a | tr -s ' '").split("\n") == [
            "10.88.0.50 db.lab.test db",
            "10.99.0.11 ec-a",
        ]


def test_accounts_have_the_same_names_and_other_numbers(lab: Lab) -> None:
    ids = {
        node: out(lab, node, "for u in postgres ucectl uceproxy; do id -u $u; id -g $u; done; getent group uceadm")
        for node in ("ec-a", "ec-b")
    }
    assert ids["ec-a"].split() == ["113", "120", "951", "951", "952", "952", "uceadm:x:960:ucectl,uceproxy"]
    assert ids["ec-b"].split() == ["118", "126", "952", "952", "951", "951", "uceadm:x:961:ucectl,uceproxy"]
    assert "uceproxy" in out(lab, "ec-a", "id -Gn ucectl").split()
    for node in ("ec-a", "ec-b"):
        assert out(lab, node, "stat -c %U:%G /var/lib/postgresql/15/main /var/log/postgresql") == (
            "postgres:postgres\nroot:postgres"
        )
        assert out(lab, node, "find / -xdev -nouser -o -xdev -nogroup") == ""


def test_a_foreign_account_collides_with_the_other_hosts_number(lab: Lab) -> None:
    assert out(lab, "ec-b", "id -un 113; id -gn localadmin") == "localadmin\nlocaladmin"
    assert out(lab, "ec-b", "stat -c %u:%g /home/localadmin/notes.txt /srv/local/localadmin/tool") == "113:120\n113:120"
    assert "/home/alice" in out(lab, "ec-a", "getent passwd alice")
    assert out(lab, "ec-a", "getent shadow root") != out(lab, "ec-b", "getent shadow root")


def test_hosts_have_keys_of_their_own_and_root_may_ssh(lab: Lab) -> None:
    keys = {out(lab, n, "cat /etc/ssh/ssh_host_*_key.pub /etc/machine-id") for n in NODES}
    assert len(keys) == 3
    ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=5"
    assert out(lab, "ec-a", f"{ssh} ec-b hostname") == "ec-b"
    assert out(lab, "ec-b", f"{ssh} ec-a hostname") == "ec-a"
    assert out(lab, "client", f"{ssh} ec-a hostname; {ssh} ec-b hostname") == "ec-a\nec-b"


def test_shared_disks_are_on_both_controllers_and_not_on_the_client(lab: Lab) -> None:
    out(lab, "ec-a", "printf mark | dd of=/dev/asset1 bs=4096 conv=sync oflag=direct status=none")
    assert out(lab, "ec-b", "dd if=/dev/disk/by-id/lab-asset1 bs=4 count=1 iflag=fullblock status=none") == "mark"
    assert lab.exec("client", ["test", "-e", "/dev/asset0"]).returncode == 1


def test_idmapped_mounts_user_namespaces_ptrace_and_packet_sockets_work(lab: Lab) -> None:
    probe = Path(__file__).with_name("probe_kernel.py")
    lab.push("ec-a", probe, "/root/probe.py")
    assert json.loads(out(lab, "ec-a", "python3 /root/probe.py /dev/asset1")) == {"idmapped_uid": 2001, "packet": True}
    assert "exited with 0" in out(lab, "ec-a", "strace -o /dev/stdout true")


def test_no_node_may_set_the_clock_or_load_modules(lab: Lab) -> None:
    of_init, of_exec = out(lab, "ec-a", "cat /proc/1/status /proc/self/status | grep CapBnd | cut -f2").split()
    assert of_init == of_exec
    assert int(of_exec, 16) & (1 << 25 | 1 << 16) == 0  # CAP_SYS_TIME, CAP_SYS_MODULE
    assert int(out(lab, "ec-a", "grep CapEff /proc/self/status | cut -f2"), 16) & (1 << 25 | 1 << 16) == 0


def test_postgres_is_installed_and_stopped_at_boot_and_starts(lab: Lab) -> None:
    assert lab.exec("ec-a", ["systemctl", "is-active", "-q", "postgresql@15-main"]).returncode != 0
    out(lab, "ec-a", "systemctl start postgresql@15-main")
    assert out(lab, "ec-a", "cd /; runuser -u postgres -- psql -Atc 'select 40+2'") == "42"
    out(lab, "ec-a", "systemctl stop postgresql@15-main")


def test_push_and_pull_keep_content_and_mode(lab: Lab, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(b"\0\1")
    (tree / "sub" / "file").chmod(0o751)
    lab.push("client", tree, "/root/copy")
    lab.push("client", tree / "sub" / "file", "/root/copy/")
    assert out(lab, "client", "stat -c '%n %a %U' /root/copy/file /root/copy/sub/file") == (
        "/root/copy/file 751 root\n/root/copy/sub/file 751 root"
    )
    lab.pull("client", "/root/copy", tmp_path / "back")
    assert (tmp_path / "back" / "sub" / "file").read_bytes() == b"\0\1"
    lab.pull("client", "/etc/hostname", tmp_path)
    assert (tmp_path / "hostname").read_text() == "client\n"


# ---- power


@pytest.mark.parametrize(
    ("fs", "dirty"),
    [
        ("ext4", "dumpe2fs -h /dev/asset0 2>/dev/null | grep -w needs_recovery"),
        ("xfs", "xfs_logprint -t /dev/asset0 | grep DIRTY"),
        ("btrfs", "btrfs inspect-internal dump-super /dev/asset0 | grep -E '^log_root\t+[1-9]'"),
    ],
)
def test_cut_leaves_a_dirty_file_system_with_what_was_synced(lab: Lab, fs: str, dirty: str) -> None:
    force = "-F" if fs == "ext4" else "-f"
    out(
        lab, "ec-a", f"mkfs.{fs} -q {force} /dev/asset0 2>&1; mkdir -p /asset; mount /dev/asset0 /asset; sync -f /asset"
    )
    out(lab, "ec-a", "echo synced >/asset/synced; sync /asset/synced; head -c 3000000 /dev/urandom >/asset/unsynced")
    cut = lab.cut("ec-a")
    assert cut.disks == {"asset0": "copy" if fs == "btrfs" else "shutdown"}
    try:
        assert out(lab, "ec-b", dirty) != ""
        assert out(lab, "ec-b", "mkdir -p /asset; mount /dev/asset0 /asset; cat /asset/synced") == "synced"
        assert out(lab, "ec-b", "stat -c %s /asset/unsynced 2>/dev/null || echo 0") in ("0", "")
        out(lab, "ec-b", "umount /asset")
    finally:
        lab.boot("ec-a")


def test_cut_keeps_the_root_file_system_and_loses_addresses_mounts_and_run(lab: Lab) -> None:
    boot_id = out(lab, "ec-a", "cat /proc/sys/kernel/random/boot_id")
    out(lab, "ec-a", "echo kept >/root/kept; touch /run/lost; ip address add 10.88.0.50/24 dev svc0")
    out(lab, "ec-a", "ip link add extra type dummy 2>/dev/null || ip link add extra type bridge")
    lab.cut("ec-a")
    with pytest.raises(LabRefused, match="off"):
        lab.exec("ec-a", ["true"])
    assert lab.exec("client", ["ping", "-c1", "-W1", "10.88.0.50"]).returncode == 1
    lab.boot("ec-a")
    assert (
        out(lab, "ec-a", "cat /root/kept; ls /run/lost 2>/dev/null; ip -br address | grep -c 10.88.0.50 || true")
        == "kept\n0"
    )
    assert "extra" not in out(lab, "ec-a", "ip -br link")
    assert out(lab, "ec-a", "cat /proc/sys/kernel/random/boot_id") != boot_id


def test_cut_kills_what_exec_and_the_node_itself_had_started(lab: Lab) -> None:
    with subprocess.Popen(lab.enter_argv("ec-a", ["sleep", "4712"])) as entered:
        out(lab, "ec-a", "setsid sleep 4713 >/dev/null 2>&1 </dev/null &")
        lab.cut("ec-a")
        assert entered.wait(5) == -signal.SIGKILL
    running = [p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists()]
    assert not [c for c in running if c.startswith((b"sleep\x004712", b"sleep\x004713"))]
    lab.boot("ec-a")


def test_cut_is_refused_for_a_disk_that_both_hosts_have_mounted(lab: Lab) -> None:
    for node in ("ec-a", "ec-b"):
        if node == "ec-a":
            out(lab, node, "mkfs.ext4 -qF /dev/asset0; mkdir -p /asset")
        out(lab, node, "mkdir -p /asset; mount /dev/asset0 /asset")
    try:
        with pytest.raises(LabRefused, match="asset0 is mounted on ec-a and ec-b"):
            lab.cut("ec-a")
        assert out(lab, "ec-a", "echo alive") == "alive"
    finally:
        for node in ("ec-a", "ec-b"):
            out(lab, node, "umount /asset")


def test_two_that_have_a_disk_or_an_address_for_a_moment_are_seen_from_outside_also_after_a_boot(lab: Lab) -> None:
    mount = "mkdir -p /asset; mount /dev/asset0 /asset; sleep 0.2"
    address = "ip address add 10.88.0.60/24 dev svc0; sleep 0.2"
    over = "umount /asset || true; ip address del 10.88.0.60/24 dev svc0 || true"
    out(lab, "ec-a", "mkfs.ext4 -qF /dev/asset0")
    with watched(lab.layout, "/dev/asset0", "10.88.0.60") as witness:
        for node in ("ec-a", "ec-b"):
            out(lab, node, f"{mount}; {address}; {over}")
        witness.check()
        assert witness.had == {"ec-a", "ec-b"}
        lab.cut("ec-b")
        out(lab, "ec-a", f"{mount}; {address}")
        lab.boot("ec-b")
        witness.check()
        for what, begin in (("the asset mounted", mount), ("the address 10.88.0.60", address)):
            out(lab, "ec-b", f"{begin}; {over}")
            with pytest.raises(AssertionError, match=f"ec-a and ec-b both have {what}"):
                witness.check()
            witness.both.clear()
        out(lab, "ec-a", over)


def test_reboot_from_the_inside_and_clean_shutdown(lab: Lab) -> None:
    before = lab.status().nodes[0].pid
    lab.exec("ec-a", ["systemctl", "reboot"])
    lab.wait_booted("ec-a", after=before)
    assert out(lab, "ec-a", "test -b /dev/asset0 && ping -c1 -W1 10.99.0.12 >/dev/null && echo good") == "good"
    lab.shutdown("ec-a")
    assert lab.status().nodes[0].state == "off"
    assert labctl(lab.name, "shutdown", "ec-a").returncode == 2
    lab.boot("ec-a")


# ---- freeze and isolate


@pytest.fixture
def counter(lab: Lab) -> Iterator[str]:
    """A loop in ec-a, started by exec, that makes a file longer all the time; gives the file's name."""
    lab.exec("ec-a", ["rm", "-f", "/root/count"], check=True)
    loop = lab.enter_argv("ec-a", ["sh", "-c", "while sleep 0.01; do echo x >>/root/count; done"])
    with subprocess.Popen(loop, start_new_session=True) as process:
        time.sleep(0.3)
        yield "/root/count"
        os.killpg(process.pid, signal.SIGKILL)


def test_freeze_stops_what_exec_started_and_thaw_goes_on(lab: Lab, counter: str) -> None:
    upper = lab.layout.node_dir("ec-a") / "upper" / counter.lstrip("/")
    lab.freeze("ec-a")
    before = upper.stat().st_size
    assert before > 0
    time.sleep(0.3)
    assert upper.stat().st_size == before
    assert labctl(lab.name, "freeze", "ec-a").returncode == 2
    with pytest.raises(LabRefused, match="frozen"):
        lab.exec("ec-a", ["true"])
    lab.thaw("ec-a")
    deadline = time.monotonic() + 20
    while upper.stat().st_size == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert upper.stat().st_size > before


def test_a_frozen_node_can_be_cut(lab: Lab) -> None:
    lab.freeze("ec-a")
    lab.cut("ec-a")
    lab.boot("ec-a")


def test_isolate_pulls_the_cables_until_join_even_over_a_boot(lab: Lab) -> None:
    ping = ["ping", "-c1", "-W1", "10.99.0.11"]
    patient = ["ping", "-c1", "-w10", "-i0.2"]  # ends at the first answer: a cable just put in takes a moment
    assert lab.exec("client", [*patient, "10.99.0.11"]).returncode == 0
    lab.isolate("ec-a")
    assert lab.exec("client", ping).returncode == 1
    lab.cut("ec-a")
    lab.boot("ec-a")
    assert lab.exec("client", ping).returncode == 1
    assert lab.status().nodes[0].isolated == ("svc", "mgmt")
    lab.join("ec-a", ["mgmt"])
    assert lab.exec("client", [*patient, "10.99.0.11"]).returncode == 0
    assert lab.exec("client", ["ping", "-c1", "-W1", "10.88.0.11"]).returncode == 1
    lab.join("ec-a")
    assert lab.exec("client", [*patient, "10.88.0.11"]).returncode == 0


def test_the_observer_tells_who_claimed_an_address_in_order(lab: Lab) -> None:
    start = time.monotonic()
    for node in ("ec-a", "ec-b"):
        out(lab, node, "ip address add 10.88.0.60/24 dev svc0; arping -q -c1 -A -I svc0 10.88.0.60 || true")
        lab.exec("client", ["sh", "-c", "ip neigh flush dev svc0; ping -c1 -W1 10.88.0.60"], check=True)
        out(lab, node, "ip address del 10.88.0.60/24 dev svc0")
    time.sleep(0.2)
    macs = [mac for at, mac in lab.observer.macs("10.88.0.60") if at >= start]
    assert sorted(set(macs)) == [NODES["ec-a"].mac("svc"), NODES["ec-b"].mac("svc")]
    assert macs == sorted(macs)


def test_status_tells_states_and_mounts_as_json(lab: Lab) -> None:
    out(lab, "ec-b", "mkfs.ext4 -qF /dev/asset1; mkdir -p /asset; mount /dev/asset1 /asset")
    done = labctl(lab.name, "status", "--json")
    out(lab, "ec-b", "umount /asset")
    status = json.loads(done.stdout)
    assert [n["state"] for n in status["nodes"]] == ["running"] * 3
    assert status["nodes"][1]["mounts"] == {"asset1": ["/asset"]}
    assert status["disks"][1]["loop"] == str(lab.disk(1).loop)


# ---- two labs, and what is left


def test_two_labs_do_not_disturb_each_other(lab: Lab, lab_name: str) -> None:
    other = Lab(f"{lab_name}x")
    assert traces(other.name) == set()
    try:
        other.up(["ec-a"])
        assert other.disk(0).loop != lab.disk(0).loop
        out(other, "ec-a", "echo other >/root/whose; ip address add 10.88.0.77/24 dev svc0")
        assert lab.exec("ec-a", ["test", "-e", "/root/whose"]).returncode == 1
        assert lab.exec("client", ["ping", "-c1", "-W1", "10.88.0.77"]).returncode == 1
        other.cut("ec-a")
        assert out(lab, "ec-a", "echo alive") == "alive"
    finally:
        other.down()
    assert traces(other.name) == set()
    assert lab.status().nodes[0].state == "running"


@pytest.mark.parametrize(("begun", "after"), [(False, 0.05), (False, 0.15), (True, 0.0), (True, 0.3), (True, 0.7)])
def test_down_leaves_nothing_after_labctl_was_killed_in_the_middle_of_up(
    lab_name: str, lab: Lab, begun: bool, after: float
) -> None:
    """`after`: seconds from its start, or, `begun`, from the first thing that it made."""
    name = f"{lab_name}k"
    with subprocess.Popen([LABCTL, "up"], env={**os.environ, "LAB": name}, stderr=subprocess.DEVNULL) as up:
        while begun and not traces(name):
            assert up.poll() is None
            time.sleep(0.01)
        time.sleep(after)
        up.kill()
    assert labctl(name, "down").returncode == 0
    assert traces(name) == set()
    assert not Lab(name).layout.directory.exists()


def test_down_leaves_nothing_after_nspawn_was_killed_with_a_disk_mounted(lab_name: str, lab: Lab) -> None:
    broken = Lab(f"{lab_name}n")
    broken.up(["ec-a", "ec-b"])
    out(broken, "ec-a", "mkfs.ext4 -qF /dev/asset0; mount /dev/asset0 /mnt")
    for pid in [
        p
        for p in Path("/proc").glob("[0-9]*")
        if b"nspawn" in _cmdline(p) and broken.layout.prefix.encode() in _cmdline(p)
    ]:
        os.kill(int(pid.name), signal.SIGKILL)
    with subprocess.Popen(["ip", "netns", "exec", broken.layout.switch, "sleep", "4714"]):
        time.sleep(0.1)
        broken.down()
    assert traces(broken.name) == set()
    broken.down()  # and again, with nothing there


def _cmdline(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_up_after_up_changes_nothing(lab: Lab) -> None:
    before = [n.pid for n in lab.status().nodes]
    done = subprocess.run([LABCTL, "up"], env={"LAB": lab.name, "PATH": os.environ["PATH"]}, check=False, timeout=60)
    assert done.returncode == 0
    assert [n.pid for n in lab.status().nodes] == before


ON_A_FRESH_MACHINE = """
while umount --recursive --lazy /run/netns 2>/dev/null; do :; done
mount -t tmpfs none /run
mkdir /run/lock /run/netns
exec python3 - <<'END'
from pathlib import Path
from lab import cleanup, network
from lab.layout import Layout

def mounted():
    return any(line.split()[4] == "/run/netns" for line in Path("/proc/self/mountinfo").read_text().splitlines())

found = [mounted()]
for name in ("netnsa", "netnsb"):
    network.create_switch(Layout(name))
for name in ("netnsa", "netnsb"):
    found.append(mounted())
    cleanup.remove_everything(Layout(name))
print(*found, mounted())
END
"""


def test_the_last_lab_gives_back_the_mount_that_the_first_one_made() -> None:
    """With a /run of its own, as other labs' namespaces would keep this machine's."""
    argv = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", ON_A_FRESH_MACHINE]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=REPOSITORY, timeout=60)
    assert (done.stdout, done.stderr) == ("False True True False\n", "")
