"""One POST of JSON to a web server, without redirects and without proxies (RFC 9110)."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from typing import IO

    from typing_extensions import override
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


class _Stay(urllib.request.HTTPRedirectHandler):
    @override
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """A secret is sent to where it was meant to go, and nowhere else."""


def post_json(url: str, body: bytes, headers: Mapping[str, str], *, timeout: float, ca: str = "") -> int:
    """The status of the answer. OSError when there was none. `ca`: certificates to trust instead of the system's."""
    handlers: list[urllib.request.BaseHandler] = [_Stay(), urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca or None)))
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the hook was read
        url, body, {"Content-Type": "application/json", "User-Agent": "tanist", **headers}, method="POST"
    )
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (HTTPException, ValueError) as error:
        raise OSError(f"no HTTP answer: {error}") from None
