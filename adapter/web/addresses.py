"""Which addresses a page may be fetched from: those of the public internet, and private ones that were allowed by name. Pure.

A fetch is done on behalf of a model, which a page may have talked into it. The networks around us (the phone itself, its apps, the router, a cloud's
metadata service) must not be reachable that way. The lists are those of the IANA's registries of special-purpose addresses (RFC 6890).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Network: what it is. The first one that fits names the reason.
_SPECIAL_4 = tuple(
    (ipaddress.IPv4Network(network), word)
    for network, word in (
        ("0.0.0.0/8", "this machine itself"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "a provider's inner network"),
        ("127.0.0.0/8", "this machine itself"),
        ("169.254.0.0/16", "link-local, where clouds keep their metadata"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "kept for documents"),
        ("192.88.99.0/24", "reserved"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "kept for measurements"),
        ("198.51.100.0/24", "kept for documents"),
        ("203.0.113.0/24", "kept for documents"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_SPECIAL_6 = tuple(
    (ipaddress.IPv6Network(network), word)
    for network, word in (
        ("::/128", "this machine itself"),
        ("::1/128", "this machine itself"),
        ("fc00::/7", "a private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "a private network"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "kept for documents"),
        ("3fff::/20", "kept for documents"),
    )
)
# All that is handed out on the internet until today; translated IPv4 addresses are looked at below.
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")

# (network, by how many bits the IPv4 address in it is to be moved right): mapped, compatible, NAT64, 6to4.
_WITH_IPV4 = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Addresses that may be fetched from although they are not public. Empty: none."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Allowed:
        """`192.168.1.20`, `192.168.1.0/24`, `::1` -> what they mean. Raises `ValueError` with a sentence."""
        found = []
        for entry in entries:
            try:
                found.append(ipaddress.ip_network(entry.strip(), strict=False))
            except ValueError:
                raise ValueError(f"{entry[:60]!r} is no address; write one like 192.168.1.20, or a network like 192.168.1.0/24") from None
        return cls(tuple(found))

    def __contains__(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self.networks)


def refusal(text: str, allowed: Allowed) -> str | None:
    """Why nothing may be fetched from the address `text` (as `getaddrinfo` writes it); `None`: it may."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return "no address that we know"
    inner = _inner(address)
    if address in allowed or inner in allowed:
        return None
    if isinstance(inner, ipaddress.IPv4Address):
        return next((word for network, word in _SPECIAL_4 if inner in network), None)
    special = next((word for network, word in _SPECIAL_6 if inner in network), None)
    return special or (None if inner in _GLOBAL_6 else "reserved")


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does: `::ffff:127.0.0.1` reaches 127.0.0.1."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) < 2:  # `::` and `::1` stand for themselves
        return address
    for network, shift in _WITH_IPV4:
        if address in network:
            return ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return address


# What `inet_aton`, and so every `getaddrinfo`, takes as an address: 2130706433, 0x7f.1, 0177.0.0.1, 127.1.
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def literal(host: str) -> str | None:
    """The address that `host` spells, in the usual spelling; `None` where it is a name."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(bare.partition("%")[0]))
    except ValueError:
        pass
    parts = bare.removesuffix(".").split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        *high, low = [_number(part) for part in parts]
    except ValueError:  # 08 is no octal number
        return None
    if any(part > 255 for part in high) or low >= 256 ** (4 - len(high)):
        return None
    return str(ipaddress.IPv4Address(sum(part << 8 * (3 - place) for place, part in enumerate(high)) + low))


def _number(text: str) -> int:
    if text[:2] in ("0x", "0X"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)
