"""A client that `farmhand connect` knows, and the list of them. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from adapter.connect.parts import Connection
from adapter.connect.profile import Profile
from adapter.connect.truth import Options, Truth, Where


class Target(Protocol):
    """What a module of `targets/` has, at its top level.

    PROFILE: what the client sends. Where it also has a whole number DEADLINE_S or a RATE (`60/min`), the token that is made for the client has them.
    """

    PROFILE: Profile

    def connection(self, truth: Truth, where: Where, options: Options) -> Connection:
        """The configuration. Raises `ConnectError` for what cannot be made from this truth."""


class ConnectError(Exception):
    """It cannot be connected so; the text is a sentence that says why and what to do."""


# Name: the module below `targets/`, and who it is. Imported when it is asked for.
TARGETS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "litellm": ("litellm", "LiteLLM proxy: one address for this phone, others, and further servers"),
        "openclaw": ("openclaw", "OpenClaw, the agent gateway"),
        "clawdbot": ("clawdbot", "Clawdbot, OpenClaw's older name"),
        "open-webui": ("open_webui", "Open WebUI, a chat page"),
        "pitwall": ("pitwall", "Pitwall's bridge, on the phone"),
        "cursor": ("cursor", "Cursor, the editor"),
        "continue": ("continue_dev", "Continue, for VS Code, JetBrains and the terminal"),
        "aider": ("aider", "aider, pair programming in the terminal"),
        "llm": ("llm", "llm, the command line by Simon Willison"),
        "openai-python": ("openai_python", "OpenAI's SDK for Python; Instructor too"),
        "openai-js": ("openai_js", "OpenAI's SDK for JavaScript"),
        "ai-sdk": ("ai_sdk", "Vercel's AI SDK"),
        "langchain": ("langchain", "LangChain for Python"),
        "pydantic-ai": ("pydantic_ai", "Pydantic AI"),
        "adk": ("adk", "Google's Agent Development Kit"),
        "home-assistant": ("home_assistant", "Home Assistant's conversation agents"),
        "tiny-agents": ("tiny_agents", "Hugging Face's tiny-agents"),
        "env": ("env", "anything that reads OPENAI_BASE_URL and OPENAI_API_KEY"),
    }
)


def target(name: str) -> Target:
    """Raises `ConnectError` for a name that is not in `TARGETS`."""
    if name not in TARGETS:
        raise ConnectError(f"{name[:40]!r} is no client that Farmhand knows; there are {', '.join(TARGETS)}. For any other: farmhand connect env")
    module: Target = importlib.import_module(f"adapter.connect.targets.{TARGETS[name][0]}")
    return module
