"""No gateway address leads into the shop's own network, however it is written."""

import pytest

from notifications.providers import addresses
from notifications.providers.http import RefusedAddress, check_url

PRIVATE = [
    "http://127.0.0.1/",
    "http://127.8.9.1:8000/",
    "http://localhost/",
    "http://LOCALHOST./",
    "http://shop.localhost/",
    "http://printer.local/",
    "http://metadata.google.internal/",
    "http://0.0.0.0/",
    "http://10.1.2.3/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://169.254.169.254/latest/meta-data",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[fe80::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://１２７.0.0.1/",
    "http://127。0。0。1/",
]
ODD = [
    "http://2130706433/",
    "http://0177.0.0.1/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://8.8.8/",
    "http://1.2.3.4.5/",
    "http://①②⑦.1/",
]


@pytest.mark.parametrize("url", PRIVATE)
def test_a_private_address_is_refused_with_the_way_out(url):
    with pytest.raises(RefusedAddress, match="GATEWAY_PRIVATE_HOSTS"):
        check_url(url, private_hosts=())


@pytest.mark.parametrize("url", ODD)
def test_an_address_in_unusual_numbers_is_refused(url):
    with pytest.raises(RefusedAddress) as refusal:
        check_url(url, private_hosts=())

    assert str(refusal.value) == addresses.ODD_NUMBERS


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", addresses.NOT_HTTP),
        ("gopher://example.com/", addresses.NOT_HTTP),
        ("gateway.example.com/send", addresses.NOT_HTTP),
        ("//gateway.example.com/send", addresses.NOT_HTTP),
        ("", addresses.NOT_HTTP),
        ("https://", addresses.NO_HOST),
        ("https:///send", addresses.NO_HOST),
        ("https://user@gateway.example.com/", addresses.WITH_USER),
        ("https://gateway.example.com@127.0.0.1/", addresses.WITH_USER),
        ("https://gateway.example.com\\@127.0.0.1/", addresses.BAD_CHARACTER),
        ("https://gateway.example.com/a b", addresses.BAD_CHARACTER),
        ("https://gateway.example.com/\r\nX: 1", addresses.BAD_CHARACTER),
        ("https://gateway.example.com/发送", addresses.BAD_CHARACTER),
        ("https://gateway.example.com:99999/", addresses.BAD_PORT),
        ("https://gateway.example.com:0/", addresses.BAD_PORT),
        ("https://gateway.example.com:/", addresses.BAD_PORT),
        ("https://%31%32%37.0.0.1/", addresses.BAD_HOST),
        ("https://gate way.example.com/", addresses.BAD_CHARACTER),
        ("https://-.example.com/", addresses.BAD_HOST),
        ("https://[::1/", addresses.BAD_HOST),
        ("https://gateway.example.com/" + "a" * 2000, addresses.TOO_LONG),
    ],
)
def test_a_wrong_address_is_refused_with_its_reason(url, words):
    with pytest.raises(RefusedAddress) as refusal:
        check_url(url, private_hosts=())

    assert str(refusal.value) == words


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://gateway.example.com/send", "gateway.example.com", 443, "/send"),
        ("http://Gateway.Example.COM:8080", "gateway.example.com", 8080, "/"),
        ("https://短信.example.com/a?b=c", "xn--vuq298g.example.com", 443, "/a?b=c"),
        ("https://8.8.8.8/send", "8.8.8.8", 443, "/send"),
        ("https://[2001:4860:4860::8888]/", "2001:4860:4860::8888", 443, "/"),
    ],
)
def test_a_public_address_is_taken_apart(url, host, port, path):
    address = check_url(url, private_hosts=())

    assert address[1:] == (host, port, path)


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.1:8900", " 127.0.0.1:8900 "])
def test_a_listed_private_address_is_allowed(entry):
    assert check_url("http://127.0.0.1:8900/send", private_hosts={entry}).port == 8900


@pytest.mark.parametrize("entry", ["127.0.0.1:8901", "127.0.0.10", "localhost", ""])
def test_a_listing_opens_nothing_but_itself(entry):
    with pytest.raises(RefusedAddress):
        check_url("http://127.0.0.1:8900/send", private_hosts={entry})


def test_one_private_address_among_public_ones_refuses_the_host():
    address = check_url("https://gateway.example.com/", private_hosts=())

    with pytest.raises(RefusedAddress, match="leads to"):
        addresses.check_resolved(address, ["8.8.8.8", "10.0.0.1"], private_hosts=())


def test_a_link_local_address_with_a_zone_is_private():
    address = check_url("https://gateway.example.com/", private_hosts=())

    with pytest.raises(RefusedAddress):
        addresses.check_resolved(address, ["fe80::1%eth0"], private_hosts=())
