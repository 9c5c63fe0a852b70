"""The names of a store's files."""

from __future__ import annotations

from collections.abc import Iterable

FORMAT = 2
READABLE = (1, 2)  # 1: its facts lack what model/beside.py has
MANIFEST, CHECKSUM, README = "manifest.json", "manifest.sha256", "README"
ENTRIES, GONE, CONTENT = "entries.jsonl", "gone", "files.tar"  # of the first layer; later ones have .01, .02, ...
LAYERS = 32  # in one store, at most
PARTIAL = ".partial-"  # then the number of the process that is at work on it


def of_layer(name: str, layer: int) -> str:
    return f"{name}.{layer:02d}" if layer else name


def layer_parts(layer: int) -> tuple[str, ...]:
    """The files of one layer, in the order that lists have them. The first layer has nothing to take away."""
    return tuple(of_layer(name, layer) for name in (ENTRIES, GONE, CONTENT) if layer or name != GONE)


def part_names(layers: int) -> tuple[str, ...]:
    """All that a manifest vouches for, in the order in which it travels."""
    return (README, *(name for layer in range(layers) for name in layer_parts(layer)))


def count_layers(parts: Iterable[str]) -> int:
    """ValueError when these are not the parts of a store."""
    names = tuple(parts)
    layers = (len(names) + 1) // 3
    if not 0 < layers <= LAYERS or set(names) != set(part_names(layers)) or len(set(names)) != len(names):
        raise ValueError("its parts are not those of a store")
    return layers


def store_files(layers: int) -> tuple[str, ...]:
    """In this order they are sent: each bounds what follows."""
    return (CHECKSUM, MANIFEST, *part_names(layers))
