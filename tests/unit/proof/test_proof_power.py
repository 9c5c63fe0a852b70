"""Power: any fence agent by its stdin protocol. "off" is what was read back; "cannot tell" never is."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tanist.host.fake import FakeHost
from tanist.host.local import LocalHost
from tanist.model.definition import PowerDevice
from tanist.model.evidence import Says
from tanist.model.unread import Unread
from tanist.proof.power import cut_power, look_at_power, parse_status, read_device, read_power
from tanist.proof.secrets import Secrets, read_secrets

HOST = LocalHost()
SECRET = "hunter2-xyzzy"
# Each a program that speaks, or should speak, the protocol of fence-agents; $STATE is its plug, $LOG what it was told.
AGENT = """#!/bin/sh
STATE={state} LOG={log}
input=$(cat); printf '%s\\n--\\n' "$input" >>"$LOG"
action=$(printf '%s\\n' "$input" | sed -n 's/^action=//p' | tail -1)
{body}
"""
HONEST = """
case $action in
    off) echo off >$STATE;;
    on) echo on >$STATE;;
    status) read now <$STATE; if [ $now = off ]; then echo "Status: OFF"; exit 2; fi; echo "Status: ON";;
esac
"""


class Bench:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.secrets = directory / "secrets"
        self.secrets.write_text(f"# of the outlet\npasswd={SECRET}\n")
        self.secrets.chmod(0o600)

    def agent(self, body: str = HONEST, name: str = "fence_test", state: str = "on", **more: object) -> PowerDevice:
        path, plug = self.directory / name, self.directory / f"{name}.state"
        path.write_text(AGENT.format(state=plug, log=self.log, body=body))
        path.chmod(0o755)
        plug.write_text(state + "\n")
        asked = {"node": "ec-a", "agent": str(path), "options": (("ip", "10.99.0.21"),), "timeout": 5.0, "retry": 0}
        return PowerDevice(**{**asked, "secrets": str(self.secrets), **more})  # type: ignore[arg-type]

    def calls(self) -> list[str]:
        told = self.log.read_text().split("--\n") if self.log.exists() else []
        return [one.strip().splitlines()[-1].removeprefix("action=") for one in told if one.strip()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# -- agents that do what they say
def test_off_counts_once_it_was_read_back(bench: Bench) -> None:
    device = bench.agent()
    assert read_power(HOST, (device,))[0] is Says.ON
    says, detail = cut_power(HOST, (device,))
    assert says is Says.OFF and "cut it and says off" in detail
    assert bench.calls() == ["status", "status", "off", "status", "status"]
    assert look_at_power(HOST, "ec-a", (device,)).at == 0.0


def test_already_off_counts_and_nothing_is_sent(bench: Bench) -> None:
    says, detail = cut_power(HOST, (bench.agent(state="off"),))
    assert says is Says.OFF and "already" in detail
    assert "off" not in bench.calls()


def test_all_devices_of_a_level_must_be_off_and_the_next_level_is_tried(bench: Bench) -> None:
    dead = "echo 'Connection timed out' >&2; exit 1"
    first, second = bench.agent(name="fence_psu1"), bench.agent(dead, name="fence_psu2")
    last = bench.agent(name="fence_pdu", level=2)
    says, detail = cut_power(HOST, (first, second))
    assert says is Says.UNKNOWN and "Connection timed out" in detail
    assert cut_power(HOST, (last, first, second))[0] is Says.OFF
    assert read_power(HOST, (first, second))[0] is Says.UNKNOWN
    assert read_power(HOST, (first, second, last))[0] is Says.OFF


def test_a_feed_that_comes_back_while_the_other_is_cut_is_not_off(bench: Bench) -> None:
    first = bench.agent(name="fence_psu1", state="off")
    revives = f"[ $action = off ] && echo on >{bench.directory}/fence_psu1.state\n{HONEST}"
    assert cut_power(HOST, (first, bench.agent(revives, name="fence_psu2")))[0] is Says.UNKNOWN


def test_off_is_sent_again_where_the_first_did_nothing(bench: Bench) -> None:
    lazy = f"[ $action = off ] && [ ! -e $STATE.asked ] && touch $STATE.asked && exit 0\n{HONEST}"
    assert cut_power(HOST, (bench.agent(lazy),))[0] is Says.UNKNOWN
    assert cut_power(HOST, (bench.agent(lazy, name="fence_other", retry=1),))[0] is Says.OFF


def test_the_delay_comes_before_off_and_not_before_the_status(bench: Bench) -> None:
    begun = time.monotonic()
    assert cut_power(HOST, (bench.agent(delay=0.4),))[0] is Says.OFF
    assert time.monotonic() - begun >= 0.4
    assert bench.agent(delay=0.5, retry=1).longest == 0.5 + 2 * 10 + 1 + 10


# -- agents that do not
@pytest.mark.parametrize("honest_for", [1, 2])
def test_off_that_is_said_once_and_not_again_does_not_count(bench: Bench, honest_for: int) -> None:
    """It says off when it is asked first, or first after "off" was sent, and on the next time."""
    body = f"""
    [ $action = status ] || exit 0
    echo >>$STATE.asked
    case $(wc -l <$STATE.asked) in {honest_for}) echo "Status: OFF"; exit 2;; esac
    echo "Status: ON"
    """
    says, detail = cut_power(HOST, (bench.agent(body),))
    assert says is Says.UNKNOWN and "says on" in detail


BAD = {
    "hangs": ("sleep 60", "no end within"),
    "hangs in a child": ("sleep 60 & wait", "no end within"),
    "lies that off worked": ("case $action in status) echo Status: ON;; esac", "says on"),
    "says off and ends as on": ("echo 'Status: OFF'; exit 0", "exit status 0"),
    "says on and ends as off": ("echo 'Status: ON'; exit 2", "exit status 2"),
    "says both": ("echo 'Status: OFF'; echo 'Status: ON'; exit 2", "exit status 2"),
    "ends as off without a word": ("exit 2", "exit status 2 without a word"),
    "does not know its options": ("echo 'usage: fence_test [-h]' >&2; exit 2", "usage: fence_test"),
    "prints garbage": ("head -c 3000 /dev/urandom; exit 2", "exit status 2"),
    "prints without end": ("yes Status: maybe", "no end within"),
    "cannot reach its device": ("echo 'Unable to connect/login to fencing device' >&2; exit 1", "Unable to connect"),
    "asks for a password": ("printf Password: >/dev/tty && read p </dev/tty; exit 1", "exit status"),
    "asks for it on stdin": ("echo Password:; read p || exit 1; echo 'Status: OFF'; exit 2", "exit status 1"),
    "dies": ("kill -SEGV $$", "exit status -11"),
    "tells its password": (f"echo 'login as {SECRET} failed' >&2; exit 1", "login as *** failed"),
}


@pytest.mark.parametrize("name", BAD)
def test_unknown_fence_answer_is_not_proof_of_death(bench: Bench, name: str) -> None:
    body, said = BAD[name]
    device = bench.agent(body, timeout=0.5)
    for says, detail in (read_power(HOST, (device,)), cut_power(HOST, (device,))):
        assert says is not Says.OFF
        assert said in detail and SECRET not in detail
        assert len(detail) < 600 and detail.isprintable()


def test_a_missing_agent_or_one_that_cannot_be_run_says_what_to_install(bench: Bench) -> None:
    for agent in ("fence_nowhere", str(bench.secrets)):
        says, detail = cut_power(HOST, (PowerDevice(node="ec-a", agent=agent),))
        assert says is Says.UNKNOWN and "apt-get install fence-agents" in detail


def test_a_node_without_devices_cannot_be_cut() -> None:
    assert cut_power(HOST, ())[0] is read_power(HOST, ())[0] is Says.UNKNOWN


def test_status_texts_of_agents_are_told_apart() -> None:
    assert parse_status(0, "Status: ON\n") == "on"
    assert parse_status(2, "2026-01-01 12:00 INFO: x\nStatus: OFF\n") == "off"
    assert isinstance(parse_status(2, "Status: OFFLINE\n"), Unread)
    assert isinstance(parse_status(2, "The last Status: OFF was long ago"), Unread)


# -- secrets
def test_secrets_travel_by_stdin_and_nowhere_else(bench: Bench) -> None:
    peek = f"tr '\\0' ' ' </proc/$$/cmdline >$LOG.argv; tr '\\0' ' ' </proc/$$/environ >$LOG.env\n{HONEST}"
    device = bench.agent(peek)
    assert read_device(HOST, device) == "on"
    assert f"passwd={SECRET}\n" in bench.log.read_text()
    assert SECRET not in (bench.directory / "log.argv").read_text() + (bench.directory / "log.env").read_text()
    assert SECRET not in repr(device) + repr(read_secrets(HOST, device.secrets))


def test_nothing_that_the_definition_or_a_secret_says_becomes_another_action(bench: Bench) -> None:
    device = bench.agent(options=(("ip", "1"), ("plug", "x")))
    bench.secrets.write_text("passwd=x\naction=on\n")
    assert isinstance(read_device(HOST, device), Unread)
    assert bench.calls() == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_secrets_that_others_can_read_are_not_used(bench: Bench, mode: int) -> None:
    bench.secrets.chmod(mode)
    state = read_device(HOST, bench.agent())
    assert isinstance(state, Unread) and "chmod 600" in state.why and bench.calls() == []


def test_secrets_of_somebody_else_or_by_way_of_a_link_are_not_used(bench: Bench) -> None:
    os.chown(bench.secrets, 1234, 0)
    assert isinstance(read_secrets(HOST, str(bench.secrets)), Unread)
    os.chown(bench.secrets, 0, 0)
    (bench.directory / "link").symlink_to(bench.secrets)
    assert isinstance(read_secrets(HOST, str(bench.directory / "link")), Unread)
    assert isinstance(read_secrets(HOST, str(bench.directory)), Unread)
    assert isinstance(read_secrets(HOST, "/nowhere"), Unread)


@pytest.mark.parametrize("content", [b"", b"# none\n", b"hunter2\n", b"pass word=x\n", b"\xff=\xfe\n", b"=x\n"])
def test_a_file_that_holds_no_secrets_is_told_without_its_content(bench: Bench, content: bytes) -> None:
    bench.secrets.write_bytes(content)
    found = read_secrets(HOST, str(bench.secrets))
    assert isinstance(found, Unread) and "hunter2" not in found.why


def test_a_credential_that_is_not_there_is_said() -> None:
    found = read_secrets(HOST, "credential:tanist-no-such")
    assert isinstance(found, Unread) and "no credential tanist-no-such" in found.why


def test_a_credential_is_decrypted_by_its_own_name_and_told_to_nobody(tmp_path: Path) -> None:
    host, place = FakeHost(str(tmp_path)), "/etc/credstore.encrypted/outlet"
    host.files.make_directory("/etc/credstore.encrypted")
    host.files.write(place, b"sealed", 0o600)
    host.answer(["systemd-creds"], f"passwd={SECRET}\n")
    found = read_secrets(host, "credential:outlet")
    assert isinstance(found, Secrets) and found.pairs == (("passwd", SECRET),) and SECRET not in repr(found)
    assert host.ran == [("systemd-creds", "decrypt", "--name=outlet", place, "-")]
    host.answer(["systemd-creds"], f"passwd={SECRET}", status=1, stderr="Bad message\n")
    found = read_secrets(host, "credential:outlet")
    assert isinstance(found, Unread) and found.why == f"{place} cannot be decrypted: Bad message"


@pytest.mark.parametrize(("mode", "usable"), [(0o600, True), (0o644, False)])
def test_a_credential_that_lies_there_plain_is_as_any_file(tmp_path: Path, mode: int, usable: bool) -> None:
    host = FakeHost(str(tmp_path))
    host.files.make_directory("/etc/credstore")
    host.files.write("/etc/credstore/outlet", f"passwd={SECRET}\n".encode(), mode)
    assert isinstance(read_secrets(host, "credential:outlet"), Secrets) is usable


def test_a_secret_within_another_is_blotted_out_whole() -> None:
    assert Secrets((("a", "abc"), ("b", "abcdef"), ("c", ""))).blot("abcdef abc") == "*** ***"


# -- the agents of Debian
def dummy(bench: Bench, **more: object) -> PowerDevice:
    asked = {"node": "ec-a", "agent": "fence_dummy", "options": (("status_file", str(bench.directory / "plug")),)}
    return PowerDevice(**{**asked, **more})  # type: ignore[arg-type]


def test_a_real_agent_is_cut_and_read_back(bench: Bench) -> None:
    (bench.directory / "plug").write_text("on")
    assert read_power(HOST, (dummy(bench),))[0] is Says.ON
    assert cut_power(HOST, (dummy(bench),))[0] is Says.OFF
    assert (bench.directory / "plug").read_text() == "off"
    assert "already" in cut_power(HOST, (dummy(bench),))[1]


def test_a_real_agent_that_cannot_tell_proves_nothing(bench: Bench) -> None:
    device = dummy(bench, options=(("type", "fail"), ("plug", "1")), timeout=20.0)
    fails = PowerDevice(node="ec-a", agent="fence_virsh", options=(("ip", "127.0.0.1"), ("plug", "x")), timeout=20.0)
    for one in (device, fails):
        assert read_power(HOST, (one,))[0] is not Says.OFF


def test_the_labs_own_agent_has_metadata_as_the_agents_schema_wants_it() -> None:
    agent = Path(__file__).parents[3] / "lab" / "guest" / "fence_tanistlab"
    for program in ([str(agent)], ["fence_dummy"]):
        out = subprocess.run(program, input=b"action=metadata\n", capture_output=True, check=True).stdout
        schema = ["xmllint", "--noout", "--relaxng", "/usr/share/cluster/relaxng/metadata.rng", "-"]
        done = subprocess.run(schema, input=out, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
