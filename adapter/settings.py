"""Settings: read once at the edge, validated, frozen, passed down.

The only file of the adapter that reads the configuration file and the environment. Unknown keys and
unknown `FARMHAND_...` variables are refused by name, so that a typing error is never silently the default.
"""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

ENV_PREFIX = "FARMHAND_"
# Read by this module's own functions, not keys of the file.
ENV_PLACES = frozenset({"FARMHAND_CONFIG", "FARMHAND_HOME"})

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
ApiKey = Annotated[str, Field(min_length=8, max_length=512, pattern=r"^[!-~]+$")]


class SettingsError(Exception):
    """A configuration that cannot be used. The text names the key, the place and the remedy."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """`[server]`. Times in seconds, sizes in bytes."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8888
    status_hold_s: Annotated[float, Field(ge=0, le=60)] = 2.0
    keepalive_s: Seconds = 5.0
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


class AuthSettings(_Section):
    """`[auth]`. Besides `keys`, the key generated in the state folder is always valid."""

    required: bool = True
    keys: tuple[ApiKey, ...] = ()


class _EngineSettings(_Section):
    """What every engine has. `queue`: how many requests may wait for a seat."""

    name: Name
    queue: Annotated[int, Field(ge=0, le=10_000)] = 16
    default_max_tokens: Annotated[int, Field(ge=1)] = 1_024


