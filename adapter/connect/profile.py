"""What a client sends, needs and bears, so that `--check` can call the server as that client does. Pure.

The numbers are those of `protocols/clients.md` and `pitwall.md`, or say where they come from.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Of one client's usual first request.

    prompt_tokens: messages and tools together, by a GPT-4 tokenizer. small_prompt_tokens: the same with `--small`; 0: there is no small form.
    tools: how many it always sends; 0: none of its own. answer_tokens: room that an answer needs to be of use. min_context_tokens: it refuses models
    that say less. stream: does it stream? schema: does it ask for JSON by a schema? embeddings: does it ask for vectors?
    byte_s: its patience in seconds for the first byte and between bytes; data_s: for a data chunk that is no comment; whole_s: for a whole plain answer.
    `None`: without end. parallel: requests at once in ordinary use. needs_tools, needs_schema: it is of no use without.
    """

    prompt_tokens: int
    small_prompt_tokens: int = 0
    tools: int = 0
    answer_tokens: int = 256
    min_context_tokens: int = 0
    stream: bool = True
    schema: bool = False
    embeddings: bool = False
    byte_s: float | None = 600.0
    data_s: float | None = None
    whole_s: float | None = None
    parallel: int = 1
    needs_tools: bool = False
    needs_schema: bool = False
