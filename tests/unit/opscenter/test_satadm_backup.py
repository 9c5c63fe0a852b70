"""satadm backup and restore: the state without the software, on a clean host of the same name."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from lab.opscenter.layout import Layout
from lab.opscenter.satadm import main
from lab.opscenter.software import install
from lab.opscenter.trial import Trial


def satadm(layout: Layout, *arguments: str) -> int:
    return main(["--root", str(layout.root), *arguments])


def name_host(layout: Layout, name: str) -> None:
    layout.at("/etc/hostname").write_text(f"{name}\n")


@pytest.fixture
def archive(trial: Trial) -> Path:
    name_host(trial.layout, "ec1")
    path = trial.layout.root / "ec.tar"
    (trial.layout.tree / ".tanist").mkdir()
    (trial.layout.tree / ".tanist/claim").write_text("of the asset, and not of the product")
    assert satadm(trial.layout, "backup", str(path)) == 0
    return path


@pytest.fixture
def clean(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Installed, not configured."""
    layout = Layout(root=tmp_path_factory.mktemp("clean"))
    install(layout)
    layout.at("/etc").mkdir(exist_ok=True)
    name_host(layout, "ec1")
    return layout


def describe(layout: Layout) -> set[str]:
    """Modes, owners, sizes, links and times of what is the product's state."""
    places = ["var/opt/sun/xvm", "etc/sun-xvm", "etc/cron.d/sun-xvm"]
    files = ["-type", "d", "-printf", "%p %m %u %g\n", "-o", "-printf", "%p %m %u %g %n %s %T@ %l\n"]
    find = ["find", *places, "-name", ".tanist", "-prune", "-o", *files]
    return set(subprocess.run(find, cwd=layout.root, check=True, capture_output=True, text=True).stdout.splitlines())


@pytest.mark.requirement("A70")
def test_a_backup_has_the_state_and_not_the_software(trial: Trial, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert {"var/opt/sun/xvm/db/opscenter.db", "etc/sun-xvm/ec.conf", "etc/cron.d/sun-xvm"} <= set(names)
    assert not [name for name in names if name.startswith(("opt/", "usr/", "n1gc-setup")) or ".tanist" in name]
    assert archive.stat().st_mode & 0o777 == 0o600


@pytest.mark.requirement("A71")
def test_a_restore_on_a_clean_host_of_the_same_name_brings_all_of_it_back(
    trial: Trial, archive: Path, clean: Layout
) -> None:
    assert satadm(clean, "restore", str(archive)) == 0
    assert describe(clean) == describe(trial.layout)
    agents = "var/opt/sun/xvm/osp/share/allstart/images/agents.txt"
    assert os.listxattr(clean.root / agents) == os.listxattr(trial.layout.root / agents)
    assert (clean.users.read_text(), clean.users.is_file()) == (trial.layout.users.read_text(), True)
    assert not (clean.root / ".opscenter-backup.json").exists()


@pytest.mark.requirement("A71")
@pytest.mark.parametrize("wrong", ["name", "version", "configured", "cut short"])
def test_a_restore_elsewhere_changes_nothing(
    archive: Path, clean: Layout, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    says = {
        "name": "hostname",
        "version": "version",
        "configured": "already configured",
        "cut short": "no whole backup",
    }
    match wrong:
        case "name":
            name_host(clean, "ec2")
        case "version":
            install(clean, version="2.1.0.964")
        case "configured":
            assert satadm(clean, "restore", str(archive)) == 0
        case "cut short":
            os.truncate(archive, archive.stat().st_size // 2)
    before = describe(clean) if wrong == "configured" else set()
    assert satadm(clean, "restore", str(archive)) == 1
    assert says[wrong] in capsys.readouterr().err
    if wrong == "configured":
        assert describe(clean) == before
    else:
        assert not clean.config.parent.exists() and not clean.database.exists()


@pytest.mark.requirement("A70")
def test_what_is_not_configured_or_has_its_archive_already_is_not_backed_up(
    trial: Trial, archive: Path, clean: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    before = archive.read_bytes()
    assert satadm(trial.layout, "backup", str(archive)) == 1 and "is there already" in capsys.readouterr().err
    assert satadm(clean, "backup", str(clean.root / "x.tar")) == 1
    assert "nothing to back up" in capsys.readouterr().err
    assert archive.read_bytes() == before and not (clean.root / "x.tar").exists()
