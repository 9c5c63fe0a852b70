#!/usr/bin/env python3
"""Put the Ops Center on this host: install (every node), configure (the primary, tree mounted), unconfigure.

Runs from wherever this folder was copied to: python3 opscenter/install.py install
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

if not __package__:  # run as a file: the folder that we are in becomes the package (PEP 366)
    here = Path(__file__).resolve().parent
    sys.path.insert(0, str(here.parent))
    __package__ = here.name
    importlib.import_module(__package__)

from .config import Config
from .configure import NotPossible, configure, unconfigure
from .layout import Layout
from .software import VERSION, install


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("/"), help="a trial below another root")
    verbs = parser.add_subparsers(dest="verb", required=True)
    software = verbs.add_parser("install", help="software, accounts, mount points")
    software.add_argument("--version", default=VERSION, help="value of product.version")
    software.add_argument("--role", choices=("ec+proxy", "proxy"), default="ec+proxy")
    defaults = Config()
    data = verbs.add_parser("configure", help="tree, configuration, first data")
    data.add_argument("--name", default=defaults.name)
    data.add_argument("--listen", default=defaults.listen, help="service address")
    data.add_argument("--port", type=int, default=defaults.port)
    data.add_argument("--proxy-listen", default=defaults.proxy_listen)
    data.add_argument("--proxy-port", type=int, default=defaults.proxy_port)
    data.add_argument("--ec", default="", help="of a stand-alone proxy: http://HOST:PORT")
    data.add_argument("--user", default="admin")
    data.add_argument("--password", default="opscenter")
    verbs.add_parser("unconfigure", help="remove the configuration, keep the tree")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(argv)
    layout = Layout(root=options.root)
    match options.verb:
        case "install":
            install(layout, version=options.version, role=options.role)
        case "configure":
            config = Config(
                name=options.name,
                listen=options.listen,
                port=options.port,
                proxy_listen=options.proxy_listen,
                proxy_port=options.proxy_port,
                proxy_ec=options.ec,
            )
            try:
                configure(layout, config, {options.user: options.password})
            except NotPossible as error:
                sys.exit(f"install.py: {error}")
        case "unconfigure":
            unconfigure(layout)


if __name__ == "__main__":
    main()
