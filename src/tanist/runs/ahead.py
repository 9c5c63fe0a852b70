"""What takes long and hangs on nothing, begun while this node loads the rest of tanist and checks itself.

The other nodes are called over ssh, but give their word only when asked (runs/peers.py): this node's intent must be
written before (proof/intent.py). The wire is asked for a moment, as a look after a release does (proof/probes.py).
Changes nothing; what can't be begun is done in its turn, and says there what is wrong. Imports little.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tanist.model.dataclasses import replace
from tanist.proof.wire import GLANCE, addresses_by_interface, choose_targets
from tanist.runs.peers import CONNECT_TIMEOUT, write_known_hosts
from tanist.runs.session import Session

if TYPE_CHECKING:
    from tanist.host.conversation import Conversation


@contextlib.contextmanager
def begun_ahead(session: Session) -> Iterator[Session]:
    """The session with the other nodes on the line. The lines are cut at the end of the block."""
    with contextlib.ExitStack() as stack:
        called: dict[str, Conversation] = {}
        for node in session.controller.peers(session.node):
            with contextlib.suppress(OSError):
                argv = ["tanist", "word", session.name, "--when-asked"]
                line = session.open_peer(
                    node, argv, known_hosts=write_known_hosts(session), connect_timeout=CONNECT_TIMEOUT
                )
                called[node.name] = stack.enter_context(line)
        listen(session)
        yield replace(session, called=called)


def listen(session: Session) -> None:
    targets = choose_targets(session.host, session.controller, session.node)
    for addresses in addresses_by_interface(targets).values():
        with contextlib.suppress(OSError):
            session.host.begin_probe(addresses, GLANCE)
