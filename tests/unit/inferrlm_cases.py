"""What the tests of `adapter.dialects.inferrlm*` share: two models, recorded bytes of all three builds, a request."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from adapter.chat import Chat, Message, Role, Sampling
from adapter.dialects.inferrlm import Ask, render_chat
from adapter.dialects.inferrlm_builds import TRAITS, Build, StoredModel
from adapter.dialects.inferrlm_records import Done, Failed, Piece, parse_records
from adapter.wire.ndjson import NdjsonDecoder

DATA = Path(__file__).parent.parent / "data" / "wire" / "inferrlm"
FOLDERS = {Build.A: "2025", Build.B: "0.8.7", Build.C: "2026"}
GGUF = StoredModel("Llama-3.2-1B-Instruct-Q4_K_M.gguf")
LITERT = StoredModel("gemma-3n-E2B-it-int4.litertlm")


def recorded(build: Build, scenario: str, connection: str = "A") -> tuple[int, bytes]:
    """Status and body that the server sent over one connection, chunk framing removed."""
    raw = b""
    for line in (DATA / FOLDERS[build] / f"{scenario}.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event.get("dir") == "s2c" and event["c"] == connection and "b64" in event:
            raw += base64.b64decode(event["b64"])
    head, _, body = raw.partition(b"\r\n\r\n")
    if b"chunked" in head:
        body = dechunked(body)
    return int(head.split()[1]), body


def dechunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        body += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return body


def records(build: Build, scenario: str, connection: str = "A") -> list[Piece | Done | Failed]:
    decoder = NdjsonDecoder()
    body = recorded(build, scenario, connection)[1]
    return parse_records([*decoder.feed(body), *decoder.flush()])


def value(build: Build, scenario: str) -> object:
    parsed: object = json.loads(recorded(build, scenario)[1])
    return parsed


def ask(
    *messages: Message, build: Build = Build.C, model: StoredModel = GGUF, window: int = 4096, **sampling: Any
) -> Ask:
    chat = Chat(model.name, messages or (Message(Role.USER, "hi"),), Sampling(**sampling))
    return render_chat(chat, model, TRAITS[build], window_tokens=window, default_max_tokens=1024)
