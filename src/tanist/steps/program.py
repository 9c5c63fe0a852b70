"""A disk that a program attaches and detaches (facts/program.py); each act is followed by a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tanist.facts.device import is_block_device, kernel_name
from tanist.facts.program import Answer, ask_program, read_answer
from tanist.host.host import Host
from tanist.model.errors import Failed
from tanist.model.unread import Unread
from tanist.steps.context import Context
from tanist.steps.waiting import wait_until, wait_unused

if TYPE_CHECKING:
    from tanist.model.layer_steps import AttachDisk

APPEARS = 30.0  # seconds until udev has made the device, or taken it away


def apply_attach_disk(spec: AttachDisk, context: Context) -> None:
    """From another node only with a proof that it is stopped; "cannot tell" is no place to take it from."""
    host, seen = context.host, demand(context.host, spec)
    if seen.where == "elsewhere" and not spec.proof:
        raise Failed(f"{seen.describe(spec.device)}, and nothing proves that its owner is stopped")
    if seen.where == "unknown":
        raise Failed(seen.describe(spec.device))
    if seen.where != "here":
        forced = seen.where == "elsewhere"
        told = ask_program(
            host, spec, "force-acquire" if forced else "acquire", spec.timeout, spec.proof if forced else ""
        )
        if isinstance(told, Unread):
            raise Failed(told.why)
    wait_for(host, spec, there=True)


def undo_attach_disk(spec: AttachDisk, context: Context) -> None:
    host = context.host
    if demand(host, spec).where != "here":
        return
    wait_unused(host, spec.device, lambda: (kernel_name(host, spec.device),))
    if is_block_device(host, spec.device):
        host.run(["blockdev", "--flushbufs", spec.device], ok=None, timeout=spec.timeout)
    told = ask_program(host, spec, "release", spec.timeout)
    if isinstance(told, Unread):
        raise Failed(told.why)
    wait_for(host, spec, there=False)


def is_attach_disk_applied(spec: AttachDisk, context: Context) -> bool | None:
    seen = read_answer(context.host, spec)
    if isinstance(seen, Unread) or seen.where == "unknown":
        return None
    return seen.where == "here" and is_block_device(context.host, spec.device)


def demand(host: Host, spec: AttachDisk) -> Answer:
    seen = read_answer(host, spec)
    if isinstance(seen, Unread):
        raise Failed(seen.why)
    return seen


def wait_for(host: Host, spec: AttachDisk, *, there: bool) -> None:
    """What the program said is not believed: the kernel has the device, and a new look says so, too."""
    if not wait_until(host, lambda: is_block_device(host, spec.device) == there, APPEARS):
        lacks = "did not appear" if there else "did not go"
        raise Failed(f"{spec.program} said that it was done, and {spec.device} {lacks}: ls -l {spec.device}")
    seen = demand(host, spec)
    if (seen.where == "here") != there:
        raise Failed(f"{spec.program} said that it was done, and now: {seen.describe(spec.device)}")
