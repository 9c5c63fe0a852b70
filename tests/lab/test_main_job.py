"""The main job, step by step on one pair for each controller: a power cut under load, a takeover, and the way home.

The tests of a controller are one story, in the order of the file: each goes on where the one before ended.
postgresql lies on ext4, opscenter on xfs, both in mode host (mode alias: test_modes.py).
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator

import pytest

from lab.checks import compare_owners, diff, foreign_paths, read_fingerprint, read_own_accounts, read_owners
from lab.controllers.install import install_tanist
from lab.lab import Lab
from lab.layout import node_spec
from tests.lab.stage import Kind, Stage, make_stage, open_lab

STAGES: list[tuple[Kind, str]] = [("postgresql", "ext4"), ("opscenter", "xfs")]
# names with numbers that differ between the nodes, and those that the disk got from ec-a
PRODUCT_FILE = {"postgresql": "postgres:postgres", "opscenter": "ucectl:uceadm"}
EC_A_NUMBERS = {"postgresql": "113:120", "opscenter": "951:960"}
# rewritten by the server itself: their times say nothing
BUSY = {"postgresql": ("/var/lib/postgresql/15/main",), "opscenter": ("/var/opt/sun/xvm/db", "/var/opt/sun/xvm/jobs")}


@pytest.fixture(scope="module", params=STAGES, ids=lambda param: f"{param[0]}-{param[1]}-host")
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    kind, fstype = request.param
    with open_lab(f"mj{kind[0]}") as lab:
        keys = {node: shown_keys(lab, node) for node in ("ec-a", "ec-b")}
        install_tanist(lab)
        made = make_stage(lab, kind, fstype, "host")
        made.kept["keys"] = keys
        yield made


def shown_keys(lab: Lab, node: str) -> list[str]:
    """The node's own ssh host keys, as its management address shows them."""
    done = lab.exec("client", ["ssh-keyscan", "-T", "5", node_spec(node).mgmt_ip], check=True)
    return sorted(line.partition(" ")[2] for line in done.stdout.decode().splitlines() if not line.startswith("#"))


def own_files(stage: Stage, node: str) -> dict[str, object]:
    """What must never change on a node: root, foreign accounts, and the foreign accounts' files to the byte."""
    files = read_fingerprint(stage.lab, node, foreign_paths(node)).paths
    return {**read_own_accounts(stage.lab, node), **files}


def outside_owners(stage: Stage, node: str) -> dict[str, str]:
    return read_owners(stage.lab, node, stage.outside)


# ---- 1. before


@pytest.mark.requirement("A03", "A05", "A06", "A07", "A15")
def test_one_node_is_active_and_the_other_installed_but_idle(stage: Stage) -> None:
    for node in ("ec-a", "ec-b"):
        stage.kept[f"own {node}"] = own_files(stage, node)
    stage.kept["standby ec-b"] = stage.fingerprint("ec-b")
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    assert stage.activity("ec-b") == []
    here, there = stage.status("ec-a"), stage.status("ec-b")
    assert (here["state"], here["exit"], here["owner"], here["epoch"]) == ("active", 0, "ec-a", 1)
    assert (there["state"], there["exit"], there["owner"]) == ("standby", 10, "ec-a")
    if stage.kind == "opscenter":
        said = json.loads(stage.run("ec-b", "/opt/sun/xvmoc/bin/satadm", "status", "--json").out)
        assert (said["installed"], said["configured"], said["state"]) == (True, False, "offline")
        assert stage.ask("GET", "/api/health")[1]["proxy"]["seen_seconds_ago"] is not None


