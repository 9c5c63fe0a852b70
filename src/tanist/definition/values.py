"""Checks of single values: text in, what is wrong with it out, empty when nothing is.

No regular expressions: compiling them would cost every start of tanist more than all of these checks together.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable

from tanist.definition.addresses import parse_cidr, parse_ip

Check = Callable[[str], str]

_DIGITS = "0123456789"
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_LETTERS = _LOWER + _LOWER.upper()
_WORD = _LETTERS + _DIGITS
_UNIT_KINDS = (".service", ".socket", ".timer", ".target", ".path")
_MOUNT_FLAGS = (
    *("noatime", "relatime", "strictatime", "nodiratime", "lazytime", "nodev", "nosuid", "noexec", "sync", "dirsync"),
    *("discard", "nodiscard"),
)
_MOUNT_OWN = {
    "ext4": ("acl", "user_xattr", "auto_da_alloc", "delalloc", "nodelalloc", "journal_checksum", "errors=remount-ro",
             "errors=panic", "data=ordered", "data=journal", "commit=N", "stripe=N"),
    "xfs": ("inode64", "largeio", "nolargeio", "swalloc", "wsync", "filestreams", "logbufs=N", "logbsize=N",
            "allocsize=N", "sunit=N", "swidth=N"),
    "btrfs": ("acl", "noacl", "autodefrag", "noautodefrag", "commit=N", "compress=WORD", "compress-force=WORD",
              "degraded", "discard=async", "discard=sync", "flushoncommit", "noflushoncommit", "max_inline=N",
              "space_cache=v2", "ssd", "nossd", "ssd_spread", "nossd_spread", "thread_pool=N", "treelog", "notreelog"),
    "zfs": ("acl", "noacl", "xattr", "noxattr"),
    "nfs4": ("noatime", "relatime", "nodiratime", "nodev", "nosuid", "noexec", "sync", "vers=4.1", "vers=4.2",
             "nconnect=N", "rsize=N", "wsize=N", "timeo=N", "retrans=N", "port=N", "sec=WORD"),
    "": (),
}  # fmt: skip
_EXPORT_OPTIONS = (
    *("ro", "rw", "sync", "secure", "insecure", "wdelay", "no_wdelay", "hide", "nohide", "crossmnt", "subtree_check"),
    *("no_subtree_check", "root_squash", "no_root_squash", "all_squash", "no_all_squash", "anonuid=N", "anongid=N"),
    *("sec=WORD", "fsid=WORD", "security_label", "nordirplus", "pnfs", "no_pnfs"),
)


def is_made_of(text: str, first: str, rest: str) -> bool:
    """Not empty, begins with one of `first`, and has nothing but characters of `rest`."""
    return text != "" and text[0] in first and not text.strip(rest)


def check_any(_text: str) -> str:
    return ""


def check_controller_name(text: str) -> str:
    if is_made_of(text, _LOWER + _DIGITS, _LOWER + _DIGITS + "-") and len(text) <= 40:
        return ""
    return f'"{text}" is no controller name; allowed: small letters, digits and -, at most 40, no - in front'


def check_node_name(text: str) -> str:
    if is_made_of(text, _WORD, _WORD + ".-_") and len(text) <= 64:
        return ""
    return f'"{text}" is no node name; allowed: letters, digits, dot, - and _, at most 64, a letter or digit in front'


def check_hostname(text: str) -> str:
    """RFC 952 and RFC 1123 section 2.1; 64 is what sethostname(2) takes on Linux."""
    labels = text.split(".")
    plain = all(is_made_of(label, _WORD, _WORD + "-") and label[-1] != "-" and len(label) <= 63 for label in labels)
    if plain and len(text) <= 64 and not labels[-1].isdigit():
        return ""
    return (
        f'"{text}" is no host name (RFC 1123); allowed: labels of letters, digits and -, with dots between them, '
        "no - at either end, at most 64 characters, the last label not a number"
    )


def check_output_name(text: str) -> str:
    """It becomes a file name."""
    if is_made_of(text, _LETTERS + _DIGITS, _WORD + "_.-") and len(text) <= 64:
        return ""
    return f'"{text}" is no name for an output; allowed: letters, digits, _ . and -, at most 64'


def check_absolute(text: str) -> str:
    if not text.startswith("/"):
        return f'"{text}" is not absolute; allowed: a path that begins with /'
    if ".." in text.split("/"):
        return f'"{text}" has .. in it; allowed: the path itself, "{os.path.normpath(text)}"'
    plain = "/" + os.path.normpath(text).lstrip("/")
    return "" if text == plain else f'"{text}" is not in its plain form; allowed: "{plain}"'


def check_device(text: str) -> str:
    wrong = check_absolute(text)
    if wrong or text.startswith("/dev/"):
        return wrong
    return f'"{text}" is not below /dev; allowed: a block device, best a name that never changes (/dev/disk/by-id/...)'


def check_md_uuid(text: str) -> str:
    words = text.split(":")
    if len(words) == 4 and all(len(word) == 8 and not word.strip(_DIGITS + "abcdef") for word in words):
        return ""
    return f'"{text}" is no array\'s UUID; allowed: as mdadm --detail shows it, 01234567:89abcdef:01234567:89abcdef'


def check_lvm_name(text: str) -> str:
    if text and not text.strip(_WORD + "_+.-") and text[0] != "-" and text not in (".", ".."):
        return ""
    return f'"{text}" is no name for LVM; allowed: letters, digits and _ + . -'


def check_data_set(text: str) -> str:
    """zfs(8): names of components; snapshots and bookmarks are none."""
    parts = text.split("/")
    if all(is_made_of(part, _WORD, _WORD + "_.:-") for part in parts) and text[0] in _LETTERS and len(text) < 256:
        return ""
    return f'"{text}" is no ZFS data set; allowed: pool/name, letters, digits and _ . : -, a letter in front'


def check_nfs_export(text: str) -> str:
    """nfs(5): HOST:/PATH, an IPv6 address in brackets; as the kernel's table shows it, and in no other form."""
    host, colon, path = text.partition(":/") if not text.startswith("[") else text[1:].partition("]:/")
    good = parse_ip(host) is not None if ":" in host else parse_ip(host) is not None or not check_hostname(host)
    plain = is_made_of(path, _WORD + "_.-", _WORD + "/_.-+@=") and not check_absolute(f"/{path}")
    if colon and good and plain and text.startswith("[") == (":" in host):
        return ""
    allowed = 'like "filer:/srv/tree" or "[fd99::11]:/srv/tree"; letters, digits and / _ . - + @ = in the path'
    return f'"{text}" is no NFS export; allowed: {allowed}'


