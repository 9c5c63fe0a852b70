"""Mode alias, boots, clean releases, restores and the asset kind `directory`, with two controllers on one pair.

postgresql lies on xfs, opscenter on ext4. One story in the order of the file, as test_main_job.py (mode host).
"""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Iterator

import pytest

from lab.checks import compare_owners, diff, read_owners
from lab.lab import Lab
from lab.layout import node_spec
from tests.lab import shelf
from tests.lab.stage import Stage, make_stage, open_lab

VERSION = "/n1gc-setup/.version.properties"
Pair = tuple[Stage, Stage]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with open_lab("mm", tanist=True) as made:
        yield made


@pytest.fixture(scope="module")
def pair(lab: Lab) -> Pair:
    return make_stage(lab, "postgresql", "xfs", "alias"), make_stage(lab, "opscenter", "ext4", "alias")


@pytest.fixture(params=["postgresql", "opscenter"])
def stage(request: pytest.FixtureRequest, pair: Pair) -> Stage:
    return next(one for one in pair if one.kind == request.param)


def boot_id(stage: Stage, node: str) -> str:
    return stage.sh(node, "cat /proc/sys/kernel/random/boot_id")


def check_up(stage: Stage, node: str, *, epoch: int) -> None:
    """Active there, inert on the other node when that is on, and the clients go on."""
    assert stage.activity(node) == stage.expected_activity(node)
    status = stage.status(node)
    assert (status["state"], status["exit"], status["owner"], status["epoch"]) == ("active", 0, node, epoch)
    states = {one.name: one.state for one in stage.lab.status().nodes}
    other = {"ec-a": "ec-b", "ec-b": "ec-a"}[node]
    if states[other] == "running":
        assert stage.activity(other) == []
    stage.ledger.wait_ack(time.monotonic())
    answer = stage.known.check()
    assert answer.same, answer.evidence


# ---- mode alias


@pytest.mark.requirement("A50", "A51", "A53")
def test_in_mode_alias_the_node_keeps_its_name_and_keys_and_the_controllers_answer_at_its_address(stage: Stage) -> None:
    lab, kept = stage.lab, stage.kept
    kept["own keys"] = {node: stage.own_ssh_keys(node) for node in ("ec-a", "ec-b")}
    stage.ledger.start()
    assert stage.known.remember() >= 3
    check_up(stage, "ec-a", epoch=1)
    assert stage.known.check().hostname == "ec-a"
    shown = {key.partition(" ")[2] for key in stage.known.keys}
    assert not shown & set(kept["own keys"]["ec-a"])
    files = stage.sh("ec-a", f"cat /etc/tanist/identity/{stage.kind}/*.pub | cut -d' ' -f1,2")
    assert shown == set(files.split("\n"))
    assert stage.run("client", "nc", "-z", "-w2", node_spec("ec-a").svc_ip, "22").status != 0
    kept["owners"] = read_owners(lab, "ec-a", [stage.tree, *stage.outside])
    kept["standby ec-b"] = stage.fingerprint("ec-b")


# ---- what a takeover looks at beforehand


