"""Models that are known to do well on phones, smallest memory first. A table and how it is shown. Pure.

Sizes are the files' as published, rounded. Memory is the file, the KV cache of one slot at 4,096 tokens (f16) worked out
from layers, KV heads and head size, and some 0.2 GB for buffers; rounded up.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.models import words


@dataclass(frozen=True, slots=True)
class Suggestion:
    """size_gb, memory_gb: 10^9 bytes, rounded. memory_gb: for one slot of 4,096 tokens."""

    source: str
    size_gb: float
    memory_gb: float
    remark: str


SUGGESTIONS = (
    Suggestion("hf:nomic-ai/nomic-embed-text-v1.5-GGUF/nomic-embed-text-v1.5.Q8_0.gguf", 0.15, 0.4, "embeddings only"),
    Suggestion("hf:HuggingFaceTB/SmolLM2-360M-Instruct-GGUF/smollm2-360m-instruct-q8_0.gguf", 0.39, 0.8, "English, tiny"),
    Suggestion("hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF/qwen2.5-0.5b-instruct-q4_k_m.gguf", 0.49, 0.8, "any phone; tools"),
    Suggestion("hf:ggml-org/gemma-3-1b-it-GGUF/gemma-3-1b-it-Q4_K_M.gguf", 0.81, 1.2, "good prose"),
    Suggestion("hf:bartowski/Llama-3.2-1B-Instruct-GGUF/Llama-3.2-1B-Instruct-Q4_K_M.gguf", 0.81, 1.2, "quick"),
    Suggestion("hf:Qwen/Qwen3-0.6B-GGUF/Qwen3-0.6B-Q8_0.gguf", 0.64, 1.4, "reasons; tools"),
    Suggestion("hf:Qwen/Qwen2.5-1.5B-Instruct-GGUF/qwen2.5-1.5b-instruct-q4_k_m.gguf", 1.12, 1.5, "a good start; tools"),
    Suggestion("hf:ibm-granite/granite-3.3-2b-instruct-GGUF/granite-3.3-2b-instruct-Q4_K_M.gguf", 1.55, 2.1, "tools"),
    Suggestion("hf:bartowski/Llama-3.2-3B-Instruct-GGUF/Llama-3.2-3B-Instruct-Q4_K_M.gguf", 2.02, 2.7, "tools"),
    Suggestion("hf:ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf", 2.49, 3.3, "many languages"),
    Suggestion("hf:unsloth/Phi-4-mini-instruct-GGUF/Phi-4-mini-instruct-Q4_K_M.gguf", 2.49, 3.3, "mathematics"),
    Suggestion("hf:Qwen/Qwen3-4B-GGUF/Qwen3-4B-Q4_K_M.gguf", 2.5, 3.4, "8 GB phones; reasons; tools"),
)


def lines() -> list[str]:
    """The table for a terminal."""
    rows = [("DOWNLOAD", "MEMORY", "SOURCE", "")]
    rows += [(f"{s.size_gb:.2f} GB", f"{s.memory_gb:.1f} GB", s.source, s.remark) for s in SUGGESTIONS]
    return [
        *words.table(rows, right=frozenset({0, 1})),
        "",
        "Figures are rounded; memory is for one slot of 4,096 tokens, and each further slot adds its cache.",
        f"Fetch one with: farmhand models pull {SUGGESTIONS[6].source}",
    ]
