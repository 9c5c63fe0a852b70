"""The controller's accounts as this host numbers them."""

from __future__ import annotations

from tanist.host.host import Host
from tanist.model.definition import Accounts
from tanist.model.errors import Refused

Numbers = tuple[tuple[str, int], ...]


def read_accounts(host: Host, accounts: Accounts) -> tuple[Numbers, Numbers]:
    """Users and groups by name with their numbers. Refused names every one that this host lacks."""
    users = [(name, host.user_id(name)) for name in accounts.users]
    groups = [(name, host.group_id(name)) for name in accounts.groups]
    missing = read_missing(host, accounts)
    if missing:
        raise Refused(
            f"this node lacks the {', the '.join(missing)}; files of the controller belong to them by name",
            next_step="create them as system accounts (adduser --system --group NAME): the number does not matter",
        )
    return (
        tuple((name, number) for name, number in users if number is not None),
        tuple((name, number) for name, number in groups if number is not None),
    )


def read_missing(host: Host, accounts: Accounts) -> tuple[str, ...]:
    """ "account NAME" and "group NAME" of those that this host lacks."""
    users = [f"account {name}" for name in accounts.users if host.user_id(name) is None]
    return (*users, *(f"group {name}" for name in accounts.groups if host.group_id(name) is None))
