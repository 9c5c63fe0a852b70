"""What an operator, a peer or a disk can get wrong: a clear error with its exit status, and nothing lost or changed.

One lab with PostgreSQL for the most; each test begins and ends with the controller released, as `set_up` leaves it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from lab.checks import diff, read_fingerprint
from lab.controllers import opscenter
from lab.lab import Lab
from lab.layout import node_spec
from lab.opscenter.software import VERSION
from tests.lab.kills import kill_at, let_go, plain_records, take
from tests.lab.mistakes import BAD_DEFINITION, BUSY, FAILED, NOT_PROVED, REFUSED, changes, released, replaced, unchanged
from tests.lab.subject import OPSCENTER, POSTGRESQL, Pair, expect, other_node, said, set_up

DEFINITION = "/etc/tanist/controllers/postgresql.toml"
BOUND = 90.0  # seconds: far above what is promised, far below "hangs"


@pytest.fixture(scope="module")
def made(lab: Lab) -> Pair:
    return set_up(lab, POSTGRESQL)


@pytest.fixture
def pair(made: Pair) -> Pair:
    return released(made)


# ---- definitions


def test_a_broken_definition_tells_all_its_mistakes_at_once(pair: Pair) -> None:
    spoil = (
        """sed -i -e 's/^fstype = .*/fstype = "ext5"/' -e 's/^mode = .*/mode = 7/' -e 's/^hostname/hostnam/' """
        """-e 's#^address = "10.88.0.50/24"#address = "10.88.0.500/24"#' "$1" """
    )
    with replaced(pair, "ec-b", DEFINITION, spoil), unchanged(pair, "ec-b"):
        checked = pair.lab.exec("ec-b", ["tanist", "definition", "check", DEFINITION])
        message = expect(checked, BAD_DEFINITION, ["ext5", "hostnam", "10.88.0.500", "mode"])
        for verb in ("takeover", "release", "resume"):
            assert expect(pair.tanist("ec-b", verb), BAD_DEFINITION, ["ext5", "hostnam", "10.88.0.500", "mode"])
    lines = [line for line in message.splitlines() if "postgresql.toml:" in line]
    assert len(lines) >= 4, message
    assert all(line.split(":")[1].isdigit() for line in lines if line.startswith("/")), message


def test_a_controller_that_is_not_defined_is_refused(pair: Pair) -> None:
    done = pair.lab.exec("ec-b", ["tanist", "takeover", "postgresq"])
    expect(done, REFUSED, ['there is no definition "postgresq"', "postgresql"])


# ---- the standby


@pytest.mark.requirement("A55")
def test_a_missing_account_is_refused_before_anything_is_touched(pair: Pair) -> None:
    pair.sh("ec-b", "groupmod -n elsewhere ssl-cert")
    try:
        with unchanged(pair, "ec-b"):
            expect(pair.tanist("ec-b", "takeover"), REFUSED, ["lacks the group ssl-cert", "adduser --system --group"])
    finally:
        pair.sh("ec-b", "groupmod -n ssl-cert elsewhere")


def test_init_typed_on_a_standby_is_refused_and_the_owners_asset_is_not_touched(pair: Pair) -> None:
    take(pair, "ec-a")
    with unchanged(pair, "ec-b"):
        expect(pair.tanist("ec-b", "init"), REFUSED, ["is in use already: postgresql, held by ec-a", "tanist takeover"])
    pair.check_active("ec-a")
    let_go(pair, "ec-a")


@pytest.mark.requirement("A56", "A57", "A58")
def test_directories_and_links_where_files_were_come_back_byte_for_byte(pair: Pair) -> None:
    odd = """
    mkdir -p /srv/own && echo target > /srv/own/target && chmod 4750 /srv/own/target && chown postgres:daemon /srv/own
    mv /etc/postgresql /srv/own/postgresql && ln -s /srv/own/postgresql /etc/postgresql
    mkdir -m 2751 /etc/ssl/certs/db.pem && echo inside > /etc/ssl/certs/db.pem/inside
    setfattr -n user.mark -v here /etc/ssl/certs/db.pem/inside && setfacl -m u:daemon:r /etc/ssl/certs/db.pem/inside
    ln /etc/ssl/certs/db.pem/inside /etc/ssl/certs/db.pem/again
    ln -s /srv/own/target /etc/ssl/private/db.key
    ln -s /nowhere /etc/cron.d/postgresql-ledger
    """
    even = """
    rm -rf /etc/postgresql /etc/ssl/certs/db.pem /etc/ssl/private/db.key /etc/cron.d/postgresql-ledger
    mv /srv/own/postgresql /etc/postgresql && rm -r /srv/own
    """
    pair.sh("ec-b", f"set -e\n{odd}")
    before = read_fingerprint(pair.lab, "ec-b")
    take(pair, "ec-b")
    pair.check_active("ec-b")
    kinds = pair.sh("ec-b", "stat -c %F /etc/postgresql /etc/ssl/certs/db.pem /etc/ssl/private/db.key")
    assert kinds.split("\n") == ["directory", "regular file", "regular file"]
    own = ("/srv/own",)
    assert not diff(before.only(*own), read_fingerprint(pair.lab, "ec-b").only(*own))
    pair.must("ec-b", "release")
    assert not changes(before, read_fingerprint(pair.lab, "ec-b"))
    pair.sh("ec-b", f"set -e\n{even}")
    pair.own["ec-b"] = read_fingerprint(pair.lab, "ec-b")
    pair.check_released("ec-b")


# ---- peers


def test_a_peer_that_hangs_is_alive_and_the_takeover_is_refused_in_bounded_time(pair: Pair) -> None:
    """Its kernel answers for its addresses; neither that nor a person's word makes it dead."""
    take(pair, "ec-a")
    pair.lab.freeze("ec-a")
    try:
        for options in ((), ("--attest", "I believe that it is off")):
            begun = time.monotonic()
            refused = pair.tanist("ec-b", "takeover", *options)
            expect(refused, NOT_PROVED, ["ALIVE", node_spec("ec-a").mac("svc"), "Nothing was changed on ec-b"])
            assert time.monotonic() - begun < BOUND
    finally:
        pair.lab.thaw("ec-a")
    pair.check_active("ec-a")
    pair.check_inert("ec-b")
    let_go(pair, "ec-a")


