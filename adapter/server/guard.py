"""Who may come in: the Host header, browser origins and the bearer key. Pure.

Any program on the phone, any user of the laptop behind `adb forward`, and any web page in a browser there can
reach a loopback port (`facts/termux.md` 10). The key keeps programs out; the Host check keeps pages out that
resolve a name of their own to 127.0.0.1 (DNS rebinding); no CORS header keeps the rest out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from functools import lru_cache
from urllib.parse import urlsplit

from adapter.errors import BadKey, BadRequest, ForbiddenHost


def check_host(header: str | None, *, listening_on: str, allowed: Collection[str]) -> None:
    """Raise `ForbiddenHost` unless the Host header is ours: an address, `localhost`, or a name that was configured.

    An IP address cannot be rebound, so any is fine, with any port: `adb forward` changes ports freely.
    """
    if not header:
        raise BadRequest("The request has no Host header.")
    if _is_ours(header, listening_on, tuple(allowed)):
        return
    raise ForbiddenHost(
        f"The Host header names '{header[:100]}', which is not this server; use 127.0.0.1, or add the name to "
        "server.allowed_hosts."
    )


def check_origin(origin: str | None, *, allowed: Collection[str]) -> None:
    """Raise `ForbiddenHost` for a page of a browser that was not allowed in; programs send no Origin.

    Needed where no key is: a page may POST without asking first as long as it does not read the answer, and
    an answer nobody reads still keeps the phone busy.
    """
    if origin is not None and origin not in allowed:
        raise ForbiddenHost(
            f"Web pages of '{origin[:100]}' may not call this server; add the origin to server.cors_origins."
        )


# A client sends the same one each time, and taking it apart costs more than the rest of the door.
@lru_cache(maxsize=64)
def _is_ours(header: str, listening_on: str, allowed: tuple[str, ...]) -> bool:
    name = _host_name(header)
    return name in {"localhost", listening_on.lower(), *(a.lower() for a in allowed)} or _is_address(name)


def _host_name(header: str) -> str:
    """The name without its port, in lower case, without the dot of the DNS root; empty for what is no Host."""
    if any(char in "@/\\?#" for char in header):  # urlsplit would find another host in `evil@127.0.0.1`
        return ""
    try:
        name = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
    return name.removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def bearer_token(header: str | None) -> str:
    """The key from an Authorization header. Raises `BadKey` saying what is missing."""
    if not header:
        raise BadKey(_needed("You did not provide an API key."))
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadKey(_needed("The Authorization header is not of the form 'Bearer KEY'."))
    return token.strip()


def gemini_authorization(header: str | None, query: str | None) -> str | None:
    """The key of a Gemini client, from `x-goog-api-key` or `?key=`, as the Authorization header that it stands for."""
    key = header or query
    return f"Bearer {key}" if key else None


def wrong_key() -> BadKey:
    return BadKey(_needed("Incorrect API key provided."))


def _needed(problem: str) -> str:
    return (
        f"{problem} Send 'Authorization: Bearer KEY'; KEY is printed by 'farmhand serve' and kept in the file "
        "'key' of Farmhand's state folder, or made by 'farmhand token new NAME'."
    )
