"""Where a path lies, by its name alone."""

from __future__ import annotations

from tanist.model.paths import is_inside


def test_one_path_lies_in_another_only_by_whole_names() -> None:
    assert is_inside("/a/b", "/a") and is_inside("/a", "/a") and is_inside("/a", "/")
    assert not is_inside("/ab", "/a") and not is_inside("/a", "/a/b")
