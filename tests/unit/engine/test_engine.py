"""The engine as a table of events: what is journalled and done, in which order, when steps fail, resume and undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tanist.engine import Engine, Event, StepFailure
from tanist.host.fake import Crash, FakeHost, FakeUnit
from tanist.journal.journal import Journal
from tanist.journal.state import RunState
from tanist.model import run as r
from tanist.model import steps as s
from tanist.model.claim import Claim
from tanist.model.dataclasses import replace
from tanist.model.definition import Asset, Controller, Identity
from tanist.model.errors import Lost, Rebooting
from tanist.model.host import Address, Ran
from tanist.steps.context import Context
from tests.unit.model.examples import STARTED

ADDRESS = Address(interface="eth0", address="10.0.0.9", prefix=24)
CONTROLLER = Controller(
    name="oc",
    asset=Asset(kind="directory"),
    tree="/tree",
    identity=Identity(mode="host", hostname="ec", addresses=(), ssh_host_keys="/keys"),
    nodes=(),
)
NAME = s.SetHostname(name="ec", own="node1", cover="/run/tanist/oc/hostname")
ADD = s.AddAddress(address=ADDRESS, probe_seconds=0.1)
START = s.StartService(unit="oc.service", start_timeout=9, stop_timeout=9)
EXPORT = s.WriteExports(path="/etc/exports.d/oc.exports", lines=("/tree *(ro)",))
COVER = s.CoverSshKeys(unit="ssh.service", covers=())
RELOAD = ["systemctl", "try-reload-or-restart"]
CLAIM = Claim(controller="oc", node="node2", epoch=9, state="held", since="then", run="theirs")
PUT = s.MakeSshKeys(directory="/keys", types=("ed25519",), comment="ec")


class Bench:
    def __init__(self, top: Path) -> None:
        self.host = FakeHost(str(top), "node1", units={"oc.service": FakeUnit()})
        self.host.answer(["ssh-keygen"], changes=True)
        self.events: list[Event] = []
        self.journal = Journal.create(self.host, "oc", "run1")
        self.journal.append(STARTED)

    def engine(self) -> Engine:
        """As a new process would: from the disk."""
        self.journal = Journal.load(self.host, self.journal.path)
        return Engine(Context(host=self.host, controller=CONTROLLER, node="node1"), self.journal, self.events.append)

    def plan(self, *specs: s.StepSpec, undo: bool = False) -> r.PlanMade:
        steps = tuple(
            s.PlannedStep(id=f"p.{n}", says=type(spec).__name__, direction="undo" if undo else "apply", spec=spec)
            for n, spec in enumerate(specs, start=1)
        )
        return r.PlanMade(part="p", plan=s.Plan(title="p", steps=steps))

    def execute(self, *specs: s.StepSpec, undo: bool = False) -> None:
        self.engine().execute("p", lambda: self.plan(*specs, undo=undo))

    @property
    def records(self) -> list[str]:
        """Kind of each record behind the first, with its step's number."""
        found = []
        for record in Journal.load(self.host, self.journal.path).records[1:]:
            step = getattr(record.body, "step", "")
            found.append(f"{type(record.body).__name__} {step[2:]}".strip())
        return found

    @property
    def said(self) -> list[str]:
        return [f"{event.kind} {event.says}" for event in self.events]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_step_is_journalled_before_it_begins_and_after_it_is_done(bench: Bench) -> None:
    bench.execute(NAME, ADD)
    assert bench.records == ["PlanMade", "StepBegun 1", "StepDone 1", "StepBegun 2", "StepDone 2"]
    changes = [what.split()[0] for what in bench.host.log]
    assert changes == [
        *("files.make_directory", "files.append"),  # the run begins
        *("files.append", "files.append"),  # the plan, the first step begins
        *("files.make_directory", "files.write", "set_hostname", "files.append"),
        *("files.append", "add_address", "announce", "files.append"),
    ]
    assert bench.said == [
        "part p",
        *("begun SetHostname", "done SetHostname"),
        *("begun AddAddress", "done AddAddress"),
    ]


def test_the_plan_is_made_once_and_taken_from_the_journal_afterwards(bench: Bench) -> None:
    bench.execute(NAME)

    def build() -> r.PlanMade:
        raise AssertionError("the plan is there already")

    bench.engine().execute("p", build)
    assert bench.records == ["PlanMade", "StepBegun 1", "StepDone 1"]
    assert bench.said[-1] == "kept SetHostname"


