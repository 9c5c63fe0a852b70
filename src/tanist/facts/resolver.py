"""The name servers of this node, asked apart from /etc/hosts (resolv.conf(5)).

getent(1) tells what a program of this node is told, but not whether no name server answered or none knows the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tanist.facts.dns import Kind, Question, number_of, parse_reply, render_question, reverse_question
from tanist.model.dataclasses import dataclass
from tanist.model.unread import Unread

if TYPE_CHECKING:
    from tanist.host.host import Host

RESOLV_CONF = "/etc/resolv.conf"
UPLINKS = "/run/systemd/resolve/resolv.conf"  # systemd-resolved(8): the servers behind its own
RESOLVED = ("127.0.0.53", "127.0.0.54")  # which answers out of /etc/hosts
PORT = 53
MOST_SERVERS = 3  # MAXNS of resolv.h
ATTEMPTS = 2  # RES_DFLRETRY: a datagram may get lost
PATIENCE = 0.5  # seconds, for each server and attempt
FORWARD: tuple[Kind, ...] = ("A", "AAAA")
Said = tuple[str, ...] | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolver:
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    ndots: int = 1


def read_resolver(host: Host) -> Resolver:
    """No file: no servers. The C library would ask one on this machine itself."""
    try:
        own = parse_resolv_conf(host.files.read(RESOLV_CONF).decode(errors="replace"))
        if set(own.servers) & set(RESOLVED):
            return parse_resolv_conf(host.files.read(UPLINKS).decode(errors="replace"))
    except FileNotFoundError:
        return Resolver()
    return own


def parse_resolv_conf(text: str) -> Resolver:
    servers: list[str] = []
    search: tuple[str, ...] = ()
    ndots = 1
    for key, *words in (line.split() for line in text.splitlines() if line.strip() and line[0] not in "#;"):
        if key == "nameserver" and words:
            servers.append(words[0])
        elif key in ("search", "domain"):
            search = tuple(word.rstrip(".") for word in words if word.rstrip("."))
        elif key == "options":
            ndots = next((int(one[6:]) for one in words if one.startswith("ndots:") and one[6:].isdigit()), ndots)
    return Resolver(servers=tuple(servers[:MOST_SERVERS]), search=search, ndots=ndots)


def candidates(resolver: Resolver, name: str) -> tuple[str, ...]:
    """The names that stand for it, in the order in which they are tried."""
    if name.endswith("."):
        return (name.rstrip("."),)
    longer = tuple(f"{name}.{domain}" for domain in resolver.search)
    return (name, *longer) if name.count(".") >= resolver.ndots else (*longer, name)


def read_dns(host: Host, resolver: Resolver, names: Sequence[str], addresses: Sequence[str]) -> dict[str, Said]:
    """What DNS says of each name (sorted addresses) and calls each address; () when it knows nothing of it."""
    tried = {name: candidates(resolver, name) for name in names}
    backwards = {address: reverse_question(address) for address in addresses}
    forward = [Question(name=one, kind=kind) for found in tried.values() for one in found for kind in FORWARD]
    said = ask(host, resolver, (*forward, *backwards.values()))
    return {
        **{name: _first_known(said, found) for name, found in tried.items()},
        **{address: said[question] for address, question in backwards.items()},
    }


def _first_known(said: dict[Question, Said], tried: Sequence[str]) -> Said:
    for name in tried:
        both = [said[Question(name=name, kind=kind)] for kind in FORWARD]
        known = [address for one in both if not isinstance(one, Unread) for address in one]
        if known:
            return tuple(sorted(known))
        for one in both:
            if isinstance(one, Unread):
                return one
    return ()


def ask(host: Host, resolver: Resolver, questions: Sequence[Question]) -> dict[Question, Said]:
    """The first server that can tell is believed, as by the C library. At most three seconds."""
    said: dict[Question, Said] = dict.fromkeys(questions, Unread("no name server"))
    for server in resolver.servers * ATTEMPTS:
        left = [question for question, value in said.items() if isinstance(value, Unread)]
        if left:
            said |= _ask_one(host, server, left)
    return said


def _ask_one(host: Host, server: str, questions: Sequence[Question]) -> dict[Question, Said]:
    try:
        messages = [render_question(question, number) for number, question in enumerate(questions)]
    except ValueError as error:
        return dict.fromkeys(questions, Unread(str(error)))
    try:
        replies = {number_of(one): one for one in host.ask_datagrams(server, PORT, messages, PATIENCE)}
    except OSError as error:
        return dict.fromkeys(questions, Unread(f"{server}: {error.strerror or error}"))
    silent = Unread(f"{server} does not answer")
    return {
        question: parse_reply(replies[number], question.kind) if number in replies else silent
        for number, question in enumerate(questions)
    }
