"""What holds between the values of a manifest: nothing twice, nothing outside, nothing without its directory.

In: values that were checked one by one (manifest_format.py, entry_format.py). Out: nothing, or a ValueError with the
place.
"""

from __future__ import annotations

from itertools import pairwise

from tanist.capture.manifest import Entry, Manifest, sort_key
from tanist.capture.names import CONTENT, count_layers, of_layer
from tanist.model.paths import is_inside


def check_whole(manifest: Manifest) -> None:
    _check_asked(manifest)
    count_layers(name for name, _ in manifest.parts)


def _check_asked(manifest: Manifest) -> None:
    paths = [item.path for item in manifest.asked]
    keys = [sort_key(path) for path in paths]
    if any(one >= two for one, two in pairwise(keys)):
        raise ValueError("the paths asked for are not in order, or one is there twice")
    for one, two in pairwise(paths):
        if two.startswith(one + "/"):
            raise ValueError(f"{two} lies inside {one}")
    for parent in manifest.parents:
        if parent.kind != "directory" or not any(path.startswith(parent.path + "/") for path in paths):
            raise ValueError(f"{parent.path}: is not above any path that was asked for")


class Order:
    """Looks at the entries of a store one after the other. Holds the directories above the last one, no more."""

    def __init__(self, manifest: Manifest) -> None:
        self.asked = {item.path: item for item in manifest.asked}
        self.sizes = dict(manifest.parts)
        self.last = ""
        self.above: list[str] = []  # the directories that the last entry lies in, and itself if it is one
        self.top = ""
        self.linked: set[str] = set()
        self.seen: set[str] = set()
        self.count = 0

    def check(self, entry: Entry) -> None:
        path = entry.path
        key = path.replace("/", "\0")
        if key <= self.last:
            raise ValueError(f"{path}: twice, or not in order")
        self.last = key
        parent = path[: path.rfind("/")]
        above = self.above
        while above and above[-1] != parent:
            above.pop()
        if not above:
            self._begin(path, entry.kind)
        if entry.kind == "directory":
            above.append(path)
        elif entry.kind == "hard link":
            if entry.target not in self.linked or not is_inside(entry.target, self.top):
                raise ValueError(f"{path}: is a hard link to nothing")
        elif entry.linked:
            self.linked.add(path)
        if entry.kind == "file":
            size = self.sizes[of_layer(CONTENT, entry.layer)].size
            if entry.offset % 512 or not 512 <= entry.offset <= size - entry.stored:
                raise ValueError(f"{path}: its place in files.tar cannot be right")
        self.count += 1

    def _begin(self, path: str, kind: str) -> None:
        asked = self.asked.get(path)
        if asked is None:
            raise ValueError(f"{path}: lies in none of the directories that were asked for")
        if asked.state == "absent":
            raise ValueError(f"{path}: is said to be absent")
        if asked.directory != (kind == "directory"):
            raise ValueError(f"{path}: is said to be another kind")
        self.top = path
        self.seen.add(path)
        self.linked.clear()

    def end_of(self, path: str) -> None:
        """All of one path was looked at."""
        asked = self.asked.get(path)
        if asked is not None and asked.count != self.count:
            raise ValueError(f"{path}: it has {self.count} entries, not {asked.count}")

    def end(self, count: int) -> None:
        for item in self.asked.values():
            if (item.path in self.seen) != (item.state == "present"):
                raise ValueError(f"{item.path}: is said to be {item.state}")
        if count != self.count:
            raise ValueError(f"it has {self.count} entries, not {count}")
