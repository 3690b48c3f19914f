"""`/tokenize` and `/detokenize` in llama-server's and in vLLM's shape; the answer has the keys of both. Pure.

    llama-server   {"content", "add_special", "parse_special", "with_pieces"} -> {"tokens"}      {"tokens"} -> {"content"}
    vLLM           {"model", "prompt" | "messages", "add_special_tokens", "return_token_strs"}
                   -> {"tokens", "count", "max_model_len", "token_strs"}                         {"tokens"} -> {"prompt"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import Message, Tokens
from adapter.dialects.openai_messages import parse_messages
from adapter.dialects.openai_render import Json
from adapter.dialects.openai_request import Asked, given_fields, parse_model
from adapter.dialects.openai_values import boolean, one_of, token_id, whole_text, wrong_type
from adapter.engines.base import Can
from adapter.errors import BadRequest

_NEEDS = {Can.TOKENIZE: "model"}


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """text: or messages, through the chat template. specials: add BOS and EOS. with_pieces: show each token's text."""

    text: str | tuple[Message, ...]
    asked: Asked
    specials: bool
    parse_specials: bool
    with_pieces: bool
    token_strs: bool


def parse_tokenize(body: Mapping[str, Any], *, max_messages: int = 4_096) -> TokenizeRequest:
    """Raises `BadRequest` naming the field."""
    given = given_fields(body)
    field = one_of(given, ("content", "prompt", "messages"))
    if field is None:
        raise BadRequest("'content' is missing; send a string in 'content' or 'prompt', or 'messages'.", param="content")
    switch = one_of(given, ("add_special", "add_special_tokens"))
    # vLLM adds them to a prompt by default, llama-server adds none; a template writes its own.
    specials = boolean(given, switch, default=False) if switch else field == "prompt"
    return TokenizeRequest(
        text=parse_messages(given, max_messages) if field == "messages" else _text(given[field], field),
        asked=Asked(parse_model(given), _NEEDS),
        specials=specials,
        parse_specials=boolean(given, "parse_special", default=True),
        with_pieces=boolean(given, "with_pieces", default=False),
        token_strs=boolean(given, "return_token_strs", default=False),
    )


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(field, "a string", value)
    return whole_text(value)


def render_tokens(asked: TokenizeRequest, tokens: Tokens, *, model: str, context_tokens: int) -> Json:
    body: Json = {"tokens": list(tokens.ids)}
    if asked.with_pieces:
        pairs = zip(tokens.ids, tokens.pieces, strict=True)
        body["tokens"] = [{"id": token, "piece": _piece(piece)} for token, piece in pairs]
    body |= {"count": len(tokens.ids), "max_model_len": context_tokens, "model": model}
    if asked.token_strs:
        body["token_strs"] = [piece.decode("utf-8", "replace") for piece in tokens.pieces]
    return body


def _piece(piece: bytes) -> str | list[int]:
    """As llama-server: text, or the bytes of what is only a part of a character."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)


def parse_detokenize(body: Mapping[str, Any]) -> tuple[Asked, tuple[int, ...]]:
    """The model's name with its needs, and the ids. Raises `BadRequest` naming the field."""
    given = given_fields(body)
    value = given.get("tokens")
    if not isinstance(value, list):
        raise wrong_type("tokens", "an array of token ids", value)
    ids = tuple(token_id(entry, f"tokens[{index}]") for index, entry in enumerate(value))
    return Asked(parse_model(given), _NEEDS), ids


def render_text(text: str, *, model: str) -> Json:
    return {"content": text, "prompt": text, "model": model}
