"""`[[proxy.upstream]]`: what the LiteLLM proxy reaches besides Farmhand. Checked here, since only `farmhand connect litellm` reads it. Pure.

    [[proxy.upstream]]
    name = "workstation"
    kind = "ollama"
    url = "http://192.168.1.20:11434"
    models = ["qwen3:14b"]                      # or { handle = "id" }
    key = "os.environ/WORKSTATION_API_KEY"      # where one is needed
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from adapter.connect.handles import handle
from adapter.connect.target import ConnectError

ENVIRONMENT = "os.environ/"
# What a server that wants no key is sent: LiteLLM refuses to call any without one.
NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class Kind:
    """provider: LiteLLM's prefix. embeds: the same for embeddings, where another. names: before each handle. at: an example of its URL where it needs one,
    "" for a cloud service, which has its own. key: it answers nobody without one. v1: its URL ends so; "-": it must not.
    """

    provider: str
    embeds: str = ""
    names: str = ""
    at: str = ""
    key: bool = False
    v1: str = ""


def _cloud(provider: str) -> Kind:
    return Kind(provider, key=True)


# LiteLLM 1.106.2 has these prefixes (`litellm.provider_list`).
CLOUDS = (
    "anthropic", "gemini", "openrouter", "groq", "mistral", "deepseek", "xai", "together_ai", "fireworks_ai", "perplexity", "cerebras",
    "nvidia_nim", "cohere", "huggingface",
)  # fmt: skip
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "openai": Kind("openai"),
        # `ollama_chat` uses Ollama's chat endpoint, with tools; `ollama` its older one, and embeddings.
        "ollama": Kind("ollama_chat", embeds="ollama", at="http://127.0.0.1:11434", v1="-"),
        "vllm": Kind("hosted_vllm", at="http://127.0.0.1:8000/v1", v1="/v1"),
        "openvino": Kind("openai", names="ov-", at="http://127.0.0.1:8000/v3"),
        "mlx": Kind("openai", names="mlx-", at="http://127.0.0.1:8080/v1", v1="/v1"),
        "optillm": Kind("openai", names="opt-", at="http://127.0.0.1:8000/v1", v1="/v1"),
        "farmhand": Kind("openai", at="http://192.168.1.30:8888/v1", key=True, v1="/v1"),
        **{name: _cloud(name) for name in CLOUDS},
    }
)
_Named = Literal[
    "openai", "ollama", "vllm", "openvino", "mlx", "optillm", "farmhand", "anthropic", "gemini", "openrouter", "groq", "mistral", "deepseek",
    "xai", "together_ai", "fireworks_ai", "perplexity", "cerebras", "nvidia_nim", "cohere", "huggingface",
]  # fmt: skip

# OptiLLM takes what stands before a model's name for approaches, joined by `-`, `&` or `|` (its README and `parse_combined_approach`).
APPROACHES = frozenset(
    {
        "none", "auto", "mcts", "bon", "moa", "rto", "z3", "self_consistency", "pvg", "rstar", "cot_reflection", "plansearch", "leap", "re2", "cepo",
        "mars", "cot_decoding", "entropy_decoding", "thinkdeeper", "autothink", "deepconf", "deep_research", "spl", "memory", "privacy", "readurls",
        "executecode", "json", "compact", "coc", "genselect", "majority_voting", "web_search", "mcp", "wim",
    }
)  # fmt: skip
# `router` lets a classifier choose the approach, `proxy` hands on to servers of its own list: both may come back to where they were called from.
BACK_AGAIN = frozenset({"router", "proxy", "opt"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})


class Upstream(BaseModel):
    """One server. models: handle -> the id that the server knows it by. key: `os.environ/NAME`. timeout_s: of a whole plain answer, and of silence in a
    stream. rpm: requests a minute, for the router's choice among servers of one handle. mode: what its models do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
    kind: _Named
    url: str | None = None
    key: str | None = None
    models: Annotated[Mapping[str, str], Field(min_length=1)]
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    rpm: Annotated[int, Field(ge=1)] | None = None
    mode: Literal["chat", "embedding"] = "chat"

    @property
    def traits(self) -> Kind:
        return KINDS[self.kind]

    @property
    def key_variable(self) -> str | None:
        return None if self.key is None else self.key.removeprefix(ENVIRONMENT)

    @property
    def provider(self) -> str:
        return (self.mode == "embedding" and self.traits.embeds) or self.traits.provider

    @field_validator("name")
    @classmethod
    def _no_phone(cls, value: str) -> str:
        if re.fullmatch(r"phone\d+", value):
            raise ValueError(f"{value} is what the phones themselves are called; say another")
        return value

    @field_validator("key")
    @classmethod
    def _by_reference(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"os\.environ/[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError('must be written as "os.environ/NAME", so that no key stands in this file; the key itself goes into env.local')
        return value

    @field_validator("url")
    @classmethod
    def _a_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("must look like http://192.168.1.20:8000/v1, without a key in it")
        return value.rstrip("/")

    @field_validator("models", mode="before")
    @classmethod
    def _named_by_the_rule(cls, value: object) -> object:
        """A list: the handle of each by the rule of `handles.py`. A table says the handles itself, without the prefix of its kind."""
        if not isinstance(value, list):
            return value
        if not all(isinstance(entry, str) for entry in value):
            raise ValueError('must be a list of model ids, like ["qwen3:14b"], or a table of handle = "id"')
        found: dict[str, str] = {}
        for model_id in value:
            name = handle(model_id)
            if not name or name in found:
                why = f"would be called {name}, as {found[name]!r} is" if name else "has nothing that could be a name"
                raise ValueError(f'{model_id!r} {why}; name it yourself: models = {{ "NAME" = "{model_id}" }}')
            found[name] = model_id
        return found

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Upstream:
        self._check_names()
        if self.traits.at and self.url is None:
            raise ValueError(f'kind {self.kind} needs its url, like "{self.traits.at}"')
        if self.traits.key and self.key is None:
            raise ValueError(f'kind {self.kind} needs key = "os.environ/NAME"')
        if self.kind == "openai" and self.url is None and self.key is None:
            raise ValueError('without a url this is OpenAI itself, which needs key = "os.environ/OPENAI_API_KEY"; for another server say its url')
        if self.url and self.traits.v1 == "/v1" and not self.url.endswith("/v1"):
            raise ValueError(f'the url of kind {self.kind} ends with /v1, like "{self.traits.at}"')
        if self.url and self.traits.v1 == "-" and self.url.endswith("/v1"):
            raise ValueError(f'the url of kind {self.kind} is without /v1, like "{self.traits.at}"')
        if self.kind == "optillm":
            for model_id in self.models.values():
                check_optillm(model_id)
        return self

    def _check_names(self) -> None:
        for name, model_id in self.models.items():
            if handle(name) != name:
                raise ValueError(f"models: {name!r} is no handle: lower-case letters, digits, '.', '_' and '-' (say {handle(name) or 'another'!r})")
            if not model_id.strip():
                raise ValueError(f"models: the id of {name!r} is empty")

    @property
    def handles(self) -> Mapping[str, str]:
        """handle, with the prefix of its kind -> id."""
        before = self.traits.names
        return {name if name.startswith(before) else before + name: model_id for name, model_id in self.models.items()}


def check_optillm(model_id: str) -> None:
    """OptiLLM stands in front of a server of its own choice, mostly this proxy. Raises `ValueError` for a name that it would send back to itself."""
    for part in model_id.split("-"):
        approaches = re.split(r"[&|]", part)
        if wrong := BACK_AGAIN.intersection(approaches):
            raise ValueError(
                f"models: {model_id!r} asks OptiLLM for {min(wrong)!r}, which may call this proxy's own opt-* models again, in a circle; "
                "name the approach instead, like moa-MODEL"
            )
        if len(approaches) == 1 and part not in APPROACHES:
            return


def parse(entries: Sequence[Any], *, port: int, base_urls: Iterable[str] = ()) -> tuple[Upstream, ...]:
    """Of the tables of `[[proxy.upstream]]`. port: the proxy's own, base_urls: of the servers that it has anyway: an upstream must be none of them.

    Raises `ConnectError` with a sentence for the first that is wrong.
    """
    found: list[Upstream] = []
    handles: dict[str, Upstream] = {}
    for number, entry in enumerate(entries, 1):
        upstream = _one(entry, number)
        _refuse_circles(upstream, port, base_urls)
        if any(other.name == upstream.name for other in found):
            raise ConnectError(f"[[proxy.upstream]]: there are two with name = {upstream.name!r}; names are there to tell them apart")
        for name in upstream.handles:
            if (other := handles.setdefault(name, upstream)) is not upstream and not (other.kind == upstream.kind == "farmhand"):
                raise ConnectError(
                    f"[[proxy.upstream]] {upstream.name!r} and {other.name!r} both have a model that is called {name}, and a request must not go to the one or "
                    f'the other by chance; name it yourself: models = {{ "{upstream.name.lower()}-{name}" = "{upstream.handles[name]}" }}'
                )
        found.append(upstream)
    return tuple(found)


def _one(entry: Any, number: int) -> Upstream:
    if not isinstance(entry, dict):
        raise ConnectError(f"[[proxy.upstream]] number {number}: write it as a table, [[proxy.upstream]]")
    called = repr(entry["name"])[:70] if isinstance(entry.get("name"), str) else f"number {number}"
    try:
        return Upstream.model_validate(entry)
    except ValidationError as exc:
        raise ConnectError("; ".join(f"[[proxy.upstream]] {called}: {_explained(dict(e))}" for e in exc.errors(include_url=False))) from None


def _explained(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {where!r}; there are {', '.join(Upstream.model_fields)}"
        case "missing":
            return f"{where} is missing"
        case "literal_error":
            return f"{where} is {error['input']!r:.40}; there are {', '.join(KINDS) if where == 'kind' else error['ctx']['expected']}"
        case "value_error":
            said = str(error["ctx"]["error"])
            return f"{where}: {said}" if where else said
        case _:
            shown = "" if where == "key" else f" (got {error.get('input')!r:.60})"
            return f"{where}: {error['msg']}{shown}"


def _refuse_circles(upstream: Upstream, port: int, base_urls: Iterable[str]) -> None:
    if upstream.url is None:
        return
    parts = urlsplit(upstream.url)
    try:
        at = (parts.hostname, parts.port)
    except ValueError:
        raise ConnectError(f"[[proxy.upstream]] {upstream.name!r}: the port of {upstream.url} is none") from None
    if at[0] in LOOPBACK and at[1] == port:
        raise ConnectError(f"[[proxy.upstream]] {upstream.name!r}: {upstream.url} is this proxy itself, which would ask itself for ever; say another url")
    if upstream.url in {url.rstrip("/") for url in base_urls}:
        raise ConnectError(f"[[proxy.upstream]] {upstream.name!r}: {upstream.url} is a server that the proxy has already; leave this entry out")
