"""The adapter's admin API, asked over loopback with the installation's own key. Blocking; for threads."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
from pathlib import Path
from typing import Any

from phone.supervisor.admin_words import Order, state_from_json
from phone.supervisor.types import AdapterState

CONNECT_S = 5.0
# After the adapter should have answered at the latest.
GRACE_S = 10.0
POST_S = 10.0
MAX_BYTES = 1 << 20


class AdminError(Exception):
    """The adapter did not do as asked. The text is for people.

    is_normal: it cannot be asked at all, as things stand (an adapter without this API, a key it does not know): asking again soon is useless.
    """

    def __init__(self, words: str, *, is_normal: bool = False) -> None:
        super().__init__(words)
        self.is_normal = is_normal


class Admin:
    """Where to ask; each call makes a connection of its own. `close` may be called from any thread."""

    def __init__(self, host: str, port: int, key_file: Path) -> None:
        self._host = host
        self._port = port
        self._key_file = key_file
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_closed = False

    def state(self, since: int | None = None, wait_s: float = 0.0) -> AdapterState:
        """`GET /admin/state`; with `since` it comes when its version is another, after `wait_s` at the latest. Raises `AdminError`."""
        query = "" if since is None else f"?since={since}&wait_s={wait_s:g}"
        data = self._ask("GET", f"/admin/state{query}", None, wait_s + GRACE_S)
        try:
            return state_from_json(data)
        except ValueError as exc:
            raise AdminError(f"The adapter cannot be asked how it is: {exc}.", is_normal=True) from None

    def press(self, order: Order) -> None:
        """`POST /admin/pressure`. Raises `AdminError`."""
        self._ask("POST", "/admin/pressure", order.body(), POST_S)

    def close(self) -> None:
        """Every call that waits raises `AdminError` at once, and so does every later one."""
        self._is_closed = True
        self.cut()

    def cut(self) -> None:
        """Every call that waits raises `AdminError` at once: somebody answers too slowly, byte by byte."""
        with self._lock:
            opened = list(self._open)
        for sock in opened:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it; closing alone would not

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, limit_s: float) -> Any:
        headers = {"Authorization": f"Bearer {self._key()}", "Accept": "application/json"}
        raw = None
        if body is not None:
            raw = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        sock: socket.socket | None = None
        try:
            connection.connect()
            sock = connection.sock
            self._note(sock)
            sock.settimeout(limit_s)
            connection.request(method, path, raw, headers)
            answer = connection.getresponse()
            return _understood(answer.status, answer.read(MAX_BYTES + 1), self._key_file)
        except (OSError, http.client.HTTPException) as exc:
            raise AdminError(f"The adapter does not answer ({_named(exc)}).") from None
        finally:
            self._forget(sock)
            connection.close()

    def _note(self, sock: socket.socket) -> None:
        with self._lock:
            if self._is_closed:
                raise AdminError("closed")
            self._open.add(sock)

    def _forget(self, sock: socket.socket | None) -> None:
        with self._lock:
            if sock is not None:
                self._open.discard(sock)

    def _key(self) -> str:
        """Read anew each time: it is made, and may be replaced, while we run."""
        try:
            key = self._key_file.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            key = ""
        if not key or not key.isprintable():
            raise AdminError(f"There is no key in {self._key_file} yet.")
        return key


def _understood(status: int, raw: bytes, key_file: Path) -> Any:
    if status in (401, 403):
        raise AdminError(f"The adapter refuses the key in {key_file}: governor and wake lock do without its news.", is_normal=True)
    if status in (404, 405):
        raise AdminError("The adapter has no /admin/state: it is an older one, or something else.", is_normal=True)
    if status != 200:
        raise AdminError(f"The adapter answered {status} to its supervisor.", is_normal=400 <= status < 500)
    if len(raw) > MAX_BYTES:
        raise AdminError("The adapter's answer was too long.", is_normal=True)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise AdminError("The adapter's answer was no JSON: something else listens on its port.", is_normal=True) from None


def _named(exc: Exception) -> str:
    if isinstance(exc, TimeoutError):
        return "in time"
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    return type(exc).__name__
