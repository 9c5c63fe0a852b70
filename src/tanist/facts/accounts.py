"""The controller's accounts as this host numbers them, or will, where the definition lets it make those it lacks."""

from __future__ import annotations

from tanist.facts.idmaps import read_no_idmap
from tanist.host.host import Host
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Accounts, Controller
from tanist.model.errors import Refused
from tanist.model.readout import Numbers as Told
from tanist.model.standing import NewGroup, NewUser

Numbers = tuple[tuple[str, int], ...]
LOGIN_DEFS = "/etc/login.defs"
SYSTEM_RANGE = {"SYS_UID_MIN": 101, "SYS_UID_MAX": 999, "SYS_GID_MIN": 101, "SYS_GID_MAX": 999}  # login.defs(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsHere:
    users: Numbers
    groups: Numbers
    new_users: tuple[NewUser, ...] = ()
    new_groups: tuple[NewGroup, ...] = ()


def read_accounts(host: Host, accounts: Accounts) -> AccountsHere:
    """Users and groups by name with their numbers. Refused names every one that this host lacks, unless it may make
    them; then with the numbers that they will have."""
    users = {name: host.user_id(name) for name in accounts.users}
    groups = {name: host.group_id(name) for name in accounts.groups}
    missing = read_missing(host, accounts)
    if missing:
        raise Refused(
            f"this node lacks the {', the '.join(missing)}; files of the controller belong to them by name",
            next_step="create them as system accounts (adduser --system --group NAME): the number does not matter; "
            "or let tanist do it: create = true under [accounts]",
        )
    makes = _Makes(host)
    for name in [name for name, number in groups.items() if number is None]:
        groups[name] = makes.group(name)
    for name in [name for name, number in users.items() if number is None]:
        users[name] = makes.user(name)
    return AccountsHere(
        users=tuple((name, number) for name, number in users.items() if number is not None),
        groups=tuple((name, number) for name, number in groups.items() if number is not None),
        new_users=tuple(makes.users),
        new_groups=tuple(makes.groups.values()),
    )


def read_missing(host: Host, accounts: Accounts) -> tuple[str, ...]:
    """ "account NAME" and "group NAME" of those that this host lacks and may not make."""
    if accounts.create:
        return ()
    users = [f"account {name}" for name in accounts.users if host.user_id(name) is None]
    return (*users, *(f"group {name}" for name in accounts.groups if host.group_id(name) is None))


def read_numbers(host: Host, controller: Controller) -> Told:
    """Of those that are there."""
    accounts = controller.accounts
    users = [(name, host.user_id(name)) for name in accounts.users]
    groups = [(name, host.group_id(name)) for name in accounts.groups]
    return Told(
        users=tuple((name, number) for name, number in users if number is not None),
        groups=tuple((name, number) for name, number in groups if number is not None),
        no_idmap=read_no_idmap(host, controller),
    )


class _Makes:
    """Accounts to be made: the highest free numbers of the system range, as useradd(8) --system takes them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._range: dict[str, int] = {}
        self.groups: dict[str, NewGroup] = {}
        self.users: list[NewUser] = []

    def group(self, name: str) -> int:
        taken = {one.gid for one in self.groups.values()}
        self.groups[name] = NewGroup(name=name, gid=self._free("GID", name, taken))
        return self.groups[name].gid

    def user(self, name: str) -> int:
        """With a group of the same name, as adduser --system --group."""
        made = self.groups.get(name)
        gid = made.gid if made is not None else self._host.group_id(name)
        gid = self.group(name) if gid is None else gid
        uid = self._free("UID", name, {one.uid for one in self.users})
        self.users.append(NewUser(name=name, uid=uid, gid=gid))
        return uid

    def _free(self, kind: str, name: str, taken: set[int]) -> int:
        """Free as a number of both kinds: a user and a group of one number should be the same thing."""
        self._range = self._range or read_system_range(self._host)
        mine = {one.gid for one in self.groups.values() if one.name == name}
        planned = {one.gid for one in self.groups.values()} | {one.uid for one in self.users}
        for number in range(self._range[f"SYS_{kind}_MAX"], self._range[f"SYS_{kind}_MIN"] - 1, -1):
            if number in taken or (number in planned and number not in mine):
                continue
            if self._host.user_name(number) is None and self._host.group_name(number) is None:
                return number
        raise Refused(f"no number is free for the account {name} in the system range of {LOGIN_DEFS}")


def read_system_range(host: Host) -> dict[str, int]:
    found = dict(SYSTEM_RANGE)
    try:
        lines = host.files.read(LOGIN_DEFS).decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] in found and words[1].isdecimal():
            found[words[0]] = int(words[1])
    return found
