"""The README of a store: how to use it when tanist is not to be had."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.capture.manifest import Manifest

TEXT = """\
This is a capture that tanist made: {what}

Look, check and restore with tools that every Linux has. Work as root, in this directory.

  Is it whole?
    sha256sum -c manifest.sha256
    grep '"parts"' manifest.json; sha256sum README {parts}

  What is in it?
    tar -tvf files.tar
    grep '"path": "/some/path"' entries.jsonl
{layers}
  Put everything in force on this machine (owners by name: create missing accounts first):
    {force}

  The same with the numbers of the machine where it was made, for example into an empty directory:
    {number}

tar does not remove anything and does not know about sockets and inode flags. For the exact state:
{extra}"""
LAYERS = """
It has {count} layers, each with what had changed since the one before: files.tar, then files.tar.01 and so on. What
went away meanwhile stands in gone.01 and so on. The commands below take them in their order; the highest one that has a
file has it as it was last. (By number, where a directory has a default ACL, tar lets files of later layers inherit it.)
"""
TAR = "tar -C {where}{how} --xattrs --xattrs-include='*' -xpf {content}"
LOOP = (
    "for one in files.tar*; do n=${{one#files.tar}}; "
    "[ ! -e gone$n ] || (cd {where} && xargs -0r rm -rf --) <gone$n; {tar} || break; done"
)


def render_readme(manifest: Manifest, layers: int) -> bytes:
    what = f"{manifest.controller} on {manifest.node}, {manifest.created}, epoch {manifest.epoch}"
    lines = _list(
        "these directories are captured as a whole; files in them that files.tar lacks go away", _whole(manifest)
    )
    lines += _list("these paths did not exist, so remove them", (a.path for a in manifest.asked if a.state == "absent"))
    lines += _list("these changed while they were read", manifest.unsteady)
    sockets, flags = ('grep -h \'"kind": "socket"\' entries.jsonl*', "grep -h '\"flags\"' entries.jsonl*")
    lines += [f"  sockets: {sockets}", f"  inode flags (set them with chattr +i, +a): {flags}"]
    text = TEXT.format(
        what=what,
        parts="files.tar* entries.jsonl*" + (" gone*" if layers > 1 else ""),
        layers=LAYERS.format(count=layers) if layers > 1 else "",
        force=_command("/", " --acls", layers),
        number=_command("/some/directory", " --numeric-owner", layers),
        extra="\n".join(lines) + "\n",
    )
    return text.encode("utf-8", "backslashreplace")


def _command(where: str, how: str, layers: int) -> str:
    if layers == 1:
        return TAR.format(where=where, how=how, content="files.tar")
    return LOOP.format(where=where, tar=TAR.format(where=where, how=how, content="$one"))


def _whole(manifest: Manifest) -> Iterable[str]:
    return (item.path for item in manifest.asked if item.directory)


def _list(title: str, items: Iterable[str]) -> list[str]:
    import shlex

    found = [f"    {shlex.quote(item)}" for item in items]
    return [f"  {title}:", *found] if found else []
