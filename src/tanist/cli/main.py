"""The command line: finds the command, calls it, turns its errors into words and an exit status. No logic.

Only the module of the command that was typed is imported: a status must be quick.
"""

from __future__ import annotations

import os
import sys

from tanist import __version__
from tanist.model.errors import Rebooting, Refused, TanistError

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "status": "who owns it, what this node is, what is unfinished",
    "check": "would a takeover work right now, and why not",
    "takeover": "make this node the active one: the owner failed, or let go",
    "release": "stop here and let the asset go",
    "switchover": "planned move to another node and back, by one command",
    "resume": "go on with a run that was cut off",
    "undo": "take back a run that was cut off",
    "capture": "save what the controller needs outside its tree (habackup)",
    "restore": "put a capture into force on this node (harestore)",
    "captures": "list, verify and compare captures",
    "drill": "a takeover by this standby rehearsed in isolation, production untouched",
    "history": "every run: who, why, on what evidence, how it ended",
    "report": "one run for its post-mortem, as text or as a page",
    "proofs": "what could prove an owner down, what is lacking, what it costs",
    "lease": "a lease on shared storage that an active node renews: set up, status",
    "definition": "check a definition",
    "storage": "bare disks into an asset; a tree onto it; larger disks used; a close look at what it stands on",
    "init": "the first time: give the asset its claim",
    "enable": "bring it up at boot if this node holds the claim; capture every hour, verify every day",
    "pair": "make the other nodes known to this one",
    "hooks": "who is told of runs and of readiness; --test tells them something",
    "agent": "captures on change, readiness, metrics (tanist-agent.service)",
    "setup": "install commands and units of this installation on this node",
}
INTERNAL = {
    "word",
    "readout",
    "boot",
    "gate",
    "mirror",
    "chain",
    "watch",
    "drilldata",
    "cell",
    "rehearse",
    "courier",
    "disks",
    "sizes",
}  # asked by the other node, or by systemd


def tanist() -> int:
    return leave(run_command("tanist", sys.argv[1:]))


def leave(status: int) -> int:
    """Ends the process without taking the interpreter apart, which takes longer than to start it. Where a thread is
    still at work, or what was said can't be delivered, it ends in the usual way."""
    threading = sys.modules.get("threading")
    if threading is None or threading.active_count() == 1:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except OSError:
            return status
        os._exit(status)
    return status


def habackup() -> int:
    return run_command("habackup", ["capture", *sys.argv[1:]])


def harestore() -> int:
    return run_command("harestore", ["restore", *sys.argv[1:]])


def run_command(program: str, argv: Sequence[str]) -> int:
    """Exit status: see model/errors.py and the manual."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(render_help())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"tanist {__version__}")
        return 0
    if argv[0] == "status" and (plain := parse_status(argv[1:])) is not None:
        from tanist.cli.status import show

        return call(lambda: show(plain[0], as_json=plain[1]))
    name = argv[0]
    if name not in COMMANDS and name not in INTERNAL:
        print(f"tanist: there is no command {name!r}{did_you_mean(name)}", file=sys.stderr)
        return 2
    import argparse
    import importlib

    module = importlib.import_module(f"tanist.cli.{name}")
    label = program if program != "tanist" else f"tanist {name}"
    parser = argparse.ArgumentParser(prog=label, description=COMMANDS.get(name))
    module.configure(parser)
    args = parser.parse_args(argv[1:])
    ignore_hangup()
    return call(lambda: int(module.run(args)))


def ignore_hangup() -> None:
    """The operator's line may drop, and a takeover in mode host may be what drops it: the run goes on."""
    import signal

    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def parse_status(argv: Sequence[str]) -> tuple[str, bool] | None:
    """(name, json) of a plain `tanist status`, without argparse, which takes longer than the status itself."""
    names = [word for word in argv if not word.startswith("-")]
    options = {word for word in argv if word.startswith("-")}
    if len(names) > 1 or options - {"--json"}:
        return None
    return (names[0] if names else ""), bool(options)


def call(run: Callable[[], int]) -> int:
    try:
        return run()
    except TanistError as error:
        report_error(error)
        return error.exit_status
    except Rebooting as rebooting:
        print("this machine restarts now, and the run goes on after the boot; then: tanist status", file=sys.stderr)
        return rebooting.exit_status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("\ntanist: interrupted; see: tanist status NAME", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"tanist: {error}", file=sys.stderr)
        return 1


def report_error(error: TanistError) -> None:
    word = "refused" if isinstance(error, Refused) else "failed"
    print(f"{word}: {error.message}", file=sys.stderr)
    if error.next_step:
        lines = error.next_step.splitlines()
        print("what to do: " + "\n            ".join(lines), file=sys.stderr)


def did_you_mean(name: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, 1)
    return f"; did you mean {close[0]}?" if close else "; see: tanist --help"


def render_help() -> str:
    lines = [
        "usage: tanist COMMAND [NAME] [OPTION...]",
        "",
        "Moves a single-instance server, whole, between machines.",
        "",
    ]
    lines += [f"  {name:<11} {says}" for name, says in COMMANDS.items()]
    lines += ["", "tanist COMMAND --help tells more; exit statuses are in the manual."]
    return "\n".join(lines)
