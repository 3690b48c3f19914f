"""LiteLLM's SDK, as `protocols/clients.md` 11 sets it up: `openai/MODEL`, `api_base`, `api_key`."""

# What it imports is not installed where types are checked.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

import dialog
import litellm
from pydantic import BaseModel, Field

left: list[Any] = []
BASE = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": os.environ["OPENAI_API_KEY"], "timeout": 120}
TIDE = {
    "type": "function",
    "function": {
        "name": "tide",
        "description": "When high water is.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string", "enum": ["Cuxhaven", "Emden"]}}, "required": ["place"]},
    },
}


class Harbour(BaseModel):
    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


def ask(model: str, messages: list[Any], **more: Any) -> Any:
    return litellm.completion(model=f"openai/{model}", messages=messages, **{**BASE, "max_tokens": 600, **more})


def user(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def plain(model: str, text: str) -> Any:
    answer = ask(model, user(text))
    return {"text": answer.choices[0].message.content, "total": answer.usage.total_tokens}


def stream(model: str, text: str) -> Any:
    chunks = list(ask(model, user(text), stream=True, stream_options={"include_usage": True}))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    whole = litellm.stream_chunk_builder(chunks)
    assert whole.choices[0].message.content == "".join(pieces)
    return {"text": "".join(pieces), "pieces": len(pieces), "total": whole.usage.total_tokens}


async def _a_plain(model: str, text: str) -> Any:
    answer = await litellm.acompletion(model=f"openai/{model}", messages=user(text), **BASE)
    return answer.choices[0].message.content


def a_plain(model: str, text: str) -> Any:
    return asyncio.run(_a_plain(model, text))


def tools(model: str, text: str, result: str, forced: bool = False, streamed: bool = False) -> Any:
    """The message of the call is sent back as LiteLLM made it, with its own fields in it and perhaps without `content`."""
    asked = user(text)
    choice: dict[str, Any] = {"tool_choice": "required", "parallel_tool_calls": False} if forced else {}
    answer = ask(model, asked, tools=[TIDE], stream=streamed, **choice)
    if streamed:
        answer = litellm.stream_chunk_builder(list(answer))
    message = answer.choices[0].message
    calls = message.tool_calls or []
    asked.append(message.model_dump())
    asked += [{"role": "tool", "tool_call_id": call.id, "content": result} for call in calls]
    final = ask(model, asked, tools=[TIDE])
    return {"calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls], "text": final.choices[0].message.content}


def schema(model: str, text: str) -> Any:
    return Harbour.model_validate_json(ask(model, user(text), response_format=Harbour).choices[0].message.content).model_dump()


def embeddings(model: str, texts: list[str]) -> Any:
    return [one["embedding"] for one in litellm.embedding(model=f"openai/{model}", input=texts, **BASE).data]


def wrong_key() -> Any:
    return ask("demo", user("hi"), api_key="sk-wrong-0123456789")


def begin(model: str, text: str) -> Any:
    stream = ask(model, user(text), stream=True, max_tokens=20_000)
    left.append(stream)
    return next(chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content)


def leave() -> Any:
    """Its streams have no `close` of their own: the SDK's beneath has."""
    left.pop().completion_stream.close()


dialog.serve({check.__name__: check for check in (plain, stream, a_plain, tools, schema, embeddings, wrong_key, begin, leave)})