@pytest.mark.requirement("A29", "A30", "A32", "A33", "A34", "A35")
def test_a_capture_by_hand_has_what_the_controller_needs_and_nothing_else(stage: Stage) -> None:
    marker = f"# {stage.kind} {time.time()}\n"
    changed = {"postgresql": "/etc/postgresql/15/main/conf.d/server.conf", "opscenter": "/etc/sun-xvm/ec.conf"}
    stage.run("ec-a", "sh", "-c", f"cat >> {changed[stage.kind]}", stdin=marker.encode())
    before = stage.captures("ec-a")
    ran = stage.run("ec-a", "habackup", stage.kind)
    assert ran.status == 0
    assert len(stage.captures("ec-a")) == len(before) + 1
    manifest = stage.manifest("ec-a")
    paths = {entry["path"]: entry for entry in manifest["entries"]}
    assert {one["path"] for one in manifest["asked"]} == {
        *stage.outside,
        stage.cron,
        f"/etc/tanist/identity/{stage.kind}",
    }
    assert all(
        any(path == x or path.startswith(f"{x}/") for x in (one["path"] for one in manifest["asked"])) for path in paths
    )
    assert stage.cron in paths
    assert f"/etc/tanist/identity/{stage.kind}/ssh_host_ed25519_key" in paths
    user, group = PRODUCT_FILE[stage.kind].split(":")
    assert f"{manifest['users'][user]}:{manifest['groups'][group]}" == EC_A_NUMBERS[stage.kind]
    assert not {"alice", "root"} & manifest["users"].keys()
    version = (
        stage.sh("ec-a", "dpkg-query -W -f '${Version}' postgresql-15") if stage.kind == "postgresql" else "2.1.0.963"
    )
    assert manifest["facts"]["version"] == version
    assert manifest["facts"]["architecture"] == stage.sh("ec-a", "uname -m")
    text = stage.sh(
        "ec-a",
        f"tar -xOf {stage.tree}/.tanist/captures/{stage.captures('ec-a')[0]}/files.tar {changed[stage.kind][1:]}",
    )
    assert marker.strip() in text


@pytest.mark.requirement("A31", "A36", "A37")
def test_captures_are_hourly_on_both_nodes_mirrored_and_silent_on_the_standby(stage: Stage) -> None:
    timer = f"habackup@{stage.kind}.timer"
    for node in ("ec-a", "ec-b"):
        assert stage.sh(node, f"systemctl is-enabled {timer}; systemctl is-active {timer}").split() == [
            "enabled",
            "active",
        ]
        shown = stage.sh(node, f"systemctl show -P TimersCalendar -P NextElapseUSecRealtime --timestamp=unix {timer}")
        assert "OnCalendar=*-*-* *:00:00" in shown
    assert stage.captures("ec-b")[0] == stage.captures("ec-a")[0]
    assert "good" in stage.tanist("ec-b", "captures", "--verify")
    before, newest = stage.fingerprint("ec-b"), stage.captures("ec-b")
    ran = stage.run("ec-b", "habackup", stage.kind)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    stage.sh("ec-b", f"systemctl start habackup@{stage.kind}.service")
    assert "mirrored" not in stage.sh("ec-b", f"journalctl -q -o cat -u habackup@{stage.kind}.service")
    assert diff(before, stage.fingerprint("ec-b")) == []
    assert stage.captures("ec-b") == newest
    stage.sh("ec-a", f"systemctl start habackup@{stage.kind}.service")
    assert "nothing changed since" in stage.sh("ec-a", f"journalctl -q -o cat -u habackup@{stage.kind}.service")


@pytest.mark.requirement("A37")
def test_a_capture_never_goes_into_a_bare_mount_point(stage: Stage) -> None:
    """The active node, as if the tree had been unmounted under it: in a mount namespace of its own."""
    binds = " ".join(stage.binds)
    look = f"status=$?; find {stage.tree} -name .tanist; exit $status"
    hide = f"umount -l {binds} {stage.tree} && habackup {stage.kind}; {look}"
    ran = stage.run("ec-a", "unshare", "-m", "sh", "-c", hide)
    assert (ran.status, ran.out) == (3, "")
    assert "not mounted" in ran.err


# ---- 2. the host dies