@pytest.mark.parametrize(
    ("break_it", "mend_it", "words"),
    [
        pytest.param(
            f"cp -a {VERSION} /root/v; sed -i 's/^product.version=.*/product.version=2.1.0.964/' {VERSION}",
            f"mv /root/v {VERSION}",
            ["2.1.0.963", "2.1.0.964"],
            marks=pytest.mark.requirement("A11", "A25", "A26", "A27", "A28", "A29"),
            id="other product version",
        ),
        pytest.param(
            f"cp -a {VERSION} /root/v; sed -i 's/^product.version=.*/#&/' {VERSION}",
            f"mv /root/v {VERSION}",
            ["product.version"],
            marks=pytest.mark.requirement("A26", "A27", "A28"),
            id="no product version, only its siblings",
        ),
        pytest.param(
            "cp -a /n1gc-setup/role /root/role; echo role=proxy > /n1gc-setup/role",
            "mv /root/role /n1gc-setup/role",
            ["stand-alone Proxy Controller is outside the scope"],
            marks=pytest.mark.requirement("A03", "A04"),
            id="stand-alone proxy",
        ),
        pytest.param(
            "cp -a /usr/lib/os-release /root/os; sed -i 's/^VERSION_ID=.*/VERSION_ID=11/' /usr/lib/os-release",
            "mv /root/os /usr/lib/os-release",
            ["12", "11"],
            marks=pytest.mark.requirement("A10"),
            id="other operating system",
        ),
        pytest.param(
            "ip address del 10.88.0.12/24 dev svc0",
            "ip address add 10.88.0.12/24 brd + dev svc0",
            ["10.88.0.60/24 lies in no subnet of svc0 on ec-b"],
            marks=pytest.mark.requirement("A12", "A13"),
            id="not in the service network",
        ),
        pytest.param(
            "mv /opt/sun/xvmoc/bin/satadm /root/satadm",
            "mv /root/satadm /opt/sun/xvmoc/bin/satadm",
            ["/opt/sun/xvmoc/bin/satadm is missing: the software is not installed"],
            marks=pytest.mark.requirement("A06", "A07", "A72"),
            id="not installed",
        ),
    ],
)
def test_a_node_that_does_not_fit_is_told_so_before_anything_happens(
    pair: Pair, break_it: str, mend_it: str, words: list[str]
) -> None:
    _, ec = pair
    ec.sh("ec-b", break_it)
    try:
        ran = ec.run("ec-b", "tanist", "takeover", ec.kind, "--dry-run")
        assert ran.status == 3, ran.out + ran.err
        assert all(word in ran.err for word in words), ran.err
    finally:
        ec.sh("ec-b", mend_it)


@pytest.mark.requirement("A06", "A07", "A28")
def test_a_node_that_does_not_fit_stops_a_switchover_and_a_takeover_before_they_begin(pair: Pair) -> None:
    _, ec = pair
    assert ec.run("ec-b", "tanist", "takeover", ec.kind, "--dry-run").status == 4  # all is mended; ec-a lives
    ec.sh("ec-b", f"cp -a {VERSION} /root/v; sed -i 's/2.1.0.963/2.1.0.964/' {VERSION}")
    said = ec.refused("ec-b", 3, "switchover", "--to", "ec-b")
    assert "2.1.0.964" in said
    ec.sh("ec-b", f"mv /root/v {VERSION}; touch /etc/opt/SUNWuce/users.json")
    assert "configured on its own" in ec.refused("ec-b", 3, "takeover", "--attest", "down")
    ec.sh("ec-b", "rm /etc/opt/SUNWuce/users.json")
    assert ec.activity("ec-a") == ec.expected_activity("ec-a")
    for stage in pair:
        stage.kept["standby ec-b"] = stage.fingerprint("ec-b")


@pytest.mark.requirement("A05", "A61", "A63")
def test_while_the_owner_lives_no_attestation_helps(stage: Stage) -> None:
    said = stage.refused("ec-b", 4, "takeover", "--attest", "I pulled the plug of ec-a")
    assert "ALIVE" in said
    assert node_spec("ec-a").mac("svc") in said
    check_up(stage, "ec-a", epoch=1)


# ---- a dead owner, the seed's way


@pytest.mark.requirement("A39", "A42", "A43", "A48", "A52", "A60")
def test_a_takeover_with_a_reboot_goes_on_after_the_boot(pair: Pair) -> None:
    pg, ec = pair
    lab = pg.lab
    pg.kept["cut"] = lab.cut("ec-a").at
    before, init = boot_id(pg, "ec-b"), next(node.pid for node in lab.status().nodes if node.name == "ec-b")
    lab.exec("ec-b", ["tanist", "takeover", pg.kind, "--reboot", "--attest", "dark", "--reason", "cut"], timeout=120)
    lab.wait_booted("ec-b", after=init)
    pg.owners.append("ec-b")
    assert boot_id(pg, "ec-b") != before
    check_up(pg, "ec-b", epoch=2)
    last = pg.last_run("ec-b")
    assert (last["kind"], last["outcome"], last["attested"], last["reason"]) == ("takeover", "done", "dark", "cut")
    assert any(step.startswith("restart this machine") for step, _ in last["steps"])
    assert ec.activity("ec-b") == []


