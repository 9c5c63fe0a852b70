"""A third controller for the tests: a small service over a plain directory that lies on storage mounted by hand."""

from __future__ import annotations

import json
from typing import Any

from lab.controllers.install import NODES, define
from lab.lab import Lab

NAME, DEVICE = "shelf", "/dev/asset1"
MOUNT, TREE, ADDRESS = "/srv/shared", "/srv/shared/shelf", "10.88.0.70"
DEFINITION = f"""
format = 1
name = "{NAME}"
[asset]
kind = "directory"
[tree]
path = "{TREE}"
[identity]
mode = "alias"
hostname = "shelf"
ssh_host_keys = "/etc/tanist/identity/shelf"
[[identity.address]]
address = "{ADDRESS}/24"
interface = "svc0"
[outside]
files = ["/etc/shelf.conf"]
[accounts]
users = ["ucectl", "uceproxy"]
groups = ["ucectl", "uceproxy", "uceadm"]
[[service]]
unit = "shelf.service"
[[health]]
kind = "command"
argv = ["/usr/bin/systemctl", "is-active", "shelf.service"]
[[node]]
name = "ec-a"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
[[node]]
name = "ec-b"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
"""
UNIT = f"""
[Service]
User=ucectl
Group=uceadm
ExecStart=/bin/sh -c 'while sleep 0.1; do echo $(hostname) >> {TREE}/log; done'
"""
PREPARE = f"""
set -e
mount {DEVICE} {MOUNT}
install -d -o ucectl -g uceadm {TREE}
install -o uceproxy -g uceadm -m 2640 /dev/null {TREE}/proxys
echo made on ec-a > /etc/shelf.conf
chown uceproxy:uceadm /etc/shelf.conf
"""


def prepare(lab: Lab) -> None:
    """ec-a is the active node when this returns; the disk must be free."""
    for node in NODES:
        lab.exec(node, ["mkdir", "-p", MOUNT], check=True)
        lab.exec(node, ["sh", "-c", "cat > /etc/systemd/system/shelf.service"], input=UNIT.encode(), check=True)
    lab.exec("ec-a", ["sh", "-c", f"mkfs.ext4 -qF {DEVICE}"], check=True)
    lab.exec("ec-a", ["sh", "-c", PREPARE], check=True)
    define(lab, NAME, DEFINITION)
    for node in NODES:
        lab.exec(node, ["tanist", "enable", NAME], check=True)
    lab.exec("ec-a", ["tanist", "init", NAME], check=True, timeout=120)


def status(lab: Lab, node: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lab.exec(node, ["tanist", "status", NAME, "--json"]).stdout)
    return found
