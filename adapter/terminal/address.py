"""Which server the commands at the terminal talk to, and with which key."""

from __future__ import annotations

from urllib.parse import urlsplit

from adapter import configuration
from adapter.keys import load_or_create_key
from adapter.settings import is_loopback, local_url


def server(url: str | None, key: str | None) -> tuple[str, str | None]:
    """Base URL and key. Raises `SettingsError`, `KeyFileError`, `ValueError`.

    The key of this installation is sent to this machine only: another server has no business with it.
    """
    if key is not None and not (key and all("!" <= char <= "~" for char in key)):
        raise ValueError("--key: a key has no spaces, line breaks or letters beyond ASCII; copy it anew")
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"--url: {url!r} must look like http://127.0.0.1:8888/v1")
        if key is None and is_loopback(parts.hostname):
            key = load_or_create_key(configuration.load().home)
        return url.rstrip("/"), key
    config = configuration.load()
    if config.server.port == 0:
        raise ValueError("server.port is 0, so the port changes with each start; give the address with --url URL")
    return local_url(config.server.host, config.server.port), key or load_or_create_key(config.home)
