"""The messages of the ADB transport, and the packets of the second shell protocol inside them. Pure.

Layouts as in `adb/protocol.txt` and `adb/shell_protocol.h` of AOSP: little-endian, 24 bytes of head, then the data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

CNXN, AUTH, OPEN, OKAY, CLSE, WRTE = (
    int.from_bytes(word, "little") for word in (b"CNXN", b"AUTH", b"OPEN", b"OKAY", b"CLSE", b"WRTE")
)

VERSION_WITH_SUMS = 0x01000000
VERSION = 0x01000001  # from here on nobody looks at the sums any more
MAX_DATA = 256 * 1024

# arg0 of AUTH
TOKEN, SIGNATURE, PUBLIC_KEY = 1, 2, 3

HEAD = struct.Struct("<6I")
SHELL_HEAD = struct.Struct("<BI")
STDOUT, STDERR, EXIT = 1, 2, 3


class BadMessage(Exception):
    """What came is no message of this protocol; a daemon drops the connection then."""


@dataclass(frozen=True, slots=True)
class Message:
    command: int
    arg0: int
    arg1: int
    data: bytes = b""

    @property
    def text(self) -> str:
        """The data as text, without the zero that ends it."""
        return self.data.rstrip(b"\0").decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Head:
    command: int
    arg0: int
    arg1: int
    length: int
    sum: int

    def message(self, data: bytes, *, sums: bool) -> Message:
        """Raises `BadMessage` if `sums` are kept and this one is wrong."""
        if sums and self.sum != checksum(data):
            raise BadMessage(f"sum {self.sum:x} instead of {checksum(data):x}")
        return Message(self.command, self.arg0, self.arg1, data)


def checksum(data: bytes) -> int:
    return sum(data) & 0xFFFFFFFF


def parse_head(raw: bytes) -> Head:
    """24 bytes. Raises `BadMessage` for anything else than the head of a message."""
    command, arg0, arg1, length, check, magic = HEAD.unpack(raw)
    if magic != command ^ 0xFFFFFFFF or length > 2 * 1024 * 1024:
        raise BadMessage(f"head {raw.hex()}")
    return Head(command, arg0, arg1, length, check)


def render(message: Message) -> bytes:
    """Always with the sum, which is right in every version."""
    command, data = message.command, message.data
    head = HEAD.pack(command, message.arg0, message.arg1, len(data), checksum(data), command ^ 0xFFFFFFFF)
    return head + data


def shell_packet(kind: int, data: bytes) -> bytes:
    return SHELL_HEAD.pack(kind, len(data)) + data
