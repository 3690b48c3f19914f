"""A chat request on a LiteRT engine (protocols/localllm.md 7.2 to 7.8)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.fakes.localllm import images
from tests.fakes.localllm.app import App
from tests.fakes.localllm.engines import Conversation, Engine, Turn
from tests.fakes.localllm.errors import ModelFailed, TimedOut
from tests.fakes.localllm.exchange import Exchange
from tests.fakes.localllm.frames import Frames
from tests.fakes.localllm.ledger import Ticket
from tests.fakes.localllm.payload import ChatRequest, Json, image_urls, text_of, tool_names
from tests.fakes.localllm.runtime import Generation, Prompt, count_prompt
from tests.fakes.localllm.streams import finish_stream, relay_pieces


async def answer(app: App, exchange: Exchange, request: ChatRequest, ticket: Ticket) -> None:
    """Engine load, conversation, head, wait for the mutex, inference: in this order (7.6)."""
    engine = await app.registry.get(request.model, request.max_tokens)
    turn = await prepare(request)
    polite = app.options.overlap == "queue"
    conversation = None if polite else app.sessions.open(engine, request, turn)
    deadline_s = asyncio.get_running_loop().time() + app.options.request_timeout_s
    try:
        if request.stream:
            exchange.begin_stream()
        await lock(app, deadline_s)
        try:
            app.ledger.start(ticket)
            conversation = conversation or app.sessions.open(engine, request, turn)
            work = _Work(app, exchange, request, ticket, engine, conversation, deadline_s)
            await work.infer(turn)
        finally:
            app.mutex.release()
    except BaseException:
        if conversation is not None:
            app.sessions.failed(engine, request, conversation)
        raise
    app.sessions.succeeded(engine, request, conversation)


async def lock(app: App, deadline_s: float) -> None:
    """The one mutex; raises TimedOut."""
    try:
        async with asyncio.timeout_at(deadline_s):
            await app.mutex.acquire()
    except TimeoutError:
        raise TimedOut from None


class _Work:
    """One inference, the mutex held."""

    def __init__(
        self,
        app: App,
        exchange: Exchange,
        request: ChatRequest,
        ticket: Ticket,
        engine: Engine,
        conversation: Conversation,
        deadline_s: float,
    ) -> None:
        self._app = app
        self._exchange = exchange
        self._request = request
        self._engine = engine
        self._conversation = conversation
        self._deadline_s = deadline_s
        self._frames = Frames(request, ticket.number, app.options)

    async def infer(self, turn: Turn) -> None:
        if not self._conversation.alive:
            raise ModelFailed("Conversation is not alive")
        if self._request.stream:
            self._exchange.chunk(self._frames.role())
        with self._app.counted_as_run():
            generation = self._start(turn)
            try:
                text = await (self._stream(generation) if self._request.stream else self._block(generation))
            except asyncio.CancelledError:  # the client left and this build notices
                generation.cancel()
                await generation.over.wait()
                raise
        self._conversation.history += [turn.prompt, {"role": "assistant", "content": text}]

    def _start(self, turn: Turn) -> Generation:
        messages = (*self._conversation.history, turn.prompt)
        size, context = count_prompt(messages), self._engine.context
        if size >= context:
            raise ModelFailed(
                f"INVALID_ARGUMENT: Input token ids are too long. Exceeding the maximum: {size} >= {context}"
            )
        tools, request = self._conversation.tools, self._request
        prompt = Prompt(self._engine.key, messages, tools, request.temperature, request.top_k)
        reply = self._app.options.says([dict(message) for message in messages])
        generation = self._app.generate(prompt, reply, context - size)
        self._conversation.generation = generation
        return generation

    async def _block(self, generation: Generation) -> str:
        """The native call cannot be interrupted: a timeout shows when it returns (7.7)."""
        text = await generation.whole()
        if asyncio.get_running_loop().time() > self._deadline_s:
            raise TimedOut
        self._exchange.reply_json(200, self._frames.completion(text, self._calls(generation)))
        return text

    async def _stream(self, generation: Generation) -> str:
        """The client's departure is noticed at a write; the native side is not told (7.8)."""
        try:
            text = await relay_pieces(self._app, self._exchange, self._frames, generation, self._deadline_s)
            finish_stream(self._exchange, self._frames, self._calls(generation))
        except TimedOut:
            generation.cancel()
            await generation.over.wait()
            raise
        finally:
            if self._app.options.overlap == "queue" and self._app.options.disconnect == "ignore":
                await generation.over.wait()
        return text

    def _calls(self, generation: Generation) -> tuple[tuple[str, dict[str, Any]], ...]:
        return generation.calls if self._conversation.tools else ()


async def prepare(request: ChatRequest) -> Turn:
    """The messages as LiteRT gets them; raises ModelFailed for what it cannot take (5.2, 7.2, 7.3)."""
    spoken = [message for message in request.messages if message["role"] != "system"]
    if not spoken:
        raise ModelFailed("no non-system messages")
    if spoken[-1]["role"] not in ("user", "tool"):
        raise ModelFailed("the last message must have role=user or role=tool")
    tools = tool_names(request.tools)
    for message in spoken:
        for url in image_urls(message):
            try:
                await images.load(url)
            except images.BadImage as bad:
                raise ModelFailed(str(bad)) from None
    systems = [message["content"] for message in request.messages if message["role"] == "system"]
    known = systems and isinstance(systems[0], str)
    history = [{"role": "system", "content": systems[0]}] if known else []
    history += [_converted(message) for message in spoken[:-1]]
    return Turn(tuple(history), _converted(spoken[-1]), tools)


def _converted(message: Json) -> Json:
    if message["role"] == "assistant":
        calls = [_replayed(call) for call in message["tool_calls"] or ()]
        converted = {"role": "assistant", "content": text_of(message)}
        return converted | {"tool_calls": calls} if calls else converted
    if message["role"] == "tool":
        content = message["content"]
        text = content if isinstance(content, str) else json.dumps(content)
        return {"role": "tool", "name": message["tool_call_id"] or "tool", "content": text}
    pictures = len(image_urls(message))
    converted = {"role": "user", "content": text_of(message)}
    return converted | {"images": pictures} if pictures else converted


def _replayed(call: Any) -> Json:
    """A call of the history: arguments that are no JSON object become `{}`, nulls inside become `""`."""
    function = call.get("function") if isinstance(call, dict) else None
    function = function if isinstance(function, dict) else {}
    try:
        arguments = json.loads(function.get("arguments") or "")
    except (TypeError, ValueError):
        arguments = {}
    arguments = arguments if isinstance(arguments, dict) else {}
    kept = {name: "" if value is None else value for name, value in arguments.items()}
    return {"name": str(function.get("name") or ""), "arguments": kept}
