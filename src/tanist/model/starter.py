"""Something of the operating system's own that would bring a part of the controller up behind the gate's back."""

from __future__ import annotations

from tanist.model.dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    what: str  # "/etc/fstab mounts /var/opt/oc at boot"
    mend: str  # what to do, a command where there is one

    @property
    def says(self) -> str:
        return f"{self.what}: {self.mend}"
