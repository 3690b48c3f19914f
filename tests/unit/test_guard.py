"""The door: which Host headers are ours, and what an Authorization header must look like."""

from __future__ import annotations

import pytest

from adapter.errors import BadKey, BadRequest, ForbiddenHost
from adapter.server.guard import bearer_token, check_host

OURS = ("phone.local", "Farm.Example")


def enters(header: str | None, listening_on: str = "127.0.0.1") -> bool:
    try:
        check_host(header, listening_on=listening_on, allowed=OURS)
    except ForbiddenHost as exc:
        assert "server.allowed_hosts" in exc.message
        return False
    return True


@pytest.mark.parametrize(
    "header",
    [
        "127.0.0.1",
        "127.0.0.1:8888",
        "127.0.0.1:80",  # adb forward and ssh -L change ports freely
        "localhost",
        "localhost:8888",
        "LocalHost:8888",
        "localhost.",
        "localhost.:8888",
        "[::1]",
        "[::1]:8888",
        "[fe80::1%25wlan0]:1",
        "192.168.1.7:8888",  # an address cannot be rebound
        "0.0.0.0",
        "phone.local",
        "PHONE.LOCAL:8888",
        "phone.local.:8888",
        "farm.example",
    ],
)
def test_ours(header: str) -> None:
    assert enters(header)


@pytest.mark.parametrize(
    "header",
    [
        "evil.example",
        "evil.example:8888",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example.localhost.example",
        "xlocalhost",
        "phone.local.evil.example",
        "local",
        "phone",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "localhost:8888@evil.example",
        "user:pass@localhost",
        "localhost/evil.example",
        "localhost#evil.example",
        "localhost?evil.example",
        "evil.example\\@localhost",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "[::1",
        "::1]",
        "[]",
        ":8888",
        ".",
        "..",
        " ",
        "localhost evil.example",
        "l\N{LATIN SMALL LETTER O WITH STROKE}calhost",
        "\udcff",
    ],
)
def test_not_ours(header: str) -> None:
    """A page that resolved a name of its own to 127.0.0.1 still sends that name."""
    assert not enters(header)


@pytest.mark.parametrize("header", [None, ""])
def test_no_host_at_all(header: str | None) -> None:
    with pytest.raises(BadRequest, match="no Host header"):
        enters(header)


def test_the_name_we_listen_on_is_ours() -> None:
    assert enters("Box.Lan:1", listening_on="box.lan")
    assert not enters("box.lan:1")


def test_a_refusal_is_short() -> None:
    with pytest.raises(ForbiddenHost) as caught:
        check_host("x" * 8_000, listening_on="127.0.0.1", allowed=())
    assert len(caught.value.message) < 300


# --- keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header", ["Bearer abc", "bearer abc", "BEARER abc", "Bearer  abc", "Bearer abc ", "Bearer \tabc"]
)
def test_bearer_forms(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (None, "did not provide an API key"),
        ("", "did not provide an API key"),
        ("abc", "not of the form 'Bearer KEY'"),
        ("Bearer", "not of the form"),
        ("Bearer ", "not of the form"),
        ("Basic YWJjOmRlZg==", "not of the form"),
        ("Bearerabc", "not of the form"),
        ("Token abc", "not of the form"),
    ],
)
def test_what_is_no_bearer_key(header: str | None, said: str) -> None:
    with pytest.raises(BadKey, match=said) as caught:
        bearer_token(header)
    assert "printed by 'farmhand serve'" in caught.value.message
