"""What `tanist status` needs of a definition, without parsing it each time.

Parsing TOML and building the model takes longer than all the rest of a status. So whoever has read a definition leaves
its summary in /run, with the size and times of the file that it was made from; when they differ, the file is read anew.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False  # as in typing, whose import takes 5 ms
if TYPE_CHECKING:
    from tanist.host.files import Files

DIRECTORY = "/etc/tanist/controllers"


def read_summary(files: Files, name: str) -> tuple[str, str]:
    """(tree, asset kind). Refused or BadDefinition as definition.load says."""
    place = f"/run/tanist/{name}/definition.json"
    key = file_key(files, f"{DIRECTORY}/{name}.toml")
    if key:
        try:
            body = json.loads(files.read(place))
            if body["key"] == key:
                return str(body["tree"]), str(body["kind"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # none yet, or not of this tanist: made again below
    from tanist.definition.load import read_controller

    controller = read_controller(files, name)
    text = json.dumps({"key": key, "tree": controller.tree, "kind": controller.asset.kind})
    files.make_directory(f"/run/tanist/{name}", 0o700)
    files.write(place, text.encode())
    return controller.tree, controller.asset.kind


def file_key(files: Files, path: str) -> list[int]:
    """Changes with every write to the file (its ctime does); empty when there is no such file."""
    info = files.stat(path)
    return [info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns] if info else []
