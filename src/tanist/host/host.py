"""The only door to a machine.

Everything that asks or changes a host goes through a `Host`: LocalHost is this machine (host/local.py), FakeHost a
machine in a directory (host/fake.py). Methods that only look begin with `read_` or are named after what they return;
the others change the machine. All of them may raise OSError; every command has a time limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tanist.host.files import Files
    from tanist.model.host import Address, Answer, ExportSeen, IdMap, Interface, Mount, Ran, Renumber, Reowned


class Host(Protocol):
    @property
    def files(self) -> Files:
        """The machine's files (host/files.py)."""
        ...

    # -- time and identity of the running system
    def boot_id(self) -> str:
        """/proc/sys/kernel/random/boot_id: changes at every boot (random(4))."""
        ...

    def now(self) -> float:
        """Wall clock, seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow; for durations."""
        ...

    def sleep(self, seconds: float) -> None: ...

    # -- commands
    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float = 30.0,
        ok: Sequence[int] | None = (0,),
        user: str = "",
    ) -> Ran:
        """Run a program without a shell, with a small fixed environment and no terminal.

        `timeout` in seconds: the process group is killed and OSError(ETIMEDOUT) raised. An exit status outside `ok`
        raises CommandFailed (an OSError, host/commands.py); `ok=None` accepts every status. A program that is not
        there is status 127. `user`: run as this account (its groups included).
        """
        ...

    def run_into(self, argv: Sequence[str], into: str, *, limit: int, timeout: float = 30.0, user: str = "") -> Ran:
        """As `run` with every status accepted, but what it writes to stdout goes to `into` as it comes: a new file,
        0600, on disk when this returns. Beyond `limit` bytes it is killed: OSError(EFBIG). After an error the file
        may be there, not whole."""
        ...

    def run_from(self, argv: Sequence[str], source: str, *, timeout: float = 30.0, user: str = "") -> Ran:
        """As `run` with every status accepted; its stdin is the file `source`, which it need not be able to open."""
        ...

    def begin(
        self, argv: Sequence[str], *, timeout: float = 30.0, ok: Sequence[int] | None = (0,)
    ) -> Callable[[], Ran]:
        """The same without waiting: what it returns is called once, waits for the end and is as `run` then. The time
        limit counts from here, but ends nothing until it is waited for."""
        ...

    def pipe(self, first: Sequence[str], second: Sequence[str], *, timeout: float) -> tuple[Ran, Ran]:
        """What the first program writes is what the second one reads, however much it is. Every status is an answer;
        OSError(ETIMEDOUT) at `timeout` seconds: both are killed. Both end when this process is killed."""
        ...

    def pass_on(self, argv: Sequence[str], *, user: str = "") -> int:
        """Run a program whose output is this process's own; its exit status. Killed when this process is left by an
        exception, or is killed."""
        ...

    def launch(self, argv: Sequence[str]) -> None:
        """Start a program apart from this one: a session of its own, no pipes, no terminal, the small environment.
        It is never waited for or looked at again; one that can't be started is none."""
        ...

    # -- block devices
    def claim_device(self, path: str) -> Lock:
        """A block device for this process alone (open(2), O_EXCL) until closed: no mount, array or volume may have it
        meanwhile; whoever opens it without O_EXCL still can. OSError(EBUSY) where somebody has it so."""
        ...

    # -- mounts
    def mounts(self) -> tuple[Mount, ...]: ...

    def mount_device(self, device: str, target: str, fstype: str, options: Sequence[str], idmap: IdMap | None) -> None:
        """Mount a block device. With `idmap` the tree appears already mapped: the unmapped one is never visible."""
        ...

    def mount_bind(self, source: str, target: str, *, idmap: IdMap | None = None) -> None:
        """Bind a file or directory over another (mount(2) MS_BIND); with `idmap`, id-mapped."""
        ...

    def unmount(self, target: str) -> None:
        """umount2(2) with UMOUNT_NOFOLLOW; OSError(EBUSY) when in use, OSError(EINVAL) when not a mount point."""
        ...

    def cut_off(self, target: str) -> None:
        """From now on nothing more of the file system mounted there reaches its device, as if the power went
        (EXT4_IOC_SHUTDOWN, XFS_IOC_GOINGDOWN without log flush). OSError where it can't do that."""
        ...

    def abandon_export(self, target: str) -> None:
        """Of an NFS export that is mounted there, and is another node's by now: what waits for its filer ends with an
        error, what was not written yet is lost, and it is unmounted. OSError(EBUSY) where somebody has a file open."""
        ...

    def look_at_export(self, export: str, options: Sequence[str], seconds: float) -> ExportSeen:
        """The claim on an NFS export, and whether somebody holds the lock beside it: asked for, never tried, through
        a mount that nobody else sees and that is gone when this returns. OSError(ETIMEDOUT) after so many seconds."""
        ...

    def client_name(self) -> str:
        """By which NFS filers know this machine."""
        ...

    def hold_record(self, path: str, note: bytes) -> Record | None:
        """A lock that other machines see too (fcntl(2)), until it is closed or the process ends; None where another
        one has it. The file is made where there is none."""
        ...

    def read_idmap(self, target: str) -> IdMap | None:
        """The id map in force at a mount point, None where there is none. OSError(ENOSYS) before kernel 6.15."""
        ...

    # -- owners (host/reowning.py states what may be cut off, and where)
    def begin_reowning(self, tree: str, token: str) -> None:
        """An empty record of who owned what, on the disk."""
        ...

    def reown(self, tree: str, token: str, renumber: Renumber) -> Reowned:
        """Every inode of the tree gets the number that the map gives to what it had when the record was begun."""
        ...

    def forget_reowning(self, tree: str) -> None:
        """No record any more. None there: no error."""
        ...

    # -- host name
    def hostname(self) -> str: ...

    def set_hostname(self, name: str) -> None:
        """sethostname(2): the running system's name only; what the next boot reads stays."""
        ...

    # -- network
    def interfaces(self) -> tuple[Interface, ...]: ...

    def add_address(self, address: Address) -> None:
        """Add it (IPv6 without duplicate address detection: probe first). Already there: no error."""
        ...

    def remove_address(self, address: Address) -> None:
        """Remove it. Not there: no error."""
        ...

    def probe_addresses(self, addresses: Sequence[Address], seconds: float) -> tuple[Answer, ...]:
        """Ask the wire who has these addresses (ARP probes of RFC 5227, neighbour solicitations of RFC 4862).

        Sends several probes from address 0.0.0.0 (or ::) spread over `seconds` and listens as long; returns early
        once every address was answered for; another's probe is no answer. Own frames do not count. OSError when an
        interface is down or missing.
        """
        ...

    def begin_probe(self, addresses: Sequence[Address], seconds: float) -> None:
        """A head start: ask from now on, without waiting. The next `probe_addresses` of the same addresses is
        done at once when nobody was heard meanwhile, for at least its `seconds` and until it was called; else it asks
        anew. OSError as there."""
        ...

    def announce_addresses(self, addresses: Sequence[Address]) -> None:
        """One round of gratuitous ARP request and reply (or unsolicited NA) for each address."""
        ...

    def tcp_answers(self, address: str, port: int, timeout: float) -> bool: ...

    def http_status(self, url: str, timeout: float) -> int:
        """Status code of a GET without following redirects; OSError when there is no HTTP answer."""
        ...

    def ask_datagrams(self, address: str, port: int, messages: Sequence[bytes], seconds: float) -> tuple[bytes, ...]:
        """Send each to that UDP port; as many answers as came within `seconds`, in no order. OSError when it can't be
        sent, or nothing listens there."""
        ...

    # -- accounts (name service switch of this machine: passwd(5), group(5), getent(1))
    def user_id(self, name: str) -> int | None: ...

    def group_id(self, name: str) -> int | None: ...

    def user_name(self, uid: int) -> str | None: ...

    def group_name(self, gid: int) -> str | None: ...

    # -- the last resort
    def arm_reset(self, seconds: float) -> Lock:
        """Unless closed within that time, the machine resets itself: by its watchdog where it has one, and by
        sysrq or reboot(2) (host/reset.py)."""
        ...

    # -- locks
    def lock(self, path: str, note: str) -> Lock | str:
        """flock(2) on `path`, held until closed. Not to be had: the note of the one who has it."""
        ...


class Lock(Protocol):
    def close(self) -> None: ...


class Record(Lock, Protocol):
    def renew(self, note: bytes) -> None:
        """On the filer when it returns. OSError where the lock was lost."""
        ...
