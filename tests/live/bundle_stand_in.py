"""Plays litellm or openclaw: `python bundle_stand_in.py NAME FOLDER [flags that end with --port N]`. Started by what `bundle_prefix.py` writes.

What it does is in `FOLDER/NAME.json`, read once at its start:

    ready_after_s   binds its port that long after its start
    status          of every answer; 500 is a service that never gets ready
    stop_s          that long from TERM to its end
    exit            ends at once with this code
    silent          binds its port, and never answers

Its life goes to standard output, where svlogd puts stamps on it. Standard library only.
"""

# ruff: noqa: T201
from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any


class Answers(BaseHTTPRequestHandler):
    status = 200
    silent = False

    def do_GET(self) -> None:
        if self.silent:
            time.sleep(3600)
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        pass


def main(name: str, folder: Path, argv: list[str]) -> int:
    path = folder / f"{name}.json"
    mode: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    ended = threading.Event()

    def on_term(number: int, frame: FrameType | None) -> None:
        print("got TERM", flush=True)
        time.sleep(mode.get("stop_s", 0.0))
        ended.set()

    signal.signal(signal.SIGTERM, on_term)
    print(f"began, models at {os.environ.get('NEURAL_FARM_BASE_URL', '-')}", flush=True)
    if "exit" in mode:
        print("something is broken", flush=True)
        return int(mode["exit"])
    if ended.wait(mode.get("ready_after_s", 0.0)):
        return 0
    Answers.status, Answers.silent = mode.get("status", 200), mode.get("silent", False)
    server = ThreadingHTTPServer(("127.0.0.1", int(argv[argv.index("--port") + 1])), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("listening", flush=True)
    ended.wait()
    print("ended in its own time", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
