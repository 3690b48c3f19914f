"""The URL of a page, checked before anything is asked for. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from adapter.web.addresses import Allowed, literal, refusal
from adapter.web.refused import Refused

MAX_URL_CHARS = 4_096
# Ports of mail, file and remote-control services, to which an HTTP request can say something that they understand. The list of the Fetch standard
# ("bad ports"), and those of services that take orders without a password.
BAD_PORTS = frozenset(
    (
        0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119,
        123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
        993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080, 11211,
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PageUrl:
    """url: as it is asked for, without the fragment. host: a name or an address, without brackets."""

    url: str
    host: str
    port: int


def parse_url(text: str, allowed: Allowed, *, base: str = "") -> PageUrl:
    """Raises `Refused` with a sentence. base: of the page that named it. Names are only looked up when they are connected to."""
    text = text.strip()
    if not text:
        raise Refused("'url' is empty; send an address like https://example.org/page.")
    if len(text) > MAX_URL_CHARS:
        raise Refused(f"The URL has {len(text)} characters; at most {MAX_URL_CHARS} are possible.")
    if any(unicodedata.category(char) in ("Cc", "Zs", "Zl", "Zp", "Cs") for char in text) or "\\" in text:
        raise Refused("The URL has blanks, backslashes or control characters in it; write them as %20 and the like.")
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        port = parts.port
    except ValueError:
        raise Refused(f"{text[:100]!r} is not a URL.") from None
    if parts.scheme not in ("http", "https"):
        said = f"{parts.scheme}: pages" if parts.scheme and parts.netloc else "that"
        raise Refused(f"Only http:// and https:// pages can be fetched, not {said[:60]}.")
    if parts.username is not None or parts.password is not None:
        raise Refused("The URL has a name or password in it; pages are fetched without any.")
    if not parts.hostname:
        raise Refused(f"{text[:100]!r} names no server.")
    port = port if port is not None else (443 if parts.scheme == "https" else 80)
    if port in BAD_PORTS:
        raise Refused(f"Port {port} is not one of a web server; nothing is fetched from it.")
    if why := host_refusal(parts.hostname, allowed):
        raise Refused(why)
    # What is not ASCII is sent as every browser sends it.
    path = quote(parts.path or "/", safe="%/:=&?~#+!$,;'@()*[]")
    query = quote(parts.query, safe="%/:=&?~#+!$,;'@()*[]")
    return PageUrl(urlunsplit((parts.scheme, parts.netloc, path, query, "")), parts.hostname, port)


def host_refusal(host: str, allowed: Allowed) -> str | None:
    """Why nothing may be fetched from `host`, as far as its spelling tells; `None`: it is a name, or may be."""
    address = literal(host)
    if address is None:
        return None
    if why := refusal(address, allowed):
        return private_address(address, why)
    return None


def private_address(address: str, why: str) -> str:
    """The sentence for an address that is not public."""
    return f"{address} is not on the public internet ({why}). A person can allow it: [search] allow_private = [\"{address}\"]."
