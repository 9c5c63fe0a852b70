"""systemctl(1) for fake hosts: as much of it as decides something, with its real exit statuses.

Measured on systemd 252 and kept: `show` of a missing unit is status 0 with LoadState=not-found; `start` of one is 5;
`start` is 0 when a condition failed, with the unit still inactive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from tanist.model.dataclasses import dataclass

Changing = Callable[[str], AbstractContextManager[None]]

NOT_THERE, NOT_ACTIVE, NOT_FOUND = 5, 3, 4


@dataclass(slots=True, kw_only=True)
class FakeUnit:
    state: str = "inactive"  # ActiveState
    enabled: str = "disabled"
    fails: bool = False  # the next starts fail
    limited: bool = False  # started too often: a start isn't tried before a reset-failed
    condition: bool = True  # ConditionResult
    ports: tuple[int, ...] = ()  # what it listens on while active
    uses: tuple[str, ...] = ()  # mount points that are in use while it is active
    seconds: float = 0.0  # what a start or a stop takes
    result: str = "success"

    def properties(self, name: str) -> dict[str, str]:
        sub = {"active": "running", "failed": "failed"}.get(self.state, "dead")
        return {
            "Id": name,
            "LoadState": "loaded",
            "ActiveState": self.state,
            "SubState": sub,
            "UnitFileState": self.enabled,
            "Result": self.result,
            "ConditionResult": "yes" if self.condition else "no",
            "ExecMainStatus": "1" if self.result == "exit-code" else "0",
            "NRestarts": "0",
        }


@dataclass(frozen=True, slots=True)
class Systemctl:
    """One system manager. `call` answers (status, stdout, stderr)."""

    units: dict[str, FakeUnit]
    changing: Changing
    sleep: Callable[[float], None]

    def call(self, argv: Sequence[str]) -> tuple[int, str, str]:
        words = [word for word in argv if not word.startswith("-")]
        options = [word for word in argv if word.startswith("-")]
        if "-p" in argv:  # its value is a word of its own
            at = [index + 1 for index, word in enumerate(argv) if word == "-p"]
            options += [f"--property={argv[index]}" for index in at]
            words = [word for index, word in enumerate(argv) if not word.startswith("-") and index not in at]
        verb, names = words[0], [name if "." in name else f"{name}.service" for name in words[1:]]
        match verb:
            case "start" | "stop" | "restart" | "enable" | "disable" | "reset-failed":
                return self._change(verb, names)
            case "is-active":
                return self._states(names, lambda unit: unit.state, "active", NOT_ACTIVE)
            case "is-failed":
                return self._states(names, lambda unit: unit.state, "failed", 1)
            case "is-enabled":
                return self._states(names, lambda unit: unit.enabled, "enabled", 1)
            case "show":
                return 0, "\n".join(self._show(name, options) for name in names), ""
            case "daemon-reload":
                with self.changing("systemctl daemon-reload"):
                    return 0, "", ""
        raise AssertionError(f"this fake does not know: systemctl {verb}")

    def _change(self, verb: str, names: Sequence[str]) -> tuple[int, str, str]:
        status, said = 0, ""
        for name in names:
            unit = self.units.get(name)
            if unit is None:
                status, said = NOT_THERE, f"Failed to {verb} {name}: Unit {name} not found.\n"
                continue
            with self.changing(f"systemctl {verb} {name}"):
                if not self._apply(verb, unit):
                    status, said = 1, f"Job for {name} failed because the control process exited with error code.\n"
        return status, "", said

    def _apply(self, verb: str, unit: FakeUnit) -> bool:
        match verb:
            case "enable" | "disable":
                unit.enabled = f"{verb}d"
            case "reset-failed":
                unit.state = "inactive" if unit.state == "failed" else unit.state
                unit.result, unit.limited = "success", False
            case "stop":
                self.sleep(unit.seconds if unit.state == "active" else 0)
                unit.state = "inactive" if unit.state == "active" else unit.state
            case "start" | "restart":
                if unit.state == "active" and verb == "start":
                    return True
                if unit.limited:
                    unit.state, unit.result = "failed", "start-limit-hit"
                    return False
                self.sleep(unit.seconds)
                if not unit.condition:
                    unit.state = "inactive"
                    return True
                unit.state, unit.result = ("failed", "exit-code") if unit.fails else ("active", "success")
                return not unit.fails
        return True

    def _states(
        self, names: Sequence[str], state: Callable[[FakeUnit], str], wanted: str, otherwise: int
    ) -> tuple[int, str, str]:
        found = [state(self.units[name]) if name in self.units else None for name in names]
        status = 0 if wanted in found else NOT_FOUND if None in found and wanted != "failed" else otherwise
        missing = "not-found" if wanted == "enabled" else "inactive"
        return status, "".join(f"{item or missing}\n" for item in found), ""

    def _show(self, name: str, options: Sequence[str]) -> str:
        unit = self.units.get(name)
        missing = {"Id": name, "LoadState": "not-found", "ActiveState": "inactive", "SubState": "dead"}
        values = unit.properties(name) if unit else missing
        wanted = [key for option in options if option.startswith("--property=") for key in option[11:].split(",")]
        lines = {key: value for key, value in values.items() if not wanted or key in wanted}
        only_values = "--value" in options
        return "".join(f"{value}\n" if only_values else f"{key}={value}\n" for key, value in lines.items())
