"""What kind of machine this is, where it matters to a proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tanist.host.host import Host


def describe_machine(host: Host) -> str:
    """systemd-detect-virt(1): a guest's clock can be stopped by its hypervisor."""
    try:
        ran = host.run(["systemd-detect-virt", "--vm"], ok=None, timeout=10)
    except OSError:
        return "not known"
    kind = ran.text.strip()
    if ran.status == 127 or not kind:
        return "not known"
    return "a machine of its own" if kind == "none" else f"a guest ({kind})"
