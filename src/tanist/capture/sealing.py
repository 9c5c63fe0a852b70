"""Files of the mirror, sealed: AES-256-GCM by the library cryptography, in pieces, so that a file of any size is read
and written as a stream. Nothing of a piece is given out before it has proved to be whole and in its place.

A sealed file: the magic line, 8 bytes that name the key, 32 random bytes, then pieces of 1 MiB and their tags. Each
file has a key of its own (HKDF-SHA256 of the node's key and the random bytes), so the nonces count: the number of the
piece and, in the last byte, whether it is the last one (as in Hoang, Reyhanitabar, Rogaway, Vizár, "Online
Authenticated-Encryption", CRYPTO 2015: STREAM). Header and `context`, which says what the file is, are
authenticated with each piece.
"""

from __future__ import annotations

import hashlib
import os
import site
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

from tanist.model.dataclasses import dataclass
from tanist.model.errors import BadCapture, Refused

if TYPE_CHECKING:
    from typing_extensions import override

    from tanist.host.files import Files
else:

    def override(method):  # typing has it from Python 3.12 on
        return method


MAGIC = b"tanist-sealed 1\n"
NAME, SALT, TAG, PIECE = 8, 32, 16, 1 << 20
HEADER = len(MAGIC) + NAME + SALT
KEY_LINE = "tanist-mirror-key 1 "
KEY_SIZE = 32
KEYS_LIMIT = 64  # keys in a file
LIBRARY = "the library cryptography is missing (Debian: apt install python3-cryptography)"


class Cipher(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Key:
    """A secret of the nodes: 32 bytes that it never shows."""

    secret: bytes

    @override
    def __repr__(self) -> str:
        return f"Key({self.name.hex()}, ***)"

    @property
    def name(self) -> bytes:
        return hashlib.sha256(b"tanist mirror key\0" + self.secret).digest()[:NAME]

    def cipher(self, salt: bytes) -> Cipher:
        load_library()
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=salt, info=MAGIC).derive(self.secret)
        cipher: Cipher = AESGCM(derived)
        return cipher

    def line(self) -> str:
        return f"{KEY_LINE}{self.secret.hex()}\n"


def load_library() -> None:
    """A virtual environment need not have it: then it is the distribution's own, of the same Python."""
    try:
        import cryptography
    except ImportError:
        sys.path += [path for path in site.getsitepackages([sys.base_prefix]) if path not in sys.path]
        try:
            import cryptography  # noqa: F401
        except ImportError:
            raise Refused(LIBRARY, next_step="apt install python3-cryptography   (on each node)") from None


# -- keys
def parse_keys(text: bytes) -> tuple[Key, ...]:
    """The first one seals; all of them open. ValueError says nothing of what is in it."""
    lines = text.decode("ascii", "replace").splitlines()
    if not 0 < len(lines) <= KEYS_LIMIT:
        raise ValueError("it holds no keys")
    keys = []
    for number, line in enumerate(lines, start=1):
        digits = line.removeprefix(KEY_LINE)
        if digits == line or len(digits) != 2 * KEY_SIZE or set(digits) - set("0123456789abcdef"):
            raise ValueError(f"line {number} is not a key")
        keys.append(Key(bytes.fromhex(digits)))
    return tuple(keys)


def load_keys(files: Files, path: str) -> tuple[Key, ...]:
    """() when there are none. Refused for a file that others could read, or that is none of keys."""
    info = files.stat(path, follow=False)
    if info is None:
        return ()
    if info.st_mode & 0o077 or info.st_uid != 0:
        raise Refused(f"{path} can be read by others than root", next_step=f"chown root: {path}; chmod 600 {path}")
    try:
        return parse_keys(files.read(path, 1 << 16))
    except (OSError, ValueError) as error:
        raise Refused(f"{path} is not a file of keys: {error}") from None


def save_keys(files: Files, path: str, keys: Sequence[Key]) -> None:
    files.make_directory(os.path.dirname(path), 0o700)
    files.write(path, "".join(key.line() for key in keys).encode(), 0o600)


# -- sealing
def is_sealed(start: bytes) -> bool:
    return start.startswith(MAGIC)


def seal(key: Key, context: str, source: BinaryIO, target: BinaryIO) -> None:
    salt = os.urandom(SALT)
    header = MAGIC + key.name + salt
    target.write(header)
    cipher, number, piece = key.cipher(salt), 0, source.read(PIECE)
    while True:
        following = source.read(PIECE) if len(piece) == PIECE else b""
        target.write(cipher.encrypt(_nonce(number, last=not following), piece, header + context.encode()))
        if not following:
            return
        number, piece = number + 1, following


def unseal(keys: Sequence[Key], context: str, source: BinaryIO, says: str = "") -> Iterator[bytes]:
    """The content, piece by piece. BadCapture when it was altered, cut, swapped with another file, or sealed with
    another key; `says` is what it is called for people. What came before a bad piece was given out: it must not be
    used until the end was reached."""
    says = says or context
    header = source.read(HEADER)
    if len(header) != HEADER or not is_sealed(header):
        raise BadCapture(f"{says} is not sealed, or only its beginning is there")
    name = header[len(MAGIC) : len(MAGIC) + NAME]
    key = next((one for one in keys if one.name == name), None)
    if key is None:
        raise BadCapture(
            f"{says} was sealed with a key that this node lacks ({name.hex()})",
            next_step="bring the key here: tanist captures key NAME   (on the node that has it)",
        )
    cipher, number, piece = key.cipher(header[-SALT:]), 0, source.read(PIECE + TAG)
    while True:
        following = source.read(PIECE + TAG) if len(piece) == PIECE + TAG else b""
        yield _open_piece(cipher, _nonce(number, last=not following), piece, header + context.encode(), says)
        if not following:
            return
        number, piece = number + 1, following


def _open_piece(cipher: Cipher, nonce: bytes, piece: bytes, about: bytes, says: str) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        if len(piece) < TAG:
            raise InvalidTag
        return cipher.decrypt(nonce, piece, about)
    except InvalidTag:
        raise BadCapture(f"{says} was altered") from None


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
