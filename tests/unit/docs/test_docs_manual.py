"""README and manual against the code, as far as no machine is needed; the commands run in tests/lab/test_manual.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tanist.cli import main as cli
from tanist.cli import status
from tanist.model import errors
from tests.unit.docs.blocks import Block, missing_lines, parse_blocks
from tests.unit.docs.messages import read_messages, read_texts

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src" / "tanist"
PAPERS = ("README.md", "docs/manual.md", "docs/formats.md", "docs/design/dependencies.md", "docs/design/decisions.md")
MANUAL = (ROOT / "docs" / "manual.md").read_text()


def blocks(paper: str) -> tuple[Block, ...]:
    return parse_blocks((ROOT / paper).read_text())


@pytest.mark.parametrize("paper", PAPERS)
def test_every_block_says_where_it_runs_or_why_not(paper: str) -> None:
    for block in blocks(paper):
        assert block.language != "sh" or block.machines or block.never, f"{paper}:{block.line}"


@pytest.mark.parametrize("paper", PAPERS)
def test_every_link_leads_somewhere(paper: str) -> None:
    text = (ROOT / paper).read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        place = (ROOT / paper).parent / file if file else ROOT / paper
        assert place.exists(), f"{paper}: {target}"
        assert not anchor or anchor in anchors(place.read_text()), f"{paper}: {target}"


def anchors(text: str) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_what_the_readme_tells_to_make_can_be_made() -> None:
    """`make test` cannot run inside itself; that the target is there can be looked at."""
    made = {word for block in blocks("README.md") for word in re.findall(r"^make (\w[\w-]*)", block.text, re.MULTILINE)}
    assert {"demo", "test"} <= made
    for target in sorted(made):
        done = subprocess.run(["make", "-n", "-C", ROOT, target], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


# -- exit statuses
def status_rows() -> dict[int, str]:
    return {int(number): says for number, says in re.findall(r"^\| (\d+) \| (.*) \|$", MANUAL, re.MULTILINE)}


def test_the_table_of_exit_statuses_has_each_of_the_code_and_no_other() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, BaseException)]
    known = {one.exit_status for one in kinds if hasattr(one, "exit_status")}
    assert set(status_rows()) == known | {0, 1, 2, 130}


def test_the_table_of_commands_has_each_command_and_its_statuses() -> None:
    rows = re.findall(r"^\| `tanist (\w+)[^|]*\|[^|]*\| ([^|]*) \|$", MANUAL, re.MULTILINE)
    aliases = re.findall(r"`tanist (capture|restore) NAME`", MANUAL)
    assert {name for name, _ in rows} | set(aliases) == set(cli.COMMANDS)
    told = dict(rows)
    assert {int(number) for number in re.findall(r"\b(?:0|10|20)\b(?= \w)", told["status"])} == set(
        status.EXIT.values()
    )


def test_a_takeover_with_a_reboot_ends_with_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> int:
        raise errors.Rebooting

    assert cli.call(run) == errors.Rebooting.exit_status
    assert "goes on after the boot" in capsys.readouterr().err


# -- refusals
def told_messages() -> list[str]:
    chapter = MANUAL.split("\n## 7.", 1)[1].split("\n## 8.", 1)[0]
    return re.findall(r"^\| `([^`]*)` \|", chapter, re.MULTILINE)


def test_each_message_that_the_manual_explains_is_one_of_the_code() -> None:
    known = [message.text for message in read_messages(SOURCE)] + [
        text for part in ("runs", "facts", "journal", "proof") for text in read_texts(SOURCE / part)
    ]
    missing = [told for told in told_messages() if not any(is_part(told, text) for text in known)]
    assert told_messages()
    assert missing == []


def test_each_kind_of_refusal_is_explained() -> None:
    """Not each message: most say it all themselves. But of each class that has a status of its own, some."""
    told = told_messages()
    for kind in ("NotProved", "BadCapture", "Busy", "Refused", "Failed"):
        texts = [message.text for message in read_messages(SOURCE) if message.error == kind] + list(
            read_texts(SOURCE / "runs")
        )
        assert any(is_part(one, text) for one in told for text in texts), kind


def is_part(told: str, text: str) -> bool:
    return " ".join(told.split()).removeprefix("… ") in text


# -- the blocks themselves
def test_output_lines_must_come_in_order_and_dots_stand_for_anything() -> None:
    printed = "one  1.5 s\ntwo\nthree\n"
    assert missing_lines(("one … s", "three"), printed) == ()
    assert missing_lines(("three", "two"), printed) == ("two",)
    assert missing_lines(("on",), printed) == ("on",)
    assert missing_lines(("…", "two"), printed) == ()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```sh ec-c\ntrue\n```", "names no machine"),
        ("```sh\ntrue\n```", "names no machine"),
        ("```sh never:\ntrue\n```", "no reason"),
        ("```\ntrue\n```", "does not say what it is"),
        ("```text\nout\n```", "output of nothing"),
        ("```sh lab\ntrue\n```\n```text\na\n```\n```text\nb\n```", "second output"),
        ("```sh lab exit=x\ntrue\n```", "exit=N"),
        ("```sh lab\ntrue\n", "no end"),
    ],
)
def test_a_block_that_does_not_say_enough_is_an_error(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_blocks(text)


def test_a_block_says_machines_status_and_output() -> None:
    (block,) = parse_blocks("# Title\n```sh ec-a ec-b exit=4\nfalse\n```\nand so\n```text\nno\n```\n")
    assert (block.machines, block.status, block.text, block.output) == (("ec-a", "ec-b"), 4, "false\n", ("no",))
    assert block.chapter == "Title"
