"""Where mail connections may go, as settings and a running sample say."""

import dataclasses
import os
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from fumibako.mail.connect import AllowedNetwork
from fumibako.site.data_folder import DataFolder, Running, Sample
from fumibako.site.network import network, parse_server

LOOPBACK = ip_address("127.0.0.1")
SAMPLE = Sample(41143, 41465, "taro@sample.example", "secret", "/data/sample/ca.pem")


@pytest.fixture
def folder(settings, tmp_path: Path) -> DataFolder:
    settings.DATA_FOLDER = DataFolder(tmp_path)
    return settings.DATA_FOLDER


def test_private_hosts_are_the_operators_list(folder, settings):
    settings.FUMIBAKO_PRIVATE_HOSTS = "10.1.2.0/24:993,192.168.0.0/16"
    assert network().private == (
        AllowedNetwork(ip_network("10.1.2.0/24"), 993),
        AllowedNetwork(ip_network("192.168.0.0/16")),
    )


def test_a_running_sample_opens_its_two_ports_of_loopback_alone(folder):
    running = Running(os.getpid(), "http://127.0.0.1:8123/", 8123, None, SAMPLE)
    folder.write_running(running)
    made = network()
    assert [port for port in (41143, 41465, 41144, 993, 8123) if made.permits(LOOPBACK, port)] == [41143, 41465]
    assert [found.addresses for found in made.authorities] == [{(LOOPBACK, 41143), (LOOPBACK, 41465)}]
    folder.write_running(dataclasses.replace(running, sample=None))
    assert not network().permits(LOOPBACK, 41143)
    assert network().authorities == ()


def test_our_own_doors_are_closed_even_if_listed(folder, settings, monkeypatch):
    settings.FUMIBAKO_PRIVATE_HOSTS = "127.0.0.0/8,192.168.0.0/16"
    settings.FUMIBAKO_PORT = 8000
    folder.write_running(Running(os.getpid(), "http://127.0.0.1:8123/", 8123, None, None))
    monkeypatch.setitem(settings.DATABASES, "default", {"HOST": "192.168.7.7", "PORT": "6432"})
    made = network()
    assert not made.permits(LOOPBACK, 8000)
    assert not made.permits(LOOPBACK, 8123)
    assert not made.permits(ip_address("192.168.7.7"), 6432)
    assert made.permits(ip_address("192.168.7.7"), 993)


@pytest.mark.parametrize(
    ("text", "server"), [("127.0.0.1:5353", ("127.0.0.1", 5353)), ("[2001:db8::1]:53", ("2001:db8::1", 53))]
)
def test_a_dns_server_is_an_address_and_a_port(text, server):
    assert parse_server(text) == server


@pytest.mark.parametrize("text", ["127.0.0.1", "dns.example.jp:53", ":53"])
def test_a_dns_server_that_cannot_be_read_is_refused(text):
    with pytest.raises(ValueError):
        parse_server(text)
