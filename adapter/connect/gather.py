"""Finds out what a client's configuration is made from: the server's models, the key, the machine. Blocking."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO
from urllib.parse import quote, urlsplit

from adapter import configuration
from adapter.access.book import Entry
from adapter.access.grant import Grant
from adapter.access.store import Store, TokenError
from adapter.connect import ask, farm, listing
from adapter.connect.target import ConnectError
from adapter.connect.truth import KEY_VARIABLE, Model, Options, Truth, Where
from adapter.keys import KeyFileError, load_or_create_key
from adapter.settings import Settings, is_loopback, local_url

KEY_FROM = "FARMHAND_KEY"
# For a server of somebody else's on this machine that asks for none: clients insist on something.
NO_KEY = "none"
PROXY = "litellm"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was said on the command line. key: as given, `-` for standard input. deadline_s, rate: of a key that is made for the client."""

    name: str
    url: str | None = None
    key: str | None = None
    model: str | None = None
    file: Path | None = None
    phones: tuple[str, ...] = ()
    small: bool = False
    deadline_s: int | None = None
    rate: str | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """name: of the client. notes: what the person should know before the target's own. key_is: a few words on whose key it is. lent: it is this
    installation's own, instead of which the client is to have one. farmhand: the server is one, and says what its models can."""

    name: str
    truth: Truth
    where: Where
    options: Options
    key_is: str
    notes: tuple[str, ...] = ()
    farmhand: bool = True
    lent: bool = False


@dataclass(frozen=True, slots=True)
class _Server:
    """models: of the server at base_url. key: that it was asked with; own: it is this installation's. proxied: it is a LiteLLM proxy."""

    base_url: str
    key: str
    own: bool
    models: tuple[Model, ...]
    farmhand: bool
    proxied: bool


def gather(wanted: Wanted, env: Mapping[str, str], stdin: TextIO) -> Gathered:
    """Raises `ConnectError` with a sentence that says what to type."""
    if wanted.phones and wanted.name != PROXY:
        raise ConnectError(f"--phone: {wanted.name} uses one server; several are LiteLLM's matter: farmhand connect {PROXY} --phone URL")
    settings = _settings(env)
    given = _given_key(wanted.key, env, stdin)
    phones = tuple(_normal("--phone", url) for url in wanted.phones)
    server = _server(wanted.url, given, settings)
    model = _model(server, wanted.model)
    where = _where(settings, env)
    upstreams, port = Options().upstreams, Options().port
    if wanted.name == PROXY:  # what is wrong in that section is nobody else's matter
        upstreams, port = farm.proxy_section(configuration.config_path(env), base_urls=(server.base_url, *phones))
    key, key_is, lent = _client_key(wanted, server, settings, given)
    options = Options(
        file=wanted.file, phones=phones, small=wanted.small, proxied=server.proxied, upstreams=upstreams, port=port,
        farm=_farm(phones, env, _env_local(wanted.file, settings), wanted.model),
    )  # fmt: skip
    truth = Truth(server.base_url, model, server.models, key)
    notes = [*listing.advice(model, server.models)] if wanted.model is None else []
    if not server.farmhand:
        notes.append("The server does not say what its models can; they are taken to chat and to call tools.")
    if not model.context_tokens:
        notes.append(f"The server does not say how large the context of {model.id} is; look at every size in this configuration.")
    return Gathered(wanted.name, truth, where, options, key_is, tuple(notes), server.farmhand, lent)


# --- settings, key, address ---------------------------------------------------------------------------------


def _settings(env: Mapping[str, str]) -> Settings:
    try:
        return configuration.load(env)
    except configuration.SettingsError as exc:
        raise ConnectError(str(exc)) from None


def _given_key(key: str | None, env: Mapping[str, str], stdin: TextIO) -> str | None:
    said, text = ("--key", key) if key is not None else (KEY_FROM, env.get(KEY_FROM) or None)
    if text == "-":
        said, text = "standard input", stdin.readline().strip()
    if text is not None:
        _check_key(said, text)
    return text


def _check_key(said: str, key: str) -> None:
    """Fit for a header? What refuses it there would show it."""
    if not (key and all("!" <= char <= "~" for char in key)):
        raise ConnectError(f"{said}: a key has no spaces, line breaks or letters beyond ASCII; copy it anew")


