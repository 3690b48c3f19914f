"""One `GET` to a server, in bounded time and size. Without aiohttp, so that it is quick. Blocking."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapter.terminal.bounded import read_bounded

# Engines say within about 2 s what they have, and the server asks all at once; one asleep on another machine takes longer.
ANSWER_S = 15.0


class NoAnswer(Exception):
    """Nobody answers there; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """value: the JSON of the body, `None` if it is none. headers: their names in lower case."""

    status: int
    value: Any
    headers: Mapping[str, str]

    @property
    def says(self) -> str:
        """The message of an error body, "" without one."""
        error = self.value.get("error") if isinstance(self.value, dict) else None
        said = error.get("message") if isinstance(error, dict) else error
        return " ".join("".join(char if char.isprintable() else " " for char in said).split())[:600] if isinstance(said, str) else ""


def get(url: str, key: str) -> Answer:
    """Raises `NoAnswer`."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=ANSWER_S)
    except (ValueError, http.client.InvalidURL):
        raise NoAnswer("that is no address") from None
    try:
        connection.request("GET", parts.path or "/", headers={"Authorization": f"Bearer {key}"} if key else {})
        response = connection.getresponse()
        data = read_bounded(response, ANSWER_S)
    except TimeoutError:
        raise NoAnswer(f"nothing within {ANSWER_S:g} s") from None
    except (OSError, http.client.HTTPException, UnicodeError) as exc:
        raise NoAnswer(getattr(exc, "strerror", None) or str(exc) or type(exc).__name__) from None
    finally:
        connection.close()
    return Answer(response.status, _json(data), {name.lower(): value for name, value in response.getheaders()})


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
