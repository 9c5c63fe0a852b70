"""The peer over ssh, long conversations, and servers that answer, refuse or keep silent."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tanist.host import clients
from tanist.host.conversation import Conversation
from tanist.host.fake import FakeHost
from tanist.host.local import LocalHost
from tanist.host.ssh import SSH_FAILED, open_peer, run_on_peer, ssh_command
from tanist.model.definition import Node


@contextmanager
def server(answer: bytes | None, *, drip: float = 0.0) -> Iterator[int]:
    """A TCP server that says `answer` (or nothing at all) to every connection and leaves it open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                kept.append(connection)
                try:
                    for byte in answer or b"":
                        connection.sendall(bytes([byte]))
                        time.sleep(drip)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()
            thread.join(2)
            for connection in kept:  # one that was accepted meanwhile
                connection.close()


def node(ssh: str) -> Node:
    return Node(name="ec2", ssh=ssh, management=())


def test_the_remote_shell_gets_one_quoted_string(tmp_path: Path) -> None:
    host = FakeHost(str(tmp_path))
    host.answer(["ssh"], "fine\n")
    argv = ["tanist", "peer", "it's; $(here)"]
    assert run_on_peer(host, node("root@ec2"), argv, timeout=5, known_hosts="/etc/tanist/known").text == "fine\n"
    command = host.ran[0]
    assert command[-4:] == ("-T", "--", "root@ec2", """tanist peer 'it'"'"'s; $(here)'""")
    assert "-oHostKeyAlias=tanist-ec2" in command and "-oStrictHostKeyChecking=yes" in command
    assert "-oUserKnownHostsFile=/etc/tanist/known" in command and "-oBatchMode=yes" in command


def test_ssh_understands_every_option_that_it_is_given() -> None:
    command = ssh_command(node("root@ec2"), ["true"], known_hosts="/nowhere")
    ran = LocalHost().run([command[0], "-G", *command[1:]])
    shown = dict(line.split(" ", 1) for line in ran.text.splitlines() if " " in line)
    assert shown["hostkeyalias"] == "tanist-ec2" and shown["stricthostkeychecking"] == "true"
    assert shown["userknownhostsfile"] == "/nowhere" and shown["requesttty"] == "false"


def test_where_secrets_travel_openssh_chooses_the_key_exchange() -> None:
    secret = ssh_command(node("root@ec2"), ["true"], known_hosts="/nowhere")
    plain = ssh_command(node("root@ec2"), ["true"], known_hosts="/nowhere", secret=False)
    assert not any("KexAlgorithms" in word for word in secret)
    assert set(plain) - set(secret) == {"-oKexAlgorithms=^curve25519-sha256"}


def test_a_peer_that_refuses_is_told_from_a_command_that_fails() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = node(f"ssh://127.0.0.1:{unused.getsockname()[1]}")
        ran = run_on_peer(LocalHost(), target, ["true"], timeout=5, known_hosts="/dev/null")
    assert ran.status == SSH_FAILED and "Connection refused" in ran.complaint


def test_a_peer_that_accepts_and_keeps_silent_ends_in_time() -> None:
    with server(None) as port:
        before = time.monotonic()
        with pytest.raises(OSError) as caught:
            run_on_peer(LocalHost(), node(f"ssh://127.0.0.1:{port}"), ["true"], timeout=0.4, known_hosts="/dev/null")
        assert caught.value.errno == errno.ETIMEDOUT and time.monotonic() - before < 20
        ran = run_on_peer(
            LocalHost(),
            node(f"ssh://127.0.0.1:{port}"),
            ["true"],
            timeout=5,
            known_hosts="/dev/null",
            connect_timeout=1,
        )
        assert ran.status == SSH_FAILED and "timed out" in ran.complaint


