"""The definition of the machines' one service."""

from __future__ import annotations

TREE, ADDRESS = "/srv/ledger", "10.88.0.60"
SLOW = "start_timeout = 300"  # an emulated machine


def render_definition(device: str, fstype: str, *, layers: str = "", service: str = SLOW, rest: str = "") -> str:
    """`layers` below the file system; `service`: more of its table; `rest`: further tables. `fstype` nfs4: `device` is
    an export."""
    disk = f'kind = "filesystem"\ndevice = "{device}"\nfstype = "{fstype}"\n{layers}'
    asset = f'kind = "nfs"\nexport = "{device}"' if fstype == "nfs4" else disk
    return f"""
format = 1
name = "ledger"
[asset]
{asset}
[tree]
path = "{TREE}"
[identity]
mode = "host"
hostname = "ec"
[[identity.address]]
address = "{ADDRESS}/24"
interface = "svc0"
[[node]]
name = "ec-a"
ssh = "root@10.99.0.11"
management = ["10.99.0.11"]
[[node]]
name = "ec-b"
ssh = "root@10.99.0.12"
management = ["10.99.0.12"]
[[service]]
unit = "ledger.service"
{service}
{rest}
"""