def _normal(flag: str, url: str) -> str:
    """With `/v1`, without a slash behind it."""
    try:
        parts = urlsplit(url)
        path = parts.path.strip("/")
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and len(url) <= 300
    except ValueError:
        fine, path = False, ""
    if not fine or any(char in "?#@" or char.isspace() for char in url):
        raise ConnectError(f"{flag}: {url[:80]!r} must look like http://127.0.0.1:8888/v1")
    return url.rstrip("/") + ("" if path else "/v1")


def _server(url: str | None, given: str | None, settings: Settings) -> _Server:
    if url is None and settings.server.port == 0:
        raise ConnectError("server.port is 0, so the port changes with each start; give the address with --url URL")
    base_url = _normal("--url", url) if url else local_url(settings.server.host, settings.server.port)
    own = given is None and (url is None or is_loopback(urlsplit(base_url).hostname or ""))
    try:
        key = given or (load_or_create_key(settings.home) if own else "")
    except KeyFileError as exc:
        raise ConnectError(str(exc)) from None
    answer = _asked(base_url, "/models", key)
    proxied = any(name.startswith("x-litellm-") for name in answer.headers) or (answer.status != 200 and _is_litellm(base_url))
    _check(answer, base_url, given=given is not None, own=own, proxied=proxied)
    farmhand = listing.is_farmhand(answer.value)
    try:
        models = listing.read_models(answer.value)
    except ConnectError:
        raise ConnectError(f"{base_url} has no list of models; is it an OpenAI server?") from None
    proxied = proxied or (not farmhand and _is_litellm(base_url))
    if proxied and not farmhand:
        details = _asked(base_url, "/model/info", key)
        models = listing.with_details(models, details.value) if details.status == 200 else models
    return _Server(base_url, key, own, models, farmhand, proxied and not farmhand)


def _asked(base_url: str, path: str, key: str) -> ask.Answer:
    try:
        return ask.get(base_url + path, key)
    except ask.NoAnswer as exc:
        start = "Start it with: farmhand serve" if is_loopback(urlsplit(base_url).hostname or "") else "Is it running, and is the address right?"
        raise ConnectError(f"Nobody answers at {base_url} ({exc}). {start}. For another server: --url URL") from None


def _is_litellm(base_url: str) -> bool:
    """Its liveness probe has words of its own (`protocols/clients.md` 9.1), and asks for no key."""
    try:
        return "alive" in str(ask.get(base_url.removesuffix("/v1") + "/health/liveliness", "").value)
    except ask.NoAnswer:
        return False


def _check(answer: ask.Answer, base_url: str, *, given: bool, own: bool, proxied: bool) -> None:
    """Raises `ConnectError` unless the list of models came."""
    if answer.status == 200:
        return
    if proxied and answer.status in (400, 401, 403):
        raise ConnectError(
            f"{base_url} is a LiteLLM proxy and does not accept {'this key' if given else 'our key'}; give it one of its own with --key KEY: "
            "LITELLM_MASTER_KEY of its env.local, or one made there"
        )
    if answer.status in (401, 403):
        if given:
            raise ConnectError(f"{base_url} does not accept this key ({answer.says or answer.status}). Make one there: farmhand token new NAME")
        whose = "is not this installation's server, since it does not accept its key" if own else "asks for a key"
        raise ConnectError(
            f"{base_url} {whose}. On the machine that it runs on type: farmhand token new NAME\nand give what it prints with --key KEY "
            f"(or --key - and standard input, or {KEY_FROM})"
        )
    raise ConnectError(answer.says or f"{base_url} answers with status {answer.status}; is it an OpenAI server?")


def _model(server: _Server, name: str | None) -> Model:
    try:
        return listing.chosen(server.models, name)
    except ConnectError:
        # `engine/model` is not in the list, and yet a name that the server knows.
        answer = _asked(server.base_url, f"/models/{quote(name, safe='/')}", server.key) if name and "/" in name and server.farmhand else None
        found = listing.read_models({"data": [answer.value]}) if answer and answer.status == 200 else ()
        if found and found[0].does("chat"):
            return found[0]
        raise


