"""The journal of one run on this node's own disk: written, synced, then acted upon."""

from __future__ import annotations

from tanist.host.host import Host
from tanist.journal.records import parse_journal, render_record
from tanist.model.errors import Failed, Refused, TanistError
from tanist.model.run import Body, Record

STATE = "/var/lib/tanist"


def runs_directory(controller: str) -> str:
    """Of those that have not been filed away."""
    return f"{STATE}/{controller}/runs"


def done_directory(controller: str) -> str:
    """Of those that have."""
    return f"{runs_directory(controller)}/done"


def find_journal(host: Host, controller: str, run: str) -> str:
    """Its path, filed away or not; "" where there is none."""
    places = (f"{directory(controller)}/{run}.jsonl" for directory in (done_directory, runs_directory))
    return next((path for path in places if host.files.exists(path)), "")


class Journal:
    """Append-only. `append` returns when the record is on the disk (fdatasync); Refused where the first one can't be
    written, Failed for a later one: without its record nothing more is done."""

    def __init__(self, host: Host, path: str, records: tuple[Record, ...] = ()) -> None:
        self._host = host
        self._boot = host.boot_id()
        self.path = path
        self.records = list(records)

    @classmethod
    def create(cls, host: Host, controller: str, run: str) -> Journal:
        directory = runs_directory(controller)
        host.files.make_directory(directory, 0o700)
        return cls(host, f"{directory}/{run}.jsonl")

    @classmethod
    def load(cls, host: Host, path: str) -> Journal:
        """Failed when it is damaged before its last line; a torn last line is cut off for good."""
        text = host.files.read(path, 64 << 20)
        records, good = parse_journal(text, path)
        if good < len(text):
            host.files.write(path, text[:good], 0o600)
        return cls(host, path, records)

    def append(self, body: Body) -> Record:
        record = Record(n=len(self.records) + 1, at=round(self._host.now(), 6), boot=self._boot, body=body)
        try:
            self._host.files.append(self.path, render_record(record))
        except OSError as error:
            raise self._unwritable(error) from error
        self.records.append(record)
        return record

    def _unwritable(self, error: OSError) -> TanistError:
        says = f"the journal {self.path} can't be written: {error.strerror or error}"
        if not self.records:
            return Refused(says, next_step=f"make room on the disk of {STATE} (df {STATE}), then try again")
        name = self.path.removeprefix(f"{STATE}/").partition("/")[0]
        step = f"make room on the disk of {STATE}, then: tanist resume {name}   or   tanist undo {name}"
        return Failed(f"{says}; the run stops where it is", next_step=step)
