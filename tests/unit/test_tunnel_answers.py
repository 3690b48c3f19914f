"""scripts/farmhand-tunnel: what it makes of the answers behind its port, and of those that never end."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.unit.tunnel_cases import HttpReply, tunnel

GOOD, NONE = HttpReply(200, "farmhand", '{"status":"ok"}'), HttpReply(failure="silent")


@pytest.mark.parametrize(
    ("health", "ready", "kind", "says"),
    [
        (GOOD, GOOD, "answers", "Farmhand WHERE"),
        (HttpReply(failure="closed"), NONE, "nothing-listens", "farmhand up"),
        (HttpReply(failure="refused"), NONE, "rule-lost", "Setting it up again"),
        (HttpReply(failure="silent"), NONE, "silent", "farmhand doctor"),
        (HttpReply(failure="cut"), NONE, "cut", "asked again"),
        (GOOD, HttpReply(failure="cut"), "cut", "asked again"),
        (HttpReply(failure="garbage"), NONE, "not-farmhand", "port 9999"),
        (HttpReply(200, "nginx", "hello"), NONE, "not-farmhand", "('nginx')"),
        (HttpReply(200, "", "hello"), NONE, "not-farmhand", "Something else"),
        (HttpReply(503, "farmhand", '{"error":{"message":"It is hot."}}'), NONE, "unhealthy", "It is hot."),
        (GOOD, HttpReply(503, "farmhand", '{"error":{"message":"No engine."}}'), "not-ready", "No engine."),
        (GOOD, NONE, "not-ready", "no answer to /ready"),
    ],
)
def test_judge_health(health: Any, ready: Any, kind: str, says: str) -> None:
    state = tunnel.judge_health(health, ready, 9999, "WHERE")
    assert (state.kind, state.up) == (kind, kind == "answers")
    assert says in state.words


MODELS = json.dumps({"data": [{"id": f"m{number}"} for number in range(8)]})


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (HttpReply(200, "farmhand", MODELS), tunnel.DONE, "m0, m1, m2, m3, m4, m5, ..."),
        (HttpReply(200, "farmhand", '{"data": []}'), tunnel.DONE, "none yet"),
        (HttpReply(200, "farmhand", "[]"), tunnel.NOT_PROVEN, "no list of models"),
        (HttpReply(200, "farmhand", "<html>"), tunnel.NOT_PROVEN, "no list of models"),
        (HttpReply(401, "farmhand", "{}"), tunnel.KEY_REFUSED, "farmhand token new laptop"),
        (HttpReply(403, "farmhand", '{"error":{"message":"Needs chat."}}'), tunnel.KEY_REFUSED, "Needs chat."),
        (HttpReply(failure="closed"), tunnel.NOT_PROVEN, "Try again"),
    ],
)
def test_judge_models(reply: Any, code: int, says: str) -> None:
    state = tunnel.judge_models(reply)
    assert state.code == code and says in state.words


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"error":{"message":"So."}}', "So."),
        ('{"error":"So."}', "So."),
        ('{"detail":1}', '{"detail":1}'),
        ("[]", "[]"),
        ("a\n  b", "a b"),
        ("", ""),
    ],
)
def test_message_of(body: str, expected: str) -> None:
    assert tunnel.message_of(body) == expected


@contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """One connection, served as told; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with listener.accept()[0] as one:
                serve(one)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)
        assert not thread.is_alive()


def drip(one: socket.socket) -> None:
    """A body of 100 bytes, one by one, each in time for an ordinary time limit."""
    one.sendall(b"HTTP/1.1 200 OK\r\nServer: farmhand\r\nContent-Length: 100\r\nConnection: close\r\n\r\n")
    one.settimeout(0.05)
    while True:
        try:
            one.sendall(b" ")
            if one.recv(65_536) == b"":
                return
        except TimeoutError:
            continue
        except OSError:
            return


def until_it_leaves(one: socket.socket) -> None:
    while one.recv(65_536):
        pass


def answers(text: bytes) -> Callable[[socket.socket], None]:
    def serve(one: socket.socket) -> None:
        one.recv(65_536)
        one.sendall(text)

    return serve


@pytest.mark.parametrize(
    ("serve", "expected"),
    [
        (answers(b"HTTP/1.1 200 OK\r\nServer: farmhand\r\nContent-Length: 2\r\n\r\nok"), HttpReply(200, "farmhand", "ok")),
        (answers(b"HTTP/1.0 503 No\r\n\r\n\xff"), HttpReply(503, "", "�")),
        (answers(b""), HttpReply(failure="closed")),
        (lambda one: None, HttpReply(failure="closed")),
        (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), HttpReply(failure="garbage")),
        (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), HttpReply(failure="cut")),
        (answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok"), HttpReply(failure="cut")),
        (until_it_leaves, HttpReply(failure="silent")),
        (drip, HttpReply(failure="silent")),
    ],
)
def test_get_tells_apart(serve: Callable[[socket.socket], None], expected: Any) -> None:
    with raw_server(serve) as port:
        begun = time.monotonic()
        assert tunnel.get(port, "/health", limit_s=0.5) == expected
        assert time.monotonic() - begun < 5


def test_get_where_nobody_listens() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert tunnel.get(deaf.getsockname()[1], "/health") == HttpReply(failure="refused")
