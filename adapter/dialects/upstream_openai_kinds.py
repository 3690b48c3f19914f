"""Servers that speak OpenAI's language, and what each kind of them honours. Pure.

Who a server is shows in its list of models (`owned_by`, keys of its own), in the `Server` header, or in an address that only it has; no
answer is generated to find out. What each of them does was read in its documentation and source:

    farmhand       our own; each model says what it can do under `farmhand.can`
    llama-server   llama.cpp tools/server: grammars for tools (where the template has them) and schemas, goes on with a last assistant message
    vllm, sglang   schemas by grammar; tools by a parser that has to be switched on, unconstrained with "auto"
    ollama         no `n`, no `max_completion_tokens`, `tool_choice` not obeyed; schemas by a grammar that leaves words out
    lmstudio       schemas by grammar, tools by a parser; no `n`, no logprobs in chats
    mlx            mlx_lm.server: tools by a parser, no schemas
    llama-cpp-py   python -m llama_cpp.server: schemas only as `json_object` with a schema; no usage in streams; a failure in a stream is silence
    openvino       OpenVINO model server: schemas by grammar, tools by a parser
    afm            Apple's model: no tools, no schemas that it keeps to
    openai         api.openai.com: limits only as `max_completion_tokens`, vendor fields are refused
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from adapter.engines.base import Can


class Kind(StrEnum):
    """What a server is."""

    FARMHAND = "farmhand"
    LLAMA_SERVER = "llama-server"
    VLLM = "vllm"
    SGLANG = "sglang"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"
    MLX = "mlx"
    LLAMA_CPP_PYTHON = "llama-cpp-python"
    OPENVINO = "openvino"
    AFM = "afm"
    OPENAI = "openai"
    UNKNOWN = "unknown"


class Trust(StrEnum):
    """How far a server can be trusted with tools or with the form of an answer."""

    NATIVE = "native"
    CHECKED = "checked"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server wants to be spoken to.

    tools, schema: see `Trust`. tools_by_template: with tools it is as the model's template says (`upstream_openai_models.py`). can: what else its chat models can do. limit_field: what it calls `max_tokens`. any_limit: it knows both
    names. usage: it sends usage in streams when asked. fields: what it knows beyond OpenAI's own fields. repeat_field: what it calls the repeat
    penalty, "" for not at all. developer: it knows that role. named_schema: it takes `json_schema` (else `json_object` with a schema).
    prefill_fields: what makes it go on with a last assistant message, where it must be told to. max_stops: how many stop strings
    it takes; the others are seen to here.
    """

    tools: Trust = Trust.CHECKED
    schema: Trust = Trust.CHECKED
    tools_by_template: bool = False
    can: frozenset[Can] = frozenset({Can.COMPLETIONS})
    limit_field: str = "max_tokens"
    any_limit: bool = False
    usage: bool = True
    fields: frozenset[str] = frozenset()
    repeat_field: str = ""
    developer: bool = False
    named_schema: bool = True
    prefill_fields: Mapping[str, Any] = field(default_factory=dict)
    max_stops: int = 16


_SAMPLERS = frozenset({"top_k", "min_p"})
_TEMPLATE = frozenset({"chat_template_kwargs"})
_MANY = frozenset({Can.MANY, Can.LOGPROBS, Can.LOGIT_BIAS, Can.COMPLETIONS})

