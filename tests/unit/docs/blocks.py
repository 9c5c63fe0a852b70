"""The fenced blocks of a document, as the tests run them: Markdown in, blocks out. Pure.

A block's info string says where it is run:

    sh ec-a [ec-b ...] [exit=N]     on these machines, side by side; `lab` is the machine that runs the lab
    sh never: REASON                not run, and why
    text                            what the block before it prints, at least these lines in this order; … stands for
                                    anything, within a line or, alone on a line, for lines
    toml, python, ...               shown, not run
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

MACHINES = ("lab", "ec-a", "ec-b", "client")
FENCE = re.compile(r"^( *)```(.*)$")
ANYTHING = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    line: int  # of the opening fence, from 1
    chapter: str  # the heading above it
    language: str
    text: str
    machines: tuple[str, ...] = ()
    status: int = 0  # the exit status that it must have
    never: str = ""  # why it is not run
    output: tuple[str, ...] = ()  # lines that it must print


def parse_blocks(text: str) -> tuple[Block, ...]:
    """ValueError names the line of what does not fit."""
    found: list[Block] = []
    fence, info, inside = 0, "", list[str]()
    indent, chapter = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        mark = FENCE.match(line)
        if not fence:
            if mark:
                fence, indent, info, inside = number, mark[1], mark[2].strip(), []
            elif line.startswith("#"):
                chapter = line.lstrip("# ")
        elif mark and not mark[2].strip():
            _add(found, parse_info(info, fence, chapter, "\n".join(inside) + "\n"))
            fence = 0
        else:
            inside.append(line.removeprefix(indent))
    if fence:
        raise ValueError(f"line {fence}: the block has no end")
    return tuple(found)


def _add(found: list[Block], block: Block) -> None:
    if block.language != "text":
        found.append(block)
    elif not found or found[-1].language != "sh" or found[-1].never:
        raise ValueError(f"line {block.line}: output of nothing: no command that is run stands before it")
    elif found[-1].output:
        raise ValueError(f"line {block.line}: a second output of one block")
    else:
        found[-1] = replace(found[-1], output=tuple(block.text.splitlines()))


def parse_info(info: str, line: int, chapter: str, text: str) -> Block:
    words = info.split()
    if not words:
        raise ValueError(f"line {line}: the block does not say what it is")
    block = Block(line=line, chapter=chapter, language=words[0], text=text)
    if words[0] != "sh":
        if words[1:]:
            raise ValueError(f"line {line}: {words[0]} takes no words")
        return block
    if words[1:2] == ["never:"]:
        if not words[2:]:
            raise ValueError(f"line {line}: never run, and no reason")
        return replace(block, never=" ".join(words[2:]))
    machines = tuple(word for word in words[1:] if not word.startswith("exit="))
    statuses = [word.removeprefix("exit=") for word in words[1:] if word.startswith("exit=")]
    if not machines or set(machines) - set(MACHINES):
        raise ValueError(f"line {line}: {info!r} names no machine to run on; there are {', '.join(MACHINES)}")
    if len(statuses) > 1 or not all(status.isdigit() for status in statuses):
        raise ValueError(f"line {line}: {info!r}: exit=N, once")
    return replace(block, machines=machines, status=int(statuses[0]) if statuses else 0)


def missing_lines(wanted: tuple[str, ...], printed: str) -> tuple[str, ...]:
    """The wanted lines that do not occur, in their order, in what was printed. Blanks count as one."""
    left = [" ".join(line.split()) for line in printed.splitlines()]
    missing = []
    for line in wanted:
        parts = [re.escape(part) for part in " ".join(line.split()).split(ANYTHING)]
        if not any(parts):
            continue
        pattern = re.compile(".*".join(parts))
        found = next((at for at, one in enumerate(left) if pattern.fullmatch(one)), None)
        if found is None:
            missing.append(line)
        else:
            left = left[found + 1 :]
    return tuple(missing)
