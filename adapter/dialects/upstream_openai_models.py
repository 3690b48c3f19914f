"""A server's list of models -> our cards. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapter.dialects.upstream_openai_kinds import Dialect, Trust
from adapter.engines.base import Can, ModelCard
from adapter.errors import UpstreamProtocol

# A list of more is no list of models that somebody could choose from.
MAX_MODELS = 10_000
_EMBEDDING_WORDS = ("embed", "bge-", "bge_", "e5-", "minilm", "nomic-bert", "gte-", "jina-clip", "arctic-embed")
# Where servers say how large the context is, the most binding first.
_CONTEXT_KEYS = (
    "loaded_context_length", "max_model_len", "context_length", "max_input_tokens", "context_window", "max_context_length",
)  # fmt: skip
_META_CONTEXT_KEYS = ("n_ctx", "n_ctx_slot", "n_ctx_train")
# The part of a context that no answer can have, since there is always a prompt.
_PROMPT_TOKENS = 256
# What llama-server says of its template, as a key of the model.
_TEMPLATE_TOOLS = "template_tools"
# Farmhands in a row, and the letters of an id; see `hops.py`.
_MAX_VIA = 8
_MAX_ID = 64


def parse_models(value: object) -> list[Mapping[str, Any]]:
    """The JSON of `GET /models` -> its model objects with an id. Raises `UpstreamProtocol` for anything else."""
    entries = value.get("data", value.get("models")) if isinstance(value, dict) else value
    if not isinstance(entries, list) or len(entries) > MAX_MODELS:
        raise UpstreamProtocol("what it answers to GET /models is not OpenAI's list of models")
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("id"), str) and entry["id"]]


def detailed(models: Sequence[Mapping[str, Any]], value: object) -> list[Mapping[str, Any]]:
    """The list with what the answer of `DETAILS` says besides: sizes that hold now, what is loaded."""
    if not isinstance(value, dict):
        return [*models]
    settings = value.get("default_generation_settings")
    if isinstance(settings, dict):  # llama-server: one model, and this is the context of one of its slots
        now = {"loaded_context_length": settings.get("n_ctx"), _TEMPLATE_TOOLS: tools_in_template(value)}
        return [{**model, **now} for model in models]
    entries = value.get("data", value.get("models"))
    more = {entry.get("id", entry.get("model")): entry for entry in entries if isinstance(entry, dict)} if isinstance(entries, list) else {}
    return [{**model, **_more(more.get(model["id"]), in_ps="data" not in value)} for model in models]


def tools_in_template(props: Mapping[str, Any]) -> bool | None:
    """Whether the chat template of llama-server's model shows tools, by its `/props`; `None` where an older build does not say.

    Without that it answers a forced tool in prose, and ends with `stop`.
    """
    if props.get("chat_template_tool_use"):  # a template of its own for tools
        return True
    caps = props.get("chat_template_caps")
    if not isinstance(caps, dict):
        return None
    if caps.get("supports_tools") is False or caps.get("supports_tool_calls") is False:
        return False
    return True if caps.get("supports_tools") is True else None


def _more(entry: Mapping[str, Any] | None, *, in_ps: bool) -> Mapping[str, Any]:
    """Ollama lists what is loaded, with the context it was loaded with."""
    if entry is None:
        return {}
    return {"loaded_context_length": entry.get("context_length"), "state": "loaded"} if in_ps else entry


def cards(
    models: Sequence[Mapping[str, Any]],
    dialect: Dialect,
    *,
    names: Mapping[str, str],
    context_tokens: int,
    vision: bool,
    instance: str = "",
    embeddings: Collection[str] = (),
    toolless: Collection[str] = (),
) -> list[ModelCard]:
    """What can be asked for. names: our name -> the server's, and then only those; also of models that the server does not list
    (some list nothing, or not all). context_tokens: where it does not say. instance: this Farmhand, whose own models are left out.
    embeddings: models that make vectors, by our name or the server's. toolless: those that have refused tools, by the server's."""
    listed = {str(model["id"]): model for model in models if not _is_ours(model, instance)}
    chosen = names or {name: name for name in listed}
    without = replace(dialect, tools=Trust.NONE, tools_by_template=False)
    return [
        _card(
            ours,
            theirs,
            listed.get(theirs, {}),
            without if theirs in toolless else dialect,
            context_tokens,
            vision=vision,
            embeds=ours in embeddings or theirs in embeddings,
        )
        for ours, theirs in chosen.items()
    ]


def context_of(model: Mapping[str, Any]) -> int | None:
    """Tokens of prompt and answer together, if the server says so."""
    meta = model.get("meta")
    numbers = [model.get(key) for key in _CONTEXT_KEYS]
    if isinstance(meta, dict):
        numbers += [meta.get(key) for key in _META_CONTEXT_KEYS]
    return next((n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 < n < 2**31), None)


def is_embedding_name(name: str) -> bool:
    """Does a model's name say that it makes vectors? No list says what a model is for, except Farmhand's and LM Studio's."""
    low = name.lower()
    return any(word in low for word in _EMBEDDING_WORDS) or low.startswith(("e5", "bge", "nomic"))


