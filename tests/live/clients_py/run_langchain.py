"""LangChain's `ChatOpenAI` and `OpenAIEmbeddings`, as its own pages use them."""

# What it imports is not installed where types are checked.
# mypy: ignore-errors

from __future__ import annotations

from typing import Any, Literal

import dialog
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

left: list[Any] = []


class Harbour(BaseModel):
    """A harbour."""

    name: str = Field(max_length=20)
    berths: int = Field(ge=0, le=500)
    open: bool


@tool
def tide(place: Literal["Cuxhaven", "Emden"]) -> str:
    """When high water is."""
    return place


def chat(model: str, **more: Any) -> Any:
    return ChatOpenAI(model=model, stream_usage=True, timeout=120, **{"max_tokens": 600, **more})


def plain(model: str, text: str) -> Any:
    answer = chat(model).invoke(text)
    return {"text": answer.content, "total": answer.usage_metadata["total_tokens"], "finish": answer.response_metadata["finish_reason"]}


def stream(model: str, text: str) -> Any:
    chunks = list(chat(model).stream(text))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    pieces = [chunk.content for chunk in chunks if chunk.content]
    return {"text": whole.content, "pieces": len(pieces), "total": whole.usage_metadata["total_tokens"]}


def tools(model: str, text: str, result: str, forced: bool = False, streamed: bool = False) -> Any:
    choice: dict[str, Any] = {"tool_choice": "required", "parallel_tool_calls": False} if forced else {}
    bound = chat(model).bind_tools([tide], **choice)
    asked: list[Any] = [HumanMessage(text)]
    if streamed:
        chunks = list(bound.stream(asked))
        message = chunks[0]
        for chunk in chunks[1:]:
            message += chunk
    else:
        message = bound.invoke(asked)
    asked.append(message)
    asked += [ToolMessage(result, tool_call_id=call["id"]) for call in message.tool_calls]
    answer = chat(model).bind_tools([tide]).invoke(asked)
    return {"calls": [[call["name"], call["args"]] for call in message.tool_calls], "text": answer.content}


def schema(model: str, text: str, method: str) -> Any:
    return chat(model).with_structured_output(Harbour, method=method).invoke(text).model_dump()


def schema_of_json_mode(model: str, text: str) -> Any:
    return chat(model).with_structured_output(None, method="json_mode").invoke(text)


def embeddings(model: str, texts: list[str]) -> Any:
    return OpenAIEmbeddings(model=model, check_embedding_ctx_length=False).embed_documents(texts)


def embeddings_of_tokens(model: str, tokens: list[list[int]]) -> Any:
    """What it sends without `check_embedding_ctx_length=False` (its vocabulary has to be downloaded for that): lists of token ids."""
    return OpenAIEmbeddings(model=model).client.create(model=model, input=tokens, encoding_format="base64")


def wrong_key() -> Any:
    return ChatOpenAI(model="demo", api_key="sk-wrong-0123456789").invoke("hi")


def begin(model: str, text: str) -> Any:
    stream = chat(model, max_tokens=20_000).stream(text)
    left.append(stream)
    return next(chunk.content for chunk in stream if chunk.content)


def leave() -> Any:
    left.pop().close()


dialog.serve(
    {
        check.__name__: check
        for check in (plain, stream, tools, schema, schema_of_json_mode, embeddings, embeddings_of_tokens, wrong_key, begin, leave)
    }
)
