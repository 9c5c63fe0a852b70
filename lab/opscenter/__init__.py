"""A small Ops Center: the single-instance server that the lab moves from host to host.

A stand-in for the Enterprise Controller of Sun xVM Ops Center 2.1 with the same directories, commands and manners; the
README says what is where. It knows nothing of tanist. Standard library only: it runs on a bare Debian host.
"""