# --- the client's key ---------------------------------------------------------------------------------------


def _client_key(wanted: Wanted, server: _Server, settings: Settings, given: str | None) -> tuple[str, str, bool]:
    """The key that the client is to use, whose it is, and whether it is lent."""
    if given is not None:
        return given, "the key that was given", False
    if not server.own or not server.farmhand:
        return (server.key if server.farmhand else NO_KEY), "no key: the server asks for none", False
    configured = next((entry for entry in settings.key if entry.name == wanted.name), None)
    if configured is not None:
        return configured.key, f"[[key]] {wanted.name} of the configuration", False
    try:
        found = _shown(Store(settings.home), wanted.name)
    except TokenError as exc:
        raise ConnectError(str(exc)) from None
    if found is not None:
        return found[1], _before(found[0]), False
    return server.key, f"this installation's own; --write makes one for {wanted.name} alone", True


def with_key_of_its_own(gathered: Gathered, wanted: Wanted) -> Gathered:
    """The same with a token for the client, in place of a lent key. The last step, so that nothing is left of what could not be done.

    Raises `ConnectError`.
    """
    if not gathered.lent:
        return gathered
    name, store = wanted.name, Store(gathered.where.state)
    try:
        entry, token = store.make(Grant(id="", name=name, deadline_s=wanted.deadline_s, rate=wanted.rate), int(time.time()))
        key_is = f"the token {name} ({entry.grant.id}), made now; to take it back: farmhand token revoke {name}"
    except TokenError as exc:
        found = _shown(store, name)  # another one made it just now
        if found is None:
            raise ConnectError(str(exc)) from None
        token, key_is = found[1], _before(found[0])
    return replace(gathered, truth=replace(gathered.truth, key=token), key_is=key_is, lent=False)


def _before(entry: Entry) -> str:
    return f"the token {entry.grant.name} ({entry.grant.id}), made before"


def _shown(store: Store, name: str) -> tuple[Entry, str] | None:
    """`None`: there is none of that name that is valid."""
    if not any(entry.grant.name == name for entry in store.entries()):
        return None
    try:
        return store.show(name, time.time())
    except TokenError:
        return None


# --- the machine, and further phones ------------------------------------------------------------------------


def _where(settings: Settings, env: Mapping[str, str]) -> Where:
    # On a phone Python's platform is "android" or "linux", by its version and who built it.
    platform = "android" if hasattr(sys, "getandroidapilevel") else sys.platform
    try:
        here = Path.cwd()
    except OSError:
        raise ConnectError("the current folder is not there any more; go to another one first") from None
    return Where(Path.home(), here, settings.home, dict(env), platform)


def _env_local(file: Path | None, settings: Settings) -> Path:
    """Of an earlier `connect litellm --write`: beside its configuration."""
    return (file.parent if file else settings.home / "litellm") / "env.local"


def _farm(phones: Sequence[str], env: Mapping[str, str], env_local: Path, model: str | None) -> tuple[Truth, ...]:
    """What is true of each further phone."""
    if not phones:
        return ()
    keys = farm.phone_keys(phones, env, env_local)
    for number, key in enumerate(keys, 2):
        if key:
            _check_key(f"{KEY_VARIABLE}_{number}", key)
    return tuple(_phone(url, key, model, number) for number, (url, key) in enumerate(zip(phones, keys, strict=True), 2))


def _phone(url: str, key: str, model: str | None, number: int) -> Truth:
    answer = _asked(url, "/models", key)
    if answer.status in (401, 403):
        raise ConnectError(
            f"--phone {url}: asks for a key{' other than that' if key else ''}. On that phone type: farmhand token new litellm\n"
            f"and put what it prints into the variable {KEY_VARIABLE}_{number} here"
        )
    if answer.status != 200:
        raise ConnectError(f"--phone {url}: {answer.says or f'answers with status {answer.status}'}")
    try:
        models = listing.read_models(answer.value)
        try:
            chosen = listing.chosen(models, model)
        except ConnectError:
            chosen = listing.chosen(models, None)
    except ConnectError as exc:
        raise ConnectError(f"--phone {url}: {exc}") from None
    return Truth(url, chosen, models, key)
