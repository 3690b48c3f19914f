"""Which addresses and URLs are let through, in every spelling."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from adapter.settings import SearchSettings
from adapter.web.addresses import Allowed, literal, refusal
from adapter.web.refused import Refused
from adapter.web.urls import parse_url

NONE = Allowed()

PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
    "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
    "223.255.255.255", "2606:4700:4700::1111", "2a00:1450:4001::1", "2001:4860:4860::8888", "2001:200::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "2002:808:808::1",
]  # fmt: skip
NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.169.254",
    "169.254.0.1", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
    "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "fc00::1",
    "fd12:3456:789a::1", "fe80::1", "fe80::1%wlan0", "febf::1", "fec0::1", "ff02::1", "2001:db8::1", "2001::1", "2001:10::1", "3fff::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "::ffff:169.254.169.254", "::127.0.0.1", "::192.168.1.1", "64:ff9b::7f00:1",
    "64:ff9b::192.168.1.1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::1", "4000::1", "100::1", "::2:1", "nonsense",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert refusal(address, NONE) is None


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_all_others_do_not(address: str) -> None:
    assert refusal(address, NONE)


@pytest.mark.parametrize(
    ("entries", "address", "passes"),
    [
        (["192.168.1.20"], "192.168.1.20", True),
        (["192.168.1.20"], "192.168.1.21", False),
        (["192.168.1.20"], "::ffff:192.168.1.20", True),
        (["192.168.1.0/24"], "192.168.1.21", True),
        (["192.168.1.7/24"], "192.168.1.21", True),
        (["192.168.1.0/24"], "192.168.2.1", False),
        (["fd00::/8"], "fd12::1", True),
        (["64:ff9b::/96"], "64:ff9b::10.0.0.1", True),
        (["::1"], "::1", True),
        (["::1"], "127.0.0.1", False),
        (["127.0.0.1"], "::1", False),
        ([], "127.0.0.1", False),
    ],
)
def test_what_is_allowed_by_name_passes(entries: list[str], address: str, passes: bool) -> None:
    assert (refusal(address, Allowed.parse(entries)) is None) is passes


@pytest.mark.parametrize("entry", ["", "router", "192.168.1", "192.168.1.0/33", "10.0.0.1:80", "http://10.0.0.1"])
def test_what_is_no_address_cannot_be_allowed(entry: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Allowed.parse([entry])


def test_the_configuration_takes_addresses_only() -> None:
    assert SearchSettings(allow_private=("192.168.1.20", "fd00::/8")).allow_private == ("192.168.1.20", "fd00::/8")
    with pytest.raises(ValidationError, match="'router' must be an address like"):
        SearchSettings(allow_private=("router",))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"), ("2130706433", "127.0.0.1"), ("0x7f000001", "127.0.0.1"), ("0X7F000001", "127.0.0.1"), ("017700000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("127.1", "127.0.0.1"), ("127.0.1", "127.0.0.1"), ("127.0.0.1.", "127.0.0.1"),
        ("0", "0.0.0.0"), ("0x", "0.0.0.0"), ("10.1", "10.0.0.1"), ("192.168.257", "192.168.1.1"), ("3232235777", "192.168.1.1"),
        ("0300.0250.1.1", "192.168.1.1"), ("0xa9fea9fe", "169.254.169.254"), ("2852039166", "169.254.169.254"), ("[::1]", "::1"), ("::1", "::1"),
        ("::1%lo", "::1"), ("134744072", "8.8.8.8"),
    ],
)  # fmt: skip
def test_every_spelling_of_an_address_is_known(host: str, address: str) -> None:
    assert literal(host) == address


@pytest.mark.parametrize("host", ["example.org", "1.2.3.4.5", "256.1.1.1", "4294967296", "1.2.65536", "08.1", "0xg", "localhost", "a.1", "1..2", ""])
def test_names_are_no_addresses(host: str) -> None:
    assert literal(host) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("example.org", "Only http"),
        ("ftp://example.org/x", "not ftp: pages"),
        ("file:///etc/passwd", "Only http"),
        ("javascript:alert(1)", "Only http"),
        ("data:text/html,x", "Only http"),
        ("gopher://example.org:70/", "Only http"),
        ("http://", "names no server"),
        ("http:///x", "names no server"),
        ("http://user@example.org/", "name or password"),
        ("http://user:pw@example.org/", "name or password"),
        ("http://@example.org/", "name or password"),
        ("http://example.org@127.0.0.1/", "name or password"),
        ("http://example.org\\@127.0.0.1/", "backslashes"),
        ("http://example.org/a b", "blanks"),
        ("http://example.org/\r\nHost: x", "control"),
        ("http://example.org/\ud800", "control"),
        ("http://example.org:99999/", "is not a URL"),
        ("http://example.org:x/", "is not a URL"),
        ("http://[::1/", "is not a URL"),
        ("http://example.org:25/", "Port 25"),
        ("http://example.org:22/", "Port 22"),
        ("http://example.org:6379/", "Port 6379"),
        ("http://example.org:0/", "Port 0"),
        ("http://example.org/" + "x" * 5_000, "characters"),
        ("http://127.0.0.1/", "not on the public internet"),
        ("http://2130706433/", "127.0.0.1 is not"),
        ("http://0x7f.1:8080/", "127.0.0.1 is not"),
        ("https://[::ffff:10.0.0.1]/", "private network"),
        ("http://169.254.169.254/latest/meta-data/", "metadata"),
        ("http://[fe80::1%25wlan0]/", "link-local"),
    ],
)
def test_a_url_that_is_refused(text: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        parse_url(text, NONE)


@pytest.mark.parametrize(
    ("text", "base", "url"),
    [
        ("https://example.org", "", "https://example.org/"),
        ("  http://example.org:8080/a?b=c#d ", "", "http://example.org:8080/a?b=c"),
        ("HTTP://Example.org/", "", "http://Example.org/"),
        ("http://example.org/straße?q=ü%20x", "", "http://example.org/stra%C3%9Fe?q=%C3%BC%20x"),
        ("../b", "https://example.org/a/c/d", "https://example.org/a/b"),
        ("//other.example/x", "https://example.org/", "https://other.example/x"),
        ("?page=2", "https://example.org/list?page=1", "https://example.org/list?page=2"),
    ],
)
def test_a_url_that_is_taken(text: str, base: str, url: str) -> None:
    assert parse_url(text, NONE, base=base).url == url


def test_the_refusal_says_what_a_person_can_do() -> None:
    with pytest.raises(Refused, match=r'\[search\] allow_private = \["192\.168\.1\.20"\]'):
        parse_url("http://192.168.1.20/", NONE)
    assert parse_url("http://192.168.1.20/", Allowed.parse(["192.168.1.20"])).port == 80