def _card(
    ours: str, theirs: str, model: Mapping[str, Any], dialect: Dialect, context_tokens: int, *, vision: bool, embeds: bool
) -> ModelCard:
    context = context_of(model) or context_tokens
    most = model.get("max_output_tokens")
    most = most if isinstance(most, int) and 0 < most <= context else context - min(_PROMPT_TOKENS, context // 2)
    told = model.get("farmhand")
    if isinstance(told, dict):
        can, checked = _told(told)
        size = told.get("embedding_size", 0)
        return ModelCard(
            ours,
            context,
            most,
            multiline=told.get("multiline") is not False,
            loaded=told.get("loaded") is True,
            can=can,
            embedding_size=size if isinstance(size, int) and 0 < size < 2**20 else 0,
            checked=checked,
            stopgap=told.get("stopgap") is True,
            via=_via(told),
        )
    if embeds or model.get("type") == "embeddings" or is_embedding_name(theirs):
        return ModelCard(ours, context, most, can=frozenset({Can.EMBEDDINGS}))
    seen = vision or model.get("type") == "vlm"
    trust = {Can.TOOLS: _tools(model, dialect), Can.OUTPUT: dialect.schema}
    able = {Can.CHAT, *dialect.can, *(can for can, how in trust.items() if how is not Trust.NONE)}
    return ModelCard(
        ours,
        context,
        most,
        loaded=model.get("state") == "loaded",
        can=frozenset(able | {Can.VISION} if seen else able),
        checked=frozenset(can for can, how in trust.items() if how is Trust.CHECKED),
    )


def _tools(model: Mapping[str, Any], dialect: Dialect) -> Trust:
    if not dialect.tools_by_template:
        return dialect.tools
    shown = model.get(_TEMPLATE_TOOLS)
    return Trust.CHECKED if shown is None else Trust.NATIVE if shown is True else Trust.NONE


def _told(told: Mapping[str, Any]) -> tuple[frozenset[Can], frozenset[Can]]:
    """What another Farmhand says of its model. Words that a newer one may know are passed over; token ids are not asked for there."""
    can = frozenset(_words(told.get("can"))) - {Can.TOKENIZE}
    return can, frozenset(_words(told.get("checked"))) & can


def _via(told: Mapping[str, Any]) -> tuple[str, ...]:
    via = told.get("via")
    return tuple(one for one in via[:_MAX_VIA] if isinstance(one, str) and len(one) <= _MAX_ID) if isinstance(via, list) else ()


def _words(value: object) -> Iterator[Can]:
    known = set(Can)
    if isinstance(value, list):
        yield from (Can(word) for word in value if isinstance(word, str) and word in known)


def _is_ours(model: Mapping[str, Any], instance: str) -> bool:
    told = model.get("farmhand")
    if not instance or not isinstance(told, dict):
        return False
    via = told.get("via")
    return told.get("instance") == instance or (isinstance(via, list) and instance in via)