@pytest.mark.requirement("A01", "A08", "A42")
def test_after_a_power_cut_a_takeover_without_proof_is_refused_and_changes_nothing(stage: Stage) -> None:
    lab, kept = stage.lab, stage.kept
    if stage.kind == "opscenter":
        kept["job"] = start_long_job(stage)
    stage.ledger.start()
    stage.known.remember()
    kept["tree owners"] = read_owners(lab, "ec-a", [stage.tree])
    kept["outside owners"] = outside_owners(stage, "ec-a")
    if stage.kind == "opscenter":
        kept["token"] = stage.log_in()
        kept["assets"] = stage.ask("GET", "/api/assets", token=kept["token"])[1]
        kept["health"] = stage.ask("GET", "/api/health")[1]
    else:
        kept["certificate"] = stage.sh("client", certificate_of(stage))
    stage.ledger.wait_ack(time.monotonic())
    cut = lab.cut("ec-a")
    kept["cut"] = cut.at
    assert list(cut.disks.values()) == ["shutdown"]

    said = stage.refused("ec-b", 4, "takeover")
    assert "NOT_PROVED" in said
    assert "--attest" in said
    assert stage.refused("ec-b", 4, "takeover", "--dry-run", "--attest", "").count("NOT_PROVED") == 1
    assert stage.activity("ec-b") == []
    assert stage.status("ec-b")["exit"] == 10
    assert diff(kept["standby ec-b"], stage.fingerprint("ec-b")) == []
    assert [one["kind"] for one in stage.history("ec-b")] == ["init"]  # what ec-a told of itself; nothing was done here


def start_long_job(stage: Stage) -> int:
    """One that will be at work when the power is cut."""
    token = stage.log_in()
    job = {"key": "long", "kind": "discovery", "asset": "web-01"}
    number = stage.ask("POST", "/api/jobs", job, token=token)[1]["id"]
    while stage.ask("GET", f"/api/jobs/{number}", token=token)[1]["state"] == "queued":
        time.sleep(0.1)
    return int(number)


def certificate_of(stage: Stage) -> str:
    starttls = f"openssl s_client -connect {stage.address}:5432 -starttls postgres </dev/null 2>/dev/null"
    return f"{starttls} | openssl x509 -noout -fingerprint -sha256"


@pytest.mark.requirement("A02", "A39", "A42", "A43", "A48", "A50")
def test_with_an_attestation_it_is_taken_over_and_the_clients_go_on(stage: Stage) -> None:
    dry = stage.run("ec-b", "tanist", "takeover", stage.kind, "--dry-run", "--attest", "dark in the rack")
    assert dry.status == 0
    assert diff(stage.kept["standby ec-b"], stage.fingerprint("ec-b")) == []
    said = stage.tanist("ec-b", "takeover", "--attest", "dark in the rack", "--reason", "power cut")
    stage.owners.append("ec-b")
    assert "PROVED" in said
    stage.ledger.wait_ack(stage.kept["cut"])
    assert stage.ledger.outage(stage.kept["cut"]).seconds > 0
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    if stage.kind == "opscenter":
        assert stage.ask("GET", "/api/health")[1]["machine"] == stage.sh("ec-b", "cat /etc/machine-id")
    else:
        assert stage.sql("select inet_server_addr()") == f"{stage.address}/32" or stage.sql("select 1") == "1"


@pytest.mark.requirement("A36")
def test_no_acknowledged_write_is_missing(stage: Stage) -> None:
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert verdict.status == 0, verdict.evidence
    assert verdict.acked > 50
    stage.ledger.start()


@pytest.mark.requirement("A49", "A51", "A53")
def test_the_node_has_the_controllers_name_and_ssh_keys_and_its_own_disk_keeps_its_own(stage: Stage) -> None:
    answer = stage.known.check()
    assert answer.same, answer.evidence
    assert answer.hostname == stage.hostname
    files = "/etc/hostname /etc/ssh/ssh_host_ed25519_key.pub"
    name, key = stage.sh("ec-b", f"unshare -m sh -c 'umount {files}; cat {files}'").split("\n")
    assert name == "ec-b"
    assert " ".join(key.split()[:2]) in stage.kept["keys"]["ec-b"]


