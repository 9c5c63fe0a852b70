"""Facts x Facts, pure: see nodes.py. `parity.compare` is the way in."""

from tanist.model.facts import Finding
from tanist.parity.nodes import compare

__all__ = ["Finding", "compare"]
