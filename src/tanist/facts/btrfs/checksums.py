"""The four checksums that btrfs knows (btrfs(5), CHECKSUM ALGORITHMS), as the disk has them."""

from __future__ import annotations

import hashlib
import struct

from tanist.facts.device import crc32c

CRC32C, XXHASH, SHA256, BLAKE2B = range(4)  # super block: csum_type
SIZES = {CRC32C: 4, XXHASH: 8, SHA256: 32, BLAKE2B: 32}  # bytes
_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def checksum(kind: int, data: bytes) -> bytes:
    """KeyError for a kind that is not in SIZES."""
    match kind:
        case 0:
            return struct.pack("<I", crc32c(data) ^ 0xFFFFFFFF)
        case 1:
            return struct.pack("<Q", xxhash64(data))
        case 2:
            return hashlib.sha256(data).digest()
        case 3:
            return hashlib.blake2b(data, digest_size=32).digest()
    raise KeyError(kind)


def xxhash64(data: bytes) -> int:
    """With the seed 0 (the algorithm's own specification, doc/xxhash_spec.md)."""
    end = len(data) & ~31
    if end:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        for words in struct.iter_unpack("<4Q", data[:end]):
            lanes = [_round(lane, word) for lane, word in zip(lanes, words, strict=True)]
        found = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            found = ((found ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        found = _P5
    return _finish((found + len(data)) & _MASK, data[end:])


def _finish(found: int, rest: bytes) -> int:
    while len(rest) >= 8:
        found = (_rotate(found ^ _round(0, struct.unpack_from("<Q", rest)[0]), 27) * _P1 + _P4) & _MASK
        rest = rest[8:]
    if len(rest) >= 4:
        found = (_rotate(found ^ struct.unpack_from("<I", rest)[0] * _P1 & _MASK, 23) * _P2 + _P3) & _MASK
        rest = rest[4:]
    for byte in rest:
        found = _rotate(found ^ byte * _P5 & _MASK, 11) * _P1 & _MASK
    found = (found ^ found >> 33) * _P2 & _MASK
    found = (found ^ found >> 29) * _P3 & _MASK
    return found ^ found >> 32


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK
