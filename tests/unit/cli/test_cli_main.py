"""The command line: finds the command, turns errors into words and an exit status."""

from __future__ import annotations

import importlib
import io
import pkgutil
from collections.abc import Callable
from typing import TextIO, cast

import pytest

import tanist.cli
from tanist import __version__
from tanist.cli.main import COMMANDS, INTERNAL, call, run_command
from tanist.cli.timeline import Timeline
from tanist.engine import Event
from tanist.model import errors as e
from tanist.model.errors import Rebooting


def fail(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (e.Refused("no", next_step="try this\nor that"), 3, "refused: no\nwhat to do: try this\n            or that\n"),
        (e.NotProved("silence"), 4, "refused: silence\n"),
        (e.BadDefinition(["f:1: what", "f:2: that"]), 5, "refused: f:1: what\nf:2: that\nwhat to do: mend"),
        (e.BadCapture("torn"), 6, "refused: torn\n"),
        (e.Busy("at work"), 7, "refused: at work\n"),
        (e.Failed("half done", next_step="undo"), 8, "failed: half done\nwhat to do: undo\n"),
        (e.TanistError("odd"), 1, "failed: odd\n"),
        (OSError(5, "Input/output error", "/x"), 1, "tanist: "),
        (KeyboardInterrupt(), 130, "interrupted"),
        (Rebooting(), 9, "goes on after the boot"),
    ],
)
def test_each_kind_of_error_has_its_words_and_its_exit_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, says: str
) -> None:
    assert call(fail(error)) == status
    said = capsys.readouterr()
    assert says in said.err and said.out == ""


def test_an_error_in_tanist_itself_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        call(lambda: 1 // 0)


def test_help_and_version_need_no_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("tanist", ["--version"]) == 0
    assert capsys.readouterr().out == f"tanist {__version__}\n"
    assert (run_command("tanist", ["--help"]), run_command("tanist", [])) == (0, 2)
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert not any(f"  {name} " in text for name in INTERNAL)


@pytest.mark.parametrize(("typed", "says"), [("takover", "did you mean takeover?"), ("xyz", "see: tanist --help")])
def test_a_command_that_is_not_there_is_status_2(capsys: pytest.CaptureFixture[str], typed: str, says: str) -> None:
    assert run_command("tanist", [typed]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("name", [*COMMANDS, *sorted(INTERNAL)])
def test_every_command_has_a_module_and_its_own_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    module = importlib.import_module(f"tanist.cli.{name}")
    assert callable(module.configure) and callable(module.run)
    with pytest.raises(SystemExit) as caught:
        run_command("tanist", [name, "--help"])
    assert caught.value.code == 0
    assert f"usage: tanist {name}" in capsys.readouterr().out


def test_no_module_of_a_command_is_without_its_command() -> None:
    helpers = {"main", "context", "render", "screen", "timeline"}
    modules = {module.name for module in pkgutil.iter_modules(tanist.cli.__path__)} - helpers
    assert modules == {*COMMANDS, *INTERNAL}


def test_the_timeline_says_what_was_done_and_how_long_it_took() -> None:
    out = io.StringIO()
    timeline = Timeline(out)
    timeline.report(Event(kind="part", says="acquire"))
    timeline.report(Event(kind="begun", says="mount"))
    timeline.report(Event(kind="done", says="mount", seconds=0.25))
    timeline.report(Event(kind="failed", says="start: no"))
    timeline.report(Event(kind="kept", says="bind"))
    timeline.report(Event(kind="undone", says="mount", seconds=1.0))
    timeline.report(Event(kind="note", says="warning"))
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["", "acquire"] and lines[-1] == "warning"
    rest = [line.split("  ", 2)[2] for line in lines[2:-1]]
    assert rest == ["ok      mount  0.250 s", "FAILED  start: no", "stands  bind", "undone  mount  1.000 s"]


def test_a_terminal_that_is_gone_does_not_cut_off_a_run() -> None:
    class Gone:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise BrokenPipeError(32, f"Broken pipe: {text}")

    Timeline(cast(TextIO, Gone())).report(Event(kind="note", says="nobody hears it"))
