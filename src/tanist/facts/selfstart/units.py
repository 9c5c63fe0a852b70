"""What `systemctl list-dependencies` and `systemctl show` say -> which units a boot starts, and by what. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tanist.model.starter import Starter

PROPERTIES = "Id,Names,UnitFileState,WantedBy,RequiredBy,UpheldBy,BoundBy,RequisiteOf,TriggeredBy"
PULLING = ("WantedBy", "RequiredBy", "UpheldBy", "BoundBy", "RequisiteOf")


def parse_show(text: str) -> dict[str, dict[str, str]]:
    """By Id: blocks of NAME=VALUE lines, parted by empty ones."""
    found = {}
    for block in text.split("\n\n"):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("Id"):
            found[fields["Id"]] = fields
    return found


def find_started(unit: str, shown: Mapping[str, str], pulled_in: Collection[str]) -> tuple[Starter, ...]:
    """`shown`: of the unit; `pulled_in`: every unit that default.target pulls in."""
    names = {unit, *shown.get("Names", "").split()}
    found = []
    if names & set(pulled_in):
        found.append(_started(unit, shown, pulled_in))
    for trigger in shown.get("TriggeredBy", "").split():
        if trigger in pulled_in:
            kind = trigger.rsplit(".", 1)[-1]
            what = f"{unit} would be started by the {kind} {trigger}, which a boot starts"
            found.append(Starter(what=what, mend=f"systemctl disable --now {trigger}"))
    return tuple(found)


def _started(unit: str, shown: Mapping[str, str], pulled_in: Collection[str]) -> Starter:
    by = [one for key in PULLING for one in shown.get(key, "").split() if one in pulled_in]
    enabled = shown.get("UnitFileState") in ("enabled", "enabled-runtime")
    pulling = [one for one in by if not one.endswith(".target")]
    mends = [f"systemctl disable {unit}"] if enabled or not pulling else []
    mends += [f"systemctl disable {one}" for one in dict.fromkeys(pulling)]
    whom = f" (pulled in by {', '.join(dict.fromkeys(by))})" if by else ""
    return Starter(what=f"{unit} would start at boot by itself{whom}; disable what starts it", mend=" ; ".join(mends))
