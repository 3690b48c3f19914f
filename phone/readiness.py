"""Is a service ready? Judged by what it answered over HTTP. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from phone.supervisor.types import Service

# Where each is asked; all of these are open, and cost it nothing.
PATHS = {
    Service.ENGINE: "/health",
    Service.ADAPTER: "/ready",
    Service.PROXY: "/health/liveliness",
    Service.GATEWAY: "/healthz",
}
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Probe:
    """ready: it answers as it should. words: what it said, for people."""

    ready: bool
    words: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a server. body: what came of it."""

    status: int
    body: bytes = b""


def answered(data: bytes) -> Answer | None:
    """The bytes of an answer, as far as they have come. `None`: this is no HTTP."""
    found = _STATUS.match(data)
    if found is None:
        return None
    return Answer(int(found[1]), data.partition(b"\r\n\r\n")[2])


def is_complete(data: bytes) -> bool:
    """Has the whole answer come? Without a length only the end of the connection tells."""
    head, end, body = data.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and length is not None and len(body) >= int(length[1])


def judge(service: Service, answer: Answer) -> Probe:
    match service:
        case Service.ADAPTER:
            return _adapter(answer)
        case Service.GATEWAY if answer.status == 503:
            return Probe(False, "it is starting")
        case Service.GATEWAY:  # "ok"; where a release has no such path it asks for a key, redirects, or shows a page: it is up
            return Probe(True, "answers")
        case Service.PROXY if answer.status == 200:
            return Probe(True, "answers")
        case Service.ENGINE if answer.status == 200:
            return Probe(True, "answers")
        case Service.ENGINE if answer.status == 503:
            return Probe(False, "it is loading its model")
        case _:
            return Probe(False, f"{PATHS[service]} answers with HTTP {answer.status}")


def _adapter(answer: Answer) -> Probe:
    """Up is ready, even while no engine can answer: it says so to its clients, and no restart of it brings back an app."""
    status = _status_word(answer.body)
    if answer.status == 200 and status == "ready":
        return Probe(True, "ready")
    if answer.status == 503 and status == "not ready":
        return Probe(True, "up; no engine can answer now")
    return Probe(False, f"something else than Farmhand listens on its port: /ready answers with HTTP {answer.status}")


def _status_word(body: bytes) -> str:
    try:
        data = json.loads(body)
    except ValueError:
        return ""
    status = data.get("status") if isinstance(data, dict) else None
    return status if isinstance(status, str) else ""
