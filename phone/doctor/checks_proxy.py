"""The LiteLLM proxy's own files: `protocols/clients.md` 9. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from phone.doctor.facts import Facts
from phone.doctor.finding import Finding, fail, ok, warn

CONNECT = "farmhand connect litellm --write"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def check_proxy(facts: Facts) -> Iterator[Finding]:
    """What its service wants before it starts. Whether there is a program is another check's."""
    if facts.settings is None or not facts.settings.proxy.enabled or not facts.programs.get("litellm") or facts.proxy is None:
        return
    proxy = facts.proxy
    if not proxy.has_config:
        yield fail("litellm-config", f"There is no {facts.places.state}/litellm/config.yaml.", "The proxy cannot start.", CONNECT)
    elif proxy.wants_master_key and not proxy.has_master_key:
        wrong = f"{facts.places.state}/litellm/env.local lacks LITELLM_MASTER_KEY."
        yield fail("litellm-key", wrong, "The proxy does not start: without a key any app could use it.", CONNECT)
    elif (port := _other_port(proxy.base_url, facts.settings.server.port)) is not None:
        wrong = f"The proxy asks at port {port}, and the server is at {facts.settings.server.port}."
        yield warn("litellm-address", wrong, "The proxy gets no answer from this phone.", CONNECT)
    else:
        yield ok("litellm-config", "The proxy has its configuration and its key.")


def _other_port(base_url: str, port: int) -> int | None:
    """The port on this phone that it asks at, if that is not the server's."""
    try:
        parts = urlsplit(base_url)
        found = parts.port
    except ValueError:
        return None
    return found if parts.hostname in LOOPBACK and found is not None and found != port else None
