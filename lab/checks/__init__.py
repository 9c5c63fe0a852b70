"""Looks at the lab's nodes for tests and the demo: exact, quick, and changing nothing."""

from lab.checks.fingerprint import Fingerprint, diff, read_fingerprint
from lab.checks.ledger import Ack, LedgerRun, Outage, Verdict, find_outage
from lab.checks.names import compare_owners, foreign_paths, read_own_accounts, read_owners
from lab.checks.sshkeys import Answer, KnownHost

__all__ = [
    "Ack",
    "Answer",
    "Fingerprint",
    "KnownHost",
    "LedgerRun",
    "Outage",
    "Verdict",
    "compare_owners",
    "diff",
    "find_outage",
    "foreign_paths",
    "read_fingerprint",
    "read_own_accounts",
    "read_owners",
]
