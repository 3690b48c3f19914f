"""The text of the file `token-secret`: the secret that tokens are signed with, and the tokens that were revoked. Pure.

    farmhand tokens 1
    secret 43-CHARACTERS
    revoked 0123456789
    end 1

Both are in one file on purpose. Whoever loses the revocations loses the secret with them, and then no token is valid any more: there is no
file whose loss brings a revoked token back. `end` counts the revoked ones, so that a file which was cut short is not taken for a shorter list.
An id stays for ever (19 bytes): an expired one could be forgotten only as long as no clock is ever set back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

_HEAD = "farmhand tokens 1"
_SECRET = re.compile(r"secret ([A-Za-z0-9_-]{43})", re.ASCII)
_REVOKED = re.compile(r"revoked ([0-9a-f]{10})", re.ASCII)
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Keyring:
    secret: bytes = field(repr=False)
    revoked: frozenset[str] = frozenset()

    @property
    def mark(self) -> str:
        """Tells this secret from another one, and says nothing about it."""
        return hashlib.sha256(b"mark of " + self.secret).hexdigest()[:8]


def render_keyring(ring: Keyring) -> str:
    secret = base64.urlsafe_b64encode(ring.secret).rstrip(b"=").decode("ascii")
    lines = [_HEAD, f"secret {secret}", *(f"revoked {ident}" for ident in sorted(ring.revoked)), f"end {len(ring.revoked)}"]
    return "\n".join(lines) + "\n"


def parse_keyring(text: str) -> Keyring:
    """The inverse of `render_keyring`, and of nothing else. Raises `ValueError`."""
    lines = text.splitlines()
    secret = _SECRET.fullmatch(lines[1]) if len(lines) > 2 else None
    if secret is None or lines[0] != _HEAD:
        raise ValueError("it does not begin as such a file does")
    found = [_REVOKED.fullmatch(line) for line in lines[2:-1]]
    revoked = frozenset(match[1] for match in found if match)
    try:
        ring = Keyring(base64.urlsafe_b64decode(secret[1] + "="), revoked)
    except binascii.Error as exc:
        raise ValueError("its secret is damaged") from exc
    if lines[-1] != f"end {len(found)}" or len(revoked) != len(found) or len(ring.secret) != SECRET_BYTES:
        raise ValueError("it is not complete")
    return ring
