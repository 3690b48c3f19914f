"""Cursor: there is no file to write, it is set up by hand; and it asks from Cursor's own servers, which must be able to reach this one.

From guides of 2026 for servers in the same place (ngrok's, OpenRouter's, Merge's); Cursor itself was not run.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from adapter.connect.parts import Connection, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where

# Ask mode with an open file [est]; nothing of it was seen on the wire.
PROFILE = Profile(prompt_tokens=8_000, tools=10, answer_tokens=1_024, byte_s=60.0)

EXAMPLE = "https://phone.example.org/v1"


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    public = _is_public(truth.base_url)
    address = truth.base_url if public else EXAMPLE
    steps = f"""1. Cursor Settings > Models > API Keys (a paid plan is needed for models of one's own).
2. OpenAI API Key: switch it on, and paste
   {truth.key}
3. Override OpenAI Base URL: switch it on, and write
   {address}
4. + Add Custom Model: {truth.model.id}; switch it on, and the other OpenAI models off: they would be asked for at this address too.
5. Verify, then choose {truth.model.id} in the chat, in Ask or Plan mode."""
    return Connection((Snippet("In Cursor", "text", steps), *_reaching(truth, public=public)), tuple(_notes(truth, public=public)))


def _reaching(truth: Truth, *, public: bool) -> Iterator[Snippet]:
    if public:
        return
    host = urlsplit(EXAMPLE).hostname
    text = f"""# on the machine that reaches the phone, with a name of your own:
cloudflared tunnel --url {truth.root_url} --hostname {host}
# in config.toml of Farmhand, which refuses other names than its own:
[server]
allowed_hosts = ["{host}"]"""
    yield Snippet("An address that Cursor's servers reach", "text", text)


def _notes(truth: Truth, *, public: bool) -> Iterator[str]:
    if not public:
        yield (
            f"Cursor asks from its own servers, not from your machine: {truth.base_url} cannot be reached from there. It needs a public "
            "https address, such as a tunnel (cloudflared, ngrok, Tailscale Funnel); whoever knows the address can then try keys on it."
        )
        yield "An editor that asks from your own machine needs no such thing: farmhand connect continue."
    elif not truth.base_url.startswith("https://"):
        yield "Give Cursor an https address: over http the key crosses the internet for everybody to read."
    yield "Tab completion stays with Cursor's own model, and Agent mode may refuse other models."


def _is_public(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host and not host.endswith((".local", ".lan", ".home", ".internal", ".home.arpa", ".localhost"))
