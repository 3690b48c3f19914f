"""The LiteLLM proxy: one address for this phone, for further ones, and for the servers of `[[proxy.upstream]]`.

`config.yaml` in the form of `protocols/clients.md` 9.1, and an `env.local` beside it, which has every address and key. With `--phone` it is a farm: the
phones stand as several entries under one name, and LiteLLM's router chooses. What the router's settings rest on is measured by `scripts/bench/farm.py`.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from adapter.connect.handles import handles
from adapter.connect.parts import Connection, Document, EnvFile, Generate, Put, PutEntries, Secret, Snippet
from adapter.connect.profile import Profile
from adapter.connect.target import ConnectError
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Model, Options, Truth, Where
from adapter.connect.upstreams import NO_KEY, Upstream

# It asks nothing of its own but `GET /v1/models` (clients.md 3); this is what a small client behind it sends. Patience: TIMEOUT_S.
PROFILE = Profile(prompt_tokens=200, byte_s=900.0, whole_s=900.0, parallel=4)

MASTER_KEY = "LITELLM_MASTER_KEY"
ENVIRONMENT = "os.environ/"
# Each is a file that LiteLLM 1.106.2 fetches from the internet otherwise, the first at every start (clients.md 9.1).
OFFLINE = (
    "LITELLM_LOCAL_MODEL_COST_MAP",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS",
    "LITELLM_LOCAL_BLOG_POSTS",
    "LITELLM_LOCAL_POLICY_TEMPLATES",
)
# In `model_info` of each entry that is ours; whose it is.
MARK = "farmhand"
AUTO = "auto"

# clients.md 9.1. Of a whole plain answer, since an adapter holds that back until it is complete; of silence in a stream.
TIMEOUT_S, STREAM_TIMEOUT_S = 900, 900
# Where others can answer instead, a phone that went silent is given up sooner: an adapter's stream says something every 5 s (`[server] keepalive_s`).
FARM_TIMEOUT_S, FARM_STREAM_TIMEOUT_S = 300, 30
# A phone that is gone costs the first request after each cooldown its patience.
COOLDOWN_S, FARM_COOLDOWN_S = 15, 30
HEAD = """Made by `farmhand connect litellm --write`, which renews the entries marked `farmhand` and leaves others alone.
Addresses and keys are in env.local, beside this file."""


def config_file(where: Where, options: Options) -> Path:
    return options.file or where.state / "litellm" / "config.yaml"


def env_file(where: Where, options: Options) -> Path:
    return config_file(where, options).parent / "env.local"


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    if options.proxied:
        raise ConnectError(f"{truth.base_url} is a LiteLLM proxy itself; give the address of an adapter with --url, mostly http://127.0.0.1:8888/v1")
    servers = (truth, *options.farm)
    _refuse_twice([server.base_url for server in servers])
    entries, said, aliases = _entries(servers, options.upstreams)
    names = [entry["model_name"] for entry in entries]
    for name, where_else in _meetings(entries, options.upstreams):
        raise ConnectError(
            f"{where_else!r} of [[proxy.upstream]] has a model that is called {name}, as one of the phones is, and a prompt must not go to the one or the other "
            f'by chance; name it yourself in its models: "{where_else.lower()}-{name}" = "ID"'
        )
    document = Document(
        config_file(where, options),
        "yaml",
        (
            PutEntries(("model_list",), tuple(entries), _is_ours),
            *_router(shared=_shared(names), uneven=_uneven(entries)),
            *(Put(("router_settings", "model_group_alias", name), {"model": meant, "hidden": True}) for name, meant in aliases),
            *_fallbacks(entries, len(servers)),
            *_SETTINGS,
        ),
        head=HEAD,
    )
    variables = EnvFile(env_file(where, options), tuple(_variables(servers, options.upstreams, where)))
    start = () if where.platform == "android" else (_start(document.path, variables.path, options.port),)
    return Connection((document, variables, *start), tuple(_notes(variables.path, options, where, said)))


# --- model_list --------------------------------------------------------------------------------------------------


def _entries(servers: Sequence[Truth], upstreams: Iterable[Upstream]) -> tuple[list[dict[str, Any]], list[str], list[tuple[str, str]]]:
    """The entries; a sentence for each name that could not be had; other names by which clients of an adapter know its models -> handle."""
    entries: list[dict[str, Any]] = []
    said: list[str] = []
    aliases: dict[str, str] = {}
    for number, server in enumerate(servers, 1):
        models = [model for model in server.models if model.does("chat") or model.does("embeddings")]
        names, sentences = handles([model.id for model in models])
        said += [f"{server.base_url}: {sentence}" for sentence in sentences]
        entries += [_of_phone(number, name, model, several=len(servers) > 1) for name, model in zip(names, models, strict=True)]
        aliases |= {model.id: name for name, model in zip(names, models, strict=True) if name != model.id}
    for upstream in upstreams:
        entries += [_of_upstream(upstream, name, model_id) for name, model_id in upstream.handles.items()]
    counted = Counter(entry["model_name"] for entry in entries)
    if _shared(list(counted.elements())):
        for entry in entries:
            if counted[entry["model_name"]] == 1:  # nobody could stand in: one 401 would shut the name off (clients.md 9.3)
                entry["litellm_params"]["cooldown_time"] = 0
    return entries, said, [(name, meant) for name, meant in aliases.items() if name not in counted]


def _of_phone(number: int, name: str, model: Model, *, several: bool) -> dict[str, Any]:
    after = _suffix(number)
    return {
        "model_name": name,
        "litellm_params": {
            "model": f"openai/{model.id}",
            "api_base": f"{ENVIRONMENT}{URL_VARIABLE}{after}",
            "api_key": f"{ENVIRONMENT}{KEY_VARIABLE}{after}",
            "timeout": FARM_TIMEOUT_S if several else TIMEOUT_S,
            "stream_timeout": FARM_STREAM_TIMEOUT_S if several else STREAM_TIMEOUT_S,
            "max_retries": 0,  # retrying is the router's
        },
        "model_info": {"id": f"phone{number}/{name}", MARK: f"phone {number}", **_info(model)},
    }


def _info(model: Model) -> dict[str, Any]:
    info: dict[str, Any] = {"mode": "chat" if model.does("chat") else "embedding", "input_cost_per_token": 0, "output_cost_per_token": 0}
    if model.context_tokens:
        info["max_input_tokens"] = model.context_tokens
    if model.max_output_tokens and model.does("chat"):
        info |= {"max_output_tokens": model.max_output_tokens, "max_tokens": model.max_output_tokens}
    if model.embedding_size and not model.does("chat"):
        info["output_vector_size"] = model.embedding_size
    if model.does("chat"):
        info |= {
            "supports_function_calling": model.does("tools"),
            "supports_response_schema": model.does("response_format"),
            "supports_vision": model.does("vision"),
        }
    return info


def _of_upstream(upstream: Upstream, name: str, model_id: str) -> dict[str, Any]:
    params: dict[str, Any] = {
        "model": f"{upstream.provider}/{model_id}",
        "api_key": upstream.key or NO_KEY,
        "timeout": upstream.timeout_s,
        "stream_timeout": upstream.timeout_s,
        "max_retries": 0,
    }
    params |= {"api_base": upstream.url} if upstream.url else {}
    params |= {"rpm": upstream.rpm} if upstream.rpm else {}
    return {
        "model_name": name,
        "litellm_params": params,
        "model_info": {"id": f"{upstream.name}/{name}", MARK: f"upstream {upstream.name}", "mode": upstream.mode},
    }


def _is_ours(entry: Any) -> bool:
    info = entry.get("model_info") if isinstance(entry, dict) else None
    return isinstance(info, dict) and MARK in info


def _meetings(entries: Sequence[dict[str, Any]], upstreams: Iterable[Upstream]) -> Iterator[tuple[str, str]]:
    """Names of a phone's model that an upstream has too, with the upstream's name; one of kind farmhand is another phone, and may."""
    phones = {entry["model_name"] for entry in entries if entry["model_info"][MARK].startswith("phone ")}
    for upstream in upstreams:
        if upstream.kind != "farmhand":
            yield from ((name, upstream.name) for name in upstream.handles if name in phones)


def _uneven(entries: Sequence[dict[str, Any]]) -> bool:
    """Is there a name behind which contexts differ? Then LiteLLM has to count tokens before it chooses."""
    sizes: dict[str, set[int]] = {}
    for entry in entries:
        sizes.setdefault(entry["model_name"], set()).add(entry["model_info"].get("max_input_tokens", 0))
    return any(len(found) > 1 for found in sizes.values())


# --- how it routes -----------------------------------------------------------------------------------------------

# Ours where they depend on how many phones there are; what a person may like to tune is left as it is found.
_SETTINGS = (
    Put(("litellm_settings", "drop_params"), True, absent_only=True),
    Put(("litellm_settings", "telemetry"), False),
    Put(("litellm_settings", "json_logs"), True, absent_only=True),
    # Else it asks Hugging Face for a tokenizer of models with llama-2, llama-3 or command-r in their names: without the internet 25 s before
    # the first word of each stream (measured, 1.106.2).
    Put(("litellm_settings", "disable_hf_tokenizer_download"), True, absent_only=True),
    Put(("litellm_settings", "request_timeout"), TIMEOUT_S, absent_only=True),
    Put(("general_settings", "master_key"), f"{ENVIRONMENT}{MASTER_KEY}", absent_only=True),
)
ALONE = {
    "BadRequestErrorRetries": 0,
    "AuthenticationErrorRetries": 0,
    "TimeoutErrorRetries": 1,
    "RateLimitErrorRetries": 3,
    "InternalServerErrorRetries": 2,
}
# Another phone may have the right key, the model, the time.
FARM = {
    "BadRequestErrorRetries": 0,
    "AuthenticationErrorRetries": 2,
    "NotFoundErrorRetries": 2,
    "TimeoutErrorRetries": 2,
    "RateLimitErrorRetries": 3,
    "InternalServerErrorRetries": 3,
    "ServiceUnavailableErrorRetries": 3,
    "DefaultRetries": 3,
}
# More failures than this within the cooldown's time set a phone aside. A busy one (429, 503 with Retry-After) is not ill.
FARM_FAILS = {
    "AuthenticationErrorAllowedFails": 0,
    "NotFoundErrorAllowedFails": 0,
    "TimeoutErrorAllowedFails": 0,
    "InternalServerErrorAllowedFails": 1,
    "RateLimitErrorAllowedFails": 1_000,
    "ServiceUnavailableErrorAllowedFails": 10,
}


def _shared(names: Sequence[str]) -> bool:
    """Is there a name with several servers behind it?"""
    return len(set(names)) < len(names)


def _router(*, shared: bool, uneven: bool) -> Iterator[Put]:
    def put(*path: str, value: Any, absent_only: bool = False) -> Put:
        return Put(("router_settings", *path), value, absent_only)

    # Measured, one of three phones five times slower: least-busy needs two thirds of shuffle's time, latency-based sends all to one phone. And while
    # little is asked the first phone answers all of it, which has the conversation in its cache.
    yield put("routing_strategy", value="least-busy" if shared else "simple-shuffle")
    yield put("num_retries", value=2, absent_only=True)
    yield put("retry_after", value=1, absent_only=True)
    yield put("allowed_fails", value=3, absent_only=True)
    yield put("cooldown_time", value=FARM_COOLDOWN_S if shared else COOLDOWN_S)
    yield put("disable_cooldowns", value=not shared)
    yield put("retry_policy", value=FARM if shared else ALONE)
    if shared:
        yield put("allowed_fails_policy", value=FARM_FAILS)
    yield put("enable_pre_call_checks", value=shared and uneven)


def _fallbacks(entries: Sequence[dict[str, Any]], phones: int) -> Iterator[PutEntries]:
    """In a farm, what only some phones have is answered by whatever the others have, when those are gone: `auto`, which the answer's `model` tells.

    Those of other names are the user's (a cloud's model that `auto` stands in for), or of phones that are gone, which nobody asks for.
    """
    chats = [entry for entry in entries if entry["model_info"]["mode"] == "chat" and entry["model_info"][MARK].startswith("phone ")]
    counted = Counter(entry["model_name"] for entry in chats)
    found = (name for name, count in counted.items() if name != AUTO and count < phones and counted[AUTO] == phones)
    ours = [{name: [AUTO]} for name in counted]
    yield PutEntries(("router_settings", "fallbacks"), tuple({name: [AUTO]} for name in found), lambda entry: entry in ours)


# --- env.local ---------------------------------------------------------------------------------------------------


def _variables(servers: Sequence[Truth], upstreams: Iterable[Upstream], where: Where) -> Iterator[tuple[str, str | Secret | Generate]]:
    for number, server in enumerate(servers, 1):
        yield URL_VARIABLE + _suffix(number), server.base_url
        yield KEY_VARIABLE + _suffix(number), Secret(server.key or NO_KEY)
    yield MASTER_KEY, Generate("sk-")
    yield from ((name, "True") for name in OFFLINE)
    for name in _key_variables(upstreams):
        if value := where.env.get(name):
            yield name, Secret(value)


def _key_variables(upstreams: Iterable[Upstream]) -> list[str]:
    return list(dict.fromkeys(upstream.key_variable for upstream in upstreams if upstream.key_variable))


def _suffix(number: int) -> str:
    return "" if number == 1 else f"_{number}"


def _refuse_twice(urls: Sequence[str]) -> None:
    for url, count in Counter(url.rstrip("/") for url in urls).items():
        if count > 1:
            raise ConnectError(f"{url} is given {count} times; each phone is to be named once, and the one of --url (or of this machine) not with --phone")


# --- what is said ------------------------------------------------------------------------------------------------


def _start(config: Path, env: Path, port: int) -> Snippet:
    lines = (
        "pip install 'litellm[proxy]==1.106.2'  # the newest whose proxy can be installed; in an environment of its own",
        f"set -a; . {shlex.quote(str(env))}; set +a",
        f"litellm --config {shlex.quote(str(config))} --host 127.0.0.1 --port {port} --num_workers 1",
    )
    return Snippet("To start it", "sh", "\n".join(lines))


def _notes(env: Path, options: Options, where: Where, said: Sequence[str]) -> Iterator[str]:
    yield from said
    if missing := [name for name in _key_variables(options.upstreams) if not where.env.get(name)]:
        yield f"{env} must have a line NAME=KEY for each of: {', '.join(missing)}."
    if where.platform == "android":
        yield "The service: enabled = true in [proxy] of config.toml, then sh scripts/install. On a phone LiteLLM may not install; it is better on a laptop."
    yield f"Its clients use http://127.0.0.1:{options.port}/v1 and the {MASTER_KEY} of {env}. Watch it at /health/liveliness; /health asks every model at once."
    if options.farm:
        yield (
            f"A phone that goes silent in the middle of a plain answer is given up after {FARM_TIMEOUT_S} s, in a stream after {FARM_STREAM_TIMEOUT_S} s "
            "of silence: let clients stream."
        )
    if any(upstream.kind == "optillm" for upstream in options.upstreams):
        yield f"OptiLLM's own base_url may be the adapter's, or this proxy's for models that are not called opt-*: never for opt-* ({_OPT_EXAMPLE})."


_OPT_EXAMPLE = "optillm --base_url http://127.0.0.1:8888/v1"
