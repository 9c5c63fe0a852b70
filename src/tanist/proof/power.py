"""Power, by any program of fence-agents: key=value lines on its stdin, an answer in words and by exit status.

In: a host that can reach the devices, and one node's devices. Out: OFF with what was seen, or ON, or UNKNOWN and why.
"off" is what the status said afterwards, never what the action answered (FenceAgentAPI.md: status 0 on, 2 off). An exit
status of 2 alone is no answer: a wrong command line ends so too. Secrets go to the agent's stdin and nowhere else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from tanist.model.evidence import Evidence, Says
from tanist.model.unread import Unread
from tanist.proof.secrets import Secrets, read_secrets

if TYPE_CHECKING:
    from tanist.host.host import Host
    from tanist.model.definition import PowerDevice

PowerState = Literal["on", "off"]
STATUS = re.compile(r"^\s*Status:\s*(ON|OFF)\s*$", re.IGNORECASE | re.MULTILINE)
PAUSE = 1.0  # seconds before "off" is sent once more
SHOWN = 160  # characters of an agent's words that are shown


def look_at_power(host: Host, node: str, devices: tuple[PowerDevice, ...]) -> Evidence:
    """Changes nothing. Found off: it proves, but its `at` stays 0, for nobody knows since when."""
    begun = host.monotonic()
    says, detail = read_power(host, devices)
    return Evidence(source="power", about=node, says=says, detail=detail, seconds=host.monotonic() - begun)


def read_power(host: Host, devices: tuple[PowerDevice, ...]) -> tuple[Says, str]:
    """OFF when all devices of one level say so."""
    words, on = [], False
    for level in levels(devices):
        states = [(device, read_device(host, device)) for device in level]
        if all(state == "off" for _, state in states):
            return Says.OFF, f"{_names(level)} {'says' if len(level) == 1 else 'say'} off"
        words += [_tell(device, state) for device, state in states]
        on = on or any(state == "on" for _, state in states)
    return (Says.ON if on else Says.UNKNOWN), "; ".join(words) or "it has no device that could cut its power"


def cut_power(host: Host, devices: tuple[PowerDevice, ...]) -> tuple[Says, str]:
    """Level by level until all devices of one were read back as off, each again after the last of them."""
    words = []
    for level in levels(devices):
        told = [_put_off(host, device) for device in level]
        if all(state == "off" for state, _ in told):
            again = [read_device(host, device) for device in level]
            if all(state == "off" for state in again):
                return Says.OFF, "; ".join(detail for _, detail in told)
            words += [_tell(device, state) for device, state in zip(level, again, strict=True)]
        else:
            words += [detail for _, detail in told]
    return Says.UNKNOWN, "; ".join(words) or "it has no device that could cut its power"


def levels(devices: tuple[PowerDevice, ...]) -> tuple[tuple[PowerDevice, ...], ...]:
    numbers = sorted({device.level for device in devices})
    return tuple(tuple(device for device in devices if device.level == number) for number in numbers)


def _put_off(host: Host, device: PowerDevice) -> tuple[PowerState | Unread, str]:
    """The word is sent even where the state cannot be told; only what is read back counts."""
    state = read_device(host, device)
    if state == "off":
        return state, f"{device.agent} said off already"
    if device.delay:
        host.sleep(device.delay)
    answer = ""
    for attempt in range(device.retry + 1):
        if attempt:
            host.sleep(PAUSE)
        answer = send_off(host, device)
        state = read_device(host, device)
        if state == "off":
            return state, f"{device.agent} cut it and says off"
    return state, f"{_tell(device, state)}{f' ({answer})' if answer else ''}"


def read_device(host: Host, device: PowerDevice) -> PowerState | Unread:
    said = _call(host, device, "status")
    return said if isinstance(said, Unread) else parse_status(*said)


def parse_status(status: int, text: str) -> PowerState | Unread:
    """Words and exit status must say the same, once."""
    words = {word.lower() for word in STATUS.findall(text)}
    if status == 0 and words == {"on"}:
        return "on"
    if status == 2 and words == {"off"}:
        return "off"
    lines = text.strip().splitlines()
    return Unread(f"exit status {status}, {lines[-1][:SHOWN]!r}" if lines else f"exit status {status} without a word")


def send_off(host: Host, device: PowerDevice) -> str:
    """What went wrong, in words; it decides nothing."""
    said = _call(host, device, "off")
    if isinstance(said, Unread):
        return f"off: {said.why}"
    status, text = said
    lines = text.strip().splitlines()
    return "" if status == 0 else f"off: exit status {status}{f', {lines[-1][:SHOWN]!r}' if lines else ''}"


def _call(host: Host, device: PowerDevice, action: str) -> tuple[int, str] | Unread:
    """(exit status, its words without secrets)."""
    secrets = read_secrets(host, device.secrets)
    if isinstance(secrets, Unread):
        return secrets
    try:
        ran = host.run([device.agent], stdin=render_input(device, secrets, action), timeout=device.timeout, ok=None)
    except OSError as error:
        return Unread(secrets.blot(error.strerror or str(error)))
    if ran.status in (126, 127):
        return Unread(f"{device.agent} is not installed, or cannot be run (apt-get install fence-agents)")
    words = (ran.stdout + b"\n" + ran.stderr).decode("utf-8", "replace")
    return ran.status, secrets.blot("".join(letter if letter.isprintable() else "\n" for letter in words))


def render_input(device: PowerDevice, secrets: Secrets, action: str) -> bytes:
    """The last line of a key counts: nothing that the definition or a secret says can become another action."""
    pairs = (*device.options, *secrets.pairs, ("action", action))
    return "".join(f"{key}={value}\n" for key, value in pairs).encode()


def _names(devices: tuple[PowerDevice, ...]) -> str:
    return " and ".join(dict.fromkeys(device.label for device in devices))


def _tell(device: PowerDevice, state: PowerState | Unread) -> str:
    if isinstance(state, Unread):
        return f"{device.label} cannot tell: {state.why}"
    return f"{device.label} says {state}"
