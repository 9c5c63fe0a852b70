#!/bin/bash
# Runs in a chroot of one machine's tree after the container lab's setup.sh: what a host with a kernel of its own has more.
# Argument: the node's name.
set -euo pipefail
node=$1
export LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin
systemctl -q unmask systemd-udevd.service systemd-udev-trigger.service sys-kernel-config.mount
systemctl -q disable lab-disks.service
# started by who needs them, as each test says; storage that assembles itself stays as Debian sets it up
for unit in multipathd multipathd.socket nfs-server nfs-client.target rpcbind rpcbind.socket drbd sanlock wdmd smartmontools \
    mdmonitor open-iscsi iscsi drbd-lvchange@ nfs-blkmap rpc-statd lvm2-monitor dm-event.socket mdmonitor-oneshot.timer \
    mdcheck_start.timer mdcheck_continue.timer; do
    systemctl -q disable "$unit" 2>/dev/null || true
done
systemctl -q mask systemd-logind.service systemd-user-sessions.service systemd-journal-flush.service \
    systemd-machine-id-commit.service systemd-firstboot.service systemd-sysusers.service modprobe@drm.service \
    modprobe@efi_pstore.service modprobe@fuse.service modprobe@loop.service initrd-cleanup.service \
    systemd-binfmt.service systemd-timedated.service blk-availability.service keyboard-setup.service console-setup.service \
    serial-getty@ttyS0.service user.slice sys-kernel-debug.mount logrotate.timer systemd-tmpfiles-clean.timer systemd-fsck-root.service
systemctl -q enable lab-agent.service
[ "$node" != store ] || systemctl -q enable lab-target.service
# under TCG every process counts: only the devices that a server is made of are announced at boot, and nothing is
# generated that the machines have no use for
mkdir -p /etc/systemd/system/systemd-udev-trigger.service.d /etc/systemd/system-generators /etc/udev/rules.d
cat >/etc/systemd/system/systemd-udev-trigger.service.d/lab.conf <<'EOF'
[Service]
ExecStart=
ExecStart=-udevadm trigger --action=add --type=devices --subsystem-match=block --subsystem-match=net \
    --subsystem-match=misc --subsystem-match=scsi_generic --subsystem-match=virtio-ports --subsystem-match=mem
EOF
for generator in gpt-auto cryptsetup veritysetup integritysetup hibernate-resume rc-local run system-update sysv debug getty; do
    ln -sf /dev/null "/etc/systemd/system-generators/systemd-$generator-generator"
done
for generator in nfs-server-generator rpc-pipefs-generator; do
    ln -sf /dev/null "/etc/systemd/system-generators/$generator"
done
for rules in 55-scsi-sg3_id 58-scsi-sg3_symlink 40-usb-blacklist 80-drivers 75-net-description 60-drm 60-input-id; do
    ln -sf /dev/null "/etc/udev/rules.d/$rules.rules"
done
rm -f /usr/lib/modules-load.d/*.conf /etc/modules-load.d/*.conf
printf '[Journal]\nCompress=no\nSystemMaxUse=64M\nRateLimitBurst=0\n' >/etc/systemd/journald.conf.d/lab.conf
: >/etc/fstab
