"""Connections to public addresses only: looked at where a socket is about to be made, so that no spelling, name or second look-up is a way round."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from adapter.web.addresses import Allowed, refusal
from adapter.web.urls import private_address


class NotPublic(OSError):
    """aiohttp carries it out as the cause of its own error; `sentence_of` finds it there.

    All have one text, since aiohappyeyeballs makes a new error out of those of a name's addresses when their texts differ.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("not a public address")
        self.sentence = sentence


def guarded_connector(allowed: Allowed, *, resolver: AbstractResolver | None = None) -> aiohttp.TCPConnector:
    """A connector that reaches public addresses and those of `allowed`; a connection each, so that each one is looked at.

    aiohttp calls `socket_factory` with the very address that it then connects to (`aiohappyeyeballs.start_connection`). resolver: for tests.
    """

    def make_socket(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if why := refusal(address[0], allowed):
            raise NotPublic(private_address(address[0], why))
        return socket.socket(family=family, type=kind, proto=protocol)

    return aiohttp.TCPConnector(
        socket_factory=make_socket, resolver=resolver, use_dns_cache=False, force_close=True, limit=0
    )


def sentence_of(exc: BaseException) -> str | None:
    """What `NotPublic` said, if it is behind `exc`."""
    cause: BaseException | None = exc
    for _ in range(8):
        if cause is None:
            return None
        if isinstance(cause, NotPublic):
            return cause.sentence
        cause = getattr(cause, "os_error", None) or cause.__cause__ or cause.__context__
    return None
