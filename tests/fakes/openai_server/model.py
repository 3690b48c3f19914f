"""What the fake answers: deterministic, so that a gap or a repeat is visible. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from itertools import count as counting
from typing import Any

MAX_DEPTH = 12


@dataclass(frozen=True)
class Call:
    """A tool call. arguments: JSON text as the model wrote it; pieces: how a stream cuts it (one piece of 8 characters at a time without)."""

    name: str
    arguments: str = "{}"
    id: str = ""
    pieces: Sequence[str] = ()

    @property
    def cut(self) -> list[str]:
        return list(self.pieces) or [self.arguments[at : at + 8] for at in range(0, len(self.arguments), 8)]


@dataclass(frozen=True)
class Reply:
    """One answer. pieces: its text as a stream cuts it. usage: prompt and completion tokens; `None`: counted, a word or piece each."""

    pieces: Sequence[str]
    calls: Sequence[Call] = ()
    reasoning: Sequence[str] = ()
    finish: str = "stop"
    usage: tuple[int, int] | None = None
    endless: bool = field(default=False)
    """After the pieces it counts on for ever."""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def all_pieces(self) -> Iterator[str]:
        if not self.endless:
            return iter(self.pieces)
        return chain(self.pieces, (f" w{n}" for n in counting(len(self.pieces))))


def count(words: int, *, unicode: bool = False) -> str:
    """What the fake says by itself: "w0 w1 ... "; with a character of four bytes after each where those are to be cut."""
    return " ".join(f"w{n}🙂" if unicode else f"w{n}" for n in range(words))


def prompt_words(body: Mapping[str, Any]) -> int:
    """How long the prompt is: a word is a token."""
    if "messages" not in body:
        prompt = body.get("prompt", "")
        return len(str(prompt).split())
    return sum(len(_text_of(message).split()) for message in body["messages"])


def default_reply(body: Mapping[str, Any], *, words: int, continues: bool, quirks: frozenset[str]) -> Reply:
    """What the model says to this request: a call, a form, or counted words."""
    tool = None if "no_tools" in quirks else _tool_to_call(body)
    if tool is not None:
        return _call(tool, quirks)
    form = _form(body, quirks)
    if form is not None:
        return Reply(_cut(json.dumps(form)))
    whole = count(words, unicode="split_utf8" in quirks)
    started = _partial_answer(body) if continues else ""
    if not whole.startswith(started):
        started = ""
    return Reply(_cut(whole[len(started) :]), reasoning=("think", "ing") if "think_in_text" in quirks else ())


def limited(reply: Reply, body: Mapping[str, Any], quirks: frozenset[str]) -> Reply:
    """Keeps to `max_tokens` (a piece is a token) and to stop strings, as far as the fake does."""
    limit = _max_tokens(body, quirks)
    if limit is not None and not reply.calls:
        taken = _first(reply.all_pieces(), limit + 1)
        if len(taken) > limit:
            reply = replace(reply, pieces=taken[:limit], finish="length", endless=False)
    return reply if "ignores_stop" in quirks else _stopped(reply, body.get("stop"))


def usage_of(reply: Reply, body: Mapping[str, Any], sent: int) -> tuple[int, int]:
    """Tokens of the prompt and of the answer. sent: pieces so far."""
    return reply.usage or (max(1, prompt_words(body)), sent)


def instance(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, depth: int = 0) -> Any:
    """A small value that the schema allows, as long as it uses nothing unusual."""
    root = root or schema
    if depth > MAX_DEPTH:
        return None
    if "$ref" in schema:
        return instance(_resolve(root, str(schema["$ref"])), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for word in ("enum", "anyOf", "oneOf", "allOf"):
        if schema.get(word):
            first = schema[word][0]
            return first if word == "enum" else instance(first, root, depth + 1)
    return _of_type(schema, root, depth)


def _of_type(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            properties = schema.get("properties", {})
            return {key: instance(value, root, depth + 1) for key, value in properties.items()}
        case "array":
            item = schema.get("items", {"type": "string"})
            return [instance(item, root, depth + 1) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return "w0".ljust(schema.get("minLength", 0), "x")


def _resolve(root: Mapping[str, Any], ref: str) -> Mapping[str, Any]:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        found = found[part] if part else found
    assert isinstance(found, Mapping)
    return found


def _tool_to_call(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The forced tool, or the one whose name the last message (a user's) has in it."""
    tools: list[dict[str, Any]] = [tool["function"] for tool in body.get("tools") or () if tool.get("type", "function") == "function"]
    choice = body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return None
    if isinstance(choice, Mapping):
        wanted = choice.get("function", {}).get("name")
        return next((tool for tool in tools if tool["name"] == wanted), None)
    last = body["messages"][-1]
    if choice == "required":
        return next((tool for tool in tools if tool["name"] in _text_of(last)), tools[0])
    return next((t for t in tools if last["role"] == "user" and t["name"] in _text_of(last)), None)


def _call(tool: Mapping[str, Any], quirks: frozenset[str]) -> Reply:
    arguments = json.dumps(instance(tool.get("parameters") or {"type": "object"}))
    if "ignores_tools" in quirks:
        return Reply(_cut(f'{{"name": "{tool["name"]}", "arguments": {arguments}}}'))
    if "empty_arguments" in quirks:
        arguments = ""
    elif "bad_arguments" in quirks:
        arguments = arguments[:-1].rstrip('"') + ' "'
    return Reply((), calls=(Call(tool["name"], arguments),), finish="tool_calls")


def _form(body: Mapping[str, Any], quirks: frozenset[str]) -> Any:
    asked = body.get("response_format") or {}
    if "ignores_schema" in quirks:
        return None
    match asked.get("type"):
        case "json_object":
            return {"answer": "w0"}
        case "json_schema":
            return instance(asked["json_schema"].get("schema") or {"type": "object"})
        case _:
            return None


def _partial_answer(body: Mapping[str, Any]) -> str:
    messages = body.get("messages") or [{"role": "none"}]
    return _text_of(messages[-1]) if messages[-1]["role"] == "assistant" else ""


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def _max_tokens(body: Mapping[str, Any], quirks: frozenset[str]) -> int | None:
    if {"ignores_max_tokens", "keeps_going"} & quirks:
        return None
    newer = None if "max_tokens_only" in quirks else body.get("max_completion_tokens")
    limit = body.get("max_tokens") if newer is None else newer
    return None if limit is None or limit < 0 else int(limit)


def _stopped(reply: Reply, stop: str | Sequence[str] | None) -> Reply:
    stops = [stop] if isinstance(stop, str) else list(stop or ())
    if not stops or reply.endless:
        return reply
    text = reply.text
    found = [at for word in stops if (at := text.find(word)) >= 0]
    if not found:
        return reply
    return replace(reply, pieces=_cut_like(reply.pieces, min(found)), finish="stop")


def _cut_like(pieces: Sequence[str], length: int) -> list[str]:
    """The same pieces, the last one shortened, as far as `length` characters reach."""
    kept: list[str] = []
    for piece in pieces:
        if length <= 0:
            break
        kept.append(piece[:length])
        length -= len(piece)
    return kept


def _cut(text: str) -> list[str]:
    """In front of every space, as tokenizers do."""
    return re.findall(r" ?[^ ]+| +", text)


def _first(pieces: Iterator[str], number: int) -> list[str]:
    taken: list[str] = []
    for piece in pieces:
        if len(taken) == number:
            break
        taken.append(piece)
    return taken
