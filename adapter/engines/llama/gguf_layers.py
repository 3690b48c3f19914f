"""What a model's layers keep in memory for each token, by the head of its GGUF. Pure.

The rules are those of llama.cpp 0.3.36 (`src/llama-hparams.cpp`, `src/models/*.cpp`). What an unknown architecture
leaves open is counted as plain attention over the whole context, which is the most it can be.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.engines.llama.gguf_meta import GgufMeta

F32_BYTES = 4
MAX_LAYERS = 512

# Encoders: no cache at all.
NO_CACHE = frozenset({
    "bert", "dream", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llada", "llada-moe", "modern-bert",
    "neo-bert", "nomic-bert", "nomic-bert-moe", "rnd1", "wavtokenizer-dec",
})  # fmt: skip
# Every so many layers one sees the whole context, the others a window; where the file itself may say otherwise.
WINDOW_PERIODS = {
    "afmoe": 4, "cohere2": 4, "exaone-moe": 4, "exaone4": 4, "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gemma4": 0,
    "gpt-oss": 2, "olmo2": 4, "plamo3": 8,
}  # fmt: skip  # gemma4 lists its layers
# Every so many layers one has attention, the others a state.
ATTENTION_INTERVALS = {"qwen35": 4, "qwen35moe": 4, "qwen3next": 4}
# Only the first layers have a cache of their own, where the file does not say how many share.
OWN_CACHES = {"gemma3n": 20}


@dataclass(frozen=True, slots=True)
class Attention:
    """One layer's cache: values for each token in K and in V. windowed: it looks back over a window only."""

    k_values: int
    v_values: int
    windowed: bool = False


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What a model's memory depends on. attention: the layers that have a cache. head_sizes: of their K and V.

    state_bytes: of one sequence, in layers that sum up the past in a state. trained_tokens: 0 if not known.
    width, feed_forward, inner: values for each token between layers, in the widest feed-forward layer, and in the
    widest attention or state. vocabulary: 0 if not known. window: tokens.
    """

    weights_bytes: int
    attention: tuple[Attention, ...]
    head_sizes: frozenset[int]
    state_bytes: int
    trained_tokens: int
    width: int
    feed_forward: int
    inner: int
    vocabulary: int
    window: int


def parse_size(meta: GgufMeta) -> ModelSize:
    """Raises nothing: what is missing or makes no sense counts as zero."""
    keys = _Keys(meta)
    n_layers = min(keys.number("block_count"), MAX_LAYERS)
    heads = keys.by_layer("attention.head_count", n_layers, 0)
    kv_heads = keys.by_layer("attention.head_count_kv", n_layers, heads[0] if heads else 0)
    attention, head_sizes = _attention(keys, kv_heads, heads)
    return ModelSize(
        weights_bytes=meta.data_bytes,
        attention=tuple(attention),
        head_sizes=frozenset(head_sizes),
        state_bytes=len(_state_layers(keys, kv_heads)) * _state_values(keys) * F32_BYTES,
        trained_tokens=meta.context_length or 0,
        width=keys.number("embedding_length"),
        feed_forward=_feed_forward(keys, n_layers),
        inner=max(max(heads, default=0) * max(head_sizes, default=0), keys.number("ssm.inner_size")),
        vocabulary=meta.vocabulary_size or keys.number("vocab_size"),
        window=keys.number("attention.sliding_window"),
    )


class _Keys:
    """The values under the architecture's name. Numbers that cannot be are taken as missing."""

    def __init__(self, meta: GgufMeta) -> None:
        self._meta = meta
        self.architecture = meta.architecture

    def number(self, key: str, default: int = 0) -> int:
        value = self._meta.values.get(f"{self.architecture}.{key}")
        return int(value) if isinstance(value, int) and 0 < value < 1 << 31 else default

    def numbers(self, key: str) -> tuple[int, ...]:
        return self._meta.arrays.get(f"{self.architecture}.{key}", ())

    def by_layer(self, key: str, n_layers: int, default: int) -> list[int]:
        """One number for all layers, or one for each."""
        listed = [value if 0 <= value < 1 << 31 else 0 for value in self.numbers(key)]
        if not listed:
            return [self.number(key, default)] * n_layers
        return (listed + [listed[-1]] * n_layers)[:n_layers]


