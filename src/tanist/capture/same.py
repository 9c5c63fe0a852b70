"""Whether two open files hold the same bytes."""

from __future__ import annotations

import os

CHUNK = 1 << 20


def is_same(one: int, other: int) -> bool:
    """From where the two descriptors stand to the end; neither file is held as a whole."""
    while True:
        chunk = os.read(one, CHUNK)
        copy = b""
        while len(copy) < len(chunk) and (more := os.read(other, len(chunk) - len(copy))):
            copy += more
        if chunk != copy:
            return False
        if not chunk:
            return not os.read(other, 1)
