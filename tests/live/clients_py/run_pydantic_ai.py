"""Pydantic AI: agents with and without tools, and its ways to an object."""

# What it imports is not installed where types are checked.
# mypy: ignore-errors

from __future__ import annotations

import asyncio
from typing import Any, Literal

import dialog
from pydantic import BaseModel, Field
from pydantic_ai import Agent, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

loop = asyncio.new_event_loop()
left: list[Any] = []


class Harbour(BaseModel):
    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


WAYS: dict[str, Any] = {"tool": ToolOutput(Harbour, name="Harbour"), "native": NativeOutput(Harbour), "prompted": PromptedOutput(Harbour)}


def agent(model: str, **more: Any) -> Any:
    return Agent(OpenAIChatModel(model, provider=OpenAIProvider()), model_settings={"max_tokens": 600}, **more)


def plain(model: str, text: str) -> Any:
    run = agent(model).run_sync(text)
    return {"text": run.output, "total": run.usage.total_tokens}


async def _stream(model: str, text: str) -> Any:
    async with agent(model).run_stream(text) as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
        return {"text": "".join(pieces), "pieces": len(pieces), "total": run.usage.total_tokens}


def stream(model: str, text: str) -> Any:
    return loop.run_until_complete(_stream(model, text))


async def _streamed(made: Any, text: str) -> Any:
    async with made.run_stream(text) as run:
        return await run.get_output(), run.all_messages()


def tools(model: str, text: str, result: str, streamed: bool = False) -> Any:
    """Its own loop: until the model answers with text."""
    made = agent(model)

    @made.tool_plain
    def tide(place: Literal["Cuxhaven", "Emden"]) -> str:
        """When high water is."""
        return result

    if streamed:
        output, messages = loop.run_until_complete(_streamed(made, text))
    else:
        run = made.run_sync(text)
        output, messages = run.output, run.all_messages()
    calls = [part for message in messages for part in message.parts if isinstance(part, ToolCallPart)]
    return {"calls": [[call.tool_name, call.args_as_dict()] for call in calls], "text": output}


def schema(model: str, text: str, way: str) -> Any:
    return agent(model, output_type=WAYS[way]).run_sync(text).output.model_dump()


def wrong_key() -> Any:
    provider = OpenAIProvider(api_key="sk-wrong-0123456789")
    return Agent(OpenAIChatModel("demo", provider=provider)).run_sync("hi")


def begin(model: str, text: str) -> Any:
    """Reads a stream in a task until its first words."""
    first: asyncio.Future[str] = loop.create_future()

    async def read() -> None:
        made = Agent(OpenAIChatModel(model, provider=OpenAIProvider()))
        async with made.run_stream(text) as run:
            async for piece in run.stream_text(delta=True, debounce_by=None):
                if not first.done():
                    first.set_result(piece)

    left.append(loop.create_task(read()))
    return loop.run_until_complete(asyncio.wait_for(first, 120))


def leave() -> Any:
    task = left.pop()
    task.cancel()
    loop.run_until_complete(asyncio.wait([task]))


dialog.serve({check.__name__: check for check in (plain, stream, tools, schema, wrong_key, begin, leave)})
