"""The NFS server's steps on a fake machine: what is kept with the tree, what comes back, who is told."""

from __future__ import annotations

import pytest

from tanist.model import steps as s
from tanist.model.errors import Failed
from tanist.plan.assume import derive_fsid
from tanist.runs.session import Session
from tanist.steps.registry import handler_for
from tests.unit.runs.world import TREE, Node
from tests.unit.steps.specs import MOUNT, apply, looks_applied, undo

KEPT = f"{TREE}/.tanist/nfs"
NOTIFY = (("10.88.0.60", f"{KEPT}/notify/10.88.0.60"),)
KEEP = s.KeepNfsState(controller="oc", kept=KEPT)
EXPORT = s.WriteExports(path="/etc/exports.d/tanist-oc.exports", lines=(f"{TREE}/share *(ro)",))
SERVE = s.ServeNfs(
    controller="oc", scope="ec", tree=TREE, source="/run/x", paths=(f"{TREE}/share",), kept=KEPT, notify=NOTIFY
)
TELL = s.NotifyLocks(notify=NOTIFY)
ALL = (MOUNT, KEEP, EXPORT, SERVE)
DROP_IN = "/run/systemd/system/nfs-server.service.d/tanist-oc.conf"


@pytest.fixture(name="node")
def make_node(session: Session) -> Node:
    node = session.host
    assert isinstance(node, Node)
    return node


def told(node: Node) -> list[tuple[str, ...]]:
    return [argv for argv in node.ran if argv[0] == "sm-notify"]


def test_the_records_of_clients_lie_with_the_tree_and_the_nodes_own_come_back(session: Session, node: Node) -> None:
    node.files.write("/var/lib/nfs/nfsdcld/main.sqlite", b"before tanist")
    apply(session, *ALL)
    assert node.files.read(f"{KEPT}/nfsdcld/main.sqlite") == b"before tanist"  # the first time they come along
    node.files.write("/var/lib/nfs/nfsdcld/main.sqlite", b"new clients")
    assert node.files.read(f"{KEPT}/nfsdcld/main.sqlite") == b"new clients"
    assert all(looks_applied(session, spec) for spec in ALL)
    undo(session, SERVE, EXPORT, KEEP)
    assert node.files.read("/var/lib/nfs/nfsdcld/main.sqlite") == b"before tanist"
    assert node.units["nfs-server.service"].state == "active", "it ran before"
    apply(session, KEEP)
    assert node.files.read("/var/lib/nfs/nfsdcld/main.sqlite") == b"new clients"


def test_a_server_that_did_not_run_before_does_not_run_afterwards(session: Session, node: Node) -> None:
    node.units["nfs-server.service"].state = "inactive"
    apply(session, *ALL)
    assert node.units["nfs-server.service"].state == "active" and node.exported
    undo(session, SERVE, EXPORT, KEEP)
    assert node.units["nfs-server.service"].state == "inactive" and not node.exported


def test_it_is_not_started_again_where_it_serves_already(session: Session, node: Node) -> None:
    """Another start would begin another grace period, in which clients that claimed all they had get nothing."""
    apply(session, *ALL)
    node.log.clear()
    apply(session, KEEP, SERVE)
    assert not [line for line in node.log if line.startswith("systemctl")]


def test_the_server_has_one_name_on_every_node_and_sees_the_unmapped_tree(session: Session, node: Node) -> None:
    apply(session, *ALL)
    text = node.files.read(DROP_IN).decode()
    assert "unshare --uts" in text and "echo ec >/proc/sys/kernel/hostname" in text
    assert f"BindPaths=/run/x:{TREE}\n" in text
    stops = [line for line in text.splitlines() if line.startswith("ExecStop=")]
    assert stops[0] == "ExecStop=" and f"{KEPT}/sm" in stops[1] and stops[2:] == ["ExecStop=/usr/sbin/rpc.nfsd 0"]
    assert f"BindPaths=/run/x:{TREE}\n" in node.files.read(DROP_IN.replace("server", "mountd")).decode()
    undo(session, SERVE)
    assert not node.files.exists(DROP_IN)


def test_clients_with_locks_are_told_by_each_address_and_the_wait_for_them_is_not_cut(
    session: Session, node: Node
) -> None:
    apply(session, MOUNT, KEEP)
    node.files.write(f"{KEPT}/sm/10.88.0.20", b"0100007f\n")
    apply(session, EXPORT, SERVE)
    assert not told(node), "with nobody to tell it would end the grace period"
    assert node.files.list(f"{KEPT}/sm") == (), "monitored anew once it claims its lock"
    assert node.files.read(f"{NOTIFY[0][1]}/sm/10.88.0.20") == b"0100007f\n"
    apply(session, TELL)
    assert told(node) == [("sm-notify", "-f", "-v", "10.88.0.60", "-P", NOTIFY[0][1])]


def test_without_a_lock_nobody_is_told_and_nobody_waited_for(session: Session, node: Node) -> None:
    apply(session, *ALL)
    assert told(node) == [("sm-notify", "-f", "-P", NOTIFY[0][1])]
    apply(session, TELL)
    assert len(told(node)) == 1


def test_a_node_without_a_server_takes_over_all_the_same(session: Session, node: Node) -> None:
    del node.units["nfs-server.service"]
    apply(session, *ALL, TELL)
    undo(session, SERVE, EXPORT, KEEP)
    assert [looks_applied(session, spec) for spec in (SERVE, KEEP)] == [None, None], "whether done or undone"
    assert not [mount for mount in node.mounts() if mount.target.startswith("/var/lib/nfs")]


def test_a_second_controller_does_not_take_the_record_of_the_first(session: Session, node: Node) -> None:
    apply(session, *ALL)
    other = s.KeepNfsState(controller="db", kept="/srv/db/.tanist/nfs")
    with pytest.raises(Failed, match="only one controller with exports"):
        apply(session, other)
    undo(session, other)
    assert looks_applied(session, KEEP)


def test_what_the_server_refuses_is_not_called_done(session: Session, node: Node) -> None:
    apply(session, MOUNT, KEEP)
    with pytest.raises(Failed, match=f"does not export {TREE}/share"):
        apply(session, SERVE)
    assert handler_for(s.ServeNfs).hold


def test_a_server_that_does_not_come_up_says_where_to_look(session: Session, node: Node) -> None:
    apply(session, MOUNT, KEEP, EXPORT)
    node.units["nfs-server.service"].fails = True
    with pytest.raises(Failed, match="journalctl -u nfs-server"):
        apply(session, SERVE)


def test_an_export_has_the_same_number_on_every_node_and_no_other_has_it() -> None:
    assert derive_fsid("oc", "share") == derive_fsid("oc", "share")
    assert len({derive_fsid(*names) for names in (("oc", "share"), ("oc", "shar"), ("o", "cshare"))}) == 3
    text = derive_fsid("oc", "share")
    assert (len(text.replace("-", "")), text.count("-")) == (32, 4)
