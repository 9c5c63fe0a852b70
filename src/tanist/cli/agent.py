"""tanist agent: captures on change, checks readiness, serves metrics. Run by tanist-agent.service."""

from __future__ import annotations

import argparse

from tanist.host.local import LocalHost


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", metavar="ADDRESS:PORT", help="answer GET /metrics for Prometheus there")


def run(args: argparse.Namespace) -> int:
    from tanist.agent.loop import Agent
    from tanist.agent.serve import serve
    from tanist.host.supervisor import log, notify

    agent = Agent(LocalHost(), lambda text, fields, priority: log(text, fields, priority=priority), notify)
    if args.listen:
        serve(args.listen, agent.metrics)
    agent.run()
    return 0
