"""Runs inside a node: an id-mapped mount of a device through a user namespace, and a packet socket. Prints JSON."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys

OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
CLONE_NEWUSER, MOUNT_ATTR_IDMAP, AT_EMPTY_PATH, AT_FDCWD = 0x10000000, 0x100000, 0x1000, -100
libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *args: object) -> int:
    result = int(libc.syscall(number, *args))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return result


def user_namespace(line: str) -> int:
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.unshare(CLONE_NEWUSER)
        os.write(done, b"x")
        signal.pause()
    os.read(ready, 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{name}", "w") as f:
            f.write(line)
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return fd


def main(device: str) -> None:
    for words in (["mkfs.ext4", "-qF", device], ["mkdir", "-p", "/plain", "/mapped"], ["mount", device, "/plain"]):
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    os.close(os.open("/plain/file", os.O_CREAT))
    os.chown("/plain/file", 1001, 1001)
    tree = call(OPEN_TREE, AT_FDCWD, b"/plain", 1)
    attributes = struct.pack("=QQQQ", MOUNT_ATTR_IDMAP, 0, 0, user_namespace("1001 2001 1"))
    call(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, attributes, len(attributes))
    call(MOVE_MOUNT, tree, b"", AT_FDCWD, b"/mapped", 4)
    seen = os.stat("/mapped/file").st_uid
    os.close(tree)
    subprocess.run(["umount", "/mapped", "/plain"], check=True)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)) as s:
        s.bind(("svc0", 0x0806))
    print(json.dumps({"idmapped_uid": seen, "packet": True}))


if __name__ == "__main__":
    main(sys.argv[1])
