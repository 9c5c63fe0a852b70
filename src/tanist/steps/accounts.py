"""Accounts of the controller that a node lacks, made by the distribution's own tools (useradd(8), groupadd(8))."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.model.errors import Failed

if TYPE_CHECKING:
    from tanist.model.steps import CreateGroup, CreateUser
    from tanist.steps.context import Context

NO_SHELL, NO_HOME = "/usr/sbin/nologin", "/nonexistent"


def apply_create_group(spec: CreateGroup, context: Context) -> None:
    if not _is_there("group", spec.name, context.host.group_id(spec.name), spec.gid):
        context.host.run(["groupadd", "--system", "--gid", str(spec.gid), spec.name])


def undo_create_group(spec: CreateGroup, context: Context) -> None:
    if is_create_group_applied(spec, context):
        context.host.run(["groupdel", spec.name])


def is_create_group_applied(spec: CreateGroup, context: Context) -> bool:
    return context.host.group_id(spec.name) == spec.gid


def apply_create_user(spec: CreateUser, context: Context) -> None:
    """useradd(8) without a password locks it."""
    if not _is_there("account", spec.name, context.host.user_id(spec.name), spec.uid):
        numbers = ("--uid", str(spec.uid), "--gid", str(spec.gid))
        place = ("--home-dir", NO_HOME, "--no-create-home", "--shell", NO_SHELL)
        context.host.run(["useradd", "--system", *numbers, *place, spec.name])


def undo_create_user(spec: CreateUser, context: Context) -> None:
    if is_create_user_applied(spec, context):
        context.host.run(["userdel", spec.name])


def is_create_user_applied(spec: CreateUser, context: Context) -> bool:
    return context.host.user_id(spec.name) == spec.uid


def _is_there(kind: str, name: str, found: int | None, planned: int) -> bool:
    if found not in (None, planned):
        raise Failed(f"the {kind} {name} was made by somebody else meanwhile, with number {found} instead of {planned}")
    return found is not None
