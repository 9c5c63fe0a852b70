"""Frames byte by byte."""

from __future__ import annotations

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.host import frames

MAC, OTHER = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
V4, V6 = socket.inet_aton("10.88.0.50"), socket.inet_pton(socket.AF_INET6, "fd00:88::1:50")


def test_an_arp_probe_has_no_sender_address() -> None:
    assert frames.build_probe(MAC, V4).hex() == (
        "ffffffffffff0200000000010806" + "0001080006040001" + "020000000001" + "00000000" + "000000000000" + "0a580032"
    )


def test_a_neighbour_solicitation_comes_from_nowhere_to_the_solicited_node() -> None:
    frame = frames.build_probe(MAC, V6)
    assert frame[:14].hex() == "3333ff010050" + "020000000001" + "86dd"
    assert frame[20] == 58 and frame[21] == 255 and frame[22:38] == bytes(16)
    assert socket.inet_ntop(socket.AF_INET6, frame[38:54]) == "ff02::1:ff01:50"
    assert frame[54:58].hex()[:4] == "8700" and frame[62:78] == V6


@pytest.mark.parametrize("address", [V4, V6])
def test_a_probe_of_another_and_every_announcement_claim_the_address(address: bytes) -> None:
    assert frames.parse_claims(frames.build_probe(OTHER, address)) == (address, OTHER, True)
    announcements = frames.build_announcements(OTHER, address)
    assert len(announcements) == (2 if address == V4 else 1)
    for frame in announcements:
        assert frames.parse_claims(frame) == (address, OTHER, False)


def test_the_checksum_of_what_is_sent_adds_up() -> None:
    for frame in (frames.build_probe(MAC, V6), *frames.build_announcements(MAC, V6)):
        message = frame[54:]
        pseudo = frame[22:54] + len(message).to_bytes(4, "big") + (58).to_bytes(4, "big")
        total = sum(int.from_bytes((pseudo + message)[i : i + 2], "big") for i in range(0, len(pseudo + message), 2))
        assert (total & 0xFFFF) + (total >> 16) == 0xFFFF


def test_a_neighbours_ordinary_request_names_its_own_address() -> None:
    request = bytearray(frames.build_announcements(OTHER, V4)[0])
    request[38:42] = socket.inet_aton("10.88.0.99")
    assert frames.parse_claims(bytes(request)) == (V4, OTHER, False)


def test_an_advertisement_that_came_over_a_router_does_not_count() -> None:
    frame = bytearray(frames.build_announcements(OTHER, V6)[0])
    frame[21] = 254
    assert frames.parse_claims(bytes(frame)) is None


@given(st.binary(max_size=120))
def test_no_frame_breaks_the_parser(frame: bytes) -> None:
    frames.parse_claims(frame)
    frames.parse_claims(b"\xff" * 12 + b"\x08\x06" + frame)
    frames.parse_claims(b"\xff" * 12 + b"\x86\xdd" + frame)
