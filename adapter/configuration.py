"""The configuration: file, then environment, then flags, into one `Settings`.

The only file of the adapter that reads the configuration file and the environment, but for the secrets that `secrets.py` is sent to. Unknown keys and
unknown `FARMHAND_...` variables are refused by name, so that a typing error is never silently the default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adapter.settings import (
    DEFAULT_ENGINES,
    AuthSettings,
    LogSettings,
    ResponsesSettings,
    RouterSettings,
    SearchSettings,
    Section,
    ServerSettings,
    Settings,
    StoreSettings,
)

ENV_PREFIX = "FARMHAND_"
# Read by this module's own functions, or a client's key for `farmhand connect` and the tunnel; not keys of the file.
ENV_PLACES = frozenset({"FARMHAND_CONFIG", "FARMHAND_HOME", "FARMHAND_KEY"})

SECTIONS: dict[str, type[Section]] = {
    "server": ServerSettings,
    "auth": AuthSettings,
    "log": LogSettings,
    "router": RouterSettings,
    "models": StoreSettings,
    "responses": ResponsesSettings,
    "search": SearchSettings,
}

# Of the bundle: `phone/settings.py` has them, and refuses what is wrong in them.
PHONE_SECTIONS = frozenset({"supervisor", "proxy", "gateway", "wakelock", "governor", "notification"})

# In the state folder: the model of the embedded engine where no configuration file names engines.
DEFAULT_MODEL_FILE = "default-model"


class SettingsError(Exception):
    """A configuration that cannot be used. The text names the key, the place and the remedy."""


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
    if "engine" not in data and (chosen := default_model(home_path(env))):
        data["engine"] = [{**e, "model": chosen} if e["kind"] == "llama" else dict(e) for e in DEFAULT_ENGINES]
    sources = _apply_environment(data, env)
    for key, value in (server or {}).items():
        data.setdefault("server", {})[key] = value
        sources["server", key] = f"--{key}"
    try:
        return Settings(home=home_path(env), **data)
    except ValidationError as exc:
        raise SettingsError(_explain(exc, path, sources)) from None


def default_model(home: Path) -> str | None:
    """What `farmhand models default NAME` wrote; `None` if nothing. Raises `SettingsError`."""
    path = home / DEFAULT_MODEL_FILE
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{path}: cannot be read ({exc}); delete it to use the demo model") from None


def names_engines(env: Mapping[str, str] | None = None) -> Path | None:
    """The configuration file, if it names engines itself: then it decides on their models. Raises `SettingsError`."""
    path = config_path(os.environ if env is None else env)
    return path if "engine" in _read_toml(path, must_exist=False) else None


def _read_toml(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        import tomllib  # here: whoever has no file needs nobody to read it

        return {name: value for name, value in tomllib.loads(text).items() if name not in PHONE_SECTIONS}
    except FileNotFoundError:
        if must_exist:
            raise SettingsError(f"{path}: there is no such configuration file") from None
        return {}
    except ValueError as exc:  # TOMLDecodeError, UnicodeDecodeError
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
    for section in data.keys() & {"engine", "model", "key"}:
        entries = data[section]
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise SettingsError(f"{path}: {section!r} is a list of sections; write each as [[{section}]]")


# --- environment: FARMHAND_<SECTION>_<KEY>, FARMHAND_ENGINE_<NAME>_<KEY> ------------------------------------


# Which variable or flag set a value: (section, key) or (section, index, key) -> its name, for error messages.
_Sources = dict[tuple[str | int, ...], str]


def _apply_environment(data: dict[str, Any], env: Mapping[str, str]) -> _Sources:
    return {
        _apply_variable(data, variable, text): variable
        for variable, text in sorted(env.items())
        if variable.startswith(ENV_PREFIX) and variable not in ENV_PLACES and _section(variable)[0] not in PHONE_SECTIONS
    }


def _section(variable: str) -> tuple[str, str]:
    """`FARMHAND_SERVER_PORT` -> ("server", "port")."""
    section, _, key = variable.removeprefix(ENV_PREFIX).lower().partition("_")
    return section, key


def _apply_variable(data: dict[str, Any], variable: str, text: str) -> tuple[str | int, ...]:
    section, key = _section(variable)
    if section in ("engine", "model", "key"):
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
    import tomllib

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
        case "tuple_type":
            return f'{where}: must be a list, like ["...", "..."]'
        case _:
            return f"{where}: {error['msg']} (got {_shown(error)})"


def _shown(error: Mapping[str, Any]) -> str:
    """The offending value, unless it may be a key or hold one (an engine of an unknown kind has who knows what)."""
    value = error.get("input")
    secret = error["loc"][:1] in (("auth",), ("key",)) or error["loc"][-1:] == ("key",)
    if secret or isinstance(value, dict | list | tuple):
        return "a value not shown here"
    return repr(value)[:80]