SILENT_SSHD = """
import socket, time
ear = socket.create_server(("", 22))
held = []
while True:
    held.append(ear.accept())
"""


def test_an_ssh_server_that_accepts_and_never_answers_ends_in_bounded_time(pair: Pair) -> None:
    take(pair, "ec-a")
    pair.sh("ec-a", "systemctl stop ssh")
    pair.lab.exec("ec-a", ["sh", "-c", "cat > /var/tmp/silent.py"], input=SILENT_SSHD.encode(), check=True)
    pair.sh("ec-a", "systemd-run -q --collect --unit silent-sshd python3 /var/tmp/silent.py")
    try:
        with unchanged(pair, "ec-b"):
            for words in (("takeover", "--attest", "off"), ("switchover",), ("switchover", "--to", "ec-b")):
                begun = time.monotonic()
                done = pair.tanist("ec-b", *words)
                expect(done, NOT_PROVED if words[0] == "takeover" else REFUSED, ["ec-a", "what to do"])
                assert time.monotonic() - begun < BOUND
            begun = time.monotonic()
            status = pair.tanist("ec-b", "status")
            assert status.returncode == 10
            assert time.monotonic() - begun < BOUND
    finally:
        pair.sh("ec-a", "systemctl stop silent-sshd; systemctl start ssh; rm /var/tmp/silent.py")
    pair.check_active("ec-a")
    let_go(pair, "ec-a")