def check_drbd_name(text: str) -> str:
    if text and not text.strip(_WORD + "_+.-") and text[0] != "-":
        return ""
    return f'"{text}" is no name of a DRBD resource; allowed: letters, digits and _ + . -'


def check_drbd_device(text: str) -> str:
    """By its number: the kernel's own name, which is there whatever links udev makes."""
    number = text.removeprefix("/dev/drbd")
    if text.startswith("/dev/drbd") and number and not number.strip(_DIGITS) and len(number) <= 7:
        return ""
    return f'"{text}" is no DRBD device; allowed: /dev/drbd and its number, as drbdadm sh-dev shows it, /dev/drbd0'


def check_iscsi_name(text: str) -> str:
    """RFC 3720, 3.2.6.3."""
    kind, _, rest = text.partition(".")
    if kind in ("iqn", "eui", "naa") and rest and len(text) <= 223 and not rest.strip(_WORD + ".:-"):
        return ""
    return f'"{text}" is no name of an iSCSI target; allowed: as the target has it, iqn.2026-01.org.example:disks'


def check_wwid(text: str) -> str:
    """scsi_id(8), page 0x83; NVMe: as sysfs has it."""
    if text and not text.strip(_WORD + "._:-"):
        return ""
    return f'"{text}" is no WWID; allowed: as multipath -ll shows it in brackets, 36001405ab00000000000000000000000'


