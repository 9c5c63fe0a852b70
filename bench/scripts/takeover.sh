# What a takeover is without tanist, by the shortest script: the same bare steps, and no question asked.
# $1: uid:gid that the data directory's files have on the disk, "" where they are this node's own already.
# $2: the store whose files go outside the tree (a capture holds a plain tar).
# $3: "beside" announces the address beside the start of the server: arping takes a second to end. Else one after the other.
set -e
mount -o noatime /dev/asset0 /var/lib/postgresql
[ -z "$1" ] || chown -R --from="$1" postgres:postgres /var/lib/postgresql
cd /
tar -cf /root/own.tar --ignore-failed-read etc/postgresql etc/ssl/private/db.key etc/ssl/certs/db.pem 2>/dev/null
rm -rf etc/postgresql
tar -xpf "$2/files.tar"
ip addr add 10.88.0.50/24 dev svc0
if [ "$3" = beside ]; then
    arping -q -U -c 1 -I svc0 10.88.0.50 &
else
    arping -q -U -c 1 -I svc0 10.88.0.50
fi
systemctl start postgresql@15-main