def test_a_step_that_fails_is_noted_and_stops_the_run(bench: Bench) -> None:
    other = FakeHost(f"{bench.host.root}-2", "node2", wire=bench.host.wire)
    other.add_address(ADDRESS)
    with pytest.raises(StepFailure, match=r"AddAddress: 10\.0\.0\.9 is in use by 02:") as caught:
        bench.execute(NAME, ADD, EXPORT)
    assert bench.records == ["PlanMade", "StepBegun 1", "StepDone 1", "StepBegun 2", "StepFailed 2"]
    assert (caught.value.node, caught.value.step, caught.value.hold) == ("node1", "p.2", False)
    assert "tanist resume oc" in caught.value.next_step and "tanist undo oc" in caught.value.next_step
    assert bench.said[-1].startswith("failed AddAddress: 10.0.0.9 is in use")
    bench.engine().undo()
    assert bench.records[5:] == ["StepUndoing 2", "StepUndone 2", "StepUndoing 1", "StepUndone 1"]
    assert bench.host.hostname() == "node1"


def test_what_only_has_to_be_waited_for_goes_on_beside_the_following_steps(bench: Bench) -> None:
    bench.host.answer(RELOAD)
    bench.execute(COVER, NAME, undo=True)
    assert bench.records == ["PlanMade", "StepBegun 1", "StepBegun 2", "StepDone 2", "StepDone 1"]
    assert bench.said[-2:] == ["done SetHostname", "done CoverSshKeys"]
    assert bench.host.ran == [(*RELOAD, "--", "ssh.service")]


def test_a_step_that_fails_beside_others_fails_the_run_once_they_are_done(bench: Bench) -> None:
    bench.host.answer(RELOAD, status=1, stderr="bad configuration")
    with pytest.raises(StepFailure, match=r"CoverSshKeys: .*bad configuration"):
        bench.execute(COVER, NAME, undo=True)
    assert bench.records[-2:] == ["StepDone 2", "StepFailed 1"]
    bench.host.answer(RELOAD)
    bench.execute()
    assert bench.records[-2:] == ["StepBegun 1", "StepDone 1"]


@pytest.mark.parametrize(("status", "last"), [(0, "StepDone 1"), (1, "StepFailed 1")])
def test_a_later_failure_is_the_one_told_and_what_goes_on_is_waited_for_first(
    bench: Bench, status: int, last: str
) -> None:
    bench.host.answer(RELOAD, status=status)
    bench.host.answer(["systemctl", "stop"], status=1, stderr="will not")
    bench.host.units["oc.service"].state = "active"
    with pytest.raises(StepFailure, match=r"StartService: .*will not"):
        bench.execute(COVER, START, undo=True)
    assert bench.records[-2:] == ["StepFailed 2", last]
    bench.host.answer(RELOAD)
    bench.engine().undo()
    assert bench.records[-4:] == ["StepUndoing 2", "StepUndone 2", "StepUndoing 1", "StepUndone 1"]


def test_killed_beside_others_it_is_done_again(bench: Bench) -> None:
    def reload(argv: Sequence[str], _: bytes) -> Ran:
        bench.host.crash_after(1)  # the next record is the last
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"")

    bench.host.answer_with(RELOAD, reload)
    with pytest.raises(Crash):
        bench.execute(COVER, ADD, undo=True)
    assert bench.records[-2:] == ["StepBegun 1", "StepBegun 2"]
    bench.host.revive()
    bench.host.answer(RELOAD)
    bench.execute()
    assert bench.records[-4:] == ["StepBegun 1", "StepBegun 2", "StepDone 2", "StepDone 1"]


