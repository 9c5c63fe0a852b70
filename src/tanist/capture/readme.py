"""The README of a store: how to use it when tanist is not to be had."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.capture.manifest import Manifest

TEXT = """\
This is a capture that tanist made: {what}

Look, check and restore with tools that every Linux has. Work as root, in this directory.

  Is it whole?
    sha256sum -c manifest.sha256
    grep '"parts"' manifest.json; sha256sum files.tar README

  What is in it?
    tar -tvf files.tar
    grep '"path": "/some/path"' manifest.json

  Put everything in force on this machine (owners by name: create missing accounts first):
    tar -C / --acls --xattrs --xattrs-include='*' -xpf files.tar

  The same with the numbers of the machine where it was made, for example into an empty directory:
    tar -C /some/directory --numeric-owner --xattrs --xattrs-include='*' -xpf files.tar

tar does not remove anything and does not know about sockets and inode flags. For the exact state:
{extra}"""


def render_readme(manifest: Manifest) -> bytes:
    what = f"{manifest.controller} on {manifest.node}, {manifest.created}, epoch {manifest.epoch}"
    lines = _list(
        "these directories are captured as a whole; files in them that files.tar lacks go away", _whole(manifest)
    )
    lines += _list("these paths did not exist, so remove them", (a.path for a in manifest.asked if a.state == "absent"))
    lines += _list("these are sockets", (e.path for e in manifest.entries if e.kind == "socket"))
    flagged = (f"{e.path}: {', '.join(e.attributes.flags)}" for e in manifest.entries if e.attributes.flags)
    lines += _list("these have inode flags (chattr)", flagged)
    lines += _list("these changed while they were read", manifest.unsteady)
    return TEXT.format(what=what, extra="\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _whole(manifest: Manifest) -> Iterable[str]:
    asked = {item.path for item in manifest.asked}
    return (entry.path for entry in manifest.entries if entry.kind == "directory" and entry.path in asked)


def _list(title: str, items: Iterable[str]) -> list[str]:
    import shlex

    found = [f"    {shlex.quote(item)}" for item in items]
    return [f"  {title}:", *found] if found else []
