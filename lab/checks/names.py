"""Ownership and accounts by name: what must be the same wherever the controller runs, and what must stay the node's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lab.errors import LabError
from lab.lab import Lab
from lab.layout import node_spec


def read_owners(lab: Lab, node: str, paths: Iterable[str]) -> dict[str, str]:
    """Each file below the paths -> owner, group, set-id bits, permissions and ACL, all by name (getfacl(1))."""
    done = lab.exec(node, ["getfacl", "-R", "-P", "-p", *paths], timeout=120)
    complaints = [line for line in done.stderr.decode().splitlines() if "No such file" not in line]  # it is in use
    if complaints:
        raise LabError(f"{node}: getfacl: {'; '.join(complaints[:3])}")
    return parse_owners(done.stdout.decode())


def parse_owners(text: str) -> dict[str, str]:
    found = {}
    for block in text.split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("# file: "):
            found[lines[0].removeprefix("# file: ")] = " ".join(line.removeprefix("# ") for line in lines[1:])
    return found


def compare_owners(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Files of both looks whose owners, permissions or ACLs differ, and files that belong to no name."""
    return [
        *(f"{p}: {before[p]} -> {after[p]}" for p in sorted(before.keys() & after.keys()) if before[p] != after[p]),
        *(f"{p}: {what}" for p, what in sorted(after.items()) if any(_is_number(w) for w in what.split())),
    ]


def _is_number(word: str) -> bool:
    """An owner, or an ACL's user or group, that has no name on this node: `owner: 118` or `user:118:rwx`."""
    return word.isdigit() or word.partition(":")[2].partition(":")[0].isdigit()


def read_own_accounts(lab: Lab, node: str) -> dict[str, str]:
    """root and the node's foreign accounts: "passwd root" -> its line, shadow and group as well."""
    foreign = {account.name for account in node_spec(node).accounts if account.foreign}
    return dict(_own_lines(lab, node, {"root", *foreign}))


def _own_lines(lab: Lab, node: str, names: set[str]) -> Iterator[tuple[str, str]]:
    for base in ("passwd", "shadow", "group", "gshadow"):
        text = lab.exec(node, ["cat", f"/etc/{base}"], check=True).stdout.decode()
        for line in text.splitlines():
            if line.split(":")[0] in names:
                yield f"{base} {line.split(':')[0]}", line


def foreign_paths(node: str) -> list[str]:
    """Where the node's foreign accounts keep their files."""
    names = [account.name for account in node_spec(node).accounts if account.foreign]
    return [path for name in names for path in (f"/home/{name}", f"/srv/local/{name}")]