def _attention(keys: _Keys, kv_heads: list[int], heads: list[int]) -> tuple[list[Attention], set[int]]:
    if keys.architecture in NO_CACHE:
        return [], set()
    by_width = keys.number("embedding_length") // max(1, heads[0] if heads else 0)
    k_size, v_size = (keys.number(f"attention.{name}_length", by_width) for name in ("key", "value"))
    k_window, v_window = (
        keys.number(f"attention.{name}_length_swa", size) for name, size in (("key", k_size), ("value", v_size))
    )
    if keys.number("attention.key_length_mla") and keys.number("attention.value_length_mla"):
        v_size = v_window = 0  # latent attention: V is worked out from K
    windowed = _windowed_layers(keys, len(kv_heads))
    own_caches = OWN_CACHES.get(keys.architecture, len(kv_heads) - keys.number("attention.shared_kv_layers"))
    recurrent = set(_recurrent_layers(keys, len(kv_heads)))
    attention, sizes = [], set()
    for layer, n_heads in enumerate(kv_heads[:own_caches]):
        if n_heads == 0 or layer in recurrent:
            continue
        k, v = (k_window, v_window) if layer in windowed else (k_size, v_size)
        attention.append(Attention(n_heads * k, n_heads * v, layer in windowed))
        sizes |= {k, v}
    return attention, sizes


def _windowed_layers(keys: _Keys, n_layers: int) -> set[int]:
    if keys.architecture not in WINDOW_PERIODS or not keys.number("attention.sliding_window"):
        return set()
    key = "attention.sliding_window_pattern"
    if listed := keys.numbers(key):
        return {layer for layer, windowed in enumerate(listed[:n_layers]) if windowed}
    period = keys.number(key, WINDOW_PERIODS[keys.architecture])
    return {layer for layer in range(n_layers) if period and layer % period < period - 1}


def _recurrent_layers(keys: _Keys, n_layers: int) -> list[int]:
    """Those that have a state where one would expect attention."""
    if listed := keys.numbers("attention.recurrent_layers"):
        return [layer for layer, recurrent in enumerate(listed[:n_layers]) if recurrent]
    if keys.architecture not in ATTENTION_INTERVALS:
        return []
    interval = keys.number("full_attention_interval", ATTENTION_INTERVALS[keys.architecture])
    return [layer for layer in range(n_layers) if (layer + 1) % interval]


def _state_layers(keys: _Keys, kv_heads: list[int]) -> list[int]:
    """Those with a state, if there are any: the ones without attention, or all (each of Falcon H1's has both)."""
    without_heads = [layer for layer, n_heads in enumerate(kv_heads) if n_heads == 0]
    return _recurrent_layers(keys, len(kv_heads)) or without_heads or list(range(len(kv_heads)))


def _state_values(keys: _Keys) -> int:
    """Of one layer and sequence: what `n_embd_r` and `n_embd_s` come to."""
    width = keys.number("embedding_length")
    if size := keys.number("wkv.head_size"):
        return keys.number("token_shift_count", 2) * width + width * size
    if length := keys.number("shortconv.l_cache"):
        return width * (length - 1)
    inner, state = keys.number("ssm.inner_size"), keys.number("ssm.state_size")
    convolved = inner + 2 * keys.number("ssm.group_count") * state
    return max(0, keys.number("ssm.conv_kernel") - 1) * convolved + inner * state


def _feed_forward(keys: _Keys, n_layers: int) -> int:
    """The widest; of experts as many as work on one token."""
    dense = max(keys.by_layer("feed_forward_length", n_layers, 0), default=0)
    one_expert = max(keys.by_layer("expert_feed_forward_length", n_layers, 0), default=0)
    experts = one_expert * keys.number("expert_used_count") + keys.number("expert_shared_feed_forward_length")
    return max(dense, experts)