@pytest.mark.requirement("A42", "A48", "A54", "A55", "A60")
def test_harestore_on_a_standby_is_a_takeover(pair: Pair) -> None:
    _, ec = pair
    dry = ec.run("ec-b", "harestore", "opscenter", "--dry-run")
    assert dry.status == 4
    assert "nothing was changed" in dry.out
    assert ec.run("ec-b", "harestore", "opscenter").status == 4
    done = ec.run("ec-b", "harestore", "opscenter", "--attest", "dark")
    assert done.status == 0, done.err
    ec.owners.append("ec-b")
    check_up(ec, "ec-b", epoch=2)
    owners = read_owners(ec.lab, "ec-b", [ec.tree, *ec.outside])
    steady = {
        p: entry for p, entry in ec.kept["owners"].items() if not p.startswith((f"{ec.tree}/db", f"{ec.tree}/jobs"))
    }
    assert compare_owners(steady, owners) == []


@pytest.mark.requirement("A05", "A62", "A64")
def test_the_ex_owner_of_both_boots_inert(pair: Pair) -> None:
    pair[0].lab.boot("ec-a")
    for stage in pair:
        assert stage.activity("ec-a") == []
        assert (stage.status("ec-a")["exit"], stage.status("ec-a")["owner"]) == (10, "ec-b")
        assert stage.own_ssh_keys("ec-a") == stage.kept["own keys"]["ec-a"]
        check_up(stage, "ec-b", epoch=2)


# ---- boots of the owner


@pytest.mark.requirement("A05", "A60")
@pytest.mark.parametrize("how", ["reboot", "power cut"])
def test_the_owner_comes_up_again_by_itself_after_a_boot(pair: Pair, how: str) -> None:
    lab = pair[0].lab
    before = pair[0].fingerprint("ec-b")
    if how == "reboot":
        lab.reboot("ec-b")
    else:
        lab.cut("ec-b")
        lab.boot("ec-b")
    for stage in pair:
        check_up(stage, "ec-b", epoch=2)
        last = stage.last_run("ec-b")
        assert (last["kind"], last["outcome"], last["epoch"]) == ("start", "done", 2)
    assert pair[0].changed(before, pair[0].fingerprint("ec-b")) == []


# ---- home


@pytest.mark.requirement("A65", "A66")
def test_home_typed_on_the_target_while_the_other_controller_stays(stage: Stage) -> None:
    stage.switch("ec-a", "ec-a")
    check_up(stage, "ec-a", epoch=3)


@pytest.mark.requirement("A53", "A58")
def test_the_other_node_is_what_it_was_once_both_went_home(pair: Pair) -> None:
    now = pair[0].fingerprint("ec-b")
    before = pair[1].kept["standby ec-b"]
    units = {f"unit new: {unit}@{one.kind}.service active" for one in pair for unit in ("tanist", "tanist-gate")}
    assert set(pair[0].changed(before, now)) <= {*units, "unit new: network-online.target active"}  # it has booted


# ---- restores on the active node


@pytest.mark.requirement("A48", "A53", "A58")
def test_harestore_on_the_active_node_puts_files_back_and_a_second_one_changes_nothing(pair: Pair) -> None:
    pg, _ = pair
    pg.tanist("ec-a", "capture")
    good = pg.fingerprint("ec-a")
    spoil = "cd /etc/postgresql/15/main; echo broken >> pg_ident.conf; chown root conf.d; touch conf.d/extra.conf"
    pg.sh("ec-a", f"{spoil}; rm pg_ctl.conf; echo mine > /etc/foreign")
    spoilt = pg.fingerprint("ec-a")
    dry = pg.run("ec-a", "harestore", "postgresql", "--dry-run")
    assert dry.status == 0
    assert all(name in dry.out for name in ("pg_ident.conf", "conf.d", "extra.conf", "pg_ctl.conf"))
    assert "/etc/foreign" not in dry.out
    assert diff(spoilt, pg.fingerprint("ec-a")) == []
    assert pg.run("ec-a", "harestore", "postgresql").status == 0
    restored = pg.fingerprint("ec-a")
    assert pg.changed(good, restored) == ["/etc/foreign: new"]
    assert "would change" in pg.run("ec-a", "harestore", "postgresql", "--dry-run").out
    assert pg.run("ec-a", "harestore", "postgresql").status == 0
    assert diff(restored, pg.fingerprint("ec-a")) == []
    pg.sh("ec-a", "rm /etc/foreign")
    check_up(pg, "ec-a", epoch=3)


