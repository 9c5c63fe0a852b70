"""Where the product keeps what: every path that it uses, under one root.

The root is / on a host. A root elsewhere is a trial (a test, a look around): the same tree of files, but no accounts,
no ownership, no mounts and no systemd.
"""

from dataclasses import dataclass
from pathlib import Path

USER, PROXY_USER, GROUP = "ucectl", "uceproxy", "uceadm"
UNITS = ("sun-xvm-ec.service", "sun-xvm-jobs.service", "sun-xvm-proxy.service")
MOUNT_POINTS = {  # loopback mount point -> directory in the tree
    "/etc/opt/SUNWuce": "uce/etc.opt",
    "/var/opt/SUNWuce": "uce/var.opt",
    "/opt/SUNWuce": "uce/opt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    root: Path = Path("/")

    def at(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    @property
    def real(self) -> bool:
        return self.root == Path("/")

    # the software: on every node, installed but not configured
    @property
    def home(self) -> Path:
        return self.at("/opt/sun/xvmoc")

    @property
    def version_file(self) -> Path:
        return self.at("/n1gc-setup/.version.properties")

    @property
    def role_file(self) -> Path:
        return self.at("/n1gc-setup/role")

    @property
    def units(self) -> Path:
        return self.at("/usr/lib/systemd/system")

    # configuration outside the tree: only where the product is configured
    @property
    def config(self) -> Path:
        return self.at("/etc/sun-xvm/ec.conf")

    @property
    def tls(self) -> Path:
        return self.at("/etc/sun-xvm/tls")

    @property
    def cron(self) -> Path:
        return self.at("/etc/cron.d/sun-xvm")

    # the tree
    @property
    def tree(self) -> Path:
        return self.at("/var/opt/sun/xvm")

    @property
    def database(self) -> Path:
        return self.tree / "db/opscenter.db"

    @property
    def jobs(self) -> Path:
        return self.tree / "jobs"

    @property
    def runner_lock(self) -> Path:
        return self.jobs / ".runner"

    @property
    def logs(self) -> Path:
        return self.tree / "logs"

    @property
    def proxy(self) -> Path:
        return self.tree / "proxy"

    @property
    def proxy_secret(self) -> Path:
        return self.proxy / "secret"

    @property
    def users(self) -> Path:
        return self.at("/etc/opt/SUNWuce/users.json")

    def machine(self) -> str:
        """The machine that we run on; what tells this node's server from another one at the same address."""
        try:
            return self.at("/etc/machine-id").read_text().strip()
        except FileNotFoundError:
            return "unknown"
