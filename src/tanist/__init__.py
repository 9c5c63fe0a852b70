"""tanist: moves a single-instance server, whole, from a dead machine to a living one."""

__version__ = "0.1.0"
