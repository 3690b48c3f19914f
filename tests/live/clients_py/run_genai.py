"""Google's own SDK for Gemini's form, `google-genai`, as its pages use it. The address is the server's, without `/v1`."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import dialog
from google import genai
from google.genai import types
from pydantic import BaseModel, Field

URL = os.environ["OPENAI_BASE_URL"].removesuffix("/v1")
left: list[Any] = []


class Harbour(BaseModel):
    """A harbour."""

    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


@cache
def client(key: str = "", **options: Any) -> genai.Client:
    """Kept: a client that nobody holds any more closes its connections, also under a stream that is being read."""
    http = types.HttpOptions(base_url=URL, timeout=120_000, **options)
    return genai.Client(api_key=key or os.environ["OPENAI_API_KEY"], http_options=http)


def config(**more: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(**{"max_output_tokens": 200, **more})


def seen(answer: Any) -> dict[str, Any]:
    usage = answer.usage_metadata
    return {"text": answer.text, "total": usage.total_token_count, "finish": answer.candidates[0].finish_reason.name, "model": answer.model_version}


def plain(model: str, text: str, version: str = "") -> Any:
    made = client(api_version=version) if version else client()
    return seen(made.models.generate_content(model=model, contents=text, config=config()))


def stream(model: str, text: str) -> Any:
    chunks = list(client().models.generate_content_stream(model=model, contents=text, config=config()))
    pieces = [chunk.text for chunk in chunks if chunk.text]
    return {**seen(chunks[-1]), "text": "".join(pieces), "pieces": len(pieces)}


async def stream_async(model: str, text: str) -> Any:
    chunks = [chunk async for chunk in await client().aio.models.generate_content_stream(model=model, contents=text, config=config())]
    pieces = [chunk.text for chunk in chunks if chunk.text]
    return {**seen(chunks[-1]), "text": "".join(pieces), "pieces": len(pieces)}


def chat(model: str, texts: list[str]) -> Any:
    """A session, which keeps each chunk of a stream as a content of its own and sends them all again."""
    session = client().chats.create(model=model, config=config())
    answers = ["".join(chunk.text or "" for chunk in session.send_message_stream(text)) for text in texts]
    history = [[content.role, "".join(part.text or "" for part in content.parts)] for content in session.get_history(curated=True)]
    return {"answers": answers, "history": history}


def wait(model: str, text: str, signs: int) -> Any:
    """Begins a turn of a session; returns when so many chunks without words have come."""
    session = client().chats.create(model=model, config=config())
    chunks = session.send_message_stream(text)
    left.append((session, chunks))
    return [next(chunks).text for _ in range(signs)]


def wait_on() -> Any:
    session, chunks = left.pop()
    said = "".join(chunk.text or "" for chunk in chunks)
    return {"text": said, "remembered": len(session.get_history(curated=True)), "all": len(session.get_history())}


def tools(model: str, text: str, result: str, forced: bool = False, streamed: bool = False) -> Any:
    """A Python function, which the SDK describes and calls by itself. Forced: one round, by hand, as a required call never ends."""
    called: list[Any] = []

    def tide(place: str) -> str:
        """When high water is.

        Args:
            place: The harbour.
        """
        called.append(["tide", {"place": place}])
        return result

    if forced:
        return _forced(model, text, streamed)
    using = config(tools=[tide])
    if streamed:
        chunks = list(client().models.generate_content_stream(model=model, contents=text, config=using))
        return {"calls": called, "text": "".join(chunk.text or "" for chunk in chunks)}
    return {"calls": called, "text": client().models.generate_content(model=model, contents=text, config=using).text}


def _forced(model: str, text: str, streamed: bool) -> Any:
    """Declared by hand, in the SDK's own words for schemas: the model's words are noise, so only an enumeration is a harbour."""
    place = types.Schema(type=types.Type.STRING, enum=["Cuxhaven", "Emden"])
    parameters = types.Schema(type=types.Type.OBJECT, properties={"place": place}, required=["place"])
    tide = types.Tool(function_declarations=[types.FunctionDeclaration(name="tide", description="When high water is.", parameters=parameters)])
    must = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode="ANY", allowed_function_names=["tide"]))
    using = config(tools=[tide], tool_config=must)
    if streamed:
        chunks = list(client().models.generate_content_stream(model=model, contents=text, config=using))
        calls = [call for chunk in chunks for call in chunk.function_calls or []]
    else:
        calls = client().models.generate_content(model=model, contents=text, config=using).function_calls
    return {"calls": [[call.name, call.args] for call in calls], "ids": [call.id for call in calls], "text": None}


def schema(model: str, text: str, method: str) -> Any:
    how = {"response_schema": Harbour} if method == "response_schema" else {"response_json_schema": Harbour.model_json_schema()}
    answer = client().models.generate_content(model=model, contents=text, config=config(response_mime_type="application/json", **how))
    found = answer.parsed
    return found.model_dump() if isinstance(found, Harbour) else found


def one_of(model: str, text: str, words: list[str]) -> Any:
    using = config(response_mime_type="text/x.enum", response_schema={"type": "STRING", "enum": words})
    return client().models.generate_content(model=model, contents=text, config=using).text


def embeddings(model: str, texts: list[str], size: int | None = None) -> Any:
    using = types.EmbedContentConfig(output_dimensionality=size, task_type="RETRIEVAL_DOCUMENT")
    return [found.values for found in client().models.embed_content(model=model, contents=texts, config=using).embeddings]


def count(model: str, text: str) -> Any:
    return client().models.count_tokens(model=model, contents=text).total_tokens


def models() -> Any:
    found = [[model.name, model.input_token_limit, model.output_token_limit, model.supported_actions] for model in client().models.list()]
    one = client().models.get(model="demo/demo")
    return {"all": found, "one": [one.name, one.input_token_limit]}


def wrong_key() -> Any:
    return seen(client("sk-wrong-0123456789").models.generate_content(model="demo", contents="hi"))


def retried(model: str, text: str, attempts: int) -> Any:
    """It retries only when it is told to, by its own clock."""
    options = types.HttpRetryOptions(attempts=attempts, initial_delay=0.2, max_delay=1.0)
    made = genai.Client(api_key=os.environ["OPENAI_API_KEY"], http_options=types.HttpOptions(base_url=URL, retry_options=options))
    return seen(made.models.generate_content(model=model, contents=text, config=config()))


def begin(model: str, text: str) -> Any:
    opened = genai.Client(api_key=os.environ["OPENAI_API_KEY"], http_options=types.HttpOptions(base_url=URL))
    chunks = opened.models.generate_content_stream(model=model, contents=text, config=config(max_output_tokens=20_000))
    left.append((opened, chunks))
    return next(chunk.text for chunk in chunks if chunk.text)


def leave() -> Any:
    opened, chunks = left.pop()
    chunks.close()
    opened.close()


def _run_async(model: str, text: str) -> Any:
    import asyncio

    return asyncio.run(stream_async(model, text))


CHECKS = (
    plain, stream, chat, wait, wait_on, tools, schema, one_of, embeddings, count, models, wrong_key, retried, begin, leave,
)  # fmt: skip
dialog.serve({**{check.__name__: check for check in CHECKS}, "stream_async": _run_async})
