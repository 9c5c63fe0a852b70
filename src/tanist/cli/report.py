"""tanist report NAME: a run for its post-mortem, as text or as one page that stands by itself."""

from __future__ import annotations

import argparse
import os
import sys

from tanist.cli.context import open_session
from tanist.model.errors import Refused
from tanist.report.page import render_page
from tanist.report.text import render_text
from tanist.runs.report import build_report


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--run", default="", metavar="RUN", help="as tanist history names it; the last one")
    parser.add_argument("--html", metavar="FILE", help="write a page there (- for the standard output)")


def run(args: argparse.Namespace) -> int:
    """Exit status 0; 1 when the run has not ended."""
    found = build_report(open_session(args.name), args.run)
    if args.html == "-":
        sys.stdout.write(render_page(found))
    elif args.html:
        write_page(args.html, render_page(found))
        print(f"{found.run}: {args.html}")
    else:
        sys.stdout.write(render_text(found))
    return 0 if found.outcome in ("done", "undone") else 1


def write_page(path: str, text: str) -> None:
    """By rename, readable by its owner only: it names machines, people and addresses."""
    part = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        raise Refused(f"{path} could not be written: {error.strerror}", next_step="--html FILE elsewhere") from None