def check_portal(text: str) -> str:
    address, _, port = text.rpartition(":")
    plain = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    found = parse_ip(plain)
    bits = 128 if address.startswith("[") else 32
    if found is not None and (found.bits, found.text) == (bits, plain) and port.isdecimal() and 0 < int(port) < 65536:
        return ""
    return f'"{text}" is no portal; allowed: an address and its port, 10.66.0.21:3260 or [fd00::21]:3260'


def check_in_tree(text: str) -> str:
    if text.startswith("/"):
        return f'"{text}" is absolute; allowed: a path relative to the tree'
    if ".." in text.split("/"):
        return f'"{text}" leads out of the tree; allowed: a path in the tree, without ..'
    if text in ("", "."):
        return "the tree itself, where captures lie as well; allowed: a directory in the tree"
    if text != os.path.normpath(text):
        return f'"{text}" is not in its plain form; allowed: "{os.path.normpath(text)}"'
    if text.split("/")[0] == ".tanist":
        return f'"{text}" is where tanist keeps claim and captures; allowed: any other directory in the tree'
    return ""


def check_cron_file(text: str) -> str:
    """cron(8): names with any other character, a dot above all, are passed over in silence."""
    if text.startswith("/etc/cron.d/") and is_made_of(text[len("/etc/cron.d/") :], _WORD + "_-", _WORD + "_-"):
        return ""
    return f'"{text}" is no file that cron reads; allowed: /etc/cron.d/NAME, NAME of letters, digits, _ and -'


def check_service_address(text: str) -> str:
    found = parse_cidr(text)
    if found is None:
        hint = "; its prefix length is missing" if parse_ip(text) else ""
        return f'"{text}" is no address with a prefix length{hint}; allowed: like "10.88.0.50/24" or "fd88::50/64"'
    ip, prefix = found
    what = ip.oddity
    host = ip.number & ((1 << (ip.bits - prefix)) - 1)
    if not what and prefix == 0:
        what = "an address without a subnet"
    elif not what and ip.bits - prefix > 1 and host == 0:
        what = "the address of the network itself" if ip.bits == 32 else "the routers' anycast address of its subnet"
    elif not what and ip.bits == 32 and prefix < 31 and host == (1 << (32 - prefix)) - 1:
        what = "the broadcast address of its subnet"
    return f'"{text}" is {what}; allowed: an address that one machine on the subnet can have' if what else ""


def check_address(text: str) -> str:
    if parse_ip(text) is not None:
        return ""
    hint = "; leave the prefix length out" if parse_cidr(text) else ""
    return f'"{text}" is no address{hint}; allowed: like "10.99.0.11" or "fd99::11"'


def check_management_address(text: str) -> str:
    wrong, ip = check_address(text), parse_ip(text)
    if ip is None or not ip.oddity:
        return wrong
    return f'"{text}" is {ip.oddity}; allowed: an address at which the other nodes reach this one'


def check_interface(text: str) -> str:
    """IFNAMSIZ is 16 with its final zero; the kernel forbids / and white space (dev_valid_name)."""
    if text not in ("", ".", "..", "lo") and len(text.encode()) <= 15 and not set(text) & set("/: \t"):
        return ""
    return f'"{text}" is no interface that can carry it; allowed: a name as `ip link` shows it, at most 15, not lo'


def check_ssh(text: str) -> str:
    user, at, host = text.rpartition("@")
    if is_made_of(host, _WORD, _WORD + ".-_:") and (not at or is_made_of(user, _WORD + "_", _WORD + "._-")):
        return ""
    return f'"{text}" is nothing that ssh can be given; allowed: HOST or USER@HOST; a port goes to ~/.ssh/config'


