"""`tanist storage migrate`: an installed, running PostgreSQL moves onto the shared disk, and back, under load."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.controllers.install import NODES, define, install_tanist, listen_on_management, make_file_system, profile
from lab.controllers.postgresql import CONFIGURE, DEVICE, TREE
from lab.lab import Lab
from tests.lab.stage import open_lab

ASIDE = f"{TREE}.before-tanist"
KILL = "strace -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:signal=KILL"
WRITE = """
i=0
while [ ! -e /tmp/stop ]; do
    i=$((i + 1))
    psql -h 127.0.0.1 -U postgres -qc "insert into ledger values ($i)" >/dev/null 2>&1 && echo $i >> /root/acknowledged
done
"""
ODD = f"""
set -e
cd {TREE}
install -d -o postgres -g postgres odd
cd odd
printf 'one' > plain; ln plain twin; ln -s nowhere link; mkfifo pipe
dd if=/dev/zero of=holes bs=1 count=1 seek=10M status=none
setfattr -n user.note -v kept plain; setfacl -m u:daemon:r plain
touch -d '2001-02-03 04:05:06.123456789' plain
cp /bin/true able; setcap cap_net_bind_service+ep able
printf 'fixed' > fixed; chattr +i fixed
touch "$(printf 'odd\\nname\\377')"
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A server that was set up as usual on ec-a, tree and all, with the pair's definition on both nodes."""
    with open_lab("mg") as made:
        install_tanist(made)
        made.exec("ec-a", ["bash", "-c", CONFIGURE], check=True)
        make_file_system(made, DEVICE, "ext4", "pgdata")
        listen_on_management(made)
        define(made, "postgresql", profile("postgresql", mode="alias"))
        for node in NODES:
            made.exec(node, ["systemctl", "disable", "-q", "postgresql.service"], check=True)
            made.exec(node, ["tanist", "enable", "postgresql"], check=True)
        sh(made, "sed -i 's/scram-sha-256/trust/' /etc/postgresql/15/main/pg_hba.conf")
        # the nodes' own root is an overlay, which renames no directory of its lower layer
        sh(made, f"systemctl stop postgresql@15-main; cp -a {TREE} {TREE}.own && rm -r {TREE} && mv {TREE}.own {TREE}")
        sh(made, "systemctl start postgresql@15-main")
        sh(made, "psql -h 127.0.0.1 -U postgres -qc 'create table ledger (n int)'")
        sh(made, ODD)
        yield made


def sh(lab: Lab, script: str, node: str = "ec-a") -> str:
    done = lab.exec(node, ["bash", "-c", script], check=True, timeout=300)
    return done.stdout.decode(errors="backslashreplace").strip()


def start_writer(lab: Lab) -> None:
    sh(lab, f"rm -f /tmp/stop; cat > /root/write.sh <<'END'\n{WRITE}END")
    sh(lab, "systemctl is-active -q ledger || systemd-run -q --collect --unit ledger bash /root/write.sh")


def check_ledger(lab: Lab) -> int:
    """Every acknowledged row is there."""
    sh(lab, "touch /tmp/stop; while systemctl is-active -q ledger; do sleep 0.1; done")
    kept = set(sh(lab, "psql -h 127.0.0.1 -U postgres -qtAc 'select n from ledger'").split())
    told = set(sh(lab, "cat /root/acknowledged").split())
    assert told <= kept
    return len(told)


def source(lab: Lab) -> str:
    """Which device the tree lies on; "" for a directory."""
    return sh(lab, f"findmnt -n -o SOURCE {TREE} || true")


def odd(lab: Lab) -> str:
    """Everything that a copy may lose of the odd files."""
    return sh(
        lab,
        f"cd {TREE}/odd; stat -c '%n %F %s %h %U %G %a %y' plain twin link pipe holes able fixed odd*; "
        "getfattr -d -m- plain; getfacl -p plain; getcap able; lsattr fixed; "
        "[ $(stat -c %i plain) = $(stat -c %i twin) ] && echo linked; [ $(stat -c %b holes) -lt 100 ] && echo sparse",
    )


