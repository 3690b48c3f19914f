"""What can be set of each kind of engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError, field_validator
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
# A secret, or where it stands: `os.environ/NAME` or `file:PATH`. See `adapter/secrets.py`.
Secret = Annotated[str, Field(min_length=1, max_length=4_096)]


class Section(BaseModel):
    """Deferred: pydantic builds a validator when the first value is checked, so that kinds of engines nobody has cost no memory."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class EngineBase(Section):
    """What every engine has. `queue`: how many requests may wait for a seat; one key may have three quarters of them.

    vocabulary: a GGUF, by path or by its name among the fetched models, with which tokens are counted where the engine does not say;
    without it one of the same name as the model, where there is one.
    """

    name: Name
    queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    default_max_tokens: Annotated[int, Field(ge=1)] = 1_024
    vocabulary: Annotated[str, Field(min_length=1)] | None = None


def _app_url(value: str | None) -> str | None:
    """An app on a phone: plain HTTP, no path."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("must look like http://127.0.0.1:8889 (the app speaks plain HTTP only)")
    if parts.path not in ("", "/") or parts.query or parts.username:
        raise ValueError("must be scheme, host and port only, without a path")
    return value.rstrip("/")


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError("must look like http://127.0.0.1:11434/v1")
    return value.rstrip("/")


class InferrlmSettings(EngineBase):
    """The InferrLM app.

    first_token_s: silence allowed until the first token; load and prefill happen in it without a byte.
    between_tokens_s: silence allowed after it. context_tokens: the app's window where its owner
    changed it; otherwise known by build (`protocols/inferrlm.md` 6). LiteRT models are loaded with this size. cancel: whether an unfinished
    answer on builds that cannot cancel (A, B) is left to run (`drain`), or ended by unloading the model (`unload`). line_marks: ask models whose
    answers end at the first line break (13.1) for a visible mark in its place, and turn it back into a line break.
    """

    kind: Literal["inferrlm"]
    line_marks: bool = False
    url: str = "http://127.0.0.1:8889"
    connect_s: Seconds = 2.0
    first_token_s: Seconds = 300.0
    between_tokens_s: Seconds = 60.0
    context_tokens: Annotated[int, Field(ge=128)] | None = None
    cancel: Literal["drain", "unload"] = "drain"

    _url = field_validator("url")(_app_url)


class LocalllmSettings(EngineBase):
    """The LocalLLM app (`protocols/localllm.md`).

    url: where it listens; without it 8099 and 8080 on this machine are tried. key: the secret of its settings, as text, or as
    `os.environ/NAME` or `file:PATH`. request_s: its own time limit for an answer (7.7). load_s: how long loading a model may take.
    between_tokens_s: silence allowed in a stream. context_tokens: of LiteRT bundles, which nothing on the wire tells (10). stream: whether the
    app's streams are used: `auto` tries out at the first request whether they lose text (8.4). sessions: derive a `session_id` from the longest known
    beginning of a conversation; right only where nobody else uses the app (7.5). warm: load the model when the app is found.
    """

    kind: Literal["localllm"]
    url: str | None = None
    key: Secret | None = None
    connect_s: Seconds = 2.0
    request_s: Seconds = 120.0
    load_s: Seconds = 120.0
    between_tokens_s: Seconds = 60.0
    context_tokens: Annotated[int, Field(ge=128)] = 4_096
    stream: Literal["auto", "never", "always"] = "auto"
    sessions: bool = False
    warm: bool = True

    _url = field_validator("url")(_app_url)


class OpenaiSettings(EngineBase):
    """Any server that speaks OpenAI's language.

    url: its base, usually ending in `/v1`. key: as text, or as `os.environ/NAME` or `file:PATH`. models: our name -> its name, for what may be asked for; empty means
    everything that it lists, under its own names. capacity: answers at a time; what is beyond waits here. tools, schema: `native` is believed, `checked` is checked
    and asked for again, `none` is emulated here, `auto` finds out by one small request. usage: whether it sends usage in streams when asked.
    max_tokens_field: how it calls the limit. context_tokens: where its list of models does not say. embeddings: models that make vectors, where no name says so. headers: sent with every request.
    """

    kind: Literal["openai"]
    url: str
    key: Secret | None = None
    models: dict[str, str] = {}
    capacity: Annotated[int, Field(ge=1, le=1_024)] = 4
    context_tokens: Annotated[int, Field(ge=128)] = 8_192
    tools: Literal["auto", "native", "checked", "none"] = "auto"
    schema_: Annotated[Literal["auto", "native", "checked", "none"], Field(alias="schema")] = "auto"
    usage: Literal["auto", "yes", "no"] = "auto"
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    vision: bool = False
    embeddings: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    connect_s: Seconds = 5.0
    first_token_s: Seconds = 300.0
    between_tokens_s: Seconds = 60.0
    headers: dict[str, str] = {}

    _url = field_validator("url")(_base_url)


class LlamaSettings(EngineBase):
    """The embedded llama.cpp engine in a worker process of its own.

    model: `demo`, a path to a GGUF, or the bare name of one in `<home>/models`. slots: answers at a time.
    ctx_tokens: context of one slot. batch_tokens: tokens in one decode call. threads: `None` means one for each big
    or middle core; where all cores are alike, one less than there are, at most four.
    idle_unload_s: the worker ends after so long without a request; 0 means never. kv_type: how the KV cache is stored; q8_0 halves its
    memory. kv_store_mib: prefixes kept on disk, so that a restart need not compute them again; 0 is off. kv_save_tokens: shorter ones
    are not worth a file. pin: JSON files of requests (`messages`, perhaps `tools`) whose prompts are computed at the start and never dropped.
    memory_reserve_mib: memory that a load must leave to the rest of the phone. draft_tokens: guess so many tokens ahead from what
    the text repeats; 0 is off.
    """

    kind: Literal["llama"]
    model: Annotated[str, Field(min_length=1)] = "demo"
    slots: Annotated[int, Field(ge=1, le=64)] = 4
    ctx_tokens: Annotated[int, Field(ge=128)] = 4_096
    batch_tokens: Annotated[int, Field(ge=8, le=8_192)] = 256
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    preload: bool = False
    idle_unload_s: Annotated[float, Field(ge=0)] = 600.0
    kv_type: Literal["f16", "q8_0"] = "f16"
    kv_store_mib: Annotated[int, Field(ge=0, le=1 << 20)] = 1_024
    kv_save_tokens: Annotated[int, Field(ge=16)] = 512
    pin: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    memory_reserve_mib: Annotated[int, Field(ge=0, le=1 << 20)] = 256
    draft_tokens: Annotated[int, Field(ge=0, le=64)] = 0
    start_s: Seconds = 120.0
    first_token_s: Seconds = 600.0
    between_tokens_s: Seconds = 60.0


class EchoSettings(EngineBase):
    """An engine without a model that answers from the prompt: for tests and first runs."""

    kind: Literal["echo"]
    token_delay_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    ctx_tokens: Annotated[int, Field(ge=128)] = 4_096


KINDS: Mapping[str, type[EngineBase]] = {
    "inferrlm": InferrlmSettings,
    "localllm": LocalllmSettings,
    "openai": OpenaiSettings,
    "llama": LlamaSettings,
    "echo": EchoSettings,
}


def _of_its_kind(value: Any) -> EngineBase:
    """The entry, checked by the model of its `kind`. Errors are placed as pydantic's own unions place them: with the kind before the key."""
    if isinstance(value, EngineBase):
        return value
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"'kind' must be one of {', '.join(KINDS)}")
    try:
        return KINDS[kind].model_validate(value)
    except ValidationError as exc:
        placed = [_placed(kind, dict(error)) for error in exc.errors(include_url=False)]
        raise ValidationError.from_exception_data(kind, placed) from None


def _placed(kind: str, error: dict[str, Any]) -> InitErrorDetails:
    return InitErrorDetails(type=error["type"], loc=(kind, *error["loc"]), input=error["input"], ctx=error.get("ctx", {}))


class _ByKind:
    """Tells pydantic to ask `_of_its_kind`. Its own union with a discriminator would build the models of all kinds."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_of_its_kind)


EngineSettings = Annotated[
    InferrlmSettings | LocalllmSettings | OpenaiSettings | LlamaSettings | EchoSettings, _ByKind()
]

DEFAULT_ENGINES: tuple[dict[str, Any], ...] = (
    {"name": "inferrlm", "kind": "inferrlm"},
    {"name": "localllm", "kind": "localllm"},
    {"name": "demo", "kind": "llama", "model": "demo"},
)
