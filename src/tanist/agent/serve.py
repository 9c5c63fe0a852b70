"""GET /metrics for Prometheus, on an address that the administrator chose. Nothing else is answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tanist.model.errors import Refused

if TYPE_CHECKING:
    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


def serve(listen: str, metrics: Callable[[], str]) -> ThreadingHTTPServer:
    """`listen`: "ADDRESS:PORT". In a thread of its own. Refused for what is no address; OSError when it is taken."""
    address, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit():
        raise Refused(f"{listen!r} is no address to listen on", next_step="--listen 127.0.0.1:9789")

    class Answer(BaseHTTPRequestHandler):
        timeout = 10.0  # seconds for one question

        def do_GET(self) -> None:
            found = self.path == "/metrics"
            body = metrics().encode() if found else b"tanist-agent: /metrics\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            """Questions are not news."""

    server = ThreadingHTTPServer((address.strip("[]"), int(port)), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