@pytest.mark.requirement("A14", "A15", "A16")
def test_a_running_server_moves_onto_the_asset_and_back_and_loses_nothing(lab: Lab) -> None:
    before = odd(lab)
    start_writer(lab)
    said = sh(lab, "tanist storage migrate postgresql --reason 'it gets a partner' 2>&1")
    assert "stood still for at most" in said and f"the old tree is at {ASIDE}" in said
    assert source(lab) == DEVICE and odd(lab) == before
    assert sh(lab, f"ls -A {TREE} | grep -c tanist || true") == "0"
    assert check_ledger(lab) > 0
    start_writer(lab)
    said = sh(lab, "tanist storage migrate postgresql --back 2>&1")
    assert source(lab) == "" and odd(lab) == before and "its old tree" in said
    assert check_ledger(lab) > 0
    assert sh(lab, f"test -e {ASIDE} || echo gone") == "gone"
    assert (
        sh(lab, "ls /etc/cron.d/postgresql-ledger")
        and sh(lab, "findmnt -n /run/tanist/postgresql/beside || true") == ""
    )


CUTS = [("resume", False, (9, 19, 29)), ("undo", False, (7, 17, 27)), ("resume", True, (21,)), ("undo", True, (25,))]


@pytest.mark.parametrize(("way", "power", "records"), CUTS)
def test_cut_off_at_any_record_it_ends_either_way_and_loses_nothing(
    lab: Lab, way: str, power: bool, records: tuple[int, ...]
) -> None:
    """kill -9, or the power, when a record of the journal is on the disk."""
    before = odd(lab)
    start_writer(lab)
    ways = {"resume": DEVICE, "undo": ""}
    for at in records:
        sh(lab, f"{KILL}:when={at} tanist storage migrate postgresql >/root/said 2>&1; [ $? = 137 ]")
        if power:
            lab.cut("ec-a")
            lab.boot("ec-a")
        sh(lab, f"tanist {way} postgresql 2>&1")
        assert source(lab) == ways[way], at
        assert odd(lab) == before, at
        if power:
            sh(lab, "systemctl start postgresql@15-main")  # undone, a boot had not started it; else it runs
            start_writer(lab)
        if way == "resume":
            sh(lab, "tanist storage migrate postgresql --back 2>&1")
    assert check_ledger(lab) > 0


def test_a_tree_that_could_not_be_moved_safely_is_refused_before_anything_changes(lab: Lab) -> None:
    """An asset that holds something else; something mounted inside the tree; an asset that another one uses."""
    sh(
        lab,
        f"mount {DEVICE} /mnt && chattr -i /mnt/odd/fixed; rm -rf /mnt/* && echo mine > /mnt/precious && umount /mnt",
    )
    sh(lab, "rm -f /var/lib/tanist/postgresql/copied")  # else it is the disk of an earlier copy
    said = refused(lab, "tanist storage migrate postgresql")
    assert "holds something already (precious)" in said and "The server was not touched" in said
    assert sh(lab, f"mount {DEVICE} /mnt && cat /mnt/precious && rm /mnt/precious && umount /mnt") == "mine"
    sh(lab, f"mkdir -p {TREE}/inner && mount -t tmpfs none {TREE}/inner")
    assert f"are mounted inside {TREE}: {TREE}/inner" in refused(lab, "tanist storage migrate postgresql")
    sh(lab, f"umount {TREE}/inner && rmdir {TREE}/inner && mount {DEVICE} /mnt")
    assert f"{DEVICE} is in-use: mounted on this node at /mnt" in refused(lab, "tanist storage migrate postgresql")
    sh(lab, "umount /mnt")
    assert "no old tree was set aside" in refused(lab, "tanist storage migrate postgresql --back")
    plan = sh(lab, "tanist storage migrate postgresql --dry-run")
    assert "copy the last difference" in plan and source(lab) == ""
    assert sh(lab, "systemctl is-active postgresql@15-main") == "active"


def refused(lab: Lab, command: str) -> str:
    done = lab.exec("ec-a", ["sh", "-c", f"{command} 2>&1"], timeout=120)
    assert done.returncode != 0
    return done.stdout.decode()


def test_after_the_move_the_server_becomes_a_pairs(lab: Lab) -> None:
    sh(lab, "rm -f /etc/cron.d/none; tanist storage migrate postgresql 2>&1 && tanist init postgresql 2>&1")
    assert sh(lab, "tanist status postgresql --json").count('"state": "active"') == 1
    assert "its tree is on the asset" in refused(lab, "tanist storage migrate postgresql --back")
    sh(lab, "tanist release postgresql 2>&1")
    sh(lab, "tanist takeover postgresql 2>&1", "ec-b")
    assert sh(lab, f"cat {TREE}/odd/plain", "ec-b") == "one"
