"""Each rule of claim, lease and reservation (docs/formats.md) is left out once: the test beside it must see that.

The product is copied, one place of the copy changed, and the test run against it in a process of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FILE = "tests/unit/journal/test_claimfile.py::test_"
CLAIM = "tests/unit/runs/test_runs_claim.py::test_"


@dataclass(frozen=True, slots=True)
class Rule:
    """`says`: words of the rule in docs/formats.md; `is_` becomes `without` in `path`."""

    says: str
    path: str
    is_: str
    without: str
    test: str


RULES = (
    Rule(
        "exactly 8192 bytes", "journal/slots.py", "if len(data) != SIZE:", "if not data:", f"{FILE}a_file_of_any_other"
    ),
    Rule(
        "the SHA-256, in hex",
        "journal/slots.py",
        'or body.get("sum") != checksum(body)',
        "",
        f"{FILE}a_flipped_byte_never_makes_another_claim",
    ),
    Rule(
        "with the higher `seq` counts",
        "journal/slots.py",
        "return max(valid,",
        "return min(valid,",
        f"{FILE}the_newer_slot_counts",
    ),
    Rule(
        'No valid slot *must* be read as "unreadable"',
        "journal/claimfile.py",
        "    if isinstance(body, str):\n        return Unread(body)\n",
        "    if isinstance(body, str):\n"
        '        return Claim(controller="", node="", epoch=0, state="released", since="", run="")\n',
        f"{FILE}garbage_is_unreadable",
    ),
    Rule(
        "in place, never by rename",
        "journal/claimfile.py",
        "seq)\n        host.files.overwrite(path, slot, offset)",
        "seq)\n        host.files.write(path, data[:offset] + slot + data[offset + SLOT :])",
        f"{FILE}a_save_leaves_the_new_claim",
    ),
    Rule(
        "one slot, on disk, then the other",
        "journal/claimfile.py",
        "for _ in range(2):",
        "for _ in range(1):",
        f"{FILE}a_save_leaves_the_new_claim",
    ),
    Rule(
        "*must not* lower the epoch",
        "journal/claimfile.py",
        "if claim.epoch < there.epoch:",
        "if False:",
        f"{FILE}the_epoch_never_goes_back",
    ),
    Rule(
        "cannot be read *must not* be written over",
        "journal/claimfile.py",
        "    if isinstance(there, Unread):\n        raise OSError(errno.EIO",
        "    if False:\n        raise OSError(errno.EIO",
        f"{FILE}an_unreadable_claim_is_not_written_over",
    ),
    Rule(
        "raise the epoch before its first act",
        "runs/takeover.py",
        '        engine.execute("claim", lambda: plan_claim(session, engine, accepted))\n',
        '        engine.execute("assume", lambda: plan_assume(session, engine, options))\n'
        '        engine.execute("claim", lambda: plan_claim(session, engine, accepted))\n',
        f"{CLAIM}the_epoch_is_raised_before",
    ),
    Rule(
        "made over the epoch that it found",
        "runs/takeover.py",
        "if claim.epoch != engine.state.started.epoch - 1:",
        "if False:",
        f"{CLAIM}a_takeover_over_a_claim_that_moved_on",
    ),
    Rule(
        "read the claim before it mounts the asset",
        "runs/first.py",
        "    if not found.unused:\n",
        "    if False:\n",
        "tests/unit/runs/test_runs_first.py::test_typed_on_a_standby",
    ),
    Rule(
        "without the other nodes' word, or their power read as off",
        "model/definition.py",
        'return guarded or not any("power" in names for names in self.suffices)',
        "return True",
        "tests/unit/runs/test_runs_promise.py::test_what_was_released_is_not_taken",
    ),
    Rule(
        "only by the node that holds it",
        "steps/claim.py",
        "or claim.node != spec.node or claim.epoch != spec.epoch",
        "",
        "tests/unit/steps/test_steps_bad_input.py::test_a_claim_that_moved_on",
    ),
    Rule(
        "as the last thing before the asset is unmounted",
        "plan/release.py",
        "steps += [_reversed(step, run) for step in reversed(in_force) if",
        "steps += [_reversed(step, run) for step in in_force if",
        f"{CLAIM}the_claim_is_let_go",
    ),
    Rule(
        "leaves the new epoch, released",
        "steps/claim.py",
        "def undo_hold_claim(spec: HoldClaim, context: Context) -> None:\n",
        "def undo_hold_claim(spec: HoldClaim, context: Context) -> None:\n    return\n",
        f"{CLAIM}a_takeover_that_is_undone",
    ),
    Rule(
        "At boot it stays inert",
        "runs/boot.py",
        "if not observation.claim.is_held_by(session.node):",
        "if False:",
        "tests/unit/runs/test_runs_boot.py::test_an_ex_owner_boots_inert",
    ),
    Rule(
        "while it is active it takes everything down",
        "proof/hold.py",
        "if found.epoch > epoch or (found.epoch == epoch and found.node != me):",
        "if False:",
        "tests/unit/proof/test_hold.py",
    ),
    Rule(
        "past its page cache",
        "journal/claimfile.py",
        "return host.files.read_direct(claim_path(tree), SIZE + SLOT)",
        "return host.files.read(claim_path(tree))",
        f"{FILE}what_this_kernel_remembers",
    ),
    Rule(
        "before each step that depends on it",
        "runs/guard.py",
        "if depends(self._session, state, step):",
        "if False:",
        "tests/unit/runs/test_runs_guard.py::test_a_start_after_a_boot",
    ),
    Rule(
        "and at its end",
        "runs/filing.py",
        'if state.started.kind != "release":',
        "if False:",
        "tests/unit/runs/test_runs_guard.py::test_a_run_that_slept_before_its_last_look",
    ),
    Rule(
        "unless every other node says that",
        "runs/boot.py",
        'if session.controller.asset.kind != "directory":',
        "if True:",
        f"{CLAIM}a_plain_directorys_claim",
    ),
)

LEASE = "tests/unit/runs/test_runs_lease.py::test_"
PROMISE = "tests/unit/runs/test_runs_promise.py::test_"
PROOF_RULES = (  # of "The places of the lease", "A word that is kept" and "Reservation keys"
    Rule(
        "be on the disk before the word is given",
        "runs/promise.py",
        "        add_promise(session, promise)\n",
        "        pass\n",
        f"{PROMISE}a_word_that_a_takeover_goes_by",
    ),
    Rule(
        "is not that run) *must not* count",
        "runs/promise.py",
        "if word.promised == session.asks_for:",
        "if True:",
        f"{PROMISE}a_tanist_that_knows_of_no_promises",
    ),
    Rule(
        "*must not* mount the asset by claim or words alone",
        "proof/decide.py",
        "for prove in FREE if not bound else ():",
        "for prove in FREE:",
        f"{PROMISE}a_boot_of_a_node_that_gave_its_word",
    ),
    Rule(
        "no epoch *must* end it",
        "runs/promise.py",
        'epoch = 0 if session.controller.asset.kind == "directory" else claim.epoch',
        "epoch = claim.epoch",
        f"{PROMISE}in_a_plain_directory",
    ),
    Rule(
        "A file that can't be read, or of a node",
        "runs/promise.py",
        "    if isinstance(there, Unread):\n        why",
        "    if isinstance(there, Unread):\n        return ()\n        why",
        f"{PROMISE}a_note_that_cannot_be_read",
    ),
    Rule(
        "Only a record that says `held`",
        "proof/lease.py",
        'if record.state != "held":',
        "if False:",
        "tests/unit/proof/test_proof_lease.py::test_nothing_is_concluded_without",
    ),
    Rule(
        "in the generation that ran out",
        "proof/lease.py",
        "if mark.generation != record.generation:",
        "if False:",
        "tests/unit/proof/test_proof_lease.py::test_nothing_is_concluded_without",
    ),
    Rule(
        "hold the lease before it mounts the asset",
        "runs/carry_on.py",
        "(TakeLease, Reserve, *LAYER_STEPS, ",
        "(Reserve, *LAYER_STEPS, ",
        f"{LEASE}a_release_that_a_boot_cut_off",
    ),
    Rule(
        "not where anybody else has taken it since",
        "steps/sanlock.py",
        "(not mark.holder or mark.holder != over)",
        "not mark.holder",
        f"{LEASE}only_the_holder_that",
    ),
    Rule(
        "unless a strong proof stops its holder",
        "steps/lease.py",
        "if spec.free:",
        "if True:",
        f"{LEASE}a_guest_that_renewed_a_moment",
    ),
    Rule(
        "*must not* preempt a key of a later epoch, one of the same epoch that holds the reservation",
        "steps/reservation.py",
        "if owner.epoch > spec.epoch or found.holder == key:",
        "if False:",
        "tests/unit/runs/test_runs_reservation.py::test_a_stale_node_never_preempts",
    ),
    Rule(
        "or one that cannot be read so (a foreign key)",
        "steps/reservation.py",
        "if key and owner is None:",
        "if False:",
        "tests/unit/runs/test_runs_bad_proofs.py::test_a_strangers_key",
    ),
    Rule(
        "*must not* register except in a run with a verdict",
        "runs/reservation.py",
        "    if not read_active(session):\n        raise Refused(",
        "    if False:\n        raise Refused(",
        "tests/unit/runs/test_runs_reservation.py::test_nothing_is_reserved_for_a_standby",
    ),
)


def read_musts() -> list[str]:
    """The bullets of the claim's part that say *must*."""
    text = (TOP / "docs/formats.md").read_text()
    part = text.split("\n## The claim\n")[1].split("\n## ")[0]
    bullets = re.findall(r"(?ms)^- (.*?)(?=^- |^$|\Z)", part)
    return [" ".join(one.split()) for one in bullets if "*must" in one]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    top = tmp_path_factory.mktemp("without")
    for name in ("src", "tests/unit", "profiles"):
        shutil.copytree(TOP / name, top / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TOP / "pyproject.toml", top)
    yield top
    shutil.rmtree(top)