@pytest.mark.requirement("A53", "A54", "A55")
def test_files_belong_to_the_same_names_in_the_tree_and_outside(stage: Stage) -> None:
    tree, outside = read_owners(stage.lab, "ec-b", [stage.tree]), outside_owners(stage, "ec-b")
    steady = {path: entry for path, entry in stage.kept["tree owners"].items() if not path.startswith(BUSY[stage.kind])}
    assert compare_owners(steady, tree) == []
    assert steady.keys() <= tree.keys()
    assert compare_owners(stage.kept["outside owners"], outside) == []
    assert outside.keys() == stage.kept["outside owners"].keys()
    if stage.kind == "postgresql":
        assert tree[f"{stage.tree}/15/main/PG_VERSION"].startswith("owner: postgres group: postgres")
        assert outside["/etc/ssl/private/db.key"].startswith("owner: root group: ssl-cert")
        return
    images = f"{stage.tree}/osp/share/allstart/images"
    assert "flags: -s- " in f"{tree[images]} "
    assert "user:uceproxy:r--" in tree[f"{images}/agents.txt"]
    assert tree[f"{stage.tree}/uce/opt/bin/scn-helper"].startswith("owner: ucectl group: uceadm flags: s--")
    assert tree[f"{stage.tree}/proxy/secret"].startswith("owner: ucectl")
    assert tree[f"{stage.tree}/proxy/state.json"].startswith("owner: uceproxy")
    linked = stage.sh("ec-b", f"stat -c '%h %i' {images}/base.img {images}/base-2.1.img").split("\n")
    assert linked[0] == linked[1]
    assert linked[0].startswith("2 ")
    assert stage.sh("ec-b", f"stat -c %U:%G {images}/latest.img; readlink {images}/latest.img").split() == [
        "ucectl:uceadm",
        "base-2.1.img",
    ]
    assert stage.sh("ec-b", f"getfattr --only-values -n user.sun.origin {images}/agents.txt") == "opscenter"


@pytest.mark.requirement("A54", "A55")
def test_new_files_have_the_numbers_of_the_disk(stage: Stage) -> None:
    user, group = PRODUCT_FILE[stage.kind].split(":")
    stage.sh("ec-b", f"install -o {user} -g {group} /dev/null {stage.tree}/made-on-ec-b; sync -f {stage.tree}")
    assert stage.sh("ec-b", f"stat -c %U:%G {stage.tree}/made-on-ec-b") == f"{user}:{group}"
    assert stage.sh("ec-b", f"stat -c %u:%g {stage.tree}/made-on-ec-b") != EC_A_NUMBERS[stage.kind]
    assert stage.disk_numbers("ec-b", "made-on-ec-b") == [EC_A_NUMBERS[stage.kind]]
    stage.sh("ec-b", f"rm {stage.tree}/made-on-ec-b")


@pytest.mark.requirement("A35", "A56", "A57", "A58")
def test_root_foreign_accounts_and_foreign_files_are_what_they_were(stage: Stage) -> None:
    assert own_files(stage, "ec-b") == stage.kept["own ec-b"]
    assert "passwd localadmin" in stage.kept["own ec-b"]
    assert stage.kept["own ec-b"]["shadow root"] != stage.kept["own ec-a"]["shadow root"]


@pytest.mark.requirement("A52", "A59")
def test_the_products_state_is_there_and_its_sessions_are_gone(stage: Stage) -> None:
    if stage.kind == "postgresql":
        assert stage.sql("select count(*) > 0 from tanist_ledger") == "t"
        assert stage.sql("select pg_is_in_recovery()") == "f"
        assert stage.sh("client", certificate_of(stage)) == stage.kept["certificate"]
        return
    assert stage.ask("GET", "/api/assets", token=stage.kept["token"])[0] == 401
    token = stage.log_in()
    assert stage.ask("GET", "/api/assets", token=token)[1] == stage.kept["assets"]
    before, now = stage.kept["health"], stage.ask("GET", "/api/health")[1]
    assert (now["name"], now["certificate"], now["version"]) == (
        before["name"],
        before["certificate"],
        before["version"],
    )
    assert now["hostname"] == "ec"
    assert now["epoch"] == before["epoch"] + 1
    assert stage.sh("ec-b", "cat /var/opt/SUNWuce/role") == "role=ec+proxy"


