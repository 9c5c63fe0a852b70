"""Where a path lies, by its name alone: plain absolute paths, without links or ".."."""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol, TypeVar

    class Mounted(Protocol):
        @property
        def target(self) -> str: ...

    M = TypeVar("M", bound=Mounted)


def is_inside(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies in it."""
    return path == directory or directory == "/" or path.startswith(f"{directory}/")


def find_holder(mounts: Sequence[M], path: str) -> M | None:
    """The mount that a path lies on: the deepest one, and of those over each other the last, which alone is seen."""
    inside = [one for one in reversed(mounts) if is_inside(path, one.target)]
    return max(inside, key=lambda one: len(one.target), default=None)
