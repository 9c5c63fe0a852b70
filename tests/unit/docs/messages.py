"""What src/tanist says, as its source has it: each `raise Refused(...)` and the like, with … for what varies."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

ERRORS = ("Refused", "NotProved", "BadCapture", "Busy", "Failed")
ANYTHING = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    error: str  # "Refused"
    text: str
    next_step: str
    place: str  # file:line

    @property
    def refused(self) -> bool:
        return self.error != "Failed"


def read_messages(source: Path) -> tuple[Message, ...]:
    """In the order of files and lines."""
    found = []
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS and node.args:
                step = next((word.value for word in node.keywords if word.arg == "next_step"), None)
                place = f"{path.relative_to(source)}:{node.lineno}"
                text, then = render(node.args[0]), render(step) if step else ""
                found.append(Message(error=node.func.id, text=text, next_step=then, place=place))
    return tuple(found)


def read_texts(source: Path) -> tuple[str, ...]:
    """Every text in the files below: parts of messages are put together elsewhere than they are raised."""
    trees = [ast.parse(path.read_text()) for path in sorted(source.rglob("*.py"))]
    texts = (node for tree in trees for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.Constant)))
    return tuple(render(node) for node in texts)


def render(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return squeeze("".join(render(value) for value in values))
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return squeeze(render(left) + render(right))
        case _:
            return ANYTHING


def squeeze(text: str) -> str:
    while ANYTHING * 2 in text:
        text = text.replace(ANYTHING * 2, ANYTHING)
    return " ".join(text.split())
