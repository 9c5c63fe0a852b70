"""users.json: user -> salted scrypt hash."""

import hashlib
import hmac
import json
import secrets
from pathlib import Path


def _digest(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=4096, r=8, p=1).hex()


def render_users(passwords: dict[str, str]) -> str:
    users = {}
    for name, password in passwords.items():
        salt = secrets.token_bytes(16)
        users[name] = {"salt": salt.hex(), "scrypt": _digest(password, salt)}
    return json.dumps({"format": 1, "users": users}, indent=2) + "\n"


class Users:
    def __init__(self, path: Path) -> None:
        self._users: dict[str, dict[str, str]] = json.loads(path.read_text())["users"]

    def check(self, name: str, password: str) -> bool:
        user = self._users.get(name, {"salt": "00", "scrypt": ""})
        return hmac.compare_digest(_digest(password, bytes.fromhex(user["salt"])), user["scrypt"])
