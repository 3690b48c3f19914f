"""What distinguishes the three builds of InferrLM: one row each (protocol section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Build = Literal["A", "B", "C"]
Queue = Literal["cut", "wait", "wait 30 s"]


@dataclass(frozen=True, kw_only=True)
class Traits:
    """One build, as a client can tell it from the others."""

    version: str
    openai: bool
    """`/v1/models` and `/v1/chat/completions` exist (section 3)."""
    byte_bodies: bool
    """Bodies are counted in bytes; otherwise in UTF-16 units of decoded text (4.2)."""
    answers_expect: bool
    """`Expect: 100-continue` is answered (4.2)."""
    extension_optional: bool
    """A model name may omit `.gguf` (6)."""
    newline_stops: bool
    """A newline is a stop word, always (13.1)."""
    litert: bool
    """LiteRT models exist (13.2)."""
    stops_on_disconnect: bool
    """Closing a stream's connection stops the model, whoever it works for (12)."""
    queue: Queue
    """What a second generation does (11)."""
    load_attempts: int
    """How often a failing load is tried (6)."""
    default_max_tokens: int
    default_mirostat: int
    n_ctx: int
    """Context window in tokens (6)."""
    allow_headers: str
    """`Access-Control-Allow-Headers` of an OPTIONS answer (3)."""
    remote_providers: tuple[str, ...]
    """Names that mean a cloud provider (6)."""
    knows_422: bool
    """The reason phrase of 422 is right; otherwise it is `OK` (10.1)."""


TRAITS: dict[Build, Traits] = {
    "A": Traits(
        version="0.7.7",
        openai=False,
        byte_bodies=False,
        answers_expect=False,
        extension_optional=False,
        newline_stops=False,
        litert=False,
        stops_on_disconnect=False,
        queue="cut",
        load_attempts=1,
        default_max_tokens=1200,
        default_mirostat=2,
        n_ctx=6144,
        allow_headers="Content-Type",
        remote_providers=("gemini", "chatgpt", "deepseek", "claude"),
        knows_422=False,
    ),
    "B": Traits(
        version="0.8.7",
        openai=True,
        byte_bodies=False,
        answers_expect=True,
        extension_optional=False,
        newline_stops=True,
        litert=False,
        stops_on_disconnect=False,
        queue="wait",
        load_attempts=3,
        default_max_tokens=4096,
        default_mirostat=0,
        n_ctx=4096,
        allow_headers="Content-Type, Authorization",
        remote_providers=("gemini", "chatgpt", "claude"),
        knows_422=True,
    ),
    "C": Traits(
        version="0.8.7",
        openai=True,
        byte_bodies=True,
        answers_expect=True,
        extension_optional=True,
        newline_stops=True,
        litert=True,
        stops_on_disconnect=True,
        queue="wait 30 s",
        load_attempts=3,
        default_max_tokens=4096,
        default_mirostat=0,
        n_ctx=4096,
        allow_headers="Content-Type, Authorization",
        remote_providers=("gemini", "chatgpt", "claude"),
        knows_422=True,
    ),
}
