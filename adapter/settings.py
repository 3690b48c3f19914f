"""What can be set, and within which bounds: frozen, passed down, made by `configuration.load`. Pure."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from adapter.access.rate import parse_rate
from adapter.access.scopes import USUAL, Scope
from adapter.caller import OnDeadline, Urgency
from adapter.settings_engines import (
    DEFAULT_ENGINES,
    EchoSettings,
    EngineSettings,
    InferrlmSettings,
    LlamaSettings,
    LocalllmSettings,
    Name,
    OpenaiSettings,
    Seconds,
    Section,
)

__all__ = [
    "DEFAULT_ENGINES",
    "AuthSettings",
    "EchoSettings",
    "EngineSettings",
    "InferrlmSettings",
    "KeySettings",
    "LlamaSettings",
    "LocalllmSettings",
    "LogSettings",
    "ModelSettings",
    "OpenaiSettings",
    "ResponsesSettings",
    "RetryPolicy",
    "RouterSettings",
    "SearchSettings",
    "Section",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "is_loopback",
    "local_url",
]

ApiKey = Annotated[str, Field(min_length=8, max_length=512, pattern=r"^[!-~]+$")]
Retries = Annotated[int, Field(ge=0, le=10)]


class ServerSettings(Section):
    """`[server]`. Times in seconds, sizes in bytes."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8888
    status_hold_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    keepalive_s: Seconds = 5.0
    plain_hold_s: Seconds = 120.0
    write_stall_s: Seconds = 60.0
    body_s: Seconds = 60.0
    drain_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    # OpenClaw's largest recorded turn is 129 kB (`protocols/clients.md` 8.4); 8 MiB leaves room for 60 of them.
    max_body_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 8 << 20
    max_nesting: Annotated[int, Field(ge=4, le=500)] = 64
    max_messages: Annotated[int, Field(ge=1)] = 4_096
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

    @field_validator("host")
    @classmethod
    def _without_brackets(cls, value: str) -> str:
        return value.removeprefix("[").removesuffix("]")

    @field_validator("allowed_hosts")
    @classmethod
    def _names_only(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not name or set(name) & set(":/@*"):
                raise ValueError(f"{name!r} must be a host name only, without port, scheme or '*'")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_as_browsers_send_them(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            parts = urlsplit(origin)
            if not parts.scheme or not parts.netloc or origin != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{origin!r} must look like http://localhost:3000, without a path or a final '/'")
        return value


class AuthSettings(Section):
    """`[auth]`. Besides `keys`, which may chat and embed, the key generated in the state folder is always valid, for everything."""

    required: bool = True
    keys: tuple[ApiKey, ...] = ()


class KeySettings(Section):
    """`[[key]]`: a bearer key with a name and manners of its own.

    scope: what it may do. rate: how many requests in how much time: `60/min`, with /s, /min, /h or /day; `None`: any.
    class: `background` requests wait until no `interactive` one does. deadline_s: how long its program waits for a whole answer; what cannot
    be had in that time is refused early. on_deadline: what becomes of an answer that takes longer: an error (`refuse`), or what there is of it by
    then, with `finish_reason` "length" (`partial`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, validate_by_alias=True)

    name: Name
    key: ApiKey
    scope: Annotated[tuple[Scope, ...], Field(min_length=1)] = USUAL
    rate: str | None = None
    urgency: Annotated[Urgency | None, Field(alias="class")] = None
    deadline_s: Seconds | None = None
    on_deadline: OnDeadline = OnDeadline.REFUSE

    @field_validator("rate")
    @classmethod
    def _a_rate(cls, value: str | None) -> str | None:
        if value is not None:
            parse_rate(value)
        return value


class ModelSettings(Section):
    """`[[model]]`: a name that clients may ask for and the `engine/model` targets behind it, best first."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    route: Annotated[tuple[str, ...], Field(min_length=1)]


class RetryPolicy(Section):
    """`[router.retry_policy]`: how often a failed request is tried again on the same targets, by the error's class. LiteLLM's words."""

    BadRequestErrorRetries: Retries = 0
    AuthenticationErrorRetries: Retries = 0
    TimeoutErrorRetries: Retries = 0
    RateLimitErrorRetries: Retries = 0
    InternalServerErrorRetries: Retries = 1


class RouterSettings(Section):
    """`[router]`, with the words of LiteLLM's router settings where it has them.

    allowed_fails: failures within a minute after which a target is left alone (the next one starts the cooldown); cooldown_time: for how long, in seconds, at
    first; doubled with every failed trial up to max_cooldown_time. disable_cooldowns: never. retry_after: pause in seconds before a target is
    tried again. default_fallbacks: `engine/model` targets that stand behind every request's own. aliases: another name -> what it means.
    prompt_diet: shorten what is too long for every target, by stated rules, instead of refusing it.
    """

    allowed_fails: Annotated[int, Field(ge=0, le=1_000)] = 3
    cooldown_time: Seconds = 15.0
    max_cooldown_time: Seconds = 300.0
    disable_cooldowns: bool = False
    retry_after: Annotated[float, Field(ge=0, le=60)] = 0.5
    retry_policy: RetryPolicy = RetryPolicy()
    default_fallbacks: tuple[str, ...] = ()
    aliases: dict[str, str] = Field(default={})
    prompt_diet: bool = False


class StoreSettings(Section):
    """`[models]`: how `farmhand models pull` fetches.

    mirror: what stands for https://huggingface.co in `hf:` sources; without it HF_ENDPOINT, then the Hub itself.
    stall_s: silence of the server after which a download is tried again, at most `retries` times in a row.
    """

    mirror: str | None = None
    stall_s: Seconds = 30.0
    retries: Annotated[int, Field(ge=0, le=1_000)] = 6

    @field_validator("mirror")
    @classmethod
    def _http_base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError("must look like https://huggingface.co")
        return value.rstrip("/")


class ResponsesSettings(Section):
    """`[responses]`: the answers of `POST /v1/responses` that `previous_response_id` may go on from, in `responses/` of the state folder.

    store_mib: disk space for all of them; those not used for longest make room. `0`: none is kept. keep_days: since their last use.
    """

    store_mib: Annotated[int, Field(ge=0, le=65_536)] = 64
    keep_days: Annotated[float, Field(gt=0, le=3_650)] = 30.0


class SearchSettings(Section):
    """`[search]`: `POST /v1/search/{tool}` and `search.web` of `farmhand mcp`.

    url: of a SearXNG that gives JSON (`formats: [html, json]` in its settings). `None`: there is no search. timeout_s: for one search.
    allow_private: addresses and networks (`192.168.1.20`, `192.168.1.0/24`) that `web.fetch` of `farmhand mcp` may read although they are not public.
    """

    url: str | None = None
    timeout_s: Seconds = 15.0
    allow_private: tuple[str, ...] = ()

    @field_validator("allow_private")
    @classmethod
    def _addresses_only(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError:
                raise ValueError(f"{entry[:60]!r} must be an address like 192.168.1.20 or a network like 192.168.1.0/24") from None
        return value

    @field_validator("url")
    @classmethod
    def _http_base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like http://192.168.1.20:8080")
        return value.rstrip("/")


class LogSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    """The whole configuration. `home` is the state folder (keys, models), mode 0700 when it is made."""

    home: Path
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    log: LogSettings = LogSettings()
    models: StoreSettings = StoreSettings()
    router: RouterSettings = RouterSettings()
    responses: ResponsesSettings = ResponsesSettings()
    search: SearchSettings = SearchSettings()
    key: tuple[KeySettings, ...] = ()
    engine: tuple[EngineSettings, ...] = Field(default=DEFAULT_ENGINES, validate_default=True)
    model: tuple[ModelSettings, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        for section, names in (
            ("engine", [e.name for e in self.engine]),
            ("model", [m.name for m in self.model]),
            ("key", [k.name for k in self.key]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"[[{section}]]: the name {twice[0]!r} is given twice; rename one of them")
        return self

    @model_validator(mode="after")
    def _one_engine_per_phone(self) -> Settings:
        """An app bears one request at a time, and an engine keeps only its own requests apart."""
        used = [(e.kind, e.url) for e in self.engine if isinstance(e, InferrlmSettings | LocalllmSettings)]
        twice = sorted({(kind, url or "its usual ports") for kind, url in used if used.count((kind, url)) > 1})
        if twice:
            kind, url = twice[0]
            raise ValueError(
                f"[[engine]]: two engines of kind '{kind}' use {url}; the app bears one request at a time, so "
                "leave one of them out (a route may name its models in any order)"
            )
        return self

    @model_validator(mode="after")
    def _routes_lead_somewhere(self) -> Settings:
        engines = {e.name for e in self.engine}
        for model in self.model:
            for target in model.route:
                engine, slash, name = target.partition("/")
                if not slash or not name:
                    raise ValueError(f"[[model]] {model.name!r}: route {target!r} must look like engine/model")
                if engine not in engines:
                    known = ", ".join(sorted(engines))
                    raise ValueError(
                        f"[[model]] {model.name!r}: route {target!r} names no engine; there are {known}"
                    )
        return self

    @model_validator(mode="after")
    def _fallbacks_lead_somewhere(self) -> Settings:
        engines = {e.name for e in self.engine}
        for target in self.router.default_fallbacks:
            engine, slash, name = target.partition("/")
            if not slash or not name or engine not in engines:
                known = ", ".join(sorted(engines))
                raise ValueError(
                    f"[router] default_fallbacks: {target!r} must look like engine/model; there are the engines {known}"
                )
        return self

    @model_validator(mode="after")
    def _never_open_beyond_loopback(self) -> Settings:
        if not self.auth.required and not is_loopback(self.server.host):
            raise ValueError(
                f"[server] host {self.server.host!r} is reachable from outside, so [auth] required = false "
                'is refused; set required = true or host = "127.0.0.1"'
            )
        return self


# What to call these from this machine. A socket on `::` takes no IPv4 (asyncio sets IPV6_V6ONLY).
_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}


def local_url(host: str, port: int) -> str:
    """The base URL that works from this machine for a server that listens on `host`: `http://127.0.0.1:8888/v1`."""
    reached = _REACHED_AT.get(host, host)
    return f"http://[{reached}]:{port}/v1" if ":" in reached else f"http://{reached}:{port}/v1"


def is_loopback(host: str) -> bool:
    """Does listening on `host` (a name or an address) stay on this machine?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
