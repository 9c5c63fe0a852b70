"""NFS exports, cron tables, rc.local: lines that touch the controller. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable


def find_exports(text: str, tree: str) -> tuple[str, ...]:
    """Paths of exports(5) that are the tree or lie in it."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        body = line.split("#", 1)[0].strip()
        if not body:
            continue
        try:
            path = shlex.split(body)[0] if body.startswith('"') else body.split()[0]
        except ValueError:
            path = body.split()[0]
        path = path.replace("\\040", " ").rstrip("/")
        if f"{path}/".startswith(f"{tree}/"):
            found.append(path)
    return tuple(found)


def find_lines(text: str, needles: Iterable[str]) -> tuple[str, ...]:
    """Lines that are no comment and have one of the needles in them as a whole word, or as the beginning of a path."""
    patterns = [re.compile(rf"(?<![\w./@-]){re.escape(one)}(?![\w.-])") for one in needles if one]
    lines = (line.strip() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(line for line in lines if any(pattern.search(line) for pattern in patterns))
