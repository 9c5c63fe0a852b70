from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tanist.definition.addresses import parse_cidr, parse_ip, render_subnet, share_subnet

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))
ODD_TEXT = st.text(alphabet="0123456789.:abcf/%", max_size=20)


@given(ADDRESSES)
def test_every_address_is_read_and_written_as_ipaddress_does(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    ip = parse_ip(str(address))
    assert ip is not None
    assert (ip.text, ip.bits, ip.number) == (str(address), address.max_prefixlen, int(address))


@given(ADDRESSES, st.data())
def test_subnets_are_those_of_ipaddress(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    prefix = data.draw(st.integers(0, address.max_prefixlen))
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    assert render_subnet(str(address), prefix) == str(network)
    other = data.draw(st.ip_addresses(v=address.version, network=str(network)) if prefix else ADDRESSES)
    assert share_subnet(str(address), str(other), prefix) == (other.version == address.version and other in network)


@given(ODD_TEXT)
def test_text_is_an_address_exactly_when_inet_pton_says_so(text: str) -> None:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        socket.inet_pton(family, text)
        valid = True
    except OSError:
        valid = False
    assert (parse_ip(text) is not None) == valid


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "::1/129", "10.0.0.1/-1", "10.0.0.1/08", "/24", "1.2.3.4/²"]
)
def test_text_without_a_good_prefix_length_is_no_cidr(text: str) -> None:
    assert parse_cidr(text) is None


def test_a_subnet_never_holds_an_address_of_the_other_family() -> None:
    assert not share_subnet("10.88.0.50", "::a58:32", 0)
    assert not share_subnet("", "10.88.0.50", 0)
