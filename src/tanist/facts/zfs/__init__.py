"""A ZFS pool that nobody needs to have imported here: its labels, what they say, and the claim beside them."""

from tanist.facts.zfs.kind import find_ends, find_place, read_guards, read_marks, read_room, read_states

__all__ = ["find_ends", "find_place", "read_guards", "read_marks", "read_room", "read_states"]
