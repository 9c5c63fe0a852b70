"""What a fence agent must know and nobody else may: read at the last moment, kept nowhere.

In: a place that the definition names. Out: pairs for the agent's stdin, or Unread. Never in argv, a log or a message.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from tanist.model.unread import Unread

if TYPE_CHECKING:
    from typing_extensions import override

    from tanist.host.host import Host
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


STORES = ("/etc/credstore.encrypted", "/etc/credstore")  # systemd-creds(1), systemd.exec(5) LoadCredential=
LIMIT = 1 << 16
BLOT = "***"


class Secrets:
    """Pairs that do not show themselves."""

    def __init__(self, pairs: tuple[tuple[str, str], ...] = ()) -> None:
        self.pairs = pairs

    @override
    def __repr__(self) -> str:
        return BLOT

    def blot(self, text: str) -> str:
        """The text without them, longest first: one may be part of another."""
        for value in sorted((value for _, value in self.pairs if value), key=len, reverse=True):
            text = text.replace(value, BLOT)
        return text


def read_secrets(host: Host, place: str) -> Secrets | Unread:
    """`place`: a file, "credential:NAME", or "" for none. What is wrong with it is said without its content."""
    if not place:
        return Secrets()
    scheme, _, name = place.partition(":")
    if scheme == "credential":
        return _read_credential(host, name)
    return _read_file(host, place)


def _read_file(host: Host, path: str) -> Secrets | Unread:
    wrong = check_place(host, path)
    if wrong:
        return Unread(wrong)
    try:
        return parse_secrets(host.files.read(path, LIMIT), path)
    except OSError as error:
        return Unread(f"{path}: {error.strerror or error}")


def check_place(host: Host, path: str) -> str:
    """Why its secrets are none; "" when only root can read them."""
    try:
        info = host.files.stat(path, follow=False)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    if info is None:
        return f"{path} is missing"
    if not stat.S_ISREG(info.st_mode):
        return f"{path} is no plain file"
    if info.st_uid != 0 or info.st_mode & 0o077:
        return f"others than root may read or change {path}: chown root {path}; chmod 600 {path}"
    return ""


def _read_credential(host: Host, name: str) -> Secrets | Unread:
    encrypted, plain = (f"{store}/{name}" for store in STORES)
    if not host.files.exists(encrypted):
        found = _read_file(host, plain)
        missing = isinstance(found, Unread) and found.why.endswith("is missing")
        return Unread(f"there is no credential {name} in {' or '.join(STORES)}") if missing else found
    try:
        ran = host.run(["systemd-creds", "decrypt", f"--name={name}", encrypted, "-"], ok=None, timeout=20)
    except OSError as error:
        return Unread(f"{encrypted}: {error.strerror or error}")
    if ran.status != 0:
        words = ran.stderr.decode("utf-8", "replace").strip().splitlines()  # stdout may hold half a secret
        return Unread(f"{encrypted} cannot be decrypted: {words[-1] if words else f'exit status {ran.status}'}")
    return parse_secrets(ran.stdout, encrypted)


def parse_secrets(data: bytes, where: str) -> Secrets | Unread:
    """KEY=VALUE lines, as the agents read them; a line that begins with # says nothing."""
    pairs = []
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError:
        return Unread(f"{where} is no text")
    for number, line in enumerate(lines, start=1):
        key, equals, value = line.partition("=")
        if not line.strip() or line.startswith("#"):
            continue
        if not equals or not key.replace("_", "").replace("-", "").isalnum() or key == "action":
            return Unread(f"{where}, line {number}: not KEY=VALUE")
        pairs.append((key, value))
    return Secrets(tuple(pairs)) if pairs else Unread(f"{where} has no KEY=VALUE line")
