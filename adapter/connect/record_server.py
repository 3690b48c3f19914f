"""A server that keeps every chat request and answers "ok", for the minute in which an agent's prompt is recorded. Standard library, a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LARGEST_BYTES = 8 << 20
MODEL = "recorder"


class Recorder:
    """base_url: with `/v1`. bodies: of chat requests, in the order in which they came."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        recorder = self

        class Handler(_Handler):
            bodies = recorder.bodies

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    @contextmanager
    def running(self) -> Iterator[Recorder]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    bodies: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._send(json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": "farmhand"}]}), "application/json")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        body = self._body(int(length)) if length.isdigit() and int(length) <= LARGEST_BYTES else None
        if body is None:
            self.close_connection = True
            self.send_error(400, "no JSON object")
            return
        if self.path.endswith("/chat/completions"):
            self.bodies.append(body)
        if body.get("stream"):
            said = [{"role": "assistant", "content": "ok"}, {}]
            chunks = [_chunk(delta, None if delta else "stop") for delta in said]
            self._send("".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n", "text/event-stream")
        else:
            self._send(json.dumps(_answer()), "application/json")

    def _body(self, length: int) -> dict[str, Any] | None:
        try:
            value = json.loads(self.rfile.read(length))
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def _send(self, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Its requests are nobody's news."""


def _chunk(delta: dict[str, str], finish: str | None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "chatcmpl-record", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": [choice]}


def _answer() -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    return {"id": "chatcmpl-record", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice], "usage": usage}