@pytest.mark.requirement("A30", "A34", "A54", "A55")
def test_a_capture_is_restored_by_hand_as_its_readme_says(pair: Pair) -> None:
    """On the standby, from its mirror, without tanist: into empty directories."""
    pg, _ = pair
    store = f"/var/lib/tanist/postgresql/mirror/{pg.captures('ec-b')[0]}"
    readme = pg.sh("ec-b", f"cat {store}/README")
    typed = {line.strip() for line in readme.splitlines() if line.startswith("    ")}
    check = "sha256sum -c manifest.sha256"
    by_name = "tar -C / --acls --xattrs --xattrs-include='*' -xpf files.tar"
    by_number = "tar -C /some/directory --numeric-owner --xattrs --xattrs-include='*' -xpf files.tar"
    assert {check, by_name, by_number} <= typed
    assert "manifest.json: OK" in pg.sh("ec-b", f"cd {store}; {check}")
    for name, command in (("name", by_name.replace("-C /", "-C /root/name")), ("number", by_number)):
        command = command.replace("/some/directory", f"/root/{name}")
        pg.sh("ec-b", f"mkdir /root/{name}; cd {store}; {command}")
    look = "cd /root/{}; find etc -exec stat -c '%n %a %{} %{} %Y' {{}} + | sort"
    conf, key, cron = "etc/postgresql/15/main/pg_hba.conf", "etc/ssl/private/db.key", "etc/cron.d/postgresql-ledger"
    here = pg.sh("ec-a", "cd /; stat -c '%n %a %U %G %Y' " + " ".join([conf, key, cron])).split("\n")
    assert set(here) <= set(pg.sh("ec-b", look.format("name", "U", "G")).split("\n"))
    there = pg.sh("ec-a", "cd /; stat -c '%n %a %u %g %Y' " + " ".join([conf, key, cron])).split("\n")
    assert set(there) <= set(pg.sh("ec-b", look.format("number", "u", "g")).split("\n"))
    sums = f"cd {{}}; sha256sum {conf} {key} {cron}"
    assert pg.sh("ec-a", sums.format("/")) == pg.sh("ec-b", sums.format("/root/name"))
    pg.sh("ec-b", "rm -r /root/name /root/number")


# ---- a clean release


@pytest.mark.requirement("A05", "A40", "A41", "A44", "A63")
def test_after_a_release_the_marks_are_clean_and_no_boot_brings_it_up(pair: Pair) -> None:
    lab = pair[0].lab
    for stage in pair:
        stage.tanist("ec-a", "release", "--reason", "maintenance")
        assert stage.activity("ec-a") == []
    marks = pair[1].sh("ec-a", "dumpe2fs -h /dev/asset1 2>/dev/null")
    assert "needs_recovery" not in marks
    assert re.search(r"Filesystem state: +clean", marks)
    log = pair[0].sh("ec-a", "xfs_logprint -t /dev/asset0 2>&1 || true")
    assert "CLEAN" in log
    for node in ("ec-a", "ec-b"):
        lab.reboot(node)
    for stage in pair:
        for node in ("ec-a", "ec-b"):
            assert stage.activity(node) == []
            assert stage.status(node)["exit"] == 10
        assert "released" in stage.status("ec-a")["claim"]


