"""python -m lab.demo [--keep] [--controller postgresql|opscenter|both] [--lab NAME]

Exit status: 0 every promise was kept, 1 one was not, 2 the demo could not run, 130 interrupted.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, cast

from lab.checks.ledger import Kind
from lab.demo.leftovers import Things, find_new, read_things
from lab.demo.looks import Looks
from lab.demo.pair import MODULES, bring_up, build_image
from lab.demo.promises import Finding, Promise, Verdict
from lab.demo.screen import Screen, render_seconds
from lab.demo.story import Story, StoryBroken, remember_own_keys
from lab.errors import LabError, LabRefused
from lab.lab import Lab
from lab.layout import LOCKS

INTERRUPTED = 130
REAPING = 5.0  # seconds


def main(argv: list[str]) -> int:
    args = parse_arguments(argv)
    names = list(MODULES) if args.controller == "both" else [cast(Kind, args.controller)]
    screen = Screen()
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with only_demo(args.lab):
            return run(Lab(args.lab), screen, names, keep=args.keep)
    except LabRefused as error:
        print(f"demo: refused: {error}", file=sys.stderr)
        return 2


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description="The main job, with a person watching.")
    parser.add_argument("--keep", action="store_true", help="leave the hosts up, and say how to enter them")
    parser.add_argument("--controller", choices=[*MODULES, "both"], default="both")
    parser.add_argument("--lab", default="demo", help="name of the lab; one of that name is taken down first")
    return parser.parse_args(argv)


def interrupt(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    raise KeyboardInterrupt


@contextmanager
def only_demo(lab: str) -> Iterator[None]:
    """One demo at a time in a lab."""
    fd = os.open(LOCKS / f"tanist-demo-{lab}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise LabRefused(f"another demo is at work in the lab {lab!r}") from None
    finally:
        os.close(fd)


def run(lab: Lab, screen: Screen, names: list[Kind], *, keep: bool) -> int:
    verdict = Verdict(names, kept=keep)
    screen.title(f"tanist moves {' and '.join(names)} between two hosts: a power cut under load, and the way home")
    status, up = 0, False
    before: Things = {}
    try:
        screen.chapter(0, "Two hosts and a client, on this machine")
        if lab.leftovers():
            with screen.doing("what an earlier demo left is taken down"):
                lab.down()
        before = read_things(lab.name)
        up = True
        tell(lab, screen, names, verdict)
    except KeyboardInterrupt:
        status = stopped(screen, "interrupted", INTERRUPTED)
    except (StoryBroken, LabError, OSError) as error:
        status = stopped(screen, str(error), 1)
    finally:
        if up and not keep:
            take_down(lab, screen, verdict, before)
    if status != INTERRUPTED:
        show_verdict(screen, verdict)
    if keep:
        show_way_in(lab, screen, names)
    return status or (0 if verdict.good else 1)


def tell(lab: Lab, screen: Screen, names: list[Kind], verdict: Verdict) -> None:
    build_image(lab, screen)
    with screen.doing("ec-a, ec-b and client boot; two disks and two networks between them"):
        lab.up()
    own_keys = remember_own_keys(lab)
    subjects = bring_up(lab, screen, names)
    Story(lab, screen, Looks(lab, screen, verdict), subjects).tell(own_keys)


def stopped(screen: Screen, why: str, status: int) -> int:
    """Says what was being done; of a long error its begin and its end."""
    doing = f" while: {screen.doing_now}" if screen.doing_now else ""
    first, *more = why.splitlines() or ["?"]
    screen.line(f"\nstopped{doing}", "red")
    screen.evidence([first, *more[-20:]])
    return status


def take_down(lab: Lab, screen: Screen, verdict: Verdict, before: Things) -> None:
    """Whatever happened, and however often Ctrl-C is typed meanwhile."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    screen.chapter(5, "Everything is taken down")
    try:
        with screen.doing("hosts, networks, disks"):
            lab.down()
        left = look_for_leftovers(lab, before)
    except (LabError, OSError) as error:
        left = [str(error)]
    text = "mounts, network namespaces, loop devices, processes: as before" if not left else f"{len(left)} things left"
    Looks(lab, screen, verdict).saw(Finding(Promise.CLEAN, "", text, not left, left))


def look_for_leftovers(lab: Lab, before: Things) -> list[str]:
    """A process that was killed is in the table until its parent has taken note: it is given a moment."""
    deadline = time.monotonic() + REAPING
    while (left := [*lab.leftovers(), *find_new(before, read_things(lab.name), lab.name)]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.1)
    return left


def show_verdict(screen: Screen, verdict: Verdict) -> None:
    screen.line()
    screen.table(("promised", "seen"), verdict.rows())
    screen.line()
    bad = sum(not good for _, _, good in verdict.rows())
    # times mean little without it
    total = f"{render_seconds(screen.elapsed)}; {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    if verdict.good:
        screen.line(f"  {len(verdict.rows())} promises, all kept; {total}", "green")
    else:
        screen.line(f"  {bad} of {len(verdict.rows())} promises NOT kept; {total}", "red")


def show_way_in(lab: Lab, screen: Screen, names: list[Kind]) -> None:
    call = "./labctl" if lab.name == "main" else f"LAB={lab.name} ./labctl"
    name = names[0]
    screen.line("\nThe hosts stay up.", "bold")
    for command, says in (
        (f"{call} enter ec-a", "a shell on a host: ec-a, ec-b or client; there:"),
        ("    tanist status", "who owns what"),
        (f"    tanist history {name} --steps", "every run, with the seconds of each step"),
        (f"    tanist takeover {name} --dry-run", "on ec-b: evidence, verdict and plans; changes nothing"),
        (f"    tanist switchover {name}", "to the other host, and again: back"),
        (f"{call} cut ec-a", "another power cut; boot ec-a: power on again"),
        (f"{call} status", "hosts, addresses, disks"),
        (f"{call} down", "take everything down"),
    ):
        screen.line(f"  {command:<44} {says}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