@pytest.mark.requirement("A61")
def test_an_address_that_a_third_machine_took_stops_the_takeover_and_names_its_mac(pair: Pair) -> None:
    """Once before it, found among the evidence; once in its midst, and everything is undone."""
    records = plain_records(pair, "takeover")
    with third_machine(pair), unchanged(pair, "ec-b"):
        expect(pair.tanist("ec-b", "takeover"), NOT_PROVED, [pair.subject.address, node_spec("client").mac("svc")])
    at = records.index("StepDone apply SetHostname") + 1
    assert kill_at(pair, "ec-b", ("takeover",), at)
    with third_machine(pair):
        wanted = [f"{pair.subject.address} is in use by {node_spec('client').mac('svc')}", "Everything was undone"]
        expect(pair.tanist("ec-b", "resume"), FAILED, wanted)
        pair.check_released("ec-b")
    take(pair, "ec-b")
    pair.check_active("ec-b")
    let_go(pair, "ec-b")


@contextmanager
def third_machine(pair: Pair) -> Iterator[None]:
    address = f"{pair.subject.address}/32"
    pair.sh("client", f"ip addr add {address} dev svc0")
    try:
        yield
    finally:
        pair.sh("client", f"ip addr del {address} dev svc0; ip neigh flush dev svc0")


def test_an_isolated_node_proves_nothing(pair: Pair) -> None:
    take(pair, "ec-a")
    with unchanged(pair, "ec-b"):
        pair.lab.isolate("ec-b")
        try:
            for options in ((), ("--attest", "it is off, I think")):
                refused = pair.tanist("ec-b", "takeover", *options)
                expect(refused, NOT_PROVED, ["carrier", "Nothing was changed on ec-b"])
        finally:
            pair.lab.join("ec-b")
    pair.check_active("ec-a")
    let_go(pair, "ec-a")


# ---- two operators


@pytest.mark.requirement("A05")
@pytest.mark.parametrize("again", range(5))
def test_of_two_operators_on_two_nodes_one_wins_and_the_other_is_told(pair: Pair, again: int) -> None:
    """Each later than the last time, so that the one's look meets the other's at each of its acts."""
    pair.turns.clear()
    nodes = ("ec-a", "ec-b") if again % 2 else ("ec-b", "ec-a")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pair.tanist, nodes[0], "takeover")
        time.sleep(0.4 * again)
        ran = {nodes[1]: pair.tanist(nodes[1], "takeover"), nodes[0]: first.result()}
    winners = [node for node, done in ran.items() if done.returncode == 0]
    assert len(winners) == 1, {node: (done.returncode, said(done)) for node, done in ran.items()}
    winner = winners[0]
    loser = other_node(winner)
    assert ran[loser].returncode in (BUSY, NOT_PROVED), said(ran[loser])
    message = said(ran[loser])
    assert winner in message, message
    assert "since 20" in message, message  # since when, as a time
    assert "root" in message, message  # by whom
    pair.check_active(winner)
    pair.check_inert(loser)
    let_go(pair, winner)


def test_of_two_operators_on_one_node_one_runs_and_the_other_is_told(pair: Pair) -> None:
    pair.turn("ec-b")
    # the note of whoever had the lock last stays in the file
    left = pair.sh("ec-b", "cat /run/tanist/postgresql/lock || :")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pair.tanist, "ec-b", "takeover")
        pair.sh(
            "ec-b",
            """for i in $(seq 400); do
            note=$(cat /run/tanist/postgresql/lock 2>&1)
            case $note in "$1") ;; *takeover*) exit 0 ;; esac
            sleep 0.02; done; exit 1""",
            left,
        )
        for verb in ("takeover", "release", "resume", "undo"):
            second = pair.tanist("ec-b", verb)
            if first.done():
                break
            expect(second, BUSY, ["a takeover by root", "begun 20", "nothing was changed"])
        assert first.result().returncode == 0, said(first.result())
    pair.check_active("ec-b")
    let_go(pair, "ec-b")


# ---- journals


