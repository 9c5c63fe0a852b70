"""The entries of the controller's own accounts and groups (passwd(5), group(5), shadow(5)), and of nobody else.

Never root's, never a foreign one's, and of a password only whether there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.beside import AccountEntry, Password
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import Accounts

LIMIT = 64 << 20


def read_account_entries(host: Host, accounts: Accounts) -> tuple[AccountEntry, ...] | Unread:
    """Of those that are in this node's files; others come from elsewhere (nsswitch.conf(5)) or are not here."""
    try:
        users = _read_lines(host, "/etc/passwd", 7)
        groups = _read_lines(host, "/etc/group", 4)
        passwords = _read_lines(host, "/etc/shadow", 2)
    except OSError as error:
        return Unread(f"{error.filename or '/etc/passwd'}: {error.strerror or error}")
    names = {fields[2]: name for name, fields in groups.items()}
    found = [
        AccountEntry(
            name=name,
            home=users[name][5],
            shell=users[name][6],
            comment=users[name][4],
            group=names.get(users[name][3], users[name][3]),
            groups=tuple(sorted(group for group, fields in groups.items() if name in fields[3].split(","))),
            password=judge_password(passwords[name][1] if name in passwords else users[name][1]),
        )
        for name in accounts.users
        if name in users
    ]
    return tuple(found)


def judge_password(field: str) -> Password:
    """shadow(5): what cannot be a hash matches no password."""
    if not field:
        return "empty"
    return "locked" if field[0] in "!*x" else "set"


def _read_lines(host: Host, path: str, fields: int) -> dict[str, list[str]]:
    """By name; the first of a name counts, as for getpwnam(3). No file: none."""
    found: dict[str, list[str]] = {}
    try:
        text = host.files.read(path, LIMIT).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return found
    for line in text.split("\n"):
        parts = line.split(":")
        if len(parts) >= fields and parts[0] and parts[0] not in found:
            found[parts[0]] = parts
    return found
