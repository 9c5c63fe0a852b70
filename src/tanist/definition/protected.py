"""Paths that no controller may have: the node's own, root's, and directories that many share.

A capture replaces what it holds on the other node, so that a definition that names one of these would give one node
the other's accounts, keys, network or boot.
"""

from __future__ import annotations

from tanist.model.paths import is_inside

# The path itself, what lies in it and what holds it.
_OWN = (
    *("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/subuid", "/etc/subgid"),
    *("/etc/passwd-", "/etc/shadow-", "/etc/group-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"),
    *("/etc/hostname", "/etc/machine-id", "/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/os-release"),
    *("/etc/fstab", "/etc/mtab", "/etc/crypttab", "/etc/exports", "/etc/crontab", "/etc/sudoers", "/etc/adjtime"),
    *("/etc/ssh", "/etc/pam.d", "/etc/security", "/etc/ld.so.conf", "/etc/ld.so.cache", "/etc/ld.so.preload"),
    *("/etc/network", "/etc/netplan", "/etc/NetworkManager", "/etc/systemd/network", "/etc/sysconfig/network-scripts"),
    *("/etc/lvm", "/etc/mdadm", "/etc/zfs", "/etc/multipath", "/etc/iscsi", "/etc/grub.d", "/etc/initramfs-tools"),
    *("/etc/tanist/controllers", "/etc/tanist/node", "/var/lib/tanist", "/usr/lib/tanist"),
    *("/bin", "/boot", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/lost+found", "/proc", "/root", "/run", "/sbin"),
    *("/sys", "/tmp", "/usr/bin", "/usr/sbin", "/var/run", "/var/lock", "/var/tmp", "/var/lib/dpkg", "/var/lib/rpm"),  # noqa: S108
)  # fmt: skip
# The path itself and what holds it; what lies in it may be a controller's.
_SHARED = (
    *(
        "/etc/cron.d",
        "/etc/default",
        "/etc/exports.d",
        "/etc/init.d",
        "/etc/logrotate.d",
        "/etc/modprobe.d",
        "/etc/opt",
    ),
    *("/etc/profile.d", "/etc/ssl/certs", "/etc/ssl/private", "/etc/sudoers.d", "/etc/sysctl.d", "/etc/systemd/system"),
    *("/etc/tanist/identity", "/etc/udev/rules.d", "/etc/pki/tls", "/etc/sysconfig", "/home", "/media", "/mnt", "/opt"),
    *(
        "/srv",
        "/usr/lib/systemd/system",
        "/usr/lib64",
        "/usr/libexec",
        "/usr/local",
        "/usr/share",
        "/var/cache",
        "/var/lib",
    ),
    *("/var/log", "/var/mail", "/var/opt", "/var/spool/cron", "/var/spool/mail"),
)


def check_place(path: str) -> str:
    """Why this absolute path can be no controller's; empty when it can."""
    for own in _OWN:
        if is_inside(path, own):
            return f'"{path}" is the node\'s own and stays with it; allowed: what belongs to the controller alone'
    for kept in (*_OWN, *_SHARED):
        if is_inside(kept, path):
            return f'"{path}" holds more than the controller; allowed: the files or directories in it that are its own'
    return ""
