"""Who is told of a run and of a change of readiness: programs and web servers that the administrator chose."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from typing import TYPE_CHECKING

from tanist.model.dataclasses import dataclass
from tanist.plan import places
from tanist.runs.notify import DIRECTORY, WEBHOOKS

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.runs.session import Session

KEYS = {"url", "events", "secret", "ca", "timeout"}
LONGEST = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """`secret`: a file with the key of the signature. The URL itself may be a secret, so it is never shown whole."""

    url: str
    events: tuple[str, ...] = ()  # all of them when empty
    secret: str = ""
    ca: str = ""
    timeout: float = 10.0

    @property
    def name(self) -> str:
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{re.split('[/?#]', rest, maxsplit=1)[0].rpartition('@')[2]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    programs: tuple[str, ...]
    webhooks: tuple[Webhook, ...]
    wrong: tuple[str, ...]  # what is there and not used, with the reason


def read_hooks(host: Host, directory: str = DIRECTORY, webhooks: str = WEBHOOKS) -> Hooks:
    programs: list[str] = []
    wrong: list[str] = []
    names = sorted(host.files.list(directory)) if host.files.exists(directory) else []
    for name in names:
        why = check_program(host, f"{directory}/{name}")
        (wrong if why else programs).append(why or f"{directory}/{name}")
    found, more = read_webhooks(host, webhooks)
    return Hooks(programs=tuple(programs), webhooks=found, wrong=(*wrong, *more))


def check_program(host: Host, path: str) -> str:
    """Why it is not started; "" when it is."""
    info = host.files.stat(path)
    if info is None or not stat.S_ISREG(info.st_mode):
        return f"{path} is no program"
    if path.rpartition("/")[2].startswith(".") or path.endswith(("~", ".bak", ".dpkg-old", ".dpkg-dist", ".rpmsave")):
        return f"{path} is left out by its name"
    if not info.st_mode & 0o100:
        return f"{path} can't be executed: chmod 755 {path}"
    if info.st_uid != 0 or info.st_mode & 0o022:
        return f"others than root may change {path}: chown root {path}; chmod go-w {path}"
    return ""


def read_webhooks(host: Host, path: str) -> tuple[tuple[Webhook, ...], list[str]]:
    from tanist.proof.secrets import check_place

    if not host.files.exists(path):
        return (), []
    if why := check_place(host, path):
        return (), [why]
    try:
        tables = tomllib.loads(host.files.read(path, 1 << 20).decode()).get("webhook", [])
        return tuple(parse_webhook(one) for one in tables), []
    except (OSError, ValueError, TypeError, AttributeError) as error:
        return (), [f"{path}: {error}"]


def parse_webhook(table: dict[str, object]) -> Webhook:
    """ValueError for what is none."""
    from tanist.report.events import NAMES

    if unknown := set(table) - KEYS:
        raise ValueError(f"unknown key {', '.join(sorted(unknown))}; there are {', '.join(sorted(KEYS))}")
    url, events = str(table.get("url", "")), table.get("events", [])
    if not url.startswith(("https://", "http://")):
        raise ValueError("url begins with https:// (or http://)")
    if not isinstance(events, list) or not {str(one) for one in events} <= set(NAMES):
        raise ValueError(f"events is a list of: {', '.join(NAMES)}")
    timeout = table.get("timeout", 10.0)
    if not isinstance(timeout, (int, float)) or not 0 < timeout <= LONGEST:
        raise ValueError(f"timeout is a number of seconds up to {LONGEST:g}")
    places_ = {key: str(table.get(key, "")) for key in ("secret", "ca")}
    if any(place and not place.startswith("/") for place in places_.values()):
        raise ValueError("secret and ca are absolute paths")
    return Webhook(url=url, events=tuple(str(one) for one in events), timeout=float(timeout), **places_)


def told_verdicts(session: Session) -> str:
    """The readiness that was told last; "" when none was."""
    try:
        return str(json.loads(session.host.files.read(told_path(session), 1 << 16))["verdicts"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def note_told(session: Session, verdicts: str) -> None:
    session.host.files.write(told_path(session), json.dumps({"format": 1, "verdicts": verdicts}).encode() + b"\n")


def told_path(session: Session) -> str:
    return f"{places.STATE}/{session.name}/told.json"