@pytest.mark.requirement("A05", "A61")
@pytest.mark.parametrize("rule", (*RULES, *PROOF_RULES), ids=lambda rule: rule.says.replace(" ", "-"))
def test_without_this_rule_its_test_is_red(copy: Path, rule: Rule) -> None:
    place = copy / "src/tanist" / rule.path
    whole = place.read_text()
    assert whole.count(rule.is_) == 1, f"{rule.path} does not say any more: {rule.is_}"
    place.write_text(whole.replace(rule.is_, rule.without))
    try:
        file, _, name = rule.test.partition("::")
        argv = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            file,
            "-k",
            name,
        ]
        path = os.pathsep.join((str(copy / "src"), str(copy)))
        ran = subprocess.run(
            argv if name else argv[:-2],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        place.write_text(whole)
    assert ran.returncode == 1 and " failed" in ran.stdout, ran.stdout[-2000:] + ran.stderr[-500:]


def test_each_must_of_the_claim_has_its_rule_here_and_each_rule_its_words_there() -> None:
    musts = read_musts()
    everything = " ".join((TOP / "docs/formats.md").read_text().split())
    assert len(musts) >= 9
    lacking = [one for one in musts if not any(rule.says in one for rule in RULES)]
    assert lacking == []
    assert [rule.says for rule in (*RULES, *PROOF_RULES) if rule.says not in everything] == []
