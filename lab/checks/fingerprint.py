"""What a node is, to the byte: its own files and its state in the kernel; and what differs between two looks, in words.

before = read_fingerprint(lab, "ec-b"); ...; assert not diff(before, read_fingerprint(lab, "ec-b"))
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.lab import Lab

SCRIPT = Path(__file__).with_name("on_node.py")
# configuration, people's files, and what lies below the mount points of a controller while it is elsewhere
ROOTS = (
    *("/etc", "/root", "/home", "/srv", "/opt", "/usr/local", "/var/spool/cron"),
    *("/var/lib/postgresql", "/var/opt", "/n1gc-setup"),
)
# what may differ although nothing of the node was changed, each with the reason
EXCLUDED_PATHS = {
    r"/etc/tanist/known_hosts": "tanist's own state: what it knows of the other nodes",
    r"/etc/tanist/parked(/.*)?": "tanist's own state: cron entries out of the way while the node is a standby",
    r"/etc/tanist": "its time changes with the two above",
    r".*/__pycache__(/.*)?": "compiled by python at its first use",
    r"/root/\.(bash_history|lesshst)": "a person's typing",
}
# directories that belong to the system: entries come and go, and cron must see it, so their times go on
EXCLUDED_TIMES = ("/etc", "/etc/cron.d", "/etc/exports.d", "/etc/ssl/certs", "/etc/ssl/private", "/etc/tanist/identity")
EXCLUDED_STATE = {
    r"mount /(run/(user|credentials|lock)|tmp|proc/fs/nfsd|var/lib/nfs)\b.*": "comes and goes with log-ins and daemons",
    r"mount /(dev|proc|sys|run/(host|systemd))\b.*": "the container's own",
    r"unit (session-|user@|user-|run-user-|systemd-tmpfiles-clean|lab-|run-[ru]).*": "log-ins, housekeeping, the lab",
    r"unit .*\.mount .*": "systemd follows the kernel's mounts a moment later; those are compared themselves",
    r"route (local|anycast|multicast) f[ef].*": "a link-local address is there a moment after its interface",
    r"unit (ssh@|systemd-(timedated|hostnamed|localed)\.|dpkg-).*": "started on demand, ends by itself",
    r"unit (apt-daily|logrotate|man-db|e2scrub).*": "housekeeping by the clock",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """`paths`: path -> its properties; `state`: subject ("address", "mount", "unit") -> lines."""

    node: str
    paths: Mapping[str, Mapping[str, object]]
    state: Mapping[str, Sequence[str]]

    def only(self, *prefixes: str) -> Fingerprint:
        """The files at and below these paths, without the state."""
        below = {p: e for p, e in self.paths.items() if any(p == x or p.startswith(f"{x}/") for x in prefixes)}
        return Fingerprint(node=self.node, paths=below, state={})


def read_fingerprint(lab: Lab, node: str, roots: Sequence[str] = ROOTS) -> Fingerprint:
    done = lab.exec(node, ["python3", "-B", "-I", "-", *roots], input=SCRIPT.read_bytes(), check=True)
    return parse_fingerprint(node, done.stdout)


def parse_fingerprint(node: str, text: bytes) -> Fingerprint:
    body = json.loads(text)
    paths = {p: e for p, e in body["paths"].items() if not is_excluded(p, EXCLUDED_PATHS)}
    for path in EXCLUDED_TIMES:
        paths.get(path, {}).pop("mtime_ns", None)
    state = {
        subject: [line for line in lines if not is_excluded(f"{subject} {line}", EXCLUDED_STATE)]
        for subject, lines in body["state"].items()
    }
    return Fingerprint(node=node, paths=paths, state=state)


def is_excluded(text: str, patterns: Mapping[str, str]) -> bool:
    return any(re.fullmatch(pattern, text) for pattern in patterns)


def diff(before: Fingerprint, after: Fingerprint) -> list[str]:
    """Each difference, one line; empty when the node is what it was, byte for byte."""
    return [*_diff_paths(before.paths, after.paths), *_diff_state(before.state, after.state)]


def _diff_paths(before: Mapping[str, Mapping[str, object]], after: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            yield f"{path}: gone"
        elif path not in before:
            yield f"{path}: new"
        elif before[path] != after[path]:
            yield f"{path}: {', '.join(_diff_entry(before[path], after[path]))}"


def _diff_entry(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key), after.get(key)
        if was == now:
            continue
        if key == "content":
            yield "other content"
        elif key == "mtime_ns":
            yield f"time {_seconds(now, was)}"
        elif key == "xattrs":
            yield f"attributes {', '.join(_changed(was, now))}"
        else:
            yield f"{key} {was or 'none'} -> {now or 'none'}"


def _seconds(now: object, was: object) -> str:
    return f"{(now - was) / 1e9:+.6f} s" if isinstance(now, int) and isinstance(was, int) else f"{was} -> {now}"


def _changed(was: object, now: object) -> list[str]:
    one = was if isinstance(was, dict) else {}
    two = now if isinstance(now, dict) else {}
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def _diff_state(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for subject in sorted(before.keys() | after.keys()):
        was, now = set(before.get(subject, ())), set(after.get(subject, ()))
        yield from (f"{subject} gone: {line}" for line in sorted(was - now))
        yield from (f"{subject} new: {line}" for line in sorted(now - was))
