#!/bin/bash
# Runs in a chroot of one node's tree, once per cached layer. Argument: the node's name. /lab-setup/accounts lists
# "NAME UID GID foreign|service" lines; /lab-setup/files is a tree to copy over; /lab-setup/keys holds every node's root key pair.
set -euo pipefail
node=$1 uceadm_gid=$2
export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin

# an account gets its number; files of the old number follow it, whoever made them
renumber() {
    local name=$1 uid=$2 gid=$3 olduid oldgid
    olduid=$(id -u "$name") oldgid=$(getent group "$name" | cut -d: -f3)
    if [ "$oldgid" != "$gid" ]; then
        groupmod -g "$gid" "$name"
        find / -xdev -gid "$oldgid" -exec chgrp -h "$gid" {} +
    fi
    if [ "$olduid" != "$uid" ]; then
        usermod -u "$uid" -g "$gid" "$name"
        find / -xdev -uid "$olduid" -exec chown -h "$uid" {} +
    fi
}

# a number that is wanted and taken by another system account: that account moves out of the way
vacate() {
    local kind=$1 number=$2 wanted=$3 holder free=700
    holder=$(getent "$kind" "$number" | cut -d: -f1) || true
    [ -n "$holder" ] && [ "$holder" != "$wanted" ] || return 0
    while getent "$kind" "$free" >/dev/null; do free=$((free + 1)); done
    if [ "$kind" = group ]; then
        groupmod -g "$free" "$holder"
        find / -xdev -gid "$number" -exec chgrp -h "$free" {} +
    else
        usermod -u "$free" "$holder"
        find / -xdev -uid "$number" -exec chown -h "$free" {} +
    fi
}

accounts() {
    local name uid gid kind
    while read -r name uid gid kind; do
        vacate passwd "$uid" "$name"
        vacate group "$gid" "$name"
        if getent passwd "$name" >/dev/null; then
            renumber "$name" "$uid" "$gid"
        elif [ "$kind" = foreign ]; then
            groupadd -g "$gid" "$name"
            useradd -m -u "$uid" -g "$gid" -s /bin/bash "$name"
            foreign_files "$name"
        else
            groupadd -g "$gid" "$name"
            useradd -M -u "$uid" -g "$gid" -d "/var/lib/$name" -s /usr/sbin/nologin -c "Operations center" "$name"
        fi
    done </lab-setup/accounts
    if getent passwd ucectl >/dev/null; then
        groupadd -g "$uceadm_gid" uceadm
        usermod -aG uceproxy,uceadm ucectl
        usermod -aG uceadm uceproxy
    fi
}

foreign_files() {
    local name=$1
    mkdir -p "/srv/local/$name"
    echo "belongs to $name, not to any controller" >"/home/$name/notes.txt"
    dd if=/dev/urandom of="/srv/local/$name/data.bin" bs=64k count=4 status=none
    printf '#!/bin/sh\nid\n' >"/srv/local/$name/tool"
    chown -R "$name:$name" "/home/$name" "/srv/local/$name"
    chmod 2750 "/srv/local/$name"
    chmod 4755 "/srv/local/$name/tool"
    setfacl -m "u:$name:rwx,g:daemon:r-x" "/srv/local/$name/data.bin"
}

identity() {
    echo "$node" >/etc/hostname
    cp -r /lab-setup/files/. /
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -A
    mkdir -p -m 700 /root/.ssh
    install -m 600 "/lab-setup/keys/$node" /root/.ssh/id_ed25519
    install -m 644 "/lab-setup/keys/$node.pub" /root/.ssh/id_ed25519.pub
    for other in ec-a ec-b client; do
        [ "$other" = "$node" ] || cat "/lab-setup/keys/$other.pub"
    done >/root/.ssh/authorized_keys
    chmod 600 /root/.ssh/authorized_keys
    usermod -p "$(openssl passwd -6 "secret of $node")" root
}

units() {
    systemctl -q disable postgresql.service
    systemctl -q enable cron.service ssh.service networking.service lab-disks.service
    systemctl -q set-default multi-user.target
    systemctl -q mask getty.target console-getty.service systemd-udevd.service \
        systemd-udev-trigger.service systemd-resolved.service systemd-networkd.service systemd-timesyncd.service \
        systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-ask-password-wall.path \
        systemd-pstore.service systemd-random-seed.service systemd-remount-fs.service \
        ifupdown-wait-online.service e2scrub_reap.service e2scrub_all.timer fstrim.timer apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer dev-hugepages.mount dev-mqueue.mount \
        sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount \
        proc-sys-fs-binfmt_misc.automount tmp.mount
    mkdir -p /var/log/journal
}

accounts
identity
if [ -d /usr/lib/postgresql/15 ]; then
    pg_createcluster 15 main -- --no-sync >/dev/null
fi
# the environment that tanist is installed into (docs/manual.md); making it takes five seconds, so it is made once
[ "$node" = client ] || python3 -m venv /opt/tanist
units