@pytest.mark.requirement("A52")
def test_jobs_that_ran_are_interrupted_and_never_run_again(stage: Stage) -> None:
    if stage.kind != "opscenter":
        pytest.skip("PostgreSQL has no jobs")
    cut_short = [job for job in stage.jobs(stage.log_in()) if job["state"] == "interrupted"]
    assert [job["id"] for job in cut_short] == [stage.kept["job"]]
    stage.kept["interrupted"] = cut_short[0]


@pytest.mark.requirement("A70")
def test_the_products_own_backup_stops_and_starts_what_runs(stage: Stage) -> None:
    if stage.kind != "opscenter":
        pytest.skip("PostgreSQL is not the Ops Center")
    unit = "systemctl show -P InvocationID sun-xvm-ec.service"
    before = stage.sh("ec-b", unit)
    stage.sh("ec-b", "/opt/sun/xvmoc/bin/satadm backup /run/ec.tar")
    assert stage.sh("ec-b", unit) != before and stage.activity("ec-b") == stage.expected_activity("ec-b")
    names = stage.sh("ec-b", "tar -tf /run/ec.tar && rm /run/ec.tar").split("\n")
    assert "var/opt/sun/xvm/db/opscenter.db" in names and not [name for name in names if name.startswith("opt/")]


@pytest.mark.requirement("A46", "A69")
def test_the_export_and_satadm_follow_the_active_node(stage: Stage) -> None:
    if stage.kind != "opscenter":
        pytest.skip("PostgreSQL exports nothing")
    line = stage.sh("ec-b", "cat /etc/exports.d/tanist-opscenter.exports")
    path, clients = line.split(" ", 1)
    assert clients.startswith("10.88.0.0/24(ro,no_subtree_check,fsid=")
    assert path == "/var/opt/sun/xvm/osp/share/allstart"
    unmapped = "/run/tanist/opscenter/unmapped/osp/share/allstart"
    assert stage.sh("ec-b", f"stat -c %u {unmapped}/images") == "951"  # NFS clients hold the disk's numbers
    assert stage.sh("ec-b", f"cat {path}/images/agents.txt") == "web-01\nweb-02"
    satadm = stage.run("ec-b", "/opt/sun/xvmoc/bin/satadm", "status")
    assert (satadm.status, satadm.out.split()[0]) == (0, "online")


@pytest.mark.requirement("A01", "A67")
def test_who_why_and_on_what_evidence_is_written_down_twice(stage: Stage) -> None:
    status = stage.status("ec-b")
    assert (status["state"], status["exit"], status["owner"], status["epoch"]) == ("active", 0, "ec-b", 2)
    for text in (
        stage.sh("ec-b", f"cat /var/lib/tanist/{stage.kind}/history.jsonl"),
        stage.sh("ec-b", f"cat {stage.tree}/.tanist/history.jsonl"),
    ):
        last = json.loads(text.splitlines()[-1])
        assert (last["kind"], last["node"], last["outcome"], last["epoch"]) == ("takeover", "ec-b", "done", 2)
        assert (last["who"], last["reason"], last["attested"]) == ("root", "power cut", "dark in the rack")
        assert last["verdict"] == "PROVED"
        assert {"claim", "storage", "peer", "service-address", "management-address", "attestation"} == {
            one["source"] for one in last["evidence"]
        }
        assert all(seconds >= 0 for _, seconds in last["steps"])
    assert [(one["kind"], one["node"]) for one in stage.history("ec-b")] == [("init", "ec-a"), ("takeover", "ec-b")]
    newest = stage.manifest("ec-b")
    assert (newest["node"], newest["epoch"]) == ("ec-b", 2)
    user, group = PRODUCT_FILE[stage.kind].split(":")
    numbers = stage.sh("ec-b", f"id -u {user}; getent group {group} | cut -d: -f3").split()
    assert [str(newest["users"][user]), str(newest["groups"][group])] == numbers


