"""Where a path lies, by its name alone: plain absolute paths, without links or ".."."""

from __future__ import annotations


def is_inside(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies in it."""
    return path == directory or directory == "/" or path.startswith(f"{directory}/")
