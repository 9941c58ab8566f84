from ipaddress import ip_address

import pytest

from fumibako.mail.connect import AddressRefused, AllowedNetwork, Network, Security, Server, dial, parse_private_hosts

EVERYWHERE = parse_private_hosts("0.0.0.0/0,::/0")


def permits(address: str, port: int = 993, **network: object) -> bool:
    return Network(**network).permits(ip_address(address), port)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", ["8.8.8.8", "2404:6800:4004::1", "64:ff9b::808:808", "2002:808:808::1"])
def test_a_public_address_is_allowed_on_each_mail_port_and_on_no_other(address):
    assert all(permits(address, port) for port in (143, 993, 465, 587))
    assert not any(permits(address, port) for port in (22, 25, 80, 110, 443, 995, 5432, 6379))


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "127.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
        *("::1", "fc00::1", "fd12::1", "2001:db8::1", "2001::1", "3fff::1", "fec0::1", "4000::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1"),
        *("2002:7f00:1::1", "2002:a00:1::", "2002:c0a8:101::1", "::127.0.0.1", "::10.0.0.1"),
    ],
)
def test_a_private_address_in_any_form_is_refused_unless_it_is_listed(address):
    assert not permits(address)
    assert permits(address, private=EVERYWHERE)


@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "168.63.129.16"),
        *("224.0.0.1", "239.1.1.1", "ff02::1", "0.0.0.0", "0.1.2.3", "::", "255.255.255.255", "fe80::1%eth0"),
        *("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0", "::ffff:224.0.0.1"),
    ],
)
def test_metadata_link_local_multicast_and_unspecified_are_refused_even_if_listed(address):
    assert not permits(address, private=EVERYWHERE)


def test_our_own_ports_are_refused_even_if_listed_and_in_any_form():
    never = ((ip_address("127.0.0.1"), 5432),)
    assert not permits("127.0.0.1", 5432, private=EVERYWHERE, never=never)
    assert not permits("::ffff:127.0.0.1", 5432, private=EVERYWHERE, never=never)
    assert permits("127.0.0.1", 993, private=EVERYWHERE, never=never)


def test_an_own_port_open_on_every_interface_is_refused_on_every_private_address():
    never = ((ip_address("0.0.0.0"), 8000),)
    assert not permits("127.0.0.1", 8000, private=EVERYWHERE, never=never)
    assert not permits("10.1.2.3", 8000, private=EVERYWHERE, never=never)


def test_a_listed_network_with_a_port_opens_that_port_alone():
    private = parse_private_hosts("10.1.2.0/24:993")
    assert permits("10.1.2.3", 993, private=private)
    assert not permits("10.1.2.3", 143, private=private)
    assert not permits("10.1.3.3", 993, private=private)


def test_a_listed_network_without_a_port_opens_every_port():
    assert permits("127.0.0.9", 40143, private=parse_private_hosts("127.0.0.0/8"))


def test_the_list_is_read_with_ports_ipv6_and_single_addresses():
    found = parse_private_hosts(" 10.1.2.0/24:993, 127.0.0.0/8,[fd00:1::/64]:143,fd00:2::1 ,")
    assert [(str(entry.network), entry.port) for entry in found] == [
        ("10.1.2.0/24", 993),
        ("127.0.0.0/8", None),
        ("fd00:1::/64", 143),
        ("fd00:2::1/128", None),
    ]
    assert parse_private_hosts("") == ()
    assert found[0] == AllowedNetwork(found[0].network, 993)


@pytest.mark.parametrize("item", ["mail.example.jp", "10.0.0.0/8:0", "10.0.0.0/8:", "10.0.0.0/8:70000", "10.0.0.1/8"])
def test_an_item_that_cannot_be_read_is_named(item):
    with pytest.raises(ValueError, match="not a network") as caught:
        parse_private_hosts(f"127.0.0.0/8,{item}")
    assert repr(item) in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0"])
async def test_all_refused_addresses_get_the_same_answer(host):
    with pytest.raises(AddressRefused) as caught:
        await dial(Server(host, 993, Security.TLS), Network())
    assert caught.value.detail == "not an address that mail connections may go to"
    assert caught.value.address is None
