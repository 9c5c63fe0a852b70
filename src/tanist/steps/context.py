"""What every step is given besides its own spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tanist.host.host import Host
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    host: Host
    controller: Controller
    node: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How one kind of step is applied, undone and looked at. Both acts may run twice.

    `is_applied`, or its answer, is None: nothing on the host shows it, or a service may have changed it since: the
    journal is trusted.
    `hold`: when it fails, the run stops there and waits for a person, instead of being undone at once.
    """

    apply: Callable[[Any, Context], None]
    undo: Callable[[Any, Context], None]
    is_applied: Callable[[Any, Context], bool | None] | None = None
    hold: bool = False