def test_a_journal_that_was_altered_is_an_error_that_names_its_line(pair: Pair) -> None:
    """Nothing is done on the word of an altered journal. Put right, it is taken up again."""
    pair.turn("ec-b")
    assert kill_at(pair, "ec-b", ("takeover",), 9)
    path = pair.sh("ec-b", "ls /var/lib/tanist/postgresql/runs/*.jsonl")
    pair.sh("ec-b", """cp -a "$1" /var/tmp/journal && sed -i '5s/"boot"/"boat"/' "$1" """, path)
    with unchanged(pair, "ec-b"):
        for verb in ("resume", "undo", "takeover", "release"):
            expect(pair.tanist("ec-b", verb), FAILED, [path, "damaged at line 5", "manual"])
        status = pair.tanist("ec-b", "status")
        assert status.returncode in (FAILED, 20), said(status)
        assert "line 5" in said(status), said(status)
    # a peer that can't tell what it is doing is not a peer that is inert
    other = pair.tanist("ec-a", "takeover")
    assert other.returncode == NOT_PROVED, said(other)
    pair.sh("ec-b", 'cat /var/tmp/journal > "$1"; rm /var/tmp/journal', path)
    pair.must("ec-b", "undo")
    pair.check_released("ec-b")


def test_a_journal_without_its_beginning_is_an_error(pair: Pair) -> None:
    pair.turn("ec-b")
    assert kill_at(pair, "ec-b", ("takeover",), 4)
    path = pair.sh("ec-b", "ls /var/lib/tanist/postgresql/runs/*.jsonl")
    pair.sh("ec-b", """cp -a "$1" /var/tmp/journal && sed -i 1d "$1" """, path)
    with unchanged(pair, "ec-b"):
        for verb in ("resume", "undo"):
            expect(pair.tanist("ec-b", verb), FAILED, [path, "damaged at line 1"])
    pair.sh("ec-b", 'cat /var/tmp/journal > "$1"; rm /var/tmp/journal', path)
    pair.must("ec-b", "undo")
    pair.check_released("ec-b")


# ---- the Ops Center's own


@pytest.fixture(scope="module")
def ops(lab_name: str) -> Iterator[Pair]:
    lab = Lab(f"{lab_name}o")
    try:
        yield set_up(lab, OPSCENTER)
    finally:
        lab.down()


@contextmanager
def installed(pair: Pair, *options: str) -> Iterator[None]:
    """Other software on ec-b, by its own installer; in the end the right one again."""
    install = ["python3", f"{opscenter.SOURCE}/install.py", "install"]
    pair.lab.exec("ec-b", [*install, *options], check=True)
    try:
        yield
    finally:
        pair.lab.exec("ec-b", install, check=True)
        pair.own["ec-b"] = read_fingerprint(pair.lab, "ec-b")


@pytest.mark.requirement("A11", "A25", "A26", "A28", "A29")
def test_another_product_version_on_the_standby_is_refused_and_both_are_named(ops: Pair) -> None:
    """The owner is not asked: its version was captured, and it may be dead."""
    script = "sed -n 's/^product.version=//p' /n1gc-setup/.version.properties | tail -n 1"
    theirs = ops.sh("ec-a", script)
    with installed(ops, "--version", "2.1.0.999"):
        assert (theirs, ops.sh("ec-b", script)) == (VERSION, "2.1.0.999")
        with unchanged(ops, "ec-b"):
            for words in (("takeover",), ("takeover", "--dry-run")):
                expect(ops.tanist("ec-b", *words), REFUSED, [theirs, "2.1.0.999", "ec-a", "ec-b"])
    take(ops, "ec-b")
    ops.check_active("ec-b")
    let_go(ops, "ec-b")


@pytest.mark.requirement("A03", "A04")
def test_a_stand_alone_proxy_is_told_that_it_is_outside_the_scope(ops: Pair) -> None:
    with installed(ops, "--role", "proxy"), unchanged(ops, "ec-b"):
        for words in (("takeover",), ("takeover", "--dry-run")):
            expect(ops.tanist("ec-b", *words), REFUSED, ["stand-alone Proxy Controller", "outside the scope"])