class InferrlmSettings(_EngineSettings):
    """The InferrLM app.

    first_token_s: silence allowed until the first token; load and prefill happen in it without a byte.
    between_tokens_s: silence allowed after it. context_tokens: the app's window where its owner
    changed it; otherwise known by build (`protocols/inferrlm.md` 6). cancel: whether an unfinished
    answer on builds that cannot cancel (A, B) is left to run (`drain`), or ended by unloading the model (`unload`).
    """

    kind: Literal["inferrlm"]
    url: str = "http://127.0.0.1:8889"
    connect_s: Seconds = 2.0
    first_token_s: Seconds = 300.0
    between_tokens_s: Seconds = 60.0
    context_tokens: Annotated[int, Field(ge=128)] | None = None
    cancel: Literal["drain", "unload"] = "drain"

    @field_validator("url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("must look like http://127.0.0.1:8889 (the app speaks plain HTTP only)")
        if parts.path not in ("", "/") or parts.query or parts.username:
            raise ValueError("must be scheme, host and port only, without a path")
        return value.rstrip("/")


class LlamaSettings(_EngineSettings):
    """The embedded llama.cpp engine in a worker process of its own.

    model: `demo` or a path to a GGUF. slots: answers at a time. ctx_tokens: context of one slot.
    batch_tokens: tokens in one decode call. threads: `None` means one less than there are cores, at most four.
    idle_unload_s: the worker ends after so long without a request; 0 means never.
    """

    kind: Literal["llama"]
    model: Annotated[str, Field(min_length=1)] = "demo"
    slots: Annotated[int, Field(ge=1, le=64)] = 4
    ctx_tokens: Annotated[int, Field(ge=128)] = 4_096
    batch_tokens: Annotated[int, Field(ge=8, le=8_192)] = 512
    threads: Annotated[int, Field(ge=1, le=256)] | None = None
    preload: bool = False
    idle_unload_s: Annotated[float, Field(ge=0)] = 600.0
    start_s: Seconds = 120.0
    first_token_s: Seconds = 600.0
    between_tokens_s: Seconds = 60.0


class EchoSettings(_EngineSettings):
    """An engine without a model that answers from the prompt: for tests and first runs."""

    kind: Literal["echo"]
    token_delay_s: Annotated[float, Field(ge=0, le=60)] = 0.0
    ctx_tokens: Annotated[int, Field(ge=128)] = 4_096


EngineSettings = Annotated[InferrlmSettings | LlamaSettings | EchoSettings, Field(discriminator="kind")]

# In the design, not built yet: named so that the error can say so instead of "unknown".
PLANNED_KINDS = frozenset({"localllm", "openai"})


class ModelSettings(_Section):
    """`[[model]]`: a name that clients may ask for and the `engine/model` targets behind it, best first."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    route: Annotated[tuple[str, ...], Field(min_length=1)]


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"


DEFAULT_ENGINES: tuple[dict[str, Any], ...] = (
    {"name": "inferrlm", "kind": "inferrlm"},
    {"name": "demo", "kind": "llama", "model": "demo"},
)


class Settings(_Section):
    """The whole configuration. `home` is the state folder (keys, models), mode 0700 when it is made."""

    home: Path
    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    log: LogSettings = LogSettings()
    engine: tuple[EngineSettings, ...] = Field(default=DEFAULT_ENGINES, validate_default=True)
    model: tuple[ModelSettings, ...] = ()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        for section, names in (
            ("engine", [e.name for e in self.engine]),
            ("model", [m.name for m in self.model]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"[[{section}]]: the name {twice[0]!r} is given twice; rename one of them")
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
    def _never_open_beyond_loopback(self) -> Settings:
        if not self.auth.required and not is_loopback(self.server.host):
            raise ValueError(
                f"[server] host {self.server.host!r} is reachable from outside, so [auth] required = false "
                'is refused; set required = true or host = "127.0.0.1"'
            )
        return self


def is_loopback(host: str) -> bool:
    """Does listening on `host` (a name or an address) stay on this machine?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def config_path(env: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for; it need not exist."""
    if named := env.get("FARMHAND_CONFIG"):
        return Path(named).expanduser()
    base = env.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "farmhand" / "config.toml"


def home_path(env: Mapping[str, str]) -> Path:
    """The state folder; it need not exist."""
    if named := env.get("FARMHAND_HOME"):
        return Path(named).expanduser()
    base = env.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "farmhand"


def load(
    env: Mapping[str, str] | None = None,
    *,
    config: Path | None = None,
    server: Mapping[str, Any] | None = None,
) -> Settings:
    """Read file, then environment, then `server` (command-line flags), later ones winning.

    config: a file named on the command line, which then must exist; so must one named by
    FARMHAND_CONFIG. Raises `SettingsError`.
    """
    env = os.environ if env is None else env
    path = config or config_path(env)
    must_exist = config is not None or bool(env.get("FARMHAND_CONFIG"))
    data = _read_toml(path, must_exist=must_exist)
    _refuse_wrong_shapes(data, path)
    _refuse_planned(data, path)
    sources = _apply_environment(data, env)
    for key, value in (server or {}).items():
        data.setdefault("server", {})[key] = value
        sources["server", key] = f"--{key}"
    try:
        return Settings(home=home_path(env), **data)
    except ValidationError as exc:
        raise SettingsError(_explain(exc, path, sources)) from None


def _read_toml(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(f"{path}: there is no such configuration file") from None
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: not valid TOML: {exc}") from None
    except OSError as exc:
        raise SettingsError(f"{path}: cannot be read: {exc.strerror}") from None


def _refuse_wrong_shapes(data: Mapping[str, Any], path: Path) -> None:
    """Sections are tables, or arrays of tables: what follows relies on it."""
    if "home" in data:
        raise SettingsError(f"{path}: unknown key 'home'; the state folder is set by FARMHAND_HOME")
    for section in data.keys() & SECTIONS.keys():
        if not isinstance(data[section], dict):
            raise SettingsError(f"{path}: {section!r} is a section; write it as [{section}]")
    for section in data.keys() & {"engine", "model"}:
        entries = data[section]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise SettingsError(f"{path}: {section!r} is a list of sections; write each as [[{section}]]")


def _refuse_planned(data: Mapping[str, Any], path: Path) -> None:
    for entry in data.get("engine", ()):
        kind = entry.get("kind")
        if isinstance(kind, str) and kind in PLANNED_KINDS:
            raise SettingsError(
                f"{path}: [[engine]] {entry.get('name')!r}: kind {kind!r} is planned but not built yet; "
                "this version has inferrlm, llama and echo"
            )


# --- environment: FARMHAND_<SECTION>_<KEY>, FARMHAND_ENGINE_<NAME>_<KEY> ------------------------------------


SECTIONS: dict[str, type[_Section]] = {"server": ServerSettings, "auth": AuthSettings, "log": LogSettings}

# Which variable or flag set a value: (section, key) or (section, index, key) -> its name, for error messages.
_Sources = dict[tuple[str | int, ...], str]


def _apply_environment(data: dict[str, Any], env: Mapping[str, str]) -> _Sources:
    return {
        _apply_variable(data, variable, text): variable
        for variable, text in sorted(env.items())
        if variable.startswith(ENV_PREFIX) and variable not in ENV_PLACES
    }


def _apply_variable(data: dict[str, Any], variable: str, text: str) -> tuple[str | int, ...]:
    section, _, key = variable.removeprefix(ENV_PREFIX).lower().partition("_")
    if section in ("engine", "model"):
        return _apply_to_list(data, section, variable, key, text)
    if section not in SECTIONS or key not in SECTIONS[section].model_fields:
        names = [f"{ENV_PREFIX}{s}_{k}".upper() for s, m in SECTIONS.items() for k in m.model_fields]
        raise SettingsError(f"environment: {variable} is no setting of Farmhand; there are {', '.join(names)}")
    data.setdefault(section, {})[key] = _env_value(text)
    return section, key


def _apply_to_list(
    data: dict[str, Any], section: str, variable: str, rest: str, text: str
) -> tuple[str | int, ...]:
    """The entry with the longest name that fits: of `a` and `a-b`, `A_B_QUEUE` means the second."""
    entries = data.setdefault(section, [dict(e) for e in DEFAULT_ENGINES] if section == "engine" else [])
    slugs = [(_env_slug(str(entry.get("name", ""))) + "_", index) for index, entry in enumerate(entries)]
    fitting = [(len(slug), index) for slug, index in slugs if slug != "_" and rest.startswith(slug)]
    if not fitting:
        names = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        raise SettingsError(
            f"environment: {variable} names no [[{section}]] that is configured; there are: {names}"
        )
    length, index = max(fitting)
    entries[index][rest[length:]] = _env_value(text)
    return section, index, rest[length:]


def _env_slug(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in name.lower())


def _env_value(text: str) -> Any:
    """A TOML value where the text is one (`8888`, `true`, `["a"]`), else the text itself."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


# --- pydantic's errors in our words --------------------------------------------------------------------------


def _explain(exc: ValidationError, path: Path, sources: _Sources) -> str:
    errors: list[dict[str, Any]] = [dict(error) for error in exc.errors(include_url=False)]
    return "; ".join(f"{_source(e['loc'], sources) or path}: {_explain_one(e)}" for e in errors)


def _source(loc: Sequence[str | int], sources: _Sources) -> str:
    """The variable or flag that an error is about, empty for the file. pydantic puts the kind into an engine's loc."""
    found = sources.get(tuple(loc[:2])) or sources.get((*loc[:2], *loc[-1:]))
    return f"environment: {found}" if found and found.startswith(ENV_PREFIX) else found or ""


def _explain_one(error: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {where!r}; check the spelling against the README's table"
        case "value_error":
            said = str(error["ctx"]["error"])
            return f"{where}: {said}" if where else said
        case "union_tag_not_found" | "union_tag_invalid":
            return f"{where}: 'kind' must be one of inferrlm, llama, echo"
        case "tuple_type":
            return f'{where}: must be a list, like ["...", "..."]'
        case _:
            return f"{where}: {error['msg']} (got {_shown(error)})"


def _shown(error: Mapping[str, Any]) -> str:
    """The offending value, unless it may be a key or hold one (an engine of an unknown kind has who knows what)."""
    value = error.get("input")
    if error["loc"][:1] == ("auth",) or isinstance(value, dict | list | tuple):
        return "a value not shown here"
    return repr(value)[:80]
