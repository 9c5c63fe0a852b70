"""satadm: start, stop, ask after, back up and restore the Ops Center on this machine.

backup archives the state, not the software: it stops what runs and starts it again. restore wants a host of the same
name with the same version, installed and not configured; start comes after it.

Exit status of status, and of start: 0 online, 1 offline, 3 degraded (a part is offline); 2 is a wrong call.
Of backup and restore: 0 done, 1 not possible (nothing was changed).
"""

import argparse
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .backup import backup, restore
from .config import load_config, local
from .configure import NotPossible
from .jobs import is_running
from .layout import UNITS, Layout
from .properties import read_product_version

_EXIT = {"online": 0, "offline": 1, "degraded": 3}
_PROXY_SILENCE_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    online: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    state: str  # online, offline, degraded
    installed: bool
    configured: bool
    data: bool  # the tree is there
    role: str
    version: str
    parts: tuple[Part, ...] = ()


def read_status(layout: Layout) -> Status:
    installed = layout.version_file.exists()
    role = layout.role_file.read_text().strip().partition("=")[2] if layout.role_file.exists() else ""
    version = read_product_version(layout.version_file) if installed else ""
    configured = layout.config.exists()
    data = (layout.proxy_secret if role == "proxy" else layout.database).exists()
    parts = _read_parts(layout, role) if configured and data else ()
    online = {part.online for part in parts}
    state = "offline" if True not in online else "degraded" if False in online else "online"
    return Status(
        state=state, installed=installed, configured=configured, data=data, role=role, version=version, parts=parts
    )


def _read_parts(layout: Layout, role: str) -> tuple[Part, ...]:
    config = load_config(layout.config)
    own = _get(f"http://{local(config.proxy_listen)}:{config.proxy_port}/health", layout)
    if role == "proxy":
        return (Part(name="proxy controller", online=own is not None, detail=config.ec_url),)
    health = _get(f"http://{local(config.listen)}:{config.port}/api/health", layout)
    detail = f"{health['name']} on {health['hostname']}, epoch {health['epoch']}" if health else ""
    seen = _seen(health)
    return (
        Part(name="enterprise controller", online=health is not None, detail=detail),
        Part(name="job runner", online=is_running(layout.runner_lock)),
        Part(
            name="proxy controller",
            online=own is not None and seen is not None and seen < _PROXY_SILENCE_SECONDS,
            detail="not seen by the enterprise controller" if seen is None else f"seen {seen:.1f} s ago",
        ),
    )


def _get(url: str, layout: Layout) -> dict[str, object] | None:
    """None also when another machine answers: a service address may have moved away from here."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            value = json.load(reply)
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return value if isinstance(value, dict) and value.get("machine") == layout.machine() else None


def _seen(health: dict[str, object] | None) -> float | None:
    match health:
        case {"proxy": {"seen_seconds_ago": int() | float() as seconds}}:
            return seconds
    return None


def render_status(status: Status) -> str:
    if not status.parts:
        return f"{status.state} ({_why_nothing_runs(status)})\n"
    rows = [f"  {part.name:<22} {'online' if part.online else 'offline':<8} {part.detail}" for part in status.parts]
    return "\n".join([status.state, *(row.rstrip() for row in rows)]) + "\n"


def _why_nothing_runs(status: Status) -> str:
    if not status.installed:
        return "not installed"
    return "configured, but the tree is not mounted" if status.configured else "installed, not configured"


def _units(role: str) -> Sequence[str]:
    return UNITS[2:] if role == "proxy" else UNITS


def _start(layout: Layout) -> int:
    status = read_status(layout)
    if not status.parts:
        print(f"satadm: cannot start: {render_status(status)}", end="", file=sys.stderr)
        return 1
    if subprocess.run(["systemctl", "start", *_units(status.role)], check=False).returncode != 0:
        return 1
    for _ in range(50):  # until the proxy's first heartbeat
        status = read_status(layout)
        if status.state == "online":
            break
        time.sleep(0.1)
    print(render_status(status), end="")
    return _EXIT[status.state]


def _stop(layout: Layout) -> int:
    units = reversed(_units(read_status(layout).role))
    return subprocess.run(["systemctl", "stop", *units], check=False).returncode


def _archive(layout: Layout, verb: str, archive: Path) -> int:
    try:
        (backup if verb == "backup" else restore)(layout, archive)
    except NotPossible as error:
        print(f"satadm: {error}", file=sys.stderr)
        return 1
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="satadm", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("-V", "--version", action="store_true", help="print the product's version")
    parser.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="status as JSON")
    parser.add_argument("verb", nargs="?", choices=("start", "stop", "status", "backup", "restore"))
    parser.add_argument("archive", nargs="?", type=Path, help="of backup and restore: the archive")
    options = parser.parse_args(argv)
    layout = Layout(root=options.root)
    if options.version:
        print(read_product_version(layout.version_file))
        return 0
    match options.verb:
        case "start":
            return _start(layout)
        case "stop":
            return _stop(layout)
        case "status":
            status = read_status(layout)
            print(json.dumps(asdict(status)) + "\n" if options.json else render_status(status), end="")
            return _EXIT[status.state]
        case "backup" | "restore" if options.archive:
            return _archive(layout, options.verb, options.archive.absolute())
    parser.print_usage(sys.stderr)
    return 2
