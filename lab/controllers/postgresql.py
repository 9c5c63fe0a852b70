"""PostgreSQL 15 of Debian on the first shared disk, with TLS, a cron entry and a ledger role."""

from __future__ import annotations

from lab.controllers.install import NODES, begin, define, make_file_system, profile
from lab.lab import Lab

NAME = "postgresql"
DEVICE = "/dev/asset0"
ADDRESS = "10.88.0.50"
TREE = "/var/lib/postgresql"

MOVE_IN = f"""
set -e
systemctl disable -q postgresql.service
mount {DEVICE} /mnt
cp -a {TREE}/. /mnt/
chown --reference={TREE} /mnt
chmod --reference={TREE} /mnt
umount /mnt
"""

CONFIGURE = """
set -e
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=db.lab.test \\
    -keyout /etc/ssl/private/db.key -out /etc/ssl/certs/db.pem 2>/dev/null
chown root:ssl-cert /etc/ssl/private/db.key
chmod 640 /etc/ssl/private/db.key
chmod 644 /etc/ssl/certs/db.pem
install -d -o postgres -g postgres /etc/postgresql/15/main/conf.d
cat > /etc/postgresql/15/main/conf.d/server.conf <<'CONF'
listen_addresses = '*'
ssl = on
ssl_cert_file = '/etc/ssl/certs/db.pem'
ssl_key_file = '/etc/ssl/private/db.key'
shared_buffers = '32MB'
CONF
echo "include_dir = 'conf.d'" >> /etc/postgresql/15/main/postgresql.conf
chown postgres:postgres /etc/postgresql/15/main/conf.d/server.conf
echo 'host all all 10.88.0.0/24 trust' >> /etc/postgresql/15/main/pg_hba.conf
cat > /etc/cron.d/postgresql-ledger <<'CRON'
* * * * * postgres date +\\%s >> /var/lib/postgresql/cron.log
CRON
chmod 644 /etc/cron.d/postgresql-ledger
"""


def prepare(lab: Lab, *, fstype: str = "ext4", mode: str = "host") -> None:
    """ec-a is the active node when this returns, ec-b its standby."""
    make_file_system(lab, DEVICE, fstype, "pgdata")
    lab.exec("ec-a", ["bash", "-c", MOVE_IN], check=True)
    lab.exec("ec-a", ["bash", "-c", CONFIGURE], check=True)
    for node in NODES:
        lab.exec(node, ["systemctl", "disable", "-q", "postgresql.service"], check=True)
    define(lab, NAME, profile(NAME, fstype=fstype, mode=mode))
    begin(lab, NAME, mode)
