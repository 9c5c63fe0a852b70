"""Are units, accounts, exports, mounts and file system of the other machine what they are here? Pair -> Found.

Of an owner that is dead: from what was remembered of it, or else from the capture.
"""

from __future__ import annotations

from collections.abc import Iterator

from tanist.model.beside import AccountEntry, Beside, MountPoint, UnitFiles
from tanist.model.facts import NodeFacts
from tanist.model.filesystems import find_lacking, parse_release, unnamed
from tanist.model.pair import Pair
from tanist.model.paths import find_holder, is_inside
from tanist.model.readiness import Found
from tanist.model.unread import Unread
from tanist.parity.finding import few, good, untold, wrong

FEW = 5
TELLING = {"ro", "noexec", "nosuid", "nodev"}  # mount options that change what the same files do


def check_beside(pair: Pair) -> Iterator[Found]:
    facts = pair.owner.facts if pair.owner is not None else pair.captured
    if facts is None or facts.beside is None or pair.taker.facts.beside is None:
        return  # of an older tanist
    theirs, mine = facts.beside, pair.taker.facts.beside
    yield _check_units(pair, facts, theirs, mine)
    yield _check_accounts(pair, facts, theirs, mine)
    yield _check_exports(pair, facts, theirs, mine)
    yield _check_mounts(pair, facts, theirs, mine)
    if pair.controller.asset.kind == "filesystem":
        yield _check_features(pair, facts, theirs)


def _gaps(pair: Pair, facts: NodeFacts, theirs: object, mine: object) -> list[tuple[str, str]]:
    sides = ((facts.node, theirs), (pair.taker.node, mine))
    return [(node, part.why) for node, part in sides if isinstance(part, Unread)]


# -- units
def _check_units(pair: Pair, facts: NodeFacts, theirs: Beside, mine: Beside) -> Found:
    if gaps := _gaps(pair, facts, theirs.units, mine.units):
        return untold("unit files", gaps)
    there, here = _by_path(pair, theirs.units), _by_path(pair, mine.units)
    said = []
    for path in sorted(there.keys() | here.keys()):
        if path not in here:
            said.append(f"{path} is on {facts.node} only")
        elif path not in there:
            said.append(f"{path} is on {pair.taker.node} only")
        elif there[path] != here[path]:
            said.append(f"{path} is not the same")
    if said:
        return wrong("unit files", few(said, FEW))
    return good("unit files", f"the services' units were changed in the same way on both nodes ({len(there)} files)")


def _by_path(pair: Pair, units: tuple[UnitFiles, ...] | Unread) -> dict[str, str]:
    """Without what moves by itself."""
    if isinstance(units, Unread):
        return {}
    moving = pair.controller.own_paths
    found = {one.path: one.content for unit in units for one in unit.files}
    return {path: content for path, content in found.items() if not any(is_inside(path, place) for place in moving)}


# -- accounts
def _check_accounts(pair: Pair, facts: NodeFacts, theirs: Beside, mine: Beside) -> Found:
    if gaps := _gaps(pair, facts, theirs.accounts, mine.accounts):
        return untold("account entries", gaps)
    there, here = _by_name(theirs.accounts), _by_name(mine.accounts)
    both = sorted(there.keys() & here.keys())
    said = [text for name in both for text in _compare_entries(there[name], here[name], facts.node, pair.taker.node)]
    if said:
        return wrong("account entries", few(said, FEW))
    return good("account entries", f"{len(both)} accounts have the same groups, home and shell on both nodes")


def _by_name(accounts: tuple[AccountEntry, ...] | Unread) -> dict[str, AccountEntry]:
    return {} if isinstance(accounts, Unread) else {one.name: one for one in accounts}


def _compare_entries(there: AccountEntry, here: AccountEntry, owner: str, taker: str) -> Iterator[str]:
    lacks, more = sorted(set(there.groups) - set(here.groups)), sorted(set(here.groups) - set(there.groups))
    if lacks:
        yield f"{there.name} is in {', '.join(lacks)} on {owner}, not on {taker}"
    if more:
        yield f"{there.name} is in {', '.join(more)} on {taker}, not on {owner}"
    for what in ("group", "home", "shell", "password"):
        one, other = getattr(there, what), getattr(here, what)
        if one != other:
            yield f"{what} of {there.name}: {one} on {owner}, {other} on {taker}"


# -- exports and mounts
def _check_exports(pair: Pair, facts: NodeFacts, theirs: Beside, mine: Beside) -> Found:
    if isinstance(theirs.exports, Unread) or isinstance(mine.exports, Unread):
        return untold("exports", _gaps(pair, facts, theirs.exports, mine.exports))
    lacking = [line for line in theirs.exports if line not in mine.exports]
    if lacking:
        return wrong("exports", f"{facts.node} exports by itself, and {pair.taker.node} does not: {few(lacking, FEW)}")
    return good("exports", f"{facts.node} exports nothing by itself that {pair.taker.node} does not")


def _check_mounts(pair: Pair, facts: NodeFacts, theirs: Beside, mine: Beside) -> Found:
    if isinstance(theirs.mounts, Unread) or isinstance(mine.mounts, Unread):
        return untold("mounts", _gaps(pair, facts, theirs.mounts, mine.mounts))
    said = []
    for path in pair.controller.own_paths:
        there, here = find_holder(theirs.mounts, path), find_holder(mine.mounts, path)
        if there and here and (there.fstype, _telling(there)) != (here.fstype, _telling(here)):
            said.append(f"{path}: {_describe(there)} on {facts.node}, {_describe(here)} on {pair.taker.node}")
    if said:
        return wrong("mounts", few(said, FEW))
    return good("mounts", "what is captured lies on file systems of the same kind on both nodes")


def _telling(mount: MountPoint) -> tuple[str, ...]:
    return tuple(sorted(TELLING & set(mount.options)))


def _describe(mount: MountPoint) -> str:
    return " ".join((mount.fstype, *_telling(mount)))


# -- the asset's file system
def _check_features(pair: Pair, facts: NodeFacts, theirs: Beside) -> Found:
    if isinstance(theirs.features, Unread):
        return untold("file system", [(facts.node, theirs.features.why)])
    kernel = pair.taker.facts.kernel
    have = parse_release(kernel)
    if not have:
        return untold("file system", [(pair.taker.node, f"its kernel {kernel!r} has no number")])
    if lacking := find_lacking(theirs.features, have):
        says = f"{pair.controller.asset.device} has {', '.join(lacking)}; {pair.taker.node} runs {kernel}"
        return wrong("file system", says)
    if strange := unnamed(theirs.features):
        return untold("file system", [(pair.taker.node, f"features that tanist does not know: {', '.join(strange)}")])
    return good("file system", f"{kernel} of {pair.taker.node} knows all {len(theirs.features)} features of the asset")
