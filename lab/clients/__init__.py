"""Load clients that keep a ledger of every acknowledged write. Copied to a host as a folder, run there as files."""
