"""The text of a token: one text for each grant, and nothing else is let in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import string
from dataclasses import replace
from typing import Any

import pytest

from adapter.access.grant import (
    LAST_S,
    LONGEST,
    PREFIX,
    Grant,
    check_name,
    fields_of,
    grant_of,
    looks_like_token,
    seal,
    unseal,
)
from adapter.access.scopes import SCOPES
from adapter.caller import OnDeadline, Urgency
from adapter.errors import BadKey

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))
SMALL = Grant("0123456789", "laptop")
FULL = Grant(
    "ffffffffff", "n" * 64, SCOPES, LAST_S, "1000000/day", Urgency.INTERACTIVE, 86_400, OnDeadline.PARTIAL
)


def signed(payload: bytes, prefix: str = PREFIX, secret: bytes = SECRET) -> str:
    """A token as nobody but a holder of the secret can make it, whatever the payload."""
    head = prefix + base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    mac = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    return f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def refused(token: str, secret: bytes | None = SECRET) -> str:
    with pytest.raises(BadKey) as caught:
        unseal(token, secret)
    assert caught.value.status == 401 and "farmhand token new NAME" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "grant",
    [
        SMALL,
        FULL,
        replace(SMALL, scopes=("metrics",)),
        replace(SMALL, expires_s=1),
        replace(SMALL, rate="60/min", urgency=Urgency.BACKGROUND, deadline_s=30),
        replace(SMALL, on_deadline=OnDeadline.PARTIAL),
    ],
)
def test_there_and_back(grant: Grant) -> None:
    token = seal(grant, SECRET)
    assert unseal(token, SECRET) == grant
    assert looks_like_token(token) and len(token) <= LONGEST
    assert grant_of(json.loads(json.dumps(fields_of(grant)))) == grant


def test_the_form_is_the_one_that_is_written_down() -> None:
    """By another way: a change of it would shut out every token that was given out."""
    assert seal(SMALL, SECRET) == signed(b'{"i":"0123456789","n":"laptop","s":"ce"}')


def test_every_character_is_fit_for_a_header_and_an_environment_file() -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+", seal(FULL, SECRET))
    assert len(seal(SMALL, SECRET)) < 110


@pytest.mark.parametrize("grant", [SMALL, FULL], ids=["small", "full"])
def test_no_other_character_anywhere(grant: Grant) -> None:
    """Every place of the token, with every character: a payload or a signature that differs at all is refused."""
    token = seal(grant, SECRET)
    alphabet = string.ascii_letters + string.digits + "-_.=+/ "
    for place in range(len(token)):
        for char in {alphabet[(place * 7 + step) % len(alphabet)] for step in range(0, len(alphabet), 5)} - {token[place]}:
            refused(token[:place] + char + token[place + 1 :])


def test_the_last_character_has_one_spelling() -> None:
    """43 characters of base64 carry 258 bits; the two that are too many must not give a second text for one token."""
    token = seal(SMALL, SECRET)
    same = []
    for char in string.ascii_letters + string.digits + "-_":
        other = token[:-1] + char
        decoded = base64.urlsafe_b64decode(other.rpartition(".")[2] + "=")
        if decoded == base64.urlsafe_b64decode(token.rpartition(".")[2] + "="):
            same.append(other)
    assert len(same) == 4
    assert [other for other in same if other != token and "not made by this Farmhand" not in refused(other)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t + "=",
        lambda t: t + "\n",
        lambda t: t + " ",
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t.upper(),
        lambda t: t.replace(".", "..", 1),
        lambda t: t + "." + t,
        lambda t: t.rpartition(".")[0],
        lambda t: t.rpartition(".")[0] + ".",
        lambda t: PREFIX + "." + t.rpartition(".")[2],
        lambda t: PREFIX,
        lambda t: t[: len(PREFIX)] + "A" * 100_000,
        lambda t: t.replace("sk-fh1", "sk-fh\u0661"),
        lambda t: t[:20] + "\u00fc" + t[21:],
        lambda t: t[:20] + "\udcff" + t[21:],
        lambda t: t[:20] + "\x00" + t[21:],
    ],
)
def test_what_is_no_token(spoil: Any) -> None:
    said = refused(spoil(seal(SMALL, SECRET)))
    assert len(said) < 250


def test_of_another_installation_or_of_none() -> None:
    assert "not made by this Farmhand" in refused(seal(SMALL, OTHER))
    assert "not made by this Farmhand" in refused(seal(SMALL, SECRET), None)


def test_a_payload_of_one_with_the_signature_of_another() -> None:
    one, other = seal(SMALL, SECRET), seal(FULL, SECRET)
    refused(f"{one.rpartition('.')[0]}.{other.rpartition('.')[2]}")


def test_another_version() -> None:
    """The version is signed with the rest: the same text under another one has another signature."""
    newer = signed(b"{}", "sk-fh2.")
    assert looks_like_token(newer) and "form (2)" in refused(newer)
    refused(seal(SMALL, SECRET).replace("sk-fh1.", "sk-fh01."))
    assert not looks_like_token("sk-fh.") and not looks_like_token("sk-farm-abc") and not looks_like_token("")


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"{" * 300,
        b'{"i":"0123456789","n":"laptop","s":"ce"} ',
        b'{"i": "0123456789","n":"laptop","s":"ce"}',
        b'{"n":"laptop","i":"0123456789","s":"ce"}',
        b'{"i":"0123456789","n":"laptop","s":"ec"}',
        b'{"i":"0123456789","n":"laptop","s":"cce"}',
        b'{"i":"0123456789","n":"laptop","s":"ce","s":"ce"}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":null}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":1.0}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":"1"}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":true}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":0}',
        b'{"i":"0123456789","n":"laptop","s":"ce","e":999999999999999}',
        b'{"i":"0123456789","n":"laptop","s":"ce","r":"60/m"}',
        b'{"i":"0123456789","n":"laptop","s":"ce","r":60}',
        b'{"i":"0123456789","n":"laptop","s":"ce","c":"x"}',
        b'{"i":"0123456789","n":"laptop","s":"ce","c":[]}',
        b'{"i":"0123456789","n":"laptop","s":"ce","d":1e99}',
        b'{"i":"0123456789","n":"laptop","s":"ce","d":86401}',
        b'{"i":"0123456789","n":"laptop","s":"ce","p":2}',
        b'{"i":"0123456789","n":"laptop","s":"ce","p":true}',
        b'{"i":"0123456789","n":"laptop","s":"ce","p":0}',
        b'{"i":"0123456789","n":"laptop","s":"ce","z":1}',
        b'{"i":"0123456789","n":"laptop","s":"cez"}',
        b'{"i":"0123456789","n":"laptop","s":""}',
        b'{"i":"0123456789","n":"laptop","s":["c"]}',
        b'{"i":"0123456789","n":"l\xc3\xa4ptop","s":"ce"}',
        b'{"i":"0123456789","n":"","s":"ce"}',
        b'{"i":"0123456789","n":7,"s":"ce"}',
        b'{"i":"012345678","n":"laptop","s":"ce"}',
        b'{"i":"012345678G","n":"laptop","s":"ce"}',
        b'{"i":1,"n":"laptop","s":"ce"}',
    ],
)
def test_signed_but_not_as_we_write_it(payload: bytes) -> None:
    """What another version might have made with our own secret: no guess is made about what it means."""
    token = signed(payload)
    assert len(token) <= LONGEST
    refused(token)


@pytest.mark.parametrize("name", ["a", "laptop", "Anna.2", "7", "x" * 64, "a-b_c.d"])
def test_names(name: str) -> None:
    check_name(name)
    assert unseal(seal(replace(SMALL, name=name), SECRET), SECRET).name == name


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", ".a", "_a", "x" * 65, "l\u00e4ptop", "a\n", "a/b", "a#b", "\u0661", "a\x00"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is no name for a token; take 1 to 64"):
        check_name(name)


def test_it_ends_with_its_last_second() -> None:
    grant = replace(SMALL, expires_s=1_000)
    assert [grant.expired(now_s) for now_s in (999, 999.999, 1_000, 1_000.5)] == [False, False, True, True]
    assert not SMALL.expired(1e12)
