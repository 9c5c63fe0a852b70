"""Every claim of speed or size, measured: `make bench`, `make bench ONLY=takeover`, or python -m bench."""
