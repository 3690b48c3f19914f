"""Home Assistant: its own OpenAI integration asks nobody but OpenAI, so one from HACS, set up by hand.

`Local OpenAI LLM` (skye-harris/hass_local_openai_llm) by its README and source of autumn 2026; it was not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from adapter.connect.parts import Connection, Snippet
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where
from adapter.settings import is_loopback

# Assist sends its tools and every exposed entity; the integration's README advises 10,000 tokens of context [est]. The small form controls nothing.
PROFILE = Profile(prompt_tokens=6_000, small_prompt_tokens=400, tools=12, answer_tokens=512)

FULL_CONTEXT = 10_000
EXAMPLE = "http://192.168.1.20:8888/v1"


def connection(truth: Truth, where: Where, options: Options) -> Connection:
    local = is_loopback(urlsplit(truth.base_url).hostname or "")
    control = not options.small and truth.model.does("tools") and not 0 < truth.model.context_tokens < PROFILE.prompt_tokens
    assist = "Assist" if control else "none: leave the field empty, so that no tools and entities are sent"
    address = f"{EXAMPLE} (this machine's own address in your network)" if local else truth.base_url
    steps = f"""1. HACS > three dots > Custom repositories: https://github.com/skye-harris/hass_local_openai_llm, type Integration. Download it, restart Home Assistant.
2. Settings > Devices & services > Add integration > Local OpenAI LLM.
     Server name   Farmhand
     Server URL    {address}
     API key       {truth.key}
     Server type   the generic one
3. On the new entry: Add conversation agent.
     Model                    {truth.model.id}
     Control Home Assistant   {assist}
     Parallel tool calls      off
     Message history          {_history(truth)}
4. Settings > Voice assistants > your assistant > Conversation agent: the new one."""
    return Connection((Snippet("In Home Assistant", "text", steps),), tuple(_notes(truth, local=local, control=control)))


def _history(truth: Truth) -> int:
    """Earlier turns that go along: few for a small context."""
    return 3 if 0 < truth.model.context_tokens < FULL_CONTEXT else 10


def _notes(truth: Truth, *, local: bool, control: bool) -> Iterator[str]:
    if local:
        yield (
            f"{truth.base_url} means Home Assistant's own machine when it asks there, unless it runs on this one. Let Farmhand listen in your "
            'network: [server] host = "0.0.0.0", and its address in allowed_hosts; or keep a tunnel on that machine: scripts/farmhand-tunnel.'
        )
    if control and 0 < truth.model.context_tokens < FULL_CONTEXT:
        yield (
            "Expose few entities (Settings > Voice assistants > Expose): each is text in every prompt, and "
            f"{truth.model.context_tokens:,} tokens are soon full."
        )
    if not control:
        yield "It talks, but switches nothing: for that take a model with tools and 10,000 tokens of context (--model)."
    yield (
        "Home Assistant's built-in OpenAI integration has no field for an address; Extended OpenAI Conversation (HACS) has one, as `Base Url`, and "
        "works alike."
    )
