"""Every recorded request of a real client, sent as recorded: answered in the safe form, or refused by name.

Same headers in the same order and case, same body; only the key and the length are ours. The refusals are written
down by reason, so that none appears or disappears unnoticed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from adapter.chat import Started, TextDelta
from tests.fakes.scripted_engine import END, CapableEngine
from tests.wire.raw import Connection, connected
from tests.wire.responses_shape import check_events, check_response, output_text, parsed_events
from tests.wire.safe_form import check_error, check_plain, check_stream, check_text
from tests.wire.server import KEY, running_adapter

FOLDER = Path(__file__).resolve().parent.parent / "data" / "wire" / "clients"
RECORDED = sorted(path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.glob("*/*.json"))

# The names in the recordings, on an echo engine with room for a gateway's prompt.
SECTIONS: Mapping[str, Any] = {
    "engine": [{"name": "echo", "kind": "echo", "ctx_tokens": 100_000}],
    "model": [{"name": name, "route": ["echo/echo"]} for name in ("farm-small", "farm-large", "farm-embed")],
}

# Reason -> client -> checks. A reason is the field at fault, or the code where no field is.
REFUSED: Mapping[str, Mapping[str, str]] = {
    "messages": {  # echo sees no pictures
        "litellm-proxy": "chat_image_part",
        "openai-python": "chat_image_part",
    },
    "model": {  # echo makes no vectors and completes no plain text
        "langchain-openai": "embeddings",
        "litellm-proxy": (
            "embeddings_default embeddings_float embeddings_same-1 embeddings_same-2 health-1 legacy_completions"
        ),
        "litellm-sdk": "embedding",
        "openai-js": "embeddings",
        "openai-python": (
            "embeddings_default embeddings_float embeddings_same-1 embeddings_same-2 legacy_completions"
        ),
        "vercel-ai-defaults": "embedMany",
        "vercel-ai": "embedMany",
    },
    "input": {  # token ids of OpenAI's vocabulary
        "langchain-openai": "embeddings_default_token_ids",
    },
}
# How many of them want a call, or a form, and nothing else.
DEMANDING = 22
# Whatever the engine can do.
REFUSED_BY_ALL = ("input",)
NOT_CAPABLE = ("model", "messages")
# An engine that can do everything, under the same names.
ROUTES: Mapping[str, list[str]] = {
    "farm-small": ["capable/m"], "farm-large": ["capable/m"], "farm-embed": ["capable/vectors"],
}  # fmt: skip


def record(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def as_recorded(request: Mapping[str, Any]) -> bytes:
    body = b"" if request["body"] is None else json.dumps(request["body"]).encode()
    ours = {"authorization": f"Bearer {KEY}", "content-length": str(len(body))}
    lines = [f"{request['method']} {request['path']} HTTP/{request['http'].removeprefix('HTTP/')}"]
    lines += [f"{name}: {ours.get(name.lower(), value)}" for name, value in request["headers"]]
    return "\r\n".join([*lines, "", ""]).encode() + body


def unchunked(raw: bytes) -> bytes:
    size, _, rest = raw.partition(b"\r\n")
    length = int(size, 16)
    return rest[:length] + unchunked(rest[length + 2 :]) if length else b""


async def exchange(connection: Connection, request: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    await connection.send(as_recorded(request))
    status, headers = await connection.head()
    async with asyncio.timeout(10):
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, unchunked(await connection.reader.readuntil(b"\r\n0\r\n\r\n"))
        return status, headers, await connection.reader.readexactly(int(headers["content-length"]))


def reason_of(name: str) -> str | None:
    client, _, check = name.partition("/")
    return next(
        (reason for reason, checks in REFUSED.items() if check in checks.get(client, "").split()), None
    )


def field_of(error: Mapping[str, Any]) -> str:
    """`messages[0].content[1]` -> `messages.content`; the code where no field is at fault."""
    param = "".join(char for char in error["param"] or "" if char not in "[]0123456789")
    return param or str(error["code"])


def demands(body: Mapping[str, Any]) -> bool:
    """Must the answer be a call, or have a form?"""
    choice = body.get("tool_choice")
    return "response_format" in body or choice == "required" or isinstance(choice, dict)


def test_which_of_the_recorded_requests_demand_something() -> None:
    assert sum(demands(record(name)["body"] or {}) for name in RECORDED) == DEMANDING


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_request(name: str) -> None:
    request = record(name)
    async with running_adapter(**SECTIONS) as adapter, connected(adapter) as connection:
        status, headers, raw = await exchange(connection, request)
    expected = reason_of(name)
    if expected is None and demands(request["body"] or {}):
        # Put into words for the echo engine, which does not obey: it is asked twice, and then the client is told, in
        # a stream as well, since nothing of such an answer is out before it is checked.
        check_error(body := json.loads(raw))
        assert (status, body["error"]["code"]) == (500, "output_invalid")
        assert "asked twice" in body["error"]["message"]
    elif expected is None:
        check_answer(request, status, headers, raw)
    else:
        check_refusal(expected, status, raw)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_request_to_an_engine_that_can(name: str) -> None:
    """Nothing that a client sends fails in the parser."""
    request = record(name)
    engine = CapableEngine(script=[Started(), TextDelta("ok"), END])
    async with running_adapter(engines=[engine], routes=ROUTES) as adapter, connected(adapter) as connection:
        status, headers, raw = await exchange(connection, request)
    expected = reason_of(name)
    if expected in REFUSED_BY_ALL:
        check_refusal(expected, status, raw)
    else:
        check_answer(request, status, headers, raw)


def check_refusal(expected: str, status: int, raw: bytes) -> None:
    check_error(body := json.loads(raw))
    assert (status, field_of(body["error"])) == (400, expected)
    assert (body["error"]["code"] == "not_capable") is (expected in NOT_CAPABLE)
    assert expected in body["error"]["message"]


def check_answer(request: Mapping[str, Any], status: int, headers: Mapping[str, str], raw: bytes) -> None:
    assert status == 200, raw
    if request["method"] == "GET":
        check_models(json.loads(raw))
    elif request["path"].endswith("/embeddings"):
        check_embeddings(request["body"], json.loads(raw))
    elif request["path"] == "/v1/responses":
        check_responses(request["body"], raw)
    elif request["path"] == "/v1/completions":
        check_text(json.loads(raw))
    elif request["body"].get("stream"):
        assert headers["content-type"].startswith("text/event-stream")
        usage = (request["body"].get("stream_options") or {}).get("include_usage", False)
        check_stream(parsed_frames(raw), usage=usage)
    else:
        check_plain(json.loads(raw))


def check_responses(asked: Mapping[str, Any], raw: bytes) -> None:
    """Each as it was asked for, and kept only where that was."""
    body = check_events(parsed_events(raw)) if asked.get("stream") else json.loads(raw)
    check_response(body, status="completed")
    assert output_text(body)
    assert body["store"] is asked.get("store", True)


def check_embeddings(asked: Mapping[str, Any], body: Mapping[str, Any]) -> None:
    """As it was asked for: base64 everywhere breaks Vercel and LiteLLM."""
    kind = str if asked.get("encoding_format") == "base64" else list
    count = len(asked["input"]) if isinstance(asked["input"], list) else 1
    assert [item["index"] for item in body["data"]] == list(range(count))
    assert all(isinstance(item["embedding"], kind) for item in body["data"])


def parsed_frames(raw: bytes) -> list[Any]:
    data = [event.removeprefix(b"data: ") for event in raw.split(b"\n\n") if event]
    return [*map(json.loads, data[:-1]), data[-1].decode()]


def check_models(body: Mapping[str, Any]) -> None:
    models = body["data"] if body["object"] == "list" else [body]
    assert all(model["object"] == "model" and type(model["max_model_len"]) is int for model in models)
    assert "farm-small" in {model["id"] for model in models}


def test_every_refusal_is_of_a_recorded_request() -> None:
    """No name in the table is a typing error, and each has one reason."""
    named = [
        f"{client}/{check}" for per in REFUSED.values() for client in per for check in per[client].split()
    ]
    assert sorted(set(named)) == sorted(named)
    assert set(named) <= set(RECORDED)
    assert len(RECORDED) == 180
