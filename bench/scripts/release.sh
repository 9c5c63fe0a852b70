# What a release is without tanist: stop, let go, put this node's own files back.
set -e
systemctl stop postgresql@15-main
ip addr del 10.88.0.50/24 dev svc0
umount /var/lib/postgresql
cd /
rm -rf etc/postgresql etc/ssl/private/db.key etc/ssl/certs/db.pem etc/cron.d/postgresql-ledger etc/tanist/identity/postgresql
tar -xpf /root/own.tar
