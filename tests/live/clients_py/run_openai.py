"""OpenAI's Python SDK. Everything by its own means: `.stream()`, `.parse()`, its retries and its exceptions."""

# What it imports is not installed where types are checked.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dialog
import openai
from pydantic import BaseModel, Field

client = openai.OpenAI(timeout=120)
TIDE = {
    "type": "function",
    "function": {
        "name": "tide",
        "description": "When high water is.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "enum": ["Cuxhaven", "Emden"]}},
            "required": ["place"],
            "additionalProperties": False,
        },
    },
}
left: list[Any] = []


class Harbour(BaseModel):
    """With bounds, or a model that writes noise goes on in its first string."""

    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


def messages(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def plain(model: str, text: str) -> Any:
    answer = client.chat.completions.create(model=model, messages=messages(text), max_tokens=40)
    return {"text": answer.choices[0].message.content, "finish": answer.choices[0].finish_reason, "total": answer.usage.total_tokens}


def stream(model: str, text: str) -> Any:
    """With the helper, which is stricter than the plain iterator (`protocols/clients.md` 5)."""
    with client.chat.completions.stream(model=model, messages=messages(text), max_tokens=40, stream_options={"include_usage": True}) as events:
        deltas = [event.delta for event in events if event.type == "content.delta"]
        final = events.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content
    return {"pieces": len(deltas), "text": "".join(deltas), "total": final.usage.total_tokens}


async def _a_stream(model: str, text: str) -> Any:
    async with openai.AsyncOpenAI() as other:
        chunks = await other.chat.completions.create(model=model, messages=messages(text), stream=True, max_tokens=40)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


def async_stream(model: str, text: str) -> Any:
    return asyncio.run(_a_stream(model, text))


def tools(model: str, text: str, result: str, forced: bool = False, streamed: bool = False) -> Any:
    """Call, result, answer."""
    asked = messages(text)
    choice: dict[str, Any] = {"tool_choice": "required", "parallel_tool_calls": False} if forced else {}
    wanted = {"model": model, "messages": asked, "tools": [TIDE], "max_tokens": 600, **choice}
    if streamed:
        with client.chat.completions.stream(**wanted) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(**wanted).choices[0].message
    calls = message.tool_calls or []
    asked.append(message.model_dump(exclude_none=True))
    asked += [{"role": "tool", "tool_call_id": call.id, "content": result} for call in calls]
    answer = client.chat.completions.create(model=model, messages=asked, tools=[TIDE], max_tokens=40)
    return {
        "calls": [[call.function.name, json.loads(call.function.arguments)] for call in calls],
        "text": answer.choices[0].message.content,
    }


def schema(model: str, text: str) -> Any:
    parsed = client.chat.completions.parse(model=model, messages=messages(text), response_format=Harbour, max_tokens=600)
    return parsed.choices[0].message.parsed.model_dump()


def embeddings(model: str, texts: list[str]) -> Any:
    """As base64, which the SDK asks for and decodes by itself; and as numbers."""
    packed = client.embeddings.create(model=model, input=texts)
    numbers = client.embeddings.create(model=model, input=texts, encoding_format="float")
    return {"packed": [one.embedding for one in packed.data], "numbers": [one.embedding for one in numbers.data]}


def wrong_key() -> Any:
    return openai.OpenAI(api_key="sk-wrong-0123456789").models.list()


def models() -> Any:
    return [model.id for model in client.models.list()]


def at_once(model: str, text: str, key: str) -> Any:
    """Two questions at the same moment."""
    with openai.OpenAI(api_key=key) as other, ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda _: other.chat.completions.create(model=model, messages=messages(text)), range(2))
        return [answer.choices[0].message.content for answer in answers]


def begin(model: str, text: str) -> Any:
    """Reads a stream until its first words."""
    stream = client.chat.completions.create(model=model, messages=messages(text), stream=True)
    left.append(stream)
    return next(chunk.choices[0].delta.content for chunk in stream if chunk.choices and chunk.choices[0].delta.content)


def leave() -> Any:
    left.pop().close()


def begin_plain(model: str, text: str) -> Any:
    """A plain answer that nobody will wait for."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(openai.AsyncOpenAI().chat.completions.create(model=model, messages=messages(text)))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])), daemon=True)
    thread.start()
    left.append((loop, task, thread))


def leave_plain() -> Any:
    loop, task, thread = left.pop()
    loop.call_soon_threadsafe(task.cancel)
    thread.join(20)
    return task.cancelled()


dialog.serve(
    {
        check.__name__: check
        for check in (plain, stream, async_stream, tools, schema, embeddings, wrong_key, models, at_once, begin, leave, begin_plain, leave_plain)
    }
)
