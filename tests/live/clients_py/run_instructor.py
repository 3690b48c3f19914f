"""Instructor: an object by every mode that it has for this kind of server, in parts, in a row, and again when it was wrong."""

# What it imports is not installed where types are checked.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from typing import Any, Literal

import dialog
import instructor
import openai
from pydantic import BaseModel, Field, field_validator

left: list[Any] = []


class Harbour(BaseModel):
    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


class Tide(BaseModel):
    place: Literal["Cuxhaven", "Emden"]


class Real(BaseModel):
    """What no schema says: the first answer does not pass."""

    name: str
    berths: int
    open: bool

    @field_validator("berths")
    @classmethod
    def _some(cls, value: int) -> int:
        if value == 0:
            raise ValueError("a harbour has berths, look again")
        return value


def made(mode: str = "TOOLS", **more: Any) -> Any:
    return instructor.from_openai(openai.OpenAI(timeout=120, **more), mode=instructor.Mode[mode])


def asked(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 600}


def plain(model: str, text: str) -> Any:
    """Without a class it is the SDK's own answer."""
    answer = made().chat.completions.create(response_model=None, **asked(model, text))
    return {"text": answer.choices[0].message.content, "total": answer.usage.total_tokens}


def schema(model: str, text: str, mode: str) -> Any:
    more = {"max_tokens": openai.NOT_GIVEN} if mode == "JSON_O1" else {}
    return made(mode).chat.completions.create(response_model=Harbour, max_retries=0, **{**asked(model, text), **more}).model_dump()


def schema_of_responses(model: str, text: str) -> Any:
    found = made("RESPONSES_TOOLS").responses.create(response_model=Harbour, model=model, input=text, max_output_tokens=600, max_retries=0)
    return found.model_dump()


def partial(model: str, text: str, mode: str) -> Any:
    """How the object grew, and what it became."""
    states = [state.model_dump() for state in made(mode).chat.completions.create_partial(response_model=Harbour, **asked(model, text))]
    return {"states": len(states), "last": states[-1]}


def several(model: str, text: str, mode: str) -> Any:
    return [one.model_dump() for one in made(mode).chat.completions.create_iterable(response_model=Harbour, **asked(model, text))]


def parallel(model: str, text: str) -> Any:
    found = made("PARALLEL_TOOLS").chat.completions.create(response_model=Iterable[Tide | Harbour], tool_choice="auto", **asked(model, text))
    return [[type(one).__name__, one.model_dump()] for one in found]


def again(model: str, text: str, mode: str) -> Any:
    return made(mode).chat.completions.create(response_model=Real, max_retries=2, **asked(model, text)).model_dump()


def wrong_key() -> Any:
    return made(api_key="sk-wrong-0123456789").chat.completions.create(response_model=Harbour, **asked("demo", "hi"))


def begin(model: str, text: str) -> Any:
    """An object that nobody will wait for. (The parts of `create_partial` come when all of them are there, so nobody leaves between them.)"""
    loop = asyncio.new_event_loop()
    client = instructor.from_openai(openai.AsyncOpenAI())
    task = loop.create_task(client.chat.completions.create(response_model=Harbour, stream=False, **asked(model, text)))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([task])), daemon=True)
    thread.start()
    left.append((loop, task, thread))


def leave() -> Any:
    loop, task, thread = left.pop()
    loop.call_soon_threadsafe(task.cancel)
    thread.join(20)
    return task.cancelled()


dialog.serve({check.__name__: check for check in (plain, schema, schema_of_responses, partial, several, parallel, again, wrong_key, begin, leave)})