DIALECTS: Mapping[Kind, Dialect] = {
    # `can` and `checked` come with each of its models.
    Kind.FARMHAND: Dialect(
        tools=Trust.NATIVE, schema=Trust.NATIVE, can=frozenset(), any_limit=True, developer=True,
        repeat_field="repeat_penalty",
        fields=_SAMPLERS | _TEMPLATE | {"repeat_penalty", "regex", "grammar", "json_schema", "max_reasoning_tokens", "session_id", "reasoning"},
    ),
    Kind.LLAMA_SERVER: Dialect(
        tools=Trust.NATIVE, schema=Trust.NATIVE, tools_by_template=True, any_limit=True, repeat_field="repeat_penalty", developer=True,
        can=frozenset({Can.LOGPROBS, Can.LOGIT_BIAS, Can.COMPLETIONS, Can.CONTINUE, Can.GRAMMAR}),
        fields=_SAMPLERS | _TEMPLATE | {"repeat_penalty", "grammar", "json_schema", "thinking_budget_tokens"},
    ),
    Kind.VLLM: Dialect(
        tools=Trust.CHECKED, schema=Trust.NATIVE, any_limit=True, repeat_field="repetition_penalty", developer=True,
        can=_MANY | {Can.CONTINUE},
        fields=_SAMPLERS | _TEMPLATE | {"repetition_penalty", "structured_outputs"},
        prefill_fields={"continue_final_message": True, "add_generation_prompt": False},
    ),
    Kind.SGLANG: Dialect(
        tools=Trust.CHECKED, schema=Trust.NATIVE, any_limit=True, repeat_field="repetition_penalty",
        can=_MANY, fields=_SAMPLERS | _TEMPLATE | {"repetition_penalty"},
    ),
    Kind.OLLAMA: Dialect(tools=Trust.CHECKED, schema=Trust.CHECKED),
    Kind.LMSTUDIO: Dialect(
        tools=Trust.CHECKED, schema=Trust.NATIVE, repeat_field="repeat_penalty",
        can=frozenset({Can.LOGIT_BIAS, Can.COMPLETIONS}), fields=frozenset({"top_k", "repeat_penalty"}),
    ),
    Kind.MLX: Dialect(
        tools=Trust.CHECKED, schema=Trust.NONE, any_limit=True, repeat_field="repetition_penalty",
        can=frozenset({Can.LOGPROBS, Can.LOGIT_BIAS, Can.COMPLETIONS}),
        fields=_SAMPLERS | _TEMPLATE | {"repetition_penalty"},
    ),
    Kind.LLAMA_CPP_PYTHON: Dialect(
        tools=Trust.NONE, schema=Trust.CHECKED, usage=False, named_schema=False, repeat_field="repeat_penalty",
        # It has grammars, but one that does not parse kills it.
        can=frozenset({Can.LOGPROBS, Can.LOGIT_BIAS, Can.COMPLETIONS}), fields=_SAMPLERS | {"repeat_penalty"},
    ),
    Kind.OPENVINO: Dialect(
        tools=Trust.CHECKED, schema=Trust.NATIVE, any_limit=True, repeat_field="repetition_penalty",
        fields=frozenset({"top_k", "repetition_penalty"}) | _TEMPLATE,
    ),
    Kind.AFM: Dialect(tools=Trust.NONE, schema=Trust.CHECKED, can=frozenset()),
    Kind.OPENAI: Dialect(
        tools=Trust.NATIVE, schema=Trust.NATIVE, limit_field="max_completion_tokens", developer=True, max_stops=4,
        can=frozenset({Can.MANY, Can.LOGPROBS, Can.LOGIT_BIAS}),
    ),
    # Nearly all servers pass over fields that they do not know.
    Kind.UNKNOWN: Dialect(repeat_field="repeat_penalty", fields=_SAMPLERS | _TEMPLATE | {"repeat_penalty"}),
}  # fmt: skip

# `owned_by` in the list of models. OpenAI's own word is used by too many others.
_OWNERS = {
    "llamacpp": Kind.LLAMA_SERVER,
    "vllm": Kind.VLLM,
    "sglang": Kind.SGLANG,
    "library": Kind.OLLAMA,
    "organization_owner": Kind.LMSTUDIO,
    "me": Kind.LLAMA_CPP_PYTHON,
    "ovms": Kind.OPENVINO,
    "apple": Kind.AFM,
}
_SERVERS = {"llama.cpp": Kind.LLAMA_SERVER}


