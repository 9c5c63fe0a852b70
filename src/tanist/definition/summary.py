"""What `tanist status`, and every word to another node, need of a definition, without parsing it each time.

Parsing TOML and building the model takes longer than all the rest of a status, and for 200 definitions a second. So
whoever has read a definition leaves its summary in /run, with the size and times of the file that it was made from;
when they differ, the file is read anew.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from tanist.host.files import Files

DIRECTORY = "/etc/tanist/controllers"


def read_summary(files: Files, name: str) -> tuple[str, str]:
    """(tree, asset kind). Refused or BadDefinition as definition.load says."""
    note = _read_note(files, name)
    return note["tree"], note["kind"]


def read_keys_directory(files: Files, name: str) -> str:
    """Where the controller's own ssh host keys lie. Refused or BadDefinition as definition.load says."""
    return _read_note(files, name)["keys"]


def _read_note(files: Files, name: str) -> dict[str, str]:
    place = f"/run/tanist/{name}/definition.json"
    key = file_key(files, f"{DIRECTORY}/{name}.toml")
    if key:
        try:
            body = json.loads(files.read(place))
            if body["key"] == key:
                return {field: str(body[field]) for field in ("tree", "kind", "keys")}
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or not of this tanist: made again below
    from tanist.definition.load import read_controller

    controller = read_controller(files, name)
    note = {"tree": controller.tree, "kind": controller.asset.kind, "keys": controller.identity.ssh_host_keys}
    files.make_directory(f"/run/tanist/{name}", 0o700)
    files.write(place, json.dumps({"key": key, **note}).encode())
    return note


def file_key(files: Files, path: str) -> list[int]:
    """Changes with every write to the file (its ctime does); empty when there is no such file."""
    info = files.stat(path)
    return [info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns] if info else []
