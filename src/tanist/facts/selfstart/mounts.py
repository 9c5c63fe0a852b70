"""fstab(5) and mount units: text -> what would be mounted at boot. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    source: str
    target: str
    options: tuple[str, ...]

    @property
    def at_boot(self) -> bool:
        """With noauto only an automount brings it up."""
        automount = any(one.startswith("x-systemd.automount") for one in self.options)
        return automount or "noauto" not in self.options


def parse_fstab(text: str) -> tuple[Line, ...]:
    lines = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(
        Line(
            source=_unescape(fields[0].replace('"', "")),
            target=_unescape(fields[1]).rstrip("/") or "/",
            options=tuple(fields[3].split(",")) if len(fields) > 3 else (),
        )
        for fields in lines
        if len(fields) > 1
    )


def _unescape(field: str) -> str:
    return field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")


def find_in_fstab(text: str, targets: Iterable[str], sources: Iterable[str]) -> tuple[Line, ...]:
    """Lines that mount at one of the targets, or one of the sources anywhere, at boot."""
    where, what = set(targets), set(sources)
    return tuple(line for line in parse_fstab(text) if line.at_boot and (line.target in where or line.source in what))


def mount_unit(path: str, kind: str = "mount") -> str:
    """The unit's name for a mount point (systemd-escape(1) --path)."""
    plain = path.strip("/")
    found = []
    for at, byte in enumerate(plain.encode()):
        letter = chr(byte)
        if letter == "/":
            found.append("-")
        elif (letter.isascii() and letter.isalnum()) or letter in ":_" or (letter == "." and at > 0):
            found.append(letter)
        else:
            found.append(f"\\x{byte:02x}")
    return f"{''.join(found) or '-'}.{kind}"