# ---- 3. the dead host comes back


@pytest.mark.requirement("A05", "A37", "A61", "A62", "A64")
def test_the_ex_owner_boots_inert_and_says_who_owns_the_controller(stage: Stage) -> None:
    lab = stage.lab
    lab.boot("ec-a")
    assert stage.activity("ec-a") == []
    assert stage.own_ssh_keys("ec-a") == stage.kept["keys"]["ec-a"]
    status = stage.status("ec-a")
    assert (status["state"], status["exit"], status["owner"], status["epoch"]) == ("standby", 10, "ec-b", 2)
    said = stage.sh("ec-a", f"journalctl -q -b -o cat -u tanist@{stage.kind}.service")
    assert "inert" in said
    assert "held by ec-b, epoch 2" in said
    assert stage.last_run("ec-a")["reason"].startswith("lost to ec-b")
    assert stage.run("ec-a", "habackup", stage.kind) == stage.run("ec-a", "true")
    assert own_files(stage, "ec-a") == stage.kept["own ec-a"]
    said = stage.refused("ec-a", 4, "takeover", "--attest", "I am sure")
    assert "ALIVE" in said
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    assert stage.wire_owners() == stage.owners
    stage.ledger.wait_ack(time.monotonic())


# ---- 4. home again


@pytest.mark.requirement("A32", "A40", "A44", "A45", "A46", "A63", "A65", "A67")
def test_home_again_by_a_switchover_typed_on_the_active_node(stage: Stage) -> None:
    newest = stage.captures("ec-b")[0]
    stage.switch("ec-b", "ec-a")
    stage.ledger.wait_ack(time.monotonic())
    assert stage.activity("ec-a") == stage.expected_activity("ec-a")
    assert stage.activity("ec-b") == []
    assert stage.status("ec-a")["epoch"] == 3
    assert stage.status("ec-b")["owner"] == "ec-a"
    let_go, taken = stage.last_run("ec-b"), stage.last_run("ec-a")
    assert (let_go["kind"], let_go["node"], let_go["outcome"]) == ("release", "ec-b", "done")
    assert (taken["kind"], taken["node"], taken["outcome"], taken["attested"]) == ("takeover", "ec-a", "done", "")
    assert let_go["reason"] == taken["reason"] == "from ec-b"
    released = [step for step, _ in let_go["steps"]]
    order = ["stop ", "remove ", "a last capture", "write the claim", f"unmount {stage.tree}"]
    if stage.kind == "opscenter":
        order[2:2] = ["unmount /etc/opt/SUNWuce", "withdraw the NFS exports"]
    places = [min(n for n, step in enumerate(released) if step.startswith(word)) for word in order]
    assert places == sorted(places)
    restored = stage.sh(
        "ec-a", f"grep -h '\"capture\":' /var/lib/tanist/{stage.kind}/runs/done/*takeover*.jsonl | tail -1"
    )
    assert any(name >= newest and name in restored and name.endswith("-ec-b") for name in stage.captures("ec-a"))


@pytest.mark.requirement("A53", "A56", "A57", "A58")
def test_the_other_node_is_what_it_was_byte_for_byte(stage: Stage) -> None:
    now = stage.fingerprint("ec-b")
    assert stage.changed(stage.kept["standby ec-b"], now) == []
    assert stage.own_ssh_keys("ec-b") == stage.kept["keys"]["ec-b"]
    assert own_files(stage, "ec-b") == stage.kept["own ec-b"]
    if stage.kind == "opscenter":
        assert stage.run("ec-b", "/opt/sun/xvmoc/bin/satadm", "status").status == 1


