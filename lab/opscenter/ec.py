"""The Enterprise Controller: web pages and API over the data in the tree (sun-xvm-ec.service)."""

import argparse
import hashlib
import socket
import ssl
from pathlib import Path

from .app import Application, Facts
from .config import load_config
from .layout import Layout
from .process import StopSignal, log, notify
from .properties import read_product_version
from .store import Store
from .users import Users
from .wire import Listener


def read_certificate(layout: Layout) -> str:
    """The certificate's SHA-256. Fails when the key cannot be read by us or does not belong to it."""
    key, certificate = layout.tls / "ec.key", layout.tls / "ec.crt"
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="xvm-ec", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    layout = Layout(root=parser.parse_args().root)
    stop = StopSignal()
    config = load_config(layout.config)
    version, certificate = read_product_version(layout.version_file), read_certificate(layout)
    users, proxy_secret = Users(layout.users), layout.proxy_secret.read_text().strip()
    store = Store(layout.database)
    machine = layout.machine()
    start = store.record_start(machine)
    facts = Facts(
        name=config.name,
        hostname=socket.gethostname(),
        machine=machine,
        version=version,
        epoch=start.epoch,
        starts=start.starts,
        certificate=certificate,
    )
    application = Application(store=store, users=users, facts=facts, jobs_dir=layout.jobs, proxy_secret=proxy_secret)
    listener = Listener(config.listen, config.port, application.answer)
    log(f"{facts.where}: serving on {config.listen}:{config.port}")
    notify("READY=1")
    stop.wait_forever()
    notify("STOPPING=1")
    listener.stop()
    store.close()


if __name__ == "__main__":
    main()
