"""The long-running part, one for a node: see loop.py. Everything it does is also a command that a person can type."""
