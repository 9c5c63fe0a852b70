"""Two manifests beside each other, for people, in the order of their entries. Names and attributes only: content may be
secret. Pure; nothing is held, there may be millions."""

from __future__ import annotations

from collections.abc import Iterator

from tanist.capture.manifest import Entry, Manifest, sort_key


def diff_manifests(old: Manifest, new: Manifest) -> Iterator[str]:
    """One line for each path that differs: "+" only in the new one, "-" only in the old one, "~" in both."""
    olds, news = iter(old.entries), iter(new.entries)
    one, other = next(olds, None), next(news, None)
    while one is not None or other is not None:
        if other is None or (one is not None and sort_key(one.path) < sort_key(other.path)):
            assert one is not None
            yield f"- {one.path}  {describe_entry(one)}"
            one = next(olds, None)
        elif one is None or sort_key(other.path) < sort_key(one.path):
            yield f"+ {other.path}  {describe_entry(other)}"
            other = next(news, None)
        else:
            if says := "; ".join(_changes(one, other)):
                yield f"~ {one.path}  {says}"
            one, other = next(olds, None), next(news, None)
    yield from _facts(old, new)


def describe_entry(entry: Entry) -> str:
    owner = f"{entry.user or entry.attributes.uid}:{entry.group or entry.attributes.gid}"
    size = f", {entry.size} bytes" if entry.kind == "file" else ""
    return f"{entry.kind}, {owner} {entry.attributes.mode:04o}{size}"


def _changes(old: Entry, new: Entry) -> Iterator[str]:
    if old.kind != new.kind:
        yield f"was a {old.kind}, is a {new.kind}"
        return
    if (old.size, old.sha256) != (new.size, new.sha256):
        yield f"other content ({old.size} -> {new.size} bytes)"
    if old.target != new.target:
        yield "leads elsewhere"
    owners = [f"{one.user or one.attributes.uid}:{one.group or one.attributes.gid}" for one in (old, new)]
    if owners[0] != owners[1]:
        yield f"owner {owners[0]} -> {owners[1]}"
    if old.attributes.mode != new.attributes.mode:
        yield f"mode {old.attributes.mode:04o} -> {new.attributes.mode:04o}"
    if old.attributes.mtime_ns != new.attributes.mtime_ns:
        yield "another time"
    before, after = dict(old.attributes.xattrs), dict(new.attributes.xattrs)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"differs in {name}"
    if old.attributes.flags != new.attributes.flags:
        yield f"flags {', '.join(old.attributes.flags) or 'none'} -> {', '.join(new.attributes.flags) or 'none'}"


def _facts(old: Manifest, new: Manifest) -> Iterator[str]:
    """What else a capture tells of its node, as far as it differs."""
    accounts = (("user", dict(old.users), dict(new.users)), ("group", dict(old.groups), dict(new.groups)))
    for name, before, after in accounts:
        for account in sorted(before.keys() | after.keys()):
            if before.get(account) != after.get(account):
                yield f"~ number of {name} {account}  {before.get(account)} -> {after.get(account)}"
    facts = [one.facts if isinstance(one.facts, dict) else {} for one in (old, new)]
    for key in sorted(facts[0].keys() | facts[1].keys()):
        if facts[0].get(key) != facts[1].get(key):
            yield f"~ fact {key}  {_short(facts[0].get(key))} -> {_short(facts[1].get(key))}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 80 else f"{text[:76]} ..."
