"""tanist captures NAME: the generations on the tree, or on a standby the mirrored ones.

tanist captures verify [NAME] [--all]; tanist captures diff [NAME] A B (a capture with another, or with a node);
tanist captures key [NAME] (what seals the mirrored ones).
"""

from __future__ import annotations

import argparse

from tanist.cli.context import open_session, the_only_controller
from tanist.runs.session import Session

VERBS = ("verify", "diff", "key")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.usage = (
        "tanist captures NAME\n"
        "       tanist captures verify [NAME] [--all]\n"
        "       tanist captures diff [NAME] CAPTURE CAPTURE|NODE\n"
        "       tanist captures key [NAME] [--new]"
    )
    parser.add_argument("words", nargs="+", metavar="WORD", help="NAME may be left out where one definition is here")
    parser.add_argument("--all", action="store_true", help="verify: every generation; exit status 6 if one is bad")
    parser.add_argument("--verify", action="store_true", help="as verify --all, without rendering the newest")
    parser.add_argument("--new", action="store_true", help="key: one more, which seals from now on")
    parser.epilog = (
        'A CAPTURE is its name, the beginning of it, or "latest". diff with a NODE tells what a restore would change '
        "there; exit status 1: there are differences."
    )


def run(args: argparse.Namespace) -> int:
    words: list[str] = args.words
    verb = words[0] if words[0] in VERBS and (len(words) > 1 or words[0] != "diff") else ""
    match verb, words[1:] if verb else words:
        case "verify", [name]:
            return verify(open_session(name), every=args.all)
        case "verify", []:
            return verify(open_session(the_only_controller()), every=args.all)
        case "diff", [name, old, new]:
            return diff(open_session(name), old, new)
        case "diff", [old, new]:
            return diff(open_session(the_only_controller()), old, new)
        case "key", [name]:
            return key(open_session(name), new=args.new)
        case "key", []:
            return key(open_session(the_only_controller()), new=args.new)
        case "", [name]:
            return verify_bytes(open_session(name)) if args.verify else show(open_session(name))
    return usage(words)


def usage(words: list[str]) -> int:
    import sys

    print(f"tanist captures: {' '.join(words)!r} is not understood; see: tanist captures --help", file=sys.stderr)
    return 2


def show(session: Session) -> int:
    from tanist.runs.backup import list_captures

    for line in list_captures(session):
        print(line)
    return 0


def key(session: Session, *, new: bool) -> int:
    from tanist.runs.mirror_key import share_keys

    for line in share_keys(session, new=new):
        print(line)
    return 0


def verify(session: Session, *, every: bool) -> int:
    from tanist.runs.verification import verify_newest

    bad = verify_bytes(session) if every else 0
    newest = verify_newest(session)
    print(f"{newest.generation or 'no capture'}  {newest.result}: {newest.says}")
    return 6 if bad or newest.result == "bad" else 0


def verify_bytes(session: Session) -> int:
    from tanist.runs.verification import verify_all

    verdicts = verify_all(session)
    for name, problem in verdicts:
        print(f"{name}  {problem or 'good'}")
    return 6 if any(problem for _, problem in verdicts) else 0


def diff(session: Session, old: str, new: str) -> int:
    from tanist.runs.diffing import diff_captures

    differs = False
    for line in diff_captures(session, old, new):
        print(line)
        differs = True
    return 1 if differs else 0