def test_a_step_that_breaks_in_an_unforeseen_way_is_a_failure_of_that_step(bench: Bench) -> None:
    bench.host.answer_with(["ssh-keygen"], lambda argv, stdin: 1 // 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(StepFailure, match="by zero"):
        bench.execute(PUT)
    assert bench.records[-1] == "StepFailed 1"


def test_a_service_that_fails_holds_the_run_and_resume_goes_on_there(bench: Bench) -> None:
    bench.host.units["oc.service"].fails = True
    with pytest.raises(StepFailure) as caught:
        bench.execute(NAME, START, EXPORT)
    assert caught.value.hold
    bench.host.units["oc.service"].fails = False
    bench.execute()
    assert bench.records[3:] == [
        "StepBegun 2",
        "StepFailed 2",
        "StepBegun 2",
        "StepDone 2",
        "StepBegun 3",
        "StepDone 3",
    ]


def test_an_undo_that_fails_is_noted_and_can_be_tried_again(bench: Bench) -> None:
    bench.execute(NAME, START, EXPORT)
    bench.host.answer(["systemctl", "stop"], status=1, stderr="will not")
    with pytest.raises(StepFailure, match=r"StartService: oc\.service did not stop"):
        bench.engine().undo()
    assert bench.records[-3:] == ["StepUndone 3", "StepUndoing 2", "StepFailed 2"]
    assert bench.host.hostname() == "ec"
    bench.host.answer_with(["systemctl", "stop"], lambda argv, stdin: stop_unit(bench.host))
    bench.engine().undo()
    assert bench.records[-4:] == ["StepUndoing 2", "StepUndone 2", "StepUndoing 1", "StepUndone 1"]
    assert bench.host.hostname() == "node1" and bench.host.units["oc.service"].state == "inactive"


def stop_unit(host: FakeHost) -> Ran:
    host.units["oc.service"].state = "inactive"
    return host.run(["systemctl", "show", "oc.service"])


def test_steps_that_were_never_begun_are_not_undone(bench: Bench) -> None:
    other = FakeHost(f"{bench.host.root}-2", "node2", wire=bench.host.wire)
    other.add_address(ADDRESS)
    with pytest.raises(StepFailure):
        bench.execute(ADD, NAME)
    start = len(bench.host.log)
    bench.engine().undo()
    assert not any(what.startswith("set_hostname") for what in bench.host.log[start:])
    bench.engine().undo()
    assert bench.records[-2:] == ["StepUndoing 1", "StepUndone 1"]


def test_a_plan_that_takes_away_is_undone_by_putting_back(bench: Bench) -> None:
    bench.execute(NAME, ADD)
    journal = Journal.create(bench.host, "oc", "run2")
    journal.append(STARTED)
    bench.journal = journal
    bench.execute(ADD, NAME, undo=True)
    assert bench.host.hostname() == "node1" and bench.engine().not_in_effect() == ()
    bench.engine().undo()
    assert bench.host.hostname() == "ec" and bench.host.network.has(ADDRESS)


def test_after_a_boot_what_the_machine_forgot_is_done_again_and_what_it_keeps_is_not(bench: Bench) -> None:
    bench.execute(PUT, NAME, ADD, START, EXPORT)
    assert bench.engine().not_in_effect() == ()
    bench.host.reboot()
    assert bench.engine().not_in_effect() == ("SetHostname", "AddAddress", "StartService")
    start = len(bench.records)
    bench.execute()
    assert bench.records[start:] == [f"{kind} {n}" for n in (2, 3, 4) for kind in ("StepBegun", "StepDone")]
    assert bench.engine().not_in_effect() == ()
    assert {record.boot for record in bench.journal.records} == {"node1-boot-1", "node1-boot-2"}


def test_a_machine_that_can_not_be_looked_at_counts_as_not_in_effect(bench: Bench) -> None:
    bench.execute(ADD)
    for verb in ("show", "is-active"):
        bench.host.answer(["systemctl", verb], status=1)
    bench.journal = Journal.create(bench.host, "oc", "run2")
    bench.journal.append(STARTED)
    with pytest.raises(StepFailure):
        bench.execute(START)
    bench.journal.append(r.StepDone(step="p.1", seconds=0.0))
    assert bench.engine().not_in_effect() == ("StartService",)


@pytest.mark.requirement("A61")
def test_each_act_is_preceded_by_a_look_at_who_owns_it_and_none_follows_a_loss(bench: Bench) -> None:
    """Behind the record, so that what the run slept through between record and act is seen; undo and resume alike."""
    asked: list[str] = []

    def guard(state: RunState, step: s.PlannedStep) -> None:
        asked.append(f"{step.id} {state.status[step.id]}")
        if len(asked) == 2 + bool(lost):
            raise Lost("it is another's", CLAIM, node="node1", step=step.id)

    lost: list[bool] = []
    engine = bench.engine()
    engine._guard = guard
    with pytest.raises(Lost):
        engine.execute("p", lambda: bench.plan(NAME, START))
    assert asked == ["p.1 begun", "p.2 begun"] and bench.host.units["oc.service"].state == "inactive"
    assert bench.records == ["PlanMade", "StepBegun 1", "StepDone 1", "StepBegun 2", "StepFailed 2"]
    lost.append(True)
    with pytest.raises(Lost):
        engine.undo()
    assert asked[2:] == ["p.2 undoing"]
    bench.engine().undo()
    assert bench.host.hostname() == "node1"


def test_what_goes_on_beside_is_waited_for_before_a_loss_is_told(bench: Bench) -> None:
    bench.host.answer(RELOAD)
    bench.execute(COVER)
    engine = bench.engine()
    asked: list[str] = []

    def guard(state: RunState, step: s.PlannedStep) -> None:
        asked.append(step.id)
        if len(asked) == 2:
            raise Lost("it is another's", CLAIM, node="node1", step=step.id)

    engine._guard = guard
    made = bench.plan(COVER, ADD, undo=True)
    with pytest.raises(Lost):
        engine.execute("q", lambda: r.PlanMade(part="q", plan=renamed(made.plan)))
    assert bench.records[-2:] == ["StepFailed 2", "StepDone 1"]


def renamed(plan: s.Plan) -> s.Plan:
    steps = tuple(replace(one, id=one.id.replace("p.", "q.")) for one in plan.steps)
    return replace(plan, steps=steps)


def test_steps_of_a_kind_can_be_done_again_and_no_others(bench: Bench) -> None:
    bench.execute(NAME, ADD)
    bench.engine().repeat((s.AddAddress,))
    assert bench.records[-4:] == ["StepBegun 2", "StepDone 2", "StepBegun 2", "StepDone 2"]


def test_one_step_can_be_done_again(bench: Bench) -> None:
    bench.execute(NAME)
    bench.host.reboot()
    engine = bench.engine()
    engine.again(engine.state.steps[0])
    assert bench.host.hostname() == "ec"
    assert bench.records[-2:] == ["StepBegun 1", "StepDone 1"]


def test_a_reboot_passes_through_and_the_run_goes_on_after_it(bench: Bench) -> None:
    bench.host.answer(["systemctl", "--no-block", "reboot"])
    steps = (s.Reboot(boot_id=bench.host.boot_id()), NAME)
    with pytest.raises(Rebooting):
        bench.execute(*steps)
    assert bench.records == ["PlanMade", "StepBegun 1"]  # no failure, no end: nobody may swallow it
    bench.host.reboot()
    bench.execute()
    assert bench.records[2:] == ["StepBegun 1", "StepDone 1", "StepBegun 2", "StepDone 2"]


Steps = tuple[s.StepSpec, ...]
SMALL: Steps = (PUT, NAME, ADD, START, EXPORT)


def crashed(bench: Bench, after: int, act: Callable[[], None]) -> bool:
    bench.host.crash_after(after)
    try:
        act()
    except Crash:
        return True
    finally:
        bench.host.revive()
    return False


def seen(bench: Bench) -> tuple[object, ...]:
    host = bench.host
    exported = host.files.exists(EXPORT.path)
    return host.hostname(), host.network.has(ADDRESS), host.units["oc.service"].state, exported


@pytest.mark.parametrize("boots", [False, True])
@pytest.mark.parametrize("end", ["resume", "undo"])
def test_stopped_after_any_change_it_ends_the_same(tmp_path: Path, end: str, boots: bool) -> None:
    for after in range(1, 100):
        bench = Bench(tmp_path / str(after))
        if not crashed(bench, after, lambda b=bench: b.execute(*SMALL)):  # type: ignore[misc]
            break
        if boots:
            bench.host.reboot()
        if end == "resume":
            bench.execute(*SMALL)
            assert seen(bench) == ("ec", True, "active", True), after
            assert bench.engine().not_in_effect() == ()
        else:
            bench.engine().undo()
            assert seen(bench) == ("node1", False, "inactive", False), after
            assert bench.engine().state.touched == ()
    assert after > 15
