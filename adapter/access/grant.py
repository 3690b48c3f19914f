"""What a token says, and its text: `sk-fh1.` PAYLOAD `.` SIGNATURE. Pure.

PAYLOAD is base64url of a JSON object with one letter per key, without those at their usual values; SIGNATURE is base64url of the
HMAC-SHA256 of all before it, the `1` of the version included. So a token needs no database to be believed, holds only characters that
every client takes in a header and an environment file, and there is exactly one text for each payload.

| key | what |
|---|---|
| `i` | id, 10 hexadecimal digits |
| `n` | name |
| `s` | scopes, by first letter: `ce` |
| `e` | end of its life, seconds since 1970; refused from that second on |
| `r` | rate: `60/min` |
| `c` | class: `b` background, `i` interactive |
| `d` | deadline, seconds |
| `p` | 1: at the deadline what there is (`partial`) |
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any

from adapter.access.rate import parse_rate
from adapter.access.scopes import SCOPES, USUAL, Scope
from adapter.caller import OnDeadline, Urgency
from adapter.errors import BadKey

PREFIX = "sk-fh1."
LONGEST = 512
# The last second that a calendar of four-digit years has.
LAST_S = 253_402_300_799
LONGEST_DEADLINE_S = 86_400

_ANY_VERSION = re.compile(r"sk-fh([0-9]{1,6})\.", re.ASCII)
_FORM = re.compile(r"(sk-fh1\.[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{10}", re.ASCII)
_SCOPE_OF: dict[str, Scope] = {scope[0]: scope for scope in SCOPES}
_CLASS_OF = {urgency.value[0]: urgency for urgency in Urgency}


@dataclass(frozen=True, slots=True)
class Grant:
    """expires_s: wall time, `None`: never. rate: as `parse_rate` takes it. The last three as in `[[key]]`."""

    id: str
    name: str
    scopes: tuple[Scope, ...] = USUAL
    expires_s: int | None = None
    rate: str | None = None
    urgency: Urgency | None = None
    deadline_s: int | None = None
    on_deadline: OnDeadline = OnDeadline.REFUSE

    def expired(self, now_s: float) -> bool:
        return self.expires_s is not None and now_s >= self.expires_s


def check_name(name: str) -> None:
    """Raises `ValueError` with a sentence unless `name` may be a key's."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name[:70]!r} is no name for a token; take 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or digit"
        )


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def looks_like_token(text: str) -> bool:
    """Is it one of ours by its first characters, of whatever version?"""
    return _ANY_VERSION.match(text) is not None


# --- text ---------------------------------------------------------------------------------------------------


def seal(grant: Grant, secret: bytes) -> str:
    """The token's text, at most `LONGEST` characters."""
    payload = json.dumps(fields_of(grant), separators=(",", ":")).encode()
    signed = PREFIX + _base64url(payload)
    return f"{signed}.{_signature(signed, secret)}"


def unseal(token: str, secret: bytes | None) -> Grant:
    """What the token says, if it was sealed with `secret`. Raises `BadKey`; whether it has expired is for the caller to see."""
    version = _ANY_VERSION.match(token)
    if version and version[1] != "1":
        raise BadKey(
            f"This token is of a form ({version[1]}) that this version does not know; make one here with: farmhand token new NAME"
        )
    found = _FORM.fullmatch(token) if len(token) <= LONGEST else None
    # The texts are compared, not the bytes they stand for: base64 has several texts for the same bytes.
    if found is None or secret is None or not hmac.compare_digest(_signature(found[1], secret), found[2]):
        raise BadKey(
            "This token was not made by this Farmhand, or is damaged; copy it from 'farmhand token show NAME', or make one with "
            "'farmhand token new NAME'."
        )
    try:
        payload = base64.urlsafe_b64decode(found[1][len(PREFIX) :] + "==")
        grant = grant_of(json.loads(payload))
        if seal(grant, secret) != token:
            raise ValueError
    except (ValueError, RecursionError):  # signed with our secret by something that is not this function
        raise BadKey(
            "This token says what this version does not understand; make one here with: farmhand token new NAME"
        ) from None
    return grant


def _signature(signed: str, secret: bytes) -> str:
    return _base64url(hmac.new(secret, signed.encode("ascii"), hashlib.sha256).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


# --- payload ------------------------------------------------------------------------------------------------


def fields_of(grant: Grant) -> dict[str, Any]:
    """The payload, without what is at its usual value."""
    fields: dict[str, Any] = {"i": grant.id, "n": grant.name}
    fields["s"] = "".join(scope[0] for scope in SCOPES if scope in grant.scopes)
    fields["e"] = grant.expires_s
    fields["r"] = grant.rate
    fields["c"] = grant.urgency.value[0] if grant.urgency else None
    fields["d"] = grant.deadline_s
    fields["p"] = 1 if grant.on_deadline is OnDeadline.PARTIAL else None
    return {key: value for key, value in fields.items() if value is not None}


def grant_of(fields: object) -> Grant:
    """The inverse of `fields_of`. Raises `ValueError` naming the key."""
    match fields:
        case dict():
            return _grant_of(fields)
        case _:
            raise ValueError("must be a JSON object")


def _grant_of(fields: dict[str, Any]) -> Grant:
    strange = sorted(fields.keys() - set("insercdp"))
    if strange:
        raise ValueError(f"has a key {str(strange[0])[:40]!r} that this version does not know")
    if not isinstance(ident := fields.get("i"), str) or not _ID.fullmatch(ident):
        raise ValueError("'i' must be 10 hexadecimal digits")
    if not isinstance(name := fields.get("n"), str) or not _NAME.fullmatch(name):
        raise ValueError("'n' must be a name")
    scopes = fields.get("s")
    if not isinstance(scopes, str) or not scopes or set(scopes) - _SCOPE_OF.keys():
        raise ValueError("'s' must be first letters of scopes")
    rate = fields.get("r")
    if rate is not None:
        parse_rate(rate if isinstance(rate, str) else repr(rate))
    if (urgency := fields.get("c")) not in (None, *_CLASS_OF):
        raise ValueError("'c' must be 'b' or 'i'")
    if (partial := fields.get("p")) is not None and (partial is True or partial != 1):
        raise ValueError("'p' must be 1")
    return Grant(
        id=ident,
        name=name,
        scopes=tuple(scope for scope in SCOPES if scope[0] in scopes),
        expires_s=_whole(fields, "e", LAST_S),
        rate=rate,
        urgency=None if urgency is None else _CLASS_OF[urgency],
        deadline_s=_whole(fields, "d", LONGEST_DEADLINE_S),
        on_deadline=OnDeadline.PARTIAL if partial else OnDeadline.REFUSE,
    )


def _whole(fields: dict[str, Any], key: str, most: int) -> int | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise ValueError(f"{key!r} must be a whole number from 1 to {most}")
    return value
