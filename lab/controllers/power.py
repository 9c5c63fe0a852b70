"""The lab's power switch as a proof: switch, agent and password on both nodes, and the tables that name it."""

from __future__ import annotations

from lab.controllers.install import NODES
from lab.lab import Lab
from lab.layout import MGMT_NET, REPOSITORY

PASSWORD = "lab-power-s3cret"
SECRETS = "/etc/tanist/secrets/power"
SWITCH = f"{MGMT_NET}.1"
MARK = "# -- power"
TABLE = """
[[proof.power]]
node = "{node}"
agent = "fence_tanistlab"
options = {{ ip = "{ip}", plug = "{plug}" }}
secrets = "{secrets}"
timeout = 20
"""


def fit_power(lab: Lab) -> None:
    lab.start_power_switch(PASSWORD)
    for node in NODES:
        lab.push(node, REPOSITORY / "lab" / "guest" / "fence_tanistlab", "/usr/sbin/fence_tanistlab")
        script = f"mkdir -pm700 {SECRETS.rpartition('/')[0]} && umask 077 && cat > {SECRETS}"
        lab.exec(node, ["sh", "-c", script], input=f"password={PASSWORD}\n".encode(), check=True)


def define_power(
    lab: Lab, name: str, *, ip: str = SWITCH, plugs: dict[str, str] | None = None, none: bool = False
) -> None:
    """The definition of both nodes, as far as they run: with these devices, or with `none` of them."""
    path = f"/etc/tanist/controllers/{name}.toml"
    running = [one.name for one in lab.status().nodes if one.name in NODES and one.state == "running"]
    kept = lab.exec(running[0], ["sed", f"/^{MARK}/,$d", path], check=True).stdout.decode()
    tables = (TABLE.format(node=node, ip=ip, plug=(plugs or {}).get(node, node), secrets=SECRETS) for node in NODES)
    text = kept + f"{MARK}\n" + ("" if none else "".join(tables))
    for node in running:
        lab.exec(node, ["sh", "-c", f"cat > {path}"], input=text.encode(), check=True)
        lab.exec(node, ["tanist", "definition", "check", path], check=True)
        lab.exec(
            node, ["systemctl", "try-restart", f"tanist-watch@{name}.service"], check=True
        )  # now, not some time later
