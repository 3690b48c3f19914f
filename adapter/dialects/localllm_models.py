"""LocalLLM's models: its list, and what its ids tell (`protocols/localllm.md` 6, 10). Pure.

Neither the size of a context nor what a model can do is on the wire, so both are told by the id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from adapter.engines.base import Can, ModelCard
from adapter.errors import UpstreamProtocol

AICORE_ID = "gemini-nano-aicore"
# Gemini Nano by ML Kit's reference: prompts of up to 4000 tokens, answers of 1 to 256 (7.4); together a window of 4096.
AICORE_CONTEXT_TOKENS = 4_096
AICORE_MAX_OUTPUT_TOKENS = 256
# From the file names of the NPU bundles (10).
NPU_CONTEXT_TOKENS = 1_280
# The part of a window that no answer can have, since there is always a prompt.
PROMPT_TOKENS = 256
MAX_MODELS = 1_000

_NPU = re.compile(r"-npu-", re.IGNORECASE)
_VISION = re.compile(r"gemma-4-", re.IGNORECASE)
_EMBEDDING = re.compile(r"(?:^|[-_/])(?:bge|e5|gte)[-_]|embed|minilm", re.IGNORECASE)
_WIDTH_384 = re.compile(
    r"(?:^|[-_/])(?:bge[-_]small|e5[-_]small|multilingual[-_]e5[-_]small|gte[-_]small)|minilm[-_]l(?:6|12)", re.IGNORECASE
)


class Kind(StrEnum):
    LITERT = "litert"
    AICORE = "aicore"
    EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    kind: Kind

    @property
    def litert(self) -> bool:
        return self.kind is Kind.LITERT

    @property
    def chats(self) -> bool:
        return self.kind is not Kind.EMBEDDING

    @property
    def sees(self) -> bool:
        return self.litert and _VISION.match(self.id) is not None


def model_of(name: str, *, embeds: bool | None = None) -> Model:
    """embeds: what was found out by asking; `None` goes by the name, as nothing else tells (6)."""
    if name == AICORE_ID:
        return Model(name, Kind.AICORE)
    if embeds if embeds is not None else _EMBEDDING.search(name):
        return Model(name, Kind.EMBEDDING)
    return Model(name, Kind.LITERT)


def parse_models(value: object) -> tuple[str, ...]:
    """The ids of `GET /v1/models`, in its order, each once. Raises `UpstreamProtocol`."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, list):
        raise UpstreamProtocol(
            "LocalLLM's list of models cannot be read. This build of the app may be unknown to Farmhand; update both."
        )
    ids = (entry.get("id") for entry in data[:MAX_MODELS] if isinstance(entry, dict))
    return tuple(dict.fromkeys(name for name in ids if isinstance(name, str) and name))


def context_tokens(model: Model, configured: int) -> int:
    """Prompt and answer together. configured: for bundles that say nothing (`LocalllmSettings.context_tokens`)."""
    if model.kind is Kind.AICORE:
        return AICORE_CONTEXT_TOKENS
    return min(configured, NPU_CONTEXT_TOKENS) if _NPU.search(model.id) else configured


def card_of(model: Model, *, configured_tokens: int, loaded: bool = False, width: int = 0) -> ModelCard:
    """width: of an embedding model's vectors, where it has been seen."""
    if model.kind is Kind.EMBEDDING:
        size = width or (384 if _WIDTH_384.search(model.id) else 0)
        # Each text is cut at 128 tokens (13).
        return ModelCard(model.id, 128, 1, can=frozenset({Can.EMBEDDINGS}), embedding_size=size)
    window = context_tokens(model, configured_tokens)
    if model.kind is Kind.AICORE:
        return ModelCard(model.id, window, AICORE_MAX_OUTPUT_TOKENS)
    can = {Can.CHAT, Can.TOOLS} | ({Can.VISION} if model.sees else set())
    return ModelCard(
        model.id,
        window,
        max(1, window - min(PROMPT_TOKENS, window // 2)),
        loaded=loaded,
        can=frozenset(can),
        # `tool_choice` is not enforced, and nothing holds a call to its schema (7.3).
        checked=frozenset({Can.TOOLS}),
    )