@pytest.mark.requirement("A49", "A50", "A51", "A52", "A54")
def test_at_home_name_keys_owners_and_data_are_the_same(stage: Stage) -> None:
    answer = stage.known.check()
    assert answer.same, answer.evidence
    assert answer.hostname == stage.hostname
    tree = read_owners(stage.lab, "ec-a", [stage.tree])
    steady = {path: entry for path, entry in stage.kept["tree owners"].items() if not path.startswith(BUSY[stage.kind])}
    assert compare_owners(steady, tree) == []
    assert compare_owners(stage.kept["outside owners"], outside_owners(stage, "ec-a")) == []
    if stage.kind == "opscenter":
        jobs = {job["id"]: job for job in stage.jobs(stage.log_in())}
        assert jobs[stage.kept["interrupted"]["id"]] == stage.kept["interrupted"]


# ---- 5. to and fro


@pytest.mark.requirement("A65", "A66")
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_to_and_fro_without_drift(stage: Stage, turn: int) -> None:
    """Typed on the owner and on the target by turns; each node compared with itself in the same role."""
    there, back = ("ec-a", "ec-b") if turn % 2 else ("ec-b", "ec-a")
    active_a = stage.kept.setdefault("active ec-a", stage.fingerprint("ec-a"))
    stage.switch(there, "ec-b")
    for role, node in (("active", "ec-b"), ("standby", "ec-a")):
        now = stage.fingerprint(node)
        assert stage.changed(stage.kept.setdefault(f"{role} {node}", now), now) == [], f"{node} as {role}"
    stage.switch(back if turn != 1 else "ec-a", "ec-a")
    assert stage.changed(active_a, stage.fingerprint("ec-a")) == []
    assert stage.changed(stage.kept["standby ec-b"], stage.fingerprint("ec-b")) == []
    stage.ledger.wait_ack(time.monotonic())
    assert stage.status("ec-a")["epoch"] == len(stage.owners)


# ---- 6. the seed's way: with a reboot, in mode host


@pytest.mark.requirement("A39", "A48", "A60", "A63")
def test_after_a_release_a_takeover_with_a_reboot_needs_no_attestation_and_goes_on_by_itself(stage: Stage) -> None:
    lab = stage.lab
    stage.tanist("ec-a", "release", "--reason", "service of ec-a")
    assert stage.activity("ec-a") == []
    assert stage.changed(stage.kept["standby ec-a"], stage.fingerprint("ec-a")) == []
    before = stage.sh("ec-b", "cat /proc/sys/kernel/random/boot_id")
    init = next(node.pid for node in lab.status().nodes if node.name == "ec-b")
    lab.exec("ec-b", ["tanist", "takeover", stage.kind, "--reboot", "--reason", "the seed's way"], timeout=120)
    stage.owners.append("ec-b")
    lab.wait_booted("ec-b", after=init)
    assert stage.sh("ec-b", "cat /proc/sys/kernel/random/boot_id") != before
    assert stage.activity("ec-b") == stage.expected_activity("ec-b")
    differs = set(stage.changed(stage.kept["active ec-b"], stage.fingerprint("ec-b")))
    units = ("network-online.target", f"tanist-gate@{stage.kind}.service", f"tanist@{stage.kind}.service")
    assert differs <= {f"unit new: {unit} active" for unit in units}  # the first boot since they were enabled
    last = stage.last_run("ec-b")
    assert (last["kind"], last["outcome"], last["attested"]) == ("takeover", "done", "")
    stage.ledger.wait_ack(time.monotonic())
    answer = stage.known.check()
    assert answer.same, answer.evidence


@pytest.mark.requirement("A05", "A61")
def test_in_the_end_nothing_is_lost_and_no_address_was_on_two_nodes(stage: Stage) -> None:
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert verdict.status == 0, verdict.evidence
    assert (verdict.missing, verdict.twice) == (0, 0)
    assert stage.wire_owners() == stage.owners
    for node in ("ec-a", "ec-b"):
        assert own_files(stage, node) == stage.kept[f"own {node}"]
        assert stage.sh(node, "find / -xdev \\( -nouser -o -nogroup \\) -print") == ""
        assert stage.status(node)["open_run"] == ""
    units = shlex.join(stage.units)
    assert (
        stage.sh("ec-a", f"systemctl is-enabled {units} || true").split()
        == stage.sh("ec-b", f"systemctl is-enabled {units} || true").split()
    )
