"""The bodies of Gemini's methods -> our words, by the rules of `openai_parse.py`: honoured, refused by name, or listed as ignored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Chat, ToolMode
from adapter.dialects.gemini_config import CONFIG, GeminiConfig, parse_config
from adapter.dialects.gemini_contents import parse_contents, parse_system, parse_texts
from adapter.dialects.gemini_tools import GeminiTools, parse_tools
from adapter.dialects.gemini_values import fields, listed
from adapter.dialects.openai_embeddings import MAX_DIMENSIONS, MAX_TEXTS
from adapter.dialects.openai_request import Asked, bounded_names, parse_model
from adapter.dialects.openai_values import integer
from adapter.engines.base import Can
from adapter.errors import BadRequest

_HONOURED = frozenset({"model", "contents", "systemInstruction", "tools", "toolConfig", "generationConfig"})
_CONTINUES = frozenset({Can.CONTINUE})


@dataclass(frozen=True, slots=True)
class GeminiRequest:
    """One parsed chat. `chat.model` is the name that the client asked for, without `models/`. show_thoughts: as in `GeminiConfig`."""

    chat: Chat
    asked: Asked
    show_thoughts: bool = False


@dataclass(frozen=True, slots=True)
class GeminiEmbedding:
    """texts: one for each vector. dimensions: how many of a vector's first numbers are wanted, for each text."""

    texts: tuple[str, ...]
    asked: Asked
    dimensions: tuple[int | None, ...]


def model_name(path: str) -> str:
    """`models/a/b` and `a/b` -> `a/b`."""
    return parse_model({"model": path.removeprefix("models/")})


def parse_generate(
    body: Mapping[str, Any], *, model: str, stream: bool, max_messages: int = 4_096, hops: tuple[str, ...] = ()
) -> GeminiRequest:
    """The body of `:generateContent` and `:streamGenerateContent`. model: from the path. hops: for `Chat.hops`.

    Raises `BadRequest` naming the field.
    """
    given = fields(body, "")
    if "cachedContent" in given:
        raise BadRequest("'cachedContent' is not supported: prompts are cached by themselves here; send the whole contents.", param="cachedContent")
    contents = parse_contents(given.get("contents"), max_messages)
    system = parse_system(given.get("systemInstruction"))
    tools, config = parse_tools(given), parse_config(given.get("generationConfig"))
    chat = Chat(
        model=model_name(model),
        messages=((system, *contents.messages) if system else contents.messages),
        sampling=config.sampling,
        tools=tools.tools,
        tool_choice=tools.choice,
        output=config.output,
        reasoning=config.reasoning,
        n=config.n,
        logprobs=config.logprobs,
        hops=hops,
    )
    strange = (key for key in given if key not in _HONOURED)
    asked = Asked(
        model=chat.model,
        needs=_needs(chat, config),
        wishes=_CONTINUES if chat.continues else frozenset(),
        stream=stream,
        include_usage=True,
        ignored=bounded_names([*strange, *contents.ignored, *tools.ignored, *config.ignored]),
        hints=_hints(tools, config),
    )
    return GeminiRequest(chat, asked, config.show_thoughts)


def _needs(chat: Chat, config: GeminiConfig) -> dict[Can, str]:
    """Tools that may not be called are no need: nobody can call what the model never sees."""
    needs = {Can.CHAT: "model"}
    if any(message.images for message in chat.messages):
        needs[Can.VISION] = "contents"
    if chat.tools and chat.tool_choice.mode is not ToolMode.NONE:
        needs[Can.TOOLS] = "tools"
    if config.output is not None:
        needs[Can.OUTPUT] = config.output.param
    if chat.logprobs is not None:
        needs[Can.LOGPROBS] = f"{CONFIG}.responseLogprobs"
    if chat.n > 1:
        needs[Can.MANY] = f"{CONFIG}.candidateCount"
    return needs


def _hints(tools: GeminiTools, config: GeminiConfig) -> tuple[tuple[Can, str], ...]:
    hints: list[tuple[Can, str]] = []
    if tools.tools and tools.choice.mode is ToolMode.NONE:
        hints.append((Can.TOOLS, "tools"))
    if config.reasoning.effort is not None or config.reasoning.max_tokens is not None:
        hints.append((Can.REASONING, f"{CONFIG}.thinkingConfig"))
    return tuple(hints)


# --- counting -------------------------------------------------------------------------------------------------


def parse_count(body: Mapping[str, Any], *, model: str, max_messages: int = 4_096) -> GeminiRequest:
    """The body of `:countTokens`: contents, or under `generateContentRequest` a whole request. Raises `BadRequest`."""
    given = fields(body, "")
    whole = given.pop("generateContentRequest", None)
    if whole is None:
        return parse_generate(given, model=model, stream=False, max_messages=max_messages)
    if given.get("contents"):
        raise BadRequest("'contents' and 'generateContentRequest' say the same; send only one of them.", param="contents")
    return parse_generate(fields(whole, "generateContentRequest"), model=model, stream=False, max_messages=max_messages)


# --- vectors --------------------------------------------------------------------------------------------------


def parse_embed(body: Mapping[str, Any], *, model: str, batch: bool) -> GeminiEmbedding:
    """The body of `:embedContent` or, with `batch`, of `:batchEmbedContents`. Raises `BadRequest` naming the field."""
    entries, prefix = [body], ""
    if batch:
        given = fields(body, "")
        entries, prefix = listed(given.get("requests"), "requests"), "requests"
        if not entries:
            raise BadRequest("'requests' is missing or empty; send at least one.", param="requests")
        if len(entries) > MAX_TEXTS:
            raise BadRequest(f"'requests' has {len(entries)} entries; at most {MAX_TEXTS} are possible.", param="requests")
    texts, sizes, ignored = [], [], []
    for index, entry in enumerate(entries):
        where = f"{prefix}[{index}]" if batch else ""
        one = fields(entry, where)
        content, size = f"{where}.content" if batch else "content", f"{where}.outputDimensionality" if batch else "outputDimensionality"
        if "content" not in one:
            raise BadRequest(f"'{content}' is missing; send a content with a part of text.", param=content)
        texts.append(parse_texts(one["content"], content))
        sizes.append(integer({size: one.get("outputDimensionality")}, size, 1, MAX_DIMENSIONS))
        ignored += [key for key in one if key not in ("model", "content", "outputDimensionality")]
    asked = Asked(model_name(model), {Can.EMBEDDINGS: "model"}, ignored=bounded_names(dict.fromkeys(ignored)))
    return GeminiEmbedding(tuple(texts), asked, tuple(sizes))


def check_size(wanted: int | None, size: int) -> None:
    """Raises `BadRequest` for more numbers than the model's vectors have. size: 0 where it is not known yet."""
    if wanted is not None and 0 < size < wanted:
        raise BadRequest(f"'outputDimensionality' is {wanted}, but this model's vectors have {size}.", param="outputDimensionality")
