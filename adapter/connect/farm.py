"""What `farmhand connect litellm` has to find out besides: `[proxy]` of the configuration, and the keys of further phones."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapter.connect.edits_env import read_env
from adapter.connect.target import ConnectError
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE
from adapter.connect.upstreams import Upstream, parse
from adapter.connect.values import EditError

PORT = 4000


def proxy_section(config: Path, *, base_urls: Sequence[str] = ()) -> tuple[tuple[Upstream, ...], int]:
    """The upstreams and the port of `[proxy]`; none and 4000 without a file. base_urls: what the proxy reaches anyway. Raises `ConnectError`."""
    section = _section(config)
    port = section.get("port", PORT)
    if isinstance(port, bool) or not isinstance(port, int) or not 1 <= port <= 65_535:
        raise ConnectError(f"{config}: proxy.port must be a port number from 1 to 65535")
    entries = section.get("upstream", [])
    if not isinstance(entries, list):
        raise ConnectError(f"{config}: 'upstream' is a list of sections; write each as [[proxy.upstream]]")
    try:
        return parse(entries, port=port, base_urls=base_urls), port
    except ConnectError as exc:
        raise ConnectError(f"{config}: {exc}") from None


def _section(config: Path) -> dict[str, Any]:
    try:
        section = tomllib.loads(config.read_text(encoding="utf-8")).get("proxy", {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as exc:  # TOMLDecodeError, UnicodeDecodeError
        raise ConnectError(f"{config}: not valid TOML: {exc}") from None
    except OSError as exc:
        raise ConnectError(f"{config}: cannot be read: {exc.strerror}") from None
    if not isinstance(section, dict):
        raise ConnectError(f"{config}: 'proxy' is a section; write it as [proxy]")
    return section


def phone_keys(urls: Sequence[str], env: Mapping[str, str], env_local: Path) -> tuple[str, ...]:
    """The key of each phone of `--phone`, "" where none is known. urls: with `/v1`, in the order of `--phone`.

    `NEURAL_FARM_API_KEY_2` of the environment is for the first of them, `_3` for the next: 1 is the server that `NEURAL_FARM_BASE_URL` names.
    Else what `env_local` has, the file of an earlier `--write`: there by the URL, since the order may be another by now. Raises `ConnectError`.
    """
    known = _known(env_local)
    return tuple(env.get(f"{KEY_VARIABLE}_{number}") or known.get(url.rstrip("/"), "") for number, url in enumerate(urls, 2))


def _known(env_local: Path) -> dict[str, str]:
    """URL -> key."""
    try:
        values = read_env(env_local.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, EditError) as exc:
        raise ConnectError(f"{env_local} cannot be read ({exc}); mend that, or delete it to begin anew") from None
    # Of a phone that is there twice the first counts: when there are fewer of them than before, the old last lines stay.
    numbered = sorted((len(name), name.removeprefix(URL_VARIABLE)) for name in values if name.startswith(URL_VARIABLE))
    return {values[URL_VARIABLE + number].rstrip("/"): values.get(KEY_VARIABLE + number, "") for _, number in reversed(numbered)}