def check_account(text: str) -> str:
    if text in ("root", "nobody", "nogroup"):
        return f'"{text}" is never a controller\'s own; allowed: accounts made for the product'
    if is_made_of(text, _LETTERS + "_", _WORD + "_.-$") and "$" not in text[:-1] and len(text) <= 32:
        return ""
    return f'"{text}" is no account name; allowed: letters, digits, _ . and -, at most 32, a letter or _ in front'


def check_user(text: str) -> str:
    """Whom a command runs as."""
    return "" if text == "root" else check_account(text)


def check_unit(text: str) -> str:
    """systemd.unit(5). A template without an instance cannot be started."""
    stem = next((text[: -len(kind)] for kind in _UNIT_KINDS if text.endswith(kind)), "")
    if stem.endswith("@"):
        return f'"{text}" is a template; allowed: one instance of it, like "{stem}NAME.service"'
    if is_made_of(stem, _WORD + "_", _WORD + ":_.\\@-") and len(text) <= 255:
        return ""
    return f'"{text}" is no unit name; allowed: a full name that ends in {", ".join(_UNIT_KINDS)}'


def check_url(text: str) -> str:
    allowed = 'allowed: like "http://10.88.0.60:8080/health"'
    scheme, _, rest = text.partition("://")
    if scheme not in ("http", "https") or not text.isascii() or not text.isprintable() or " " in text:
        return f'"{text}" is no http or https address; {allowed}'
    authority = rest.split("/", 1)[0].split("?", 1)[0]
    host, _, port = authority.partition("]:") if authority.startswith("[") else authority.partition(":")
    if "@" in authority or not host.strip("[]"):
        return f'"{text}" names no host; {allowed}' if "@" not in authority else f'"{text}" has a user in it; {allowed}'
    valid_host = parse_ip(host.strip("[]")) is not None or not check_hostname(host)
    if not valid_host or (port and not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536)):
        return f'"{text}" has no valid host or port; {allowed}'
    return ""


def check_program(text: str) -> str:
    """The first word of a command."""
    wrong = check_absolute(text)
    return f"the program {wrong}" if wrong else ""


def check_mount_option(fstype: str) -> Check:
    allowed = (*(() if fstype == "nfs4" else _MOUNT_FLAGS), *_MOUNT_OWN[fstype])

    def check(text: str) -> str:
        if _fits(text, allowed):
            return ""
        return f'"{text}" is tanist\'s own business, dangerous or unknown; allowed: {", ".join(allowed)}'

    return check


def check_export_option(text: str) -> str:
    """exports(5)."""
    if text == "async":
        return '"async" loses what clients were told is on disk when the active node fails; allowed: "sync"'
    if _fits(text, _EXPORT_OPTIONS):
        return ""
    return f'"{text}" is no option of exports(5) that tanist knows; allowed: {", ".join(_EXPORT_OPTIONS)}'


def check_client(text: str) -> str:
    """exports(5): address, network, name, name pattern or @netgroup."""
    if "/" in text:
        fits = parse_cidr(text) is not None
    else:
        fits = is_made_of(text, _WORD + "@*?:", _WORD + "*?.:_-@")
    if fits:
        return ""
    return (
        f'"{text}" is no NFS client; allowed: an address, a network like "10.88.0.0/24", a host name, *.DOMAIN, @GROUP'
    )


def _fits(text: str, allowed: tuple[str, ...]) -> bool:
    """`N` stands for a number (a k or m after it), `WORD` for a word."""
    name, equals, value = text.partition("=")
    if not equals:
        return text in allowed
    number = is_made_of(value, _DIGITS, _DIGITS + "km") and value[:-1].strip(_DIGITS) == ""
    word = is_made_of(value, _WORD, _WORD + ":_-")
    return text in allowed or (f"{name}=N" in allowed and number) or (f"{name}=WORD" in allowed and word)
