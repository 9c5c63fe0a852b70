"""A volume of a cloud, by the example program of packaging/: taken from a node that let go, a dead one, a living one.

The cloud is lab/cloud.py: its volume really appears in a running machine and goes away from it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.cloud import PORT, VOLUME
from lab.layout import MGMT_NET
from lab.vm.lab import VmLab
from tests.seeds import among_all, in_turn
from tests.vm.contract import NODES, Kind, Pair, cut_while_writing, install
from tests.vm.definitions import TREE, render_definition
from tests.vm.typed import tell_typed

pytestmark = in_turn(2)
PROGRAM = "/usr/local/lib/tanist/cloud-volume"
LAYER = f"""[[asset.layer]]
kind = "program"
program = "{PROGRAM}"
device = "{VOLUME.by_id}"
timeout = 300
settings = {{ volume = "{VOLUME.name}" }}
"""
KIND: Kind = (VOLUME.by_id, "ext4", LAYER, "mkfs.ext4 -q -F {device}", "true")
FUNCTIONS = f"""
ask() {{
    exec 3<>/dev/tcp/{MGMT_NET}.1/{PORT}
    echo "$*" >&3
    read -r answer <&3
    exec 3>&-
    case $answer in error*) echo "$answer" >&2; return 1 ;; esac
}}
cloud_self() {{ cat /root/instance; }}
cloud_holder() {{ ask holder && {{ [ "$answer" = none ] || echo "$answer"; }}; }}
cloud_attach() {{ ask attach "$(cloud_self)"; }}
cloud_detach() {{ ask detach "$2"; }}
"""

ZOMBIE = f"while echo ec-b >>{TREE}/zombie && sync {TREE}/zombie; do :; done"

SETTINGS = f'{{"settings": {{"volume": "{VOLUME.name}"}}}}'


def start_cloud(lab: VmLab) -> None:
    """And what asks it on both nodes."""
    lab.start_cloud()
    program = Path(__file__).parents[2] / "packaging" / "program" / "cloud-volume"
    for node in NODES:
        lab.exec(node, ["sh", "-c", f"mkdir -p {PROGRAM.rpartition('/')[0]}; echo {node} >/root/instance"], check=True)
        for path, text, mode in ((PROGRAM, program.read_text(), 755), ("/etc/tanist/cloud-volume.sh", FUNCTIONS, 600)):
            put = f"mkdir -p $(dirname {path}); cat >{path}; chmod {mode} {path}"
            lab.exec(node, ["sh", "-c", put], input=text.encode(), check=True)


@pytest.fixture(scope="module")
def pair(lab: VmLab) -> Pair:
    start_cloud(lab)
    install(lab)
    return Pair(lab, KIND)


def make_anew(pair: Pair) -> None:
    pair.sh("ec-a", f"echo '{SETTINGS}' | {PROGRAM} acquire; udevadm settle; {pair.make.format(device=pair.device)}")


@pytest.mark.requirement("A14", "A15", "A61")
def test_a_volume_of_a_cloud_keeps_the_contract(pair: Pair) -> None:
    lab = pair.lab
    assert "attached to no node" in pair.state("ec-b"), "which is all that can be told"
    make_anew(pair)
    assert "attached to ec-a" in pair.state("ec-b")

    assert all(pair.do("ec-a", "acquire"))
    assert all(pair.do("ec-a", "acquire"))
    pair.do("ec-a", "mark", "ec-a", "7")
    pair.sh("ec-a", f"echo one >{TREE}/file; umount {TREE}; mount {VOLUME.by_id} /mnt")
    status, said = pair.try_("ec-a", "release")
    assert status == 1 and "mounted at /mnt" in said
    pair.sh("ec-a", "umount /mnt")
    assert not any(pair.do("ec-a", "release"))
    assert not any(pair.do("ec-a", "release"))
    assert "attached to no node" in pair.state("ec-a")

    assert all(pair.do("ec-b", "acquire"))
    assert pair.sh("ec-b", f"cat {TREE}/file") == "one" and pair.do("ec-b", "claim")["epoch"] == 7
    status, said = pair.try_("ec-a", "acquire")
    assert status == 1 and "attached to ec-b, and nothing proves that its owner is stopped" in said
    pair.do("ec-b", "release")

    # power cut under load: the cloud still has it with the dead machine, and only a proof takes it from there
    assert all(pair.do("ec-a", "acquire"))
    acknowledged = cut_while_writing(pair.lab)
    assert "attached to ec-a" in pair.state("ec-b")
    assert pair.try_("ec-b", "acquire")[0] == 1
    lab.boot("ec-a", wait=False)
    assert all(pair.do("ec-b", "acquire", "ec-a has no power"))
    kept = [int(line) for line in pair.sh("ec-b", f"cat {TREE}/acked").split()]
    assert kept[: len(acknowledged)] == acknowledged
    lab.wait_booted("ec-a")
    assert not any(pair.do("ec-a", "look")), "an ex-owner boots inert"

    # from a living machine: its next write fails, and nothing of it comes after
    lab.exec("ec-b", ["sh", "-c", "cat >/root/zombie"], input=ZOMBIE.encode(), check=True)
    pair.sh("ec-b", "setsid sh /root/zombie </dev/null >/dev/null 2>&1 &")
    assert all(pair.do("ec-a", "acquire", "ec-b is fenced"))
    before = pair.sh("ec-a", f"ls -l {TREE}")
    pair.sh("ec-b", "n=0; while pgrep -f '[r]oot/zombie'; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done")
    assert pair.sh("ec-a", f"ls -l {TREE}") == before
    assert "attached to ec-a" in str(pair.try_("ec-b", "state"))
    pair.sh("ec-b", f"umount -l {TREE}")
    pair.do("ec-a", "release")


@pytest.mark.requirement("A14", "A15", "A61")
@among_all()
def test_a_volume_of_a_cloud_is_released_and_taken_over_by_commands(pair: Pair, tmp_path: Path) -> None:
    """The cloud has it with a dead machine, and gives it away once the verdict is PROVED."""
    make_anew(pair)
    tell_typed(pair.lab, tmp_path, render_definition(VOLUME.by_id, "ext4", layers=LAYER))
    assert "attached to ec-a" in pair.state("ec-b")
