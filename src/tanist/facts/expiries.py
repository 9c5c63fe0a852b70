"""Certificates that the controller brings along, and when they end (openssl-x509(1), ssh-keygen(1))."""

from __future__ import annotations

import calendar
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.tool import read_text
from tanist.model.readout import Expiry
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

SSH = "-cert.pub"  # a host or user certificate of OpenSSH; a plain key never ends
SUFFIXES = (".pem", ".crt", ".cer", ".cert", SSH)
LIMIT = 256  # files that are looked at
BEGIN = b"-----BEGIN CERTIFICATE-----"


def read_expiries(host: Host, paths: Sequence[str]) -> tuple[Expiry, ...] | Unread:
    """Of the certificate files among `paths` and below them."""
    files = read_candidates(host, paths)
    found = []
    for path in files:
        if path.endswith(SSH):
            said = read_text(host, ("ssh-keygen", "-L", "-f", path))
            if not isinstance(said, Unread) and (expiry := parse_ssh_expiry(said, path)) is not None:
                found.append(expiry)
            continue
        try:
            text = host.files.read(path, 1 << 20)
        except OSError:
            continue  # gone meanwhile, or no certificate
        if BEGIN not in text:
            continue
        said = read_text(host, ("openssl", "x509", "-noout", "-enddate", "-subject"), stdin=text)
        if isinstance(said, Unread):
            if said.why.endswith("not found"):
                return said
            continue  # a file that only looks like a certificate
        if (expiry := parse_expiry(said, path)) is not None:
            found.append(expiry)
    return tuple(found)


def read_candidates(host: Host, paths: Sequence[str]) -> tuple[str, ...]:
    there = [path for path in paths if host.files.exists(path)]
    if not there:
        return ()
    tests = [part for suffix in SUFFIXES for part in ("-o", "-name", f"*{suffix}")][1:]
    said = read_text(host, ("find", *there, "-xdev", "(", *tests, ")", "-type", "f", "-print0"), ok=(0, 1))
    return () if isinstance(said, Unread) else tuple(sorted(part for part in said.split("\0") if part))[:LIMIT]


def parse_expiry(text: str, path: str) -> Expiry | None:
    """notAfter=Jun  1 12:00:00 2027 GMT and subject=..., in either order; None without a date."""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        at = calendar.timegm(time.strptime(fields["notAfter"], "%b %d %H:%M:%S %Y GMT"))
    except (KeyError, ValueError):
        return None
    return Expiry(path=path, title=fields.get("subject", "").strip(), at=float(at))


def parse_ssh_expiry(text: str, path: str) -> Expiry | None:
    """Of "Valid: from 2026-01-01T00:00:00 to 2027-01-01T00:00:00", in this machine's time; None for one for ever."""
    fields = dict(line.strip().split(": ", 1) for line in text.splitlines() if ": " in line)
    try:
        at = time.mktime(time.strptime(fields["Valid"].rpartition(" to ")[2], "%Y-%m-%dT%H:%M:%S"))
    except (KeyError, ValueError):
        return None
    return Expiry(path=path, title=f"ssh certificate {fields.get('Key ID', '')}".strip(), at=at)
