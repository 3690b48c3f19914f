"""What a server says of its models -> `Model`s. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapter.connect.target import ConnectError
from adapter.connect.truth import Model
from adapter.dialects.upstream_openai_models import context_of, is_embedding_name, parse_models
from adapter.errors import AdapterError

AUTO = "auto"
# Of a server that does not say what its models can: what most of today's chat models can.
ASSUMED = frozenset({"chat", "tools"})
NEAREST = 5
LISTED = 12


def read_models(value: object) -> tuple[Model, ...]:
    """The JSON of `GET /v1/models`; chat and embedding models only, each once, `auto` first, else in the server's order. Raises `ConnectError`.

    An id with line breaks, control characters or half a letter can stand in no file and on no terminal: it is left out.
    """
    try:
        entries = parse_models(value)
    except AdapterError as exc:
        raise ConnectError(exc.message) from None
    once: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        if str(entry["id"]).isprintable():
            once.setdefault(str(entry["id"]), entry)
    models = [model for model in map(_model, once.values()) if model.does("chat") or model.does("embeddings")]
    return tuple(sorted(models, key=lambda model: model.id != AUTO))


def is_farmhand(value: object) -> bool:
    """Is it the list of a Farmhand, which says what its models can?"""
    entries = value.get("data") if isinstance(value, dict) else None
    return isinstance(entries, list) and any(isinstance(entry, dict) and isinstance(entry.get("farmhand"), dict) for entry in entries)


def with_details(models: Sequence[Model], value: object) -> tuple[Model, ...]:
    """The models with what LiteLLM's `/v1/model/info` says of them; of several deployments of one name the smallest sizes."""
    infos: dict[str, list[Mapping[str, Any]]] = {}
    entries = value.get("data") if isinstance(value, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("model_info"), dict):
            infos.setdefault(str(entry.get("model_name")), []).append(entry["model_info"])
    return tuple(_detailed(model, infos.get(model.id, ())) for model in models)


def _detailed(model: Model, infos: Iterable[Mapping[str, Any]]) -> Model:
    infos = [*infos]
    if any(info.get("mode") == "embedding" for info in infos):
        model = replace(model, can=frozenset({"embeddings"}))
    context = [size for info in infos for size in (_whole(info.get("max_input_tokens")) or _whole(info.get("max_tokens")),) if size]
    answer = [size for info in infos if (size := _whole(info.get("max_output_tokens")))]
    return replace(
        model,
        context_tokens=min(context, default=model.context_tokens),
        max_output_tokens=min(answer, default=model.max_output_tokens),
    )


def _model(entry: Mapping[str, Any]) -> Model:
    name, told = str(entry["id"]), entry.get("farmhand")
    told = told if isinstance(told, dict) else None
    if told is not None:
        can = _words(told.get("can"))
    else:
        can = frozenset({"embeddings"}) if is_embedding_name(name) else ASSUMED
    told = told or {}
    return Model(
        id=name,
        engine=str(told.get("engine") or entry.get("owned_by") or ""),
        context_tokens=context_of(entry) or 0,
        max_output_tokens=_whole(entry.get("max_output_tokens")),
        can=can,
        emulated=_words(told.get("emulated")),
        embedding_size=_whole(told.get("embedding_size")),
        multiline=told.get("multiline") is not False,
    )


def _words(value: object) -> frozenset[str]:
    return frozenset(word for word in value if isinstance(word, str)) if isinstance(value, list) else frozenset()


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else 0


def chosen(models: Sequence[Model], name: str | None) -> Model:
    """The model to use by default: the named one, else `auto`, else the first that chats. Raises `ConnectError` with the nearest names."""
    chats = [model for model in models if model.does("chat")]
    if not chats:
        raise ConnectError("the server has no model that can chat; see what is wrong with: farmhand status")
    if name is None:
        return chats[0]
    found = next((model for model in models if model.id == name), None)
    if found is None:
        raise ConnectError(f"--model: the server has no {name[:80]!r}; {_near(name, [model.id for model in chats])}")
    if not found.does("chat"):
        raise ConnectError(f"--model: {name!r} cannot chat; {_near(name, [model.id for model in chats])}")
    return found


def _near(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, NEAREST, 0.5) or [one for one in names if name.lower() in one.lower()][:NEAREST]
    if near:
        return f"near it {'is' if len(near) == 1 else 'are'} {', '.join(near)}"
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"it has {', '.join(names[:LISTED])}{more}"


def advice(model: Model, models: Sequence[Model]) -> list[str]:
    """Sentences about the choice that the person did not make."""
    chats = [one for one in models if one.does("chat")]
    largest = max(chats, key=lambda one: one.context_tokens, default=model)
    if model.id == AUTO and model.context_tokens < largest.context_tokens:
        promised = f"'auto' promises {model.context_tokens:,} tokens of context, the least of the models that may answer."
        return [f"{promised} With --model {largest.id} it is {largest.context_tokens:,}."]
    return []
