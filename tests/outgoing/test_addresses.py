"""Addresses that others may send us to."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest

from aisle.outgoing.addresses import (
    ForbiddenAddress,
    PublicResolver,
    is_link_local,
    is_public,
    literal,
)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
        "169.254.169.254", "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",
        "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_a_private_address_is_none_of_the_internet(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        "2606:4700::1111",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2002:808:808::",
    ],
)
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(ip_address(address))
    assert not is_link_local(ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fd00:ec2::254", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe"],
)
def test_the_addresses_of_a_link_are_known(address: str) -> None:
    assert is_link_local(ip_address(address))


def test_a_host_is_an_address_or_a_name() -> None:
    assert literal("[::1]") == ip_address("::1")
    assert literal("fe80::1%eth0") == ip_address("fe80::1")
    for name in ("localhost", "127.1", "0x7f000001", "2130706433", "host", ""):
        assert literal(name) is None


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f000001", "2130706433"])
def test_a_name_that_leads_to_a_private_address_is_refused(name: str) -> None:
    with pytest.raises(ForbiddenAddress):
        asyncio.run(PublicResolver().resolve(name, 80))
