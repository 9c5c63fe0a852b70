"""HTTP/1.1 in, Request; Response, HTTP/1.1 out. Knows nothing of what is served."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from typing_extensions import override
else:  # typing.override came with Python 3.12

    def override(method):
        return method


_LARGEST_BODY = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    token: str = ""  # from "Authorization: Bearer" or the session cookie
    body: bytes = b""

    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode(errors="replace")).items()}

    def fields(self) -> dict[str, str]:
        """The text members of a JSON object; ValueError when the body is not one."""
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("a JSON object is wanted")
        return {key: item for key, item in value.items() if isinstance(item, str)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    status: HTTPStatus = HTTPStatus.OK
    body: str = ""
    kind: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Request], Response]


def as_json(value: object, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Response:
    return Response(status=status, body=json.dumps(value) + "\n", kind="application/json", headers=headers)


def redirect(to: str, **headers: str) -> Response:
    return Response(status=HTTPStatus.SEE_OTHER, headers={"Location": to, **headers})


def render_response(response: Response, *, keep: bool) -> bytes:
    body = response.body.encode()
    head = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in response.headers.items()),
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def _token(headers: Message) -> str:
    scheme, _, token = headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return str(token).strip()
    try:
        cookie = SimpleCookie(headers.get("Cookie", "")).get("session")
    except CookieError:
        return ""
    return cookie.value if cookie else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    disable_nagle_algorithm = True
    answer: Answer

    def _serve(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", 0))
        except ValueError:
            length = -1
        if not 0 <= length <= _LARGEST_BODY:
            self.close_connection = True
            response = Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            request = Request(
                method=self.command,
                path=url.path,
                query=query,
                token=_token(self.headers),
                body=self.rfile.read(length),
            )
            response = type(self).answer(request)
        # head and body in one send: two would wait for each other's acknowledgement
        self.wfile.write(render_response(response, keep=not self.close_connection))

    do_GET = do_POST = _serve

    @override
    def log_message(self, format: str, *args: object) -> None:
        """The journal is for events, not for each request."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news; a fault of ours is answered in Application.answer."""


class Listener:
    """Serving from here on, in the background, until stop()."""

    def __init__(self, host: str, port: int, answer: Answer) -> None:
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = type("Server", (_Server,), {"address_family": family})
        self._server: ThreadingHTTPServer = server((host, port), handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
