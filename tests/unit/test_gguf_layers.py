"""What each kind of model keeps for a token: the rules of llama.cpp, by the keys of real files."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from adapter.engines.llama.gguf_layers import Attention, parse_size
from adapter.engines.llama.gguf_meta import GgufMeta

Numbers = Mapping[str, int | float | bool | str]
Arrays = Mapping[str, tuple[int, ...]]


def meta(architecture: str, keys: Numbers, arrays: Arrays = MappingProxyType({})) -> GgufMeta:
    """Keys and arrays without the architecture's name."""
    values = {f"{architecture}.{key}": value for key, value in keys.items()}
    lists = {f"{architecture}.{key}": value for key, value in arrays.items()}
    return GgufMeta(3, 1, {"general.architecture": architecture, **values}, lists, 1_000, 5_000)


QWEN: dict[str, int | float | bool | str] = {
    "block_count": 24,
    "embedding_length": 896,
    "feed_forward_length": 4_864,
    "attention.head_count": 14,
    "attention.head_count_kv": 2,
    "context_length": 32_768,
}


def test_grouped_heads() -> None:
    """Qwen2.5 0.5B: 2 of 14 heads are kept, each of 896 / 14 values."""
    size = parse_size(meta("qwen2", QWEN))
    assert size.attention == (Attention(128, 128),) * 24
    assert size.head_sizes == {64}
    assert (size.width, size.feed_forward, size.inner) == (896, 4_864, 896)
    assert (size.weights_bytes, size.vocabulary, size.trained_tokens, size.state_bytes) == (5_000, 1_000, 32_768, 0)


def test_every_head_is_kept_where_nothing_else_is_said() -> None:
    keys = {key: value for key, value in QWEN.items() if key != "attention.head_count_kv"}
    assert parse_size(meta("llama", keys)).attention[0] == Attention(896, 896)


def test_head_sizes_of_their_own() -> None:
    keys = {"attention.key_length": 128, "attention.value_length": 96}
    size = parse_size(meta("qwen3", QWEN | keys))
    assert size.attention[0] == Attention(256, 192)
    assert size.inner == 14 * 128


def test_one_number_of_heads_for_each_layer() -> None:
    """OpenELM lists them; layers without heads have no cache."""
    keys = QWEN | {"block_count": 4}
    size = parse_size(meta("openelm", keys, {"attention.head_count_kv": (3, 3, 0, 5)}))
    assert [layer.k_values for layer in size.attention] == [192, 192, 320]


@pytest.mark.parametrize(
    ("architecture", "arrays", "keys", "windowed"),
    [
        ("gemma3", {}, {}, [True] * 5 + [False] + [True] * 2),
        ("gemma2", {}, {}, [True, False] * 4),
        ("gemma3", {}, {"attention.sliding_window_pattern": 4}, [True, True, True, False] * 2),
        ("gemma4", {"attention.sliding_window_pattern": (1, 1, 0, 1, 1, 0, 1, 0)}, {}, [1, 1, 0, 1, 1, 0, 1, 0]),
        ("qwen2", {}, {}, [False] * 8),  # the file has a window, llama.cpp does not use it
        ("phi3", {}, {}, [False] * 8),
    ],
)
def test_sliding_windows(
    architecture: str, arrays: Arrays, keys: Numbers, windowed: list[bool]
) -> None:
    keys = {**QWEN, "block_count": 8, "attention.sliding_window": 512, **keys}
    size = parse_size(meta(architecture, keys, arrays))
    assert [layer.windowed for layer in size.attention] == windowed
    assert size.window == 512


def test_layers_that_share_a_cache_count_once() -> None:
    """Gemma 3n and 4: the last layers read what the others wrote. Windows may have heads of their own size."""
    assert len(parse_size(meta("gemma3n", QWEN | {"block_count": 30})).attention) == 20
    keys = {"attention.shared_kv_layers": 20, "attention.sliding_window": 512}
    heads = {"attention.key_length": 512, "attention.value_length": 512}
    small = {"attention.key_length_swa": 256, "attention.value_length_swa": 256}
    pattern = {"attention.sliding_window_pattern": (1, 1, 1, 1, 0) * 7}
    size = parse_size(meta("gemma4", QWEN | {"block_count": 35} | keys | heads | small, pattern))
    assert len(size.attention) == 15
    assert size.attention[3:5] == (Attention(512, 512, True), Attention(1_024, 1_024))


def test_states_instead_of_attention() -> None:
    """Qwen3.5: every fourth layer attends; LFM2: those with heads; Mamba: none; Falcon H1: all do both."""
    ssm = {"ssm.inner_size": 2_048, "ssm.state_size": 128, "ssm.group_count": 16, "ssm.conv_kernel": 4}
    state = (3 * (2_048 + 2 * 16 * 128) + 2_048 * 128) * 4
    qwen = parse_size(meta("qwen35", QWEN | ssm))
    assert (len(qwen.attention), qwen.state_bytes) == (6, 18 * state)
    falcon = parse_size(meta("falcon-h1", QWEN | ssm))
    assert (len(falcon.attention), falcon.state_bytes) == (24, 24 * state)
    mamba = parse_size(meta("mamba2", {"block_count": 24, "embedding_length": 1_024} | ssm))
    assert (len(mamba.attention), mamba.state_bytes) == (0, 24 * state)
    lfm = parse_size(
        meta("lfm2", QWEN | {"shortconv.l_cache": 3}, {"attention.head_count_kv": (0, 0, 8) * 8})
    )
    assert (len(lfm.attention), lfm.state_bytes) == (8, 16 * 896 * 2 * 4)


def test_latent_attention_keeps_no_values() -> None:
    keys = {"attention.key_length": 576, "attention.value_length": 512, "attention.head_count_kv": 1}
    latent = {"attention.key_length_mla": 192, "attention.value_length_mla": 128}
    assert parse_size(meta("deepseek2", QWEN | keys | latent)).attention[0] == Attention(576, 0)


def test_experts() -> None:
    keys = {"expert_feed_forward_length": 1_408, "expert_used_count": 8, "expert_shared_feed_forward_length": 100}
    assert parse_size(meta("qwen2moe", QWEN | keys)).feed_forward == 8 * 1_408 + 100


def test_encoders_have_no_cache() -> None:
    assert parse_size(meta("bert", QWEN)).attention == ()


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"block_count": 1 << 40},
        {"block_count": -1, "embedding_length": "wide"},
        {"block_count": 4, "attention.head_count": 0},
        {"block_count": (1 << 31) - 1, "attention.head_count": 3, "embedding_length": 1.5},
    ],
)
def test_nonsense_counts_as_nothing(keys: Numbers) -> None:
    """And is bounded: a file may say anything."""
    size = parse_size(meta("llama", keys, {"attention.head_count_kv": (-1, 1 << 62)}))
    assert len(size.attention) <= 512
    assert all(layer.k_values >= 0 for layer in size.attention)
