"""Host -> Standing: what a plan must know of the node it is made for."""

from __future__ import annotations

from tanist.facts.accounts import read_accounts
from tanist.facts.idmaps import read_no_idmap
from tanist.facts.sshkeys import read_key_files, read_own_keys, read_ssh_unit
from tanist.host.host import Host
from tanist.model.definition import Controller
from tanist.model.standing import Standing


def read_standing(host: Host, controller: Controller, node: str) -> Standing:
    """Refused when an account is missing that it may not make.

    The controller's keys are those that are here; a capture may bring others.
    """
    here = read_accounts(host, controller.accounts)
    return Standing(
        node=node,
        hostname=read_own_hostname(host),
        boot_id=host.boot_id(),
        users=here.users,
        groups=here.groups,
        no_idmap=read_no_idmap(host, controller),
        new_users=here.new_users,
        new_groups=here.new_groups,
        ssh_unit=read_ssh_unit(host),
        ssh_keys=read_own_keys(host),
        controller_keys=read_key_files(host, controller.identity.ssh_host_keys),
    )


def read_own_hostname(host: Host) -> str:
    """What the next boot sets: /etc/hostname, unless a takeover covers it; else the running name (hostname(5))."""
    covered = any(mount.target == "/etc/hostname" for mount in host.mounts())
    if not covered:
        try:
            lines = host.files.read("/etc/hostname", 4096).decode("ascii", "replace").splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            if line.strip() and not line.startswith("#"):
                return line.strip()
    return host.hostname()
