"""Asking a server on the network: whether it answers by TCP and HTTP, and by datagrams; each within its time limit.

http.client and ssl take 20 ms to import: only http_status() does.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.client import HTTPConnection

LARGEST = 1 << 16  # bytes of a datagram
NO_ANSWER = (errno.ECONNREFUSED, errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN)


def tcp_answers(address: str, port: int, timeout: float) -> bool:
    """Whether the connection is accepted. OSError when this machine cannot even ask (no route, no such name)."""
    try:
        socket.create_connection((address, port), timeout).close()
    except TimeoutError:
        return False
    except OSError as error:
        if error.errno in NO_ANSWER:
            return False
        raise OSError(error.errno, f"{address}:{port}: {error.strerror}") from None
    return True


def http_status(url: str, timeout: float) -> int:
    """Of one GET, redirects not followed. OSError when there is no HTTP answer within `timeout` seconds in all."""
    import http.client
    import threading
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OSError(errno.EINVAL, f"not an http address: {url}")
    connection = _connection(parts.scheme, parts.hostname, parts.port, timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    limit = threading.Timer(timeout, _cut, (connection,))  # the socket's own limit begins anew with every byte
    limit.daemon = True
    limit.start()
    try:
        connection.request("GET", target, headers={"User-Agent": "tanist", "Connection": "close"})
        return connection.getresponse().status
    except TimeoutError:
        raise OSError(errno.ETIMEDOUT, f"{url}: no answer within {timeout:g} s") from None
    except OSError as error:
        raise OSError(error.errno or errno.EIO, f"{url}: {error.strerror or error}") from None
    except http.client.HTTPException as error:
        raise OSError(errno.EPROTO, f"{url}: no HTTP answer ({type(error).__name__})") from None
    finally:
        limit.cancel()
        connection.close()


def _connection(scheme: str, host: str, port: int | None, timeout: float) -> HTTPConnection:
    import http.client
    import ssl

    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname = False  # whether the service works is asked, not whose certificate it shows:
    context.verify_mode = ssl.CERT_NONE  # a controller's console mostly signs its own
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)


def _cut(connection: HTTPConnection) -> None:
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)


def ask_datagrams(address: str, port: int, messages: Sequence[bytes], seconds: float) -> tuple[bytes, ...]:
    """The answers, as they came; fewer than messages where some were not answered in time. `address`: numeric."""
    flags = socket.AI_NUMERICHOST
    family, kind, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM, flags=flags)[0]
    found: list[bytes] = []
    with socket.socket(family, kind) as asking:
        asking.connect(target)  # the kernel drops what another one sends
        for one in messages:
            asking.send(one)
        limit = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while len(found) < len(messages) and (left := limit - time.monotonic()) > 0:
                asking.settimeout(left)
                found.append(asking.recv(LARGEST))
    return tuple(found)
