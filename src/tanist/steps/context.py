"""What every step is given besides its own spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tanist.host.host import Host
from tanist.model.dataclasses import dataclass
from tanist.model.definition import Controller

if TYPE_CHECKING:
    from tanist.model.facts import NodeFacts


def say_nothing(text: str) -> None:
    """Nobody listens."""


def nothing() -> None:
    """There is nothing to be done meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    host: Host
    controller: Controller
    node: str
    note: Callable[[str], None] = say_nothing  # what a person who waits is to know
    meanwhile: Callable[[], None] = nothing  # called while a service stops, perhaps more than once
    read_tokens: Callable[[], tuple[tuple[str, str, str], ...]] | None = None  # (node, disk, token) of the other nodes
    read_facts: Callable[[], NodeFacts] | None = None  # of this node, where the run has read them already


def leave(spec: object, context: Context) -> None:
    """Undone: nothing. What was done stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """How one kind of step is applied, undone and looked at. Both acts may run twice.

    `is_applied`, or its answer, is None: nothing on the host shows it, or a service may have changed it since: the
    journal is trusted.
    `begin_undo`: as `undo`, but it returns before the last of it is done, which goes on beside the following steps;
    what it returns waits for that.
    `hold`: when it fails, the run stops there and waits for a person, instead of being undone at once.
    """

    apply: Callable[[Any, Context], None]
    undo: Callable[[Any, Context], None]
    is_applied: Callable[[Any, Context], bool | None] | None = None
    begin_undo: Callable[[Any, Context], Callable[[], None]] | None = None
    hold: bool = False
