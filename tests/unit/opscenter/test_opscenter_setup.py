import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.opscenter import install as entry
from lab.opscenter.config import Config, load_config
from lab.opscenter.configure import NotPossible, configure, unconfigure
from lab.opscenter.layout import UNITS, Layout
from lab.opscenter.properties import parse_properties
from lab.opscenter.satadm import read_status
from lab.opscenter.software import install
from lab.opscenter.trial import Trial


@pytest.mark.requirement("A25", "A27")
def test_the_version_file_misleads_a_search_but_not_a_parser(trial: Trial) -> None:
    text = trial.layout.version_file.read_text()
    lines = [line for line in text.splitlines() if line.startswith("product.version=")]
    assert len(lines) == 2 and lines[0] != "product.version=2.1.0.963"
    found = parse_properties(text)
    assert found["product.version"] == "2.1.0.963"
    assert found["date"] == "2009-08-17 21:04:11"
    assert set(found) == {
        "version",
        "product.version.xvmopscenter",
        "date",
        "build.notes",
        "build.variation",
        "product.version",
        "product.version.xvmserver",
    }


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("a=1", {"a": "1"}),
        ("a : 1\n!no\n\n # no", {"a": "1"}),
        ("a 1 2", {"a": "1 2"}),
        ("a", {"a": ""}),
        (r"a\=b\:c\ d=\u0041\t", {"a=b:c d": "A\t"}),
        ("a=1\\\n   2\\\\\nb=3", {"a": "12\\", "b": "3"}),
        ("a=1\na=2", {"a": "2"}),
    ],
)
def test_properties_are_read_as_java_reads_them(text: str, pairs: dict[str, str]) -> None:
    assert parse_properties(text) == pairs


@pytest.mark.requirement("A45", "A46")
def test_the_tree_has_what_a_copy_can_get_wrong(trial: Trial) -> None:
    images = trial.layout.tree / "osp/share/allstart/images"
    assert (images / "base.img").stat().st_nlink == 2
    assert os.readlink(images / "latest.img") == "base-2.1.img"
    assert trial.layout.jobs.stat().st_mode & 0o7777 == 0o2775
    assert trial.layout.at("/opt/SUNWuce/bin/scn-helper").stat().st_mode & 0o7777 == 0o4750
    assert trial.layout.users.stat().st_mode & 0o7777 == 0o640
    assert (trial.layout.tls / "ec.key").stat().st_mode & 0o7777 == 0o600
    assert "opscenter" not in trial.layout.users.read_text()


def test_configure_twice_is_refused_and_unconfigure_keeps_the_tree(trial: Trial) -> None:
    with pytest.raises(NotPossible, match="already configured"):
        configure(trial.layout, Config(), {})
    unconfigure(trial.layout)
    assert not read_status(trial.layout).configured
    assert trial.layout.database.exists()
    assert list(trial.layout.at("/etc/opt/SUNWuce").iterdir()) == []
    with pytest.raises(NotPossible, match="already configured"):
        configure(trial.layout, Config(), {})


@pytest.mark.requirement("A04")
def test_a_stand_alone_proxy_says_so_and_has_only_its_own_part(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    entry.main(["--root", str(tmp_path), "install", "--role", "proxy"])
    entry.main(["--root", str(tmp_path), "configure", "--ec", "http://192.0.2.1:8080"])
    assert layout.role_file.read_text() == "role=proxy\n"
    assert [path.name for path in layout.units.iterdir()] == [UNITS[2]]
    assert load_config(layout.config).ec_url == "http://192.0.2.1:8080"
    assert not layout.database.exists()
    assert [part.name for part in read_status(layout).parts] == ["proxy controller"]


@pytest.mark.requirement("A06", "A72")
def test_the_folder_installs_itself_from_wherever_it_was_copied(tmp_path: Path) -> None:
    folder = tmp_path / "pushed"
    folder.symlink_to(Path(entry.__file__).parent)
    root = tmp_path / "root"
    command = [sys.executable, str(folder / "install.py"), "--root", str(root), "install"]
    subprocess.run(command, check=True, timeout=120)
    assert os.access(root / "opt/sun/xvmoc/bin/satadm", os.X_OK)
    code = [sys.executable, "-c", "import opscenter.satadm, sys; sys.exit(opscenter.satadm.main(['status']))"]
    command = [*code[:2], code[2].replace("['status']", f"['--root', '{root}', 'status']")]
    lib = {"PYTHONPATH": str(root / "opt/sun/xvmoc/lib"), "PATH": os.environ["PATH"]}
    found = subprocess.run(command, env=lib, capture_output=True, text=True, timeout=120, check=False)
    assert (found.returncode, found.stdout) == (1, "offline (installed, not configured)\n")


def test_install_again_replaces_the_software_only(tmp_path: Path) -> None:
    layout = Layout(root=tmp_path)
    install(layout)
    install(layout, version="2.1.0.999")
    assert read_status(layout).version == "2.1.0.999"