def kind_of_url(host: str) -> Kind | None:
    return Kind.OPENAI if host == "api.openai.com" else None


def kind_of_listing(models: list[Mapping[str, Any]], server: str) -> Kind | None:
    """Who a server is, by its list of models and its `Server` header; `None` if they do not tell."""
    if any(isinstance(model.get("farmhand"), dict) for model in models):
        return Kind.FARMHAND
    if server in _SERVERS:
        return _SERVERS[server]
    for model in models:
        owner = model.get("owned_by")
        if isinstance(owner, str) and owner.lower() in _OWNERS:
            return _OWNERS[owner.lower()]
    if models and server.startswith("BaseHTTP/") and all("owned_by" not in model for model in models):
        return Kind.MLX  # Python's own server, and objects of three keys
    return None


# Where a kind says more of its models than in its list.
DETAILS: Mapping[Kind, str] = {
    Kind.LLAMA_SERVER: "/props",
    Kind.OLLAMA: "/api/ps",
    Kind.LMSTUDIO: "/api/v0/models",
}

# What is asked where the list does not tell, all at once, below the server's root; and whether the JSON of a 200 shows the kind.
PROBES: Mapping[Kind, str] = {
    Kind.LLAMA_SERVER: "/props",
    Kind.OLLAMA: "/api/version",
    Kind.LMSTUDIO: "/api/v0/models",
    Kind.VLLM: "/version",
}


def kind_of_probes(answers: Mapping[Kind, object]) -> Kind:
    """answers: the JSON of every probe that was answered with 200. The most telling one counts."""
    for kind in PROBES:
        value = answers.get(kind)
        if isinstance(value, dict) and _shows(kind, value):
            return kind
    return Kind.UNKNOWN


def _shows(kind: Kind, value: Mapping[str, Any]) -> bool:
    match kind:
        case Kind.LLAMA_SERVER:
            return "default_generation_settings" in value or "chat_template" in value
        case Kind.LMSTUDIO:
            return isinstance(value.get("data"), list)
        case _:
            return isinstance(value.get("version"), str)


def dialect_of(
    kind: Kind, *, tools: str = "auto", schema: str = "auto", usage: str = "auto", limit_field: str = "auto"
) -> Dialect:
    """The table's entry, with what the configuration says in place of it (`OpenaiSettings`)."""
    dialect = DIALECTS[kind]
    if tools != "auto":
        dialect = replace(dialect, tools=Trust(tools), tools_by_template=False)
    if schema != "auto":
        dialect = replace(dialect, schema=Trust(schema))
    if usage != "auto":
        dialect = replace(dialect, usage=usage == "yes")
    if limit_field != "auto":
        dialect = replace(dialect, limit_field=limit_field, any_limit=False)
    return dialect


_WANTS_JSON_OBJECT = "should be 'text' or 'json_object'"
_NO_TOOLS = re.compile(
    r"does not support (?:tools|functions)|requires? --jinja|enable-auto-tool-choice|tools? (?:is|are) not supported|tool-call-parser", re.IGNORECASE
)
_NEEDS_NEW_NAME = re.compile(r"max_tokens.{0,200}max_completion_tokens", re.DOTALL)


def learned(dialect: Dialect, refusal: str) -> Dialect | None:
    """What a refusal (its text) tells about a server whose kind is not known well; `None` if nothing new."""
    if dialect.limit_field == "max_tokens" and _NEEDS_NEW_NAME.search(refusal):
        return replace(dialect, limit_field="max_completion_tokens", any_limit=False)
    if dialect.usage and "stream_options" in refusal:
        return replace(dialect, usage=False)
    if dialect.named_schema and _WANTS_JSON_OBJECT in refusal:
        return replace(dialect, named_schema=False)
    return None


def refuses_tools(refusal: str) -> bool:
    """Is it tools as such that are refused: for want of a template, a parser, a flag?"""
    return _NO_TOOLS.search(refusal) is not None