@pytest.mark.requirement("A01", "A39", "A63")
def test_after_a_release_no_attestation_is_needed_even_if_the_other_node_is_off(pair: Pair) -> None:
    pg, ec = pair
    pg.lab.shutdown("ec-a")
    dry = pg.run("ec-b", "tanist", "takeover", pg.kind, "--dry-run")
    assert dry.status == 0
    assert "ec-a let go" in dry.out
    for stage in (pg, ec):
        stage.tanist("ec-b", "takeover")
        stage.owners.append("ec-b")
        check_up(stage, "ec-b", epoch=4)
        last = stage.last_run("ec-b")
        assert (last["attested"], last["verdict"]) == ("", "PROVED")
    pg.lab.boot("ec-a")
    for stage in (pg, ec):
        assert stage.activity("ec-a") == []


# ---- what people read


@pytest.mark.requirement("A05", "A69")
def test_status_tells_active_standby_and_needs_a_person(pair: Pair) -> None:
    pg, _ = pair
    assert "ACTIVE" in pg.run("ec-b", "tanist", "status", "postgresql").out
    standby = pg.run("ec-a", "tanist", "status", "postgresql")
    assert (standby.status, "STANDBY" in standby.out) == (10, True)
    assert "held by ec-b" in pg.run("ec-b", "tanist", "status").out
    both = json.loads(pg.run("ec-b", "tanist", "status", "--json").out)
    assert [(one["controller"], one["state"]) for one in both] == [("opscenter", "active"), ("postgresql", "active")]
    # as if the tree had gone under the active node, in a mount namespace of its own
    look = f"umount -l {pg.tree}; tanist status postgresql"
    bare = pg.run("ec-b", "unshare", "-m", "sh", "-c", look)
    assert (bare.status, "NEEDS-A-PERSON" in bare.out) == (20, True)
    assert "tanist@postgresql" in bare.out


@pytest.mark.requirement("A67")
def test_history_captures_and_the_definition_check_say_what_there_is(pair: Pair) -> None:
    for stage in pair:
        runs = [(one["kind"], one["node"], one["epoch"]) for one in stage.history("ec-b") if one["kind"] != "start"]
        assert [one for one in runs if one[0] == "takeover"] == [
            ("takeover", "ec-b", 2),
            ("takeover", "ec-a", 3),
            ("takeover", "ec-b", 4),
        ]
        assert ("release", "ec-b", 2) in runs
        assert ("release", "ec-a", 3) in [(one["kind"], one["node"], one["epoch"]) for one in stage.history("ec-a")]
        text = stage.tanist("ec-b", "history", "--steps")
        assert all(word in text for word in ("takeover", "release", "root", "from ec-a", "mount /dev/asset"))
        newest = stage.captures("ec-b")[0]
        assert newest.endswith("-e4-ec-b")
        assert "  ec-b  " in stage.tanist("ec-b", "captures").splitlines()[0]
        assert set(stage.tanist("ec-b", "captures", "--verify").split()[1::2]) == {"good"}
        path = f"/etc/tanist/controllers/{stage.kind}.toml"
        checked = stage.run("ec-b", "tanist", "definition", "check", path)
        assert (checked.status, checked.out) == (0, f"{path}: right\n")
        stage.sh("ec-b", f"sed 's/^mode = .*/mode = \"wrong\"\\nunknown = 1/' {path} > /root/{stage.kind}.toml")
        checked = stage.run("ec-b", "tanist", "definition", "check", f"/root/{stage.kind}.toml")
        assert checked.status == 5
        assert len(re.findall(rf"/root/{stage.kind}.toml:\d+:", checked.err)) == 2
    assert pair[0].sh("ec-a", "sha256sum < /etc/tanist/controllers/opscenter.toml") == pair[0].sh(
        "ec-b", "sha256sum < /etc/tanist/controllers/opscenter.toml"
    )


# ---- the end of these two


@pytest.mark.requirement("A05", "A36", "A61")
def test_in_the_end_nothing_is_lost_and_no_address_was_on_two_nodes(stage: Stage) -> None:
    stage.ledger.stop()
    verdict = stage.ledger.verify()
    assert verdict.status == 0, verdict.evidence
    assert stage.wire_owners() == stage.owners
    stage.tanist("ec-b", "release")
    assert stage.activity("ec-b") == []
    assert stage.run("client", "ping", "-c1", "-W1", stage.address).status == 1
    if stage.kind == "opscenter":
        for node in ("ec-a", "ec-b"):
            assert stage.run(node, "/opt/sun/xvmoc/bin/satadm", "status").status == 1


