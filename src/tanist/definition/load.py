"""/etc/tanist/controllers/NAME.toml -> Controller, or every mistake in it at once, each with its line.

Never looks at the machine beyond these files: what only a host can tell is in check.py.
"""

from __future__ import annotations

import os.path
import tomllib
from typing import TYPE_CHECKING

from tanist.definition.parts import build_controller
from tanist.definition.rules import check_controller
from tanist.definition.table import Problems, Table, suggest
from tanist.definition.values import check_controller_name, check_node_name
from tanist.model.definition import Controller
from tanist.model.errors import BadDefinition, Refused

if TYPE_CHECKING:
    from tanist.host.files import Files

DIRECTORY = "/etc/tanist/controllers"
NODE_FILE = "/etc/tanist/node"
_LIMIT = 1 << 20


def load_controller(text: bytes, file: str) -> Controller:
    """`file` is named in each problem, and its stem is what the definition must call itself. Raises BadDefinition."""
    source = _decode(text, file)
    problems = Problems()
    root = Table(_parse(source, file), (), problems)
    controller = build_controller(root, os.path.basename(file).removesuffix(".toml"))
    check_controller(controller, problems)
    if problems.found:
        raise BadDefinition(problems.render(source, file))
    return controller


def read_controller(files: Files, name: str) -> Controller:
    """The definition of that name on this machine. Refused when there is none, BadDefinition when it is wrong."""
    path = f"{DIRECTORY}/{name}.toml"
    if check_controller_name(name):
        raise _no_definition(files, name)
    try:
        text = files.read(path, _LIMIT)
    except FileNotFoundError:
        raise _no_definition(files, name) from None
    except OSError as error:
        raise Refused(f"cannot read {path}: {error.strerror or error}", next_step=f"ls -l {path}") from error
    return load_controller(text, path)


def list_controllers(files: Files) -> tuple[str, ...]:
    """The names of the definitions on this machine, wrong ones included. Refused when they cannot be listed."""
    try:
        found = files.list(DIRECTORY)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise Refused(f"cannot list {DIRECTORY}: {error.strerror or error}") from error
    stems = (name.removesuffix(".toml") for name in found if name.endswith(".toml"))
    return tuple(sorted(stem for stem in stems if not check_controller_name(stem)))


def read_node_name(files: Files) -> str:
    """What this machine is called in definitions. Refused when it does not say."""
    mend = f"echo NAME > {NODE_FILE}    (NAME: this machine's name among the [[node]] tables of the definition)"
    try:
        text = files.read(NODE_FILE, 4096).decode("utf-8", "replace")
    except FileNotFoundError:
        raise Refused(f"{NODE_FILE} is missing: tanist does not know which node this is", next_step=mend) from None
    except OSError as error:
        raise Refused(f"cannot read {NODE_FILE}: {error.strerror or error}", next_step=mend) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        raise Refused(f"{NODE_FILE} has {len(lines)} lines with text in them, not one", next_step=mend)
    wrong = check_node_name(lines[0])
    if wrong:
        raise Refused(f"{NODE_FILE}: {wrong}", next_step=mend)
    return lines[0]


def _no_definition(files: Files, name: str) -> Refused:
    there = list_controllers(files)
    if not there:
        message = f'there is no definition "{name}": {DIRECTORY} has none at all'
        return Refused(message, next_step=f"put a definition there: {DIRECTORY}/NAME.toml")
    listed = ", ".join(there)
    return Refused(f'there is no definition "{name}"{suggest(name, there)}; {DIRECTORY} has: {listed}')


def _decode(text: bytes, file: str) -> str:
    if len(text) > _LIMIT:
        raise BadDefinition([f"{file}:1: the file: has {len(text)} bytes; allowed: at most {_LIMIT}"])
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        what = f"byte 0x{text[error.start]:02x} is no UTF-8; allowed: text saved as UTF-8"
        raise BadDefinition([f"{file}:{line}: the file: {what}"]) from None


def _parse(text: str, file: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; a huge number is a plain one
        from tanist.definition.syntax import render_syntax_error

        raise BadDefinition([render_syntax_error(error, text, file)]) from None
