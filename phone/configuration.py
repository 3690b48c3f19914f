"""The bundle's part of the configuration: file, then environment, into one `PhoneSettings`.

The other sections are the adapter's, which checks them when it starts; `farmhand doctor` asks it to.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from phone.settings import PhoneSettings

ENV_PREFIX = "FARMHAND_"


class ConfigError(Exception):
    """A configuration that cannot be used. The text names the key, the place and the remedy."""


def load(path: Path, env: Mapping[str, str]) -> PhoneSettings:
    """Read `path` (it need not exist) and `FARMHAND_<SECTION>_<KEY>`. Raises `ConfigError`."""
    sections = _sections()
    data = {name: value for name, value in _read(path).items() if name in sections}
    for variable, text in sorted(env.items()):
        section, _, key = variable.removeprefix(ENV_PREFIX).lower().partition("_")
        if variable.startswith(ENV_PREFIX) and section in sections and _is_ours(section, key, variable):
            entry = data.setdefault(section, {})
            if isinstance(entry, dict):
                entry[key] = _value(text)
    try:
        return PhoneSettings(**data)
    except ValidationError as exc:
        raise ConfigError("; ".join(f"{path}: {_explained(dict(e))}" for e in exc.errors(include_url=False))) from None


def _sections() -> dict[str, Any]:
    return {name: field.annotation for name, field in PhoneSettings.model_fields.items()}


def _is_ours(section: str, key: str, variable: str) -> bool:
    """Of `[server]` most keys are the adapter's. Raises `ConfigError` for a key that a section of ours lacks."""
    known = _sections()[section].model_fields
    if key in known:
        return True
    if section == "server":
        return False
    names = ", ".join(f"{ENV_PREFIX}{section}_{name}".upper() for name in known)
    raise ConfigError(f"environment: {variable} is no setting of Farmhand; there are {names}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as exc:  # TOMLDecodeError, UnicodeDecodeError
        raise ConfigError(f"{path}: not valid TOML: {exc}") from None
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read: {exc.strerror}") from None


def _value(text: str) -> Any:
    """A TOML value where the text is one (`8888`, `true`), else the text itself."""
    try:
        return tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text


def _explained(error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}; check the spelling against the README's table"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}"
    return f"{where}: {error['msg']} (got {error.get('input')!r:.80})"