# ---- asset kind directory


def shelf_files(lab: Lab, node: str) -> list[str]:
    look = f"stat -c '%n %U %G %a' {shelf.TREE} {shelf.TREE}/log {shelf.TREE}/proxys /etc/shelf.conf"
    return lab.exec(node, ["sh", "-c", look], check=True).stdout.decode().splitlines()


def shell(lab: Lab, node: str, script: str) -> str:
    return lab.exec(node, ["sh", "-c", script], check=True, timeout=120).stdout.decode().strip()


@pytest.mark.requirement("A02", "A14", "A22", "A48", "A54", "A55")
def test_a_plain_directory_on_a_disk_mounted_by_hand_moves_too(lab: Lab, pair: Pair) -> None:
    shelf.prepare(lab)
    shell(lab, "ec-a", f"sleep 0.5; test -s {shelf.TREE}/log")
    before = shelf_files(lab, "ec-a")
    assert f"{shelf.TREE} ucectl uceadm 755" in before
    shell(lab, "ec-a", f"echo changed >> /etc/shelf.conf; habackup {shelf.NAME}")
    assert "captured" not in shell(lab, "ec-a", f"habackup {shelf.NAME} 2>&1")
    shell(lab, "ec-a", f"tanist release {shelf.NAME}; umount {shelf.MOUNT}")
    lines = shell(lab, "ec-a", f"cat /etc/shelf.conf; ls {shelf.MOUNT}; ip -4 -o addr show dev svc0")
    assert shelf.ADDRESS not in lines

    # the disk is not there yet
    refused = lab.exec("ec-b", ["tanist", "takeover", shelf.NAME])
    assert refused.returncode == 3
    assert b"claim" in refused.stderr

    shell(lab, "ec-b", f"mount {shelf.DEVICE} {shelf.MOUNT}")
    numbers = shell(lab, "ec-b", f"stat -c %u:%g {shelf.TREE} {shelf.TREE}/proxys")
    assert numbers == "951:960\n952:960"  # those of ec-a
    shell(lab, "ec-b", f"tanist takeover {shelf.NAME}")
    assert shelf_files(lab, "ec-b") == before
    assert shell(lab, "ec-b", "cat /etc/shelf.conf") == "made on ec-a\nchanged"
    assert "idmapped" in shell(
        lab, "ec-b", f"findmnt -no OPTIONS {shelf.TREE}; grep ' {shelf.TREE} ' /proc/self/mountinfo"
    )
    shell(lab, "ec-b", "sleep 0.5")
    names = shell(lab, "ec-b", f"uniq {shelf.TREE}/log").split()
    assert names == ["ec-a", "ec-b"]
    found = shelf.status(lab, "ec-b")
    assert (found["state"], found["owner"], found["epoch"]) == ("active", "ec-b", 2)


@pytest.mark.requirement("A54", "A65", "A66")
def test_the_directory_goes_back_with_the_disks_numbers(lab: Lab) -> None:
    shell(lab, "ec-b", f"install -o uceproxy -g uceadm /dev/null {shelf.TREE}/made-on-ec-b")
    shell(lab, "ec-b", f"tanist release {shelf.NAME}")
    assert shell(lab, "ec-b", f"stat -c %u:%g {shelf.TREE}/made-on-ec-b") == "952:960"
    assert lab.exec("ec-b", ["test", "-e", "/etc/shelf.conf"]).returncode == 1
    shell(lab, "ec-b", f"umount {shelf.MOUNT}")
    shell(lab, "ec-a", f"mount {shelf.DEVICE} {shelf.MOUNT}; tanist takeover {shelf.NAME}")
    assert shell(lab, "ec-a", f"stat -c %U:%G {shelf.TREE}/made-on-ec-b") == "uceproxy:uceadm"
    assert shelf.status(lab, "ec-a")["epoch"] == 3
    assert shlex.split(shell(lab, "ec-a", f"uniq {shelf.TREE}/log"))[:2] == ["ec-a", "ec-b"]