def test_a_conversation_goes_line_by_line_and_ends_with_a_status() -> None:
    with Conversation(["sh", "-c", 'while read line; do echo "heard $line"; done; exit 4']) as peer:
        for word in ("one", "two " + "x" * 100_000):
            peer.write_line(word, 2)
            assert peer.read_line(2) == f"heard {word}"
        with pytest.raises(ValueError, match="newline"):
            peer.write_line("a\nb", 1)
        assert peer.finish(2) == 4


def test_a_silent_partner_times_out_and_is_killed() -> None:
    before = time.monotonic()
    with Conversation(["sleep", "30"]) as peer:
        with pytest.raises(OSError) as caught:
            peer.read_line(0.1)
        assert caught.value.errno == errno.ETIMEDOUT
        with pytest.raises(OSError) as caught:
            peer.write_line("x" * 1_000_000, 0.1)
        assert caught.value.errno == errno.ETIMEDOUT
        with pytest.raises(OSError) as caught:
            peer.finish(0.1)
        assert caught.value.errno == errno.ETIMEDOUT
    assert time.monotonic() - before < 25


def test_a_partner_that_ended_is_quoted() -> None:
    with Conversation(["sh", "-c", "echo last; echo 'no such thing' >&2; exit 3"]) as peer:
        assert peer.read_line(2) == "last"
        with pytest.raises(OSError, match=r"has ended \(status 3\): no such thing") as caught:
            peer.read_line(2)
        assert caught.value.errno == errno.EPIPE


def test_a_partner_with_much_to_complain_about_is_not_stuck() -> None:
    with Conversation(["sh", "-c", "head -c 500000 /dev/zero | tr '\\0' e >&2; echo done"]) as peer:
        assert peer.read_line(5) == "done"


def test_opening_a_peer_that_is_not_there_says_why() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = node(f"ssh://127.0.0.1:{unused.getsockname()[1]}")
        with open_peer(target, ["true"], known_hosts="/dev/null") as peer, pytest.raises(OSError, match="refused"):
            peer.read_line(5)


def test_http_status_of_what_a_server_says() -> None:
    with server(b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n") as port:
        assert clients.http_status(f"http://127.0.0.1:{port}/x?y=1", 2) == 302
        assert clients.tcp_answers("127.0.0.1", port, 1)


@pytest.mark.parametrize(("answer", "drip"), [(None, 0.0), (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, 0.05)])
def test_http_ends_in_time_with_a_server_that_does_not_come_to_an_end(answer: bytes | None, drip: float) -> None:
    with server(answer, drip=drip) as port:
        before = time.monotonic()
        with pytest.raises(OSError):
            clients.http_status(f"http://127.0.0.1:{port}/", 0.3)
        assert time.monotonic() - before < 20


def test_what_is_no_http_is_no_answer() -> None:
    with server(b"SSH-2.0-OpenSSH_9.2\r\n") as port, pytest.raises(OSError, match="no HTTP answer"):
        clients.http_status(f"http://127.0.0.1:{port}/", 1)
    with pytest.raises(OSError, match="not an http address"):
        clients.http_status("file:///etc/passwd", 1)


def test_datagrams_are_answered_refused_or_met_with_silence() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]

        def echo() -> None:
            for _ in range(3):
                message, sender = server.recvfrom(512)
                if message != b"lost":
                    server.sendto(message.upper(), sender)

        answering = threading.Thread(target=echo)
        answering.start()
        assert sorted(clients.ask_datagrams("127.0.0.1", port, (b"one", b"lost", b"two"), 0.5)) == [b"ONE", b"TWO"]
        answering.join()
    with pytest.raises(OSError, match="refused"):
        clients.ask_datagrams("127.0.0.1", port, (b"one",), 0.5)
    with pytest.raises(OSError):
        clients.ask_datagrams("no-such.invalid", 53, (b"one",), 0.5)


def test_an_address_that_cannot_be_asked_is_an_error() -> None:
    with pytest.raises(OSError, match=r"no-such\.invalid:22"):
        clients.tcp_answers("no-such.invalid", 22, 1)
