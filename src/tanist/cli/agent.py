"""tanist agent: captures on change, checks readiness, serves metrics. Run by tanist-agent.service."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from tanist.host.local import LocalHost


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", metavar="ADDRESS:PORT", help="answer GET /metrics for Prometheus there")
    parser.add_argument(
        "--textfiles", metavar="DIRECTORY", default="", help="write them there for node_exporter's textfile collector"
    )


def run(args: argparse.Namespace) -> int:
    from tanist.agent.loop import Agent
    from tanist.agent.serve import serve
    from tanist.host.supervisor import log, notify

    def tell(text: str, fields: Mapping[str, str], priority: int) -> None:
        log(text, fields, priority=priority)

    agent = Agent(LocalHost(), tell, notify, args.textfiles.rstrip("/"))
    if args.listen:
        serve(args.listen, agent.metrics)
    agent.run()
    return 0
