"""NFS exports of directories in the tree: a file in /etc/exports.d (exports(5)), in force through exportfs(8)."""

from __future__ import annotations

from tanist.model.steps import WriteExports
from tanist.steps.context import Context


def apply_exports(spec: WriteExports, context: Context) -> None:
    files = context.host.files
    files.make_directory(spec.path.rsplit("/", 1)[0])
    files.write(spec.path, "".join(f"{line}\n" for line in spec.lines).encode(), 0o644)
    refresh(context)


def undo_exports(spec: WriteExports, context: Context) -> None:
    context.host.files.remove(spec.path)
    refresh(context)


def is_exports_applied(spec: WriteExports, context: Context) -> bool:
    return context.host.files.exists(spec.path)


def refresh(context: Context) -> None:
    """exportfs -r puts the files in force and withdraws what they no longer name. No NFS server here: nothing to do."""
    if context.host.run(["systemctl", "is-active", "-q", "nfs-server.service"], ok=None, timeout=30).status == 0:
        context.host.run(["exportfs", "-r"], timeout=60)
