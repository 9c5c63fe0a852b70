"""The names of a store's files."""

FORMAT = 1
MANIFEST, CHECKSUM, CONTENT, README = "manifest.json", "manifest.sha256", "files.tar", "README"
STORE_FILES = (CHECKSUM, MANIFEST, README, CONTENT)  # in this order they are sent: each bounds what follows
PARTIAL = ".partial-"  # then the number of the process that is at work on it
