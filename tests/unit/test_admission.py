"""What a model needs, against llama.cpp's own figures; and what is said when that is not there."""

from __future__ import annotations

import pytest

from adapter.engines.llama.admission import MIB, Need, Shape, estimate_need, refusal
from adapter.engines.llama.gguf_layers import Attention, ModelSize


def model(
    width: int,
    feed_forward: int,
    heads: int,
    kv_heads: int,
    head: int,
    layers: int,
    vocabulary: int,
    *,
    windowed: int = 0,
    weights_mib: int = 100,
) -> ModelSize:
    kv = kv_heads * head
    attention = [Attention(kv, kv, windowed=layer < windowed) for layer in range(layers)]
    return ModelSize(
        weights_bytes=weights_mib * MIB,
        attention=tuple(attention),
        head_sizes=frozenset({head}),
        state_bytes=0,
        trained_tokens=32_768,
        width=width,
        feed_forward=feed_forward,
        inner=heads * head,
        vocabulary=vocabulary,
        window=512 if windowed else 0,
    )


DEMO = model(256, 640, 4, 4, 64, 4, 2_048)
SMALL = model(512, 2_048, 8, 2, 64, 4, 261)
WIDE = model(1_024, 2_816, 16, 8, 128, 3, 32_000)
WORDY = model(896, 4_864, 14, 2, 64, 4, 151_936)  # as Qwen2.5 0.5B, but for its depth
GEMMA = model(1_152, 6_912, 4, 1, 256, 12, 32_000, windowed=10)  # as Gemma 3 1B, but for its depth

# What llama.cpp 0.3.36 printed on x86-64 for such files, with the settings of `binding.py`: "KV buffer size" (all of them) and
# "compute buffer size", in MiB.
MEASURED = [
    (DEMO, Shape(4, 4_096, 512), 64.00, 9.76),
    (DEMO, Shape(4, 4_096, 512, "q8_0"), 34.00, 9.29),
    (DEMO, Shape(1, 8_192, 2_048), 32.00, 13.76),
    (DEMO, Shape(16, 1_024, 64), 64.00, 0.85),
    (SMALL, Shape(4, 4_096, 512), 32.00, 20.01),
    (SMALL, Shape(4, 4_096, 512, "q8_0"), 17.00, 19.04),
    (SMALL, Shape(1, 8_192, 2_048), 16.00, 24.01),
    (SMALL, Shape(16, 1_024, 64), 32.00, 2.13),
    (WIDE, Shape(4, 4_096, 512), 192.00, 28.51),
    (WIDE, Shape(4, 4_096, 512, "q8_0"), 102.00, 28.59),
    (WIDE, Shape(1, 8_192, 2_048), 96.00, 32.51),
    (WIDE, Shape(16, 1_024, 64), 192.00, 3.19),
    (WORDY, Shape(4, 4_096, 512), 32.00, 39.51),
    (WORDY, Shape(4, 4_096, 512, "q8_0"), 17.00, 37.79),
    (WORDY, Shape(1, 8_192, 2_048), 16.00, 43.51),
    (WORDY, Shape(16, 1_024, 64), 32.00, 9.60),
    (GEMMA, Shape(4, 4_096, 512), 192.00, 57.27),
    (GEMMA, Shape(4, 4_096, 512, "q8_0"), 102.00, 59.80),
    (GEMMA, Shape(1, 8_192, 2_048), 96.00, 65.27),
    (GEMMA, Shape(16, 1_024, 64), 192.00, 6.41),
    (GEMMA, Shape(4, 4_096, 512, swa_full=False), 72.00, 54.27),
]


@pytest.mark.parametrize(("size", "shape", "kv_mib", "compute_mib"), MEASURED)
def test_against_llama_cpp(size: ModelSize, shape: Shape, kv_mib: float, compute_mib: float) -> None:
    """The cache exactly; the buffers not below the measured ones by more than 4 %, nor far above them.

    What is there besides (process, vocabulary, copies of a slot and of the logits, inputs of products) comes off.
    """
    need = estimate_need(size, shape)
    assert need.weights_bytes == 100 * MIB
    assert need.kv_bytes == kv_mib * MIB
    rows = min(shape.batch_tokens, 512)
    besides = 56 * MIB + need.kv_bytes // shape.slots + 400 * size.vocabulary + shape.slots * (size.vocabulary * 4 + shape.ctx_tokens * 64)
    besides += rows * max(size.feed_forward, size.inner) * 2
    assert need.other_bytes - besides == pytest.approx(compute_mib * MIB, rel=0.051)


def test_a_context_is_rounded_as_llama_cpp_does_it() -> None:
    kv = [estimate_need(SMALL, Shape(3, tokens, 512)).kv_bytes for tokens in (257, 512, 513)]
    assert kv[0] == kv[1] < kv[2]


def test_states_count_for_each_slot() -> None:
    size = ModelSize(0, (), frozenset(), 7 * MIB, 0, 64, 64, 64, 100, 0)
    assert estimate_need(size, Shape(3, 4_096, 512)).kv_bytes == 21 * MIB


def test_guessed_tokens_need_logits() -> None:
    plain, drafting = (
        estimate_need(WORDY, Shape(4, 4_096, 512, draft_tokens=tokens)).other_bytes for tokens in (0, 32)
    )
    assert drafting > plain + 4 * 32 * 151_936 * 4


def test_texts_for_vectors_are_computed_at_once() -> None:
    """Their buffers grow with the longest text, not with the batch."""
    short, long = (
        estimate_need(DEMO, Shape(1, tokens, 512, embeds=True)).other_bytes for tokens in (512, 8_192)
    )
    assert long - short > (8_192 - 512) * (3 * 640 + 4 * 256) * 4


def test_the_sum_has_all_parts() -> None:
    assert Need(1, 20, 300).total_bytes == 321


# As Qwen2.5 1.5B: 28 KiB of cache for each token.
PHONE = model(1_536, 8_960, 12, 2, 128, 28, 151_936, weights_mib=1_024)


def said(available_mib: int, shape: Shape, size: ModelSize = PHONE, reserve_mib: int = 256) -> str | None:
    return refusal(
        "qwen", size, shape, available_bytes=available_mib * MIB, reserve_bytes=reserve_mib * MIB
    )


def needed_mib(shape: Shape, size: ModelSize = PHONE) -> int:
    return -(-estimate_need(size, shape).total_bytes // MIB)


def test_admitted_to_the_byte() -> None:
    shape = Shape(4, 8_192, 512)
    need = estimate_need(PHONE, shape).total_bytes
    assert refusal("m", PHONE, shape, available_bytes=need + 5, reserve_bytes=5) is None
    assert refusal("m", PHONE, shape, available_bytes=need + 4, reserve_bytes=5) is not None


def test_the_sentence() -> None:
    shape = Shape(4, 8_192, 512)
    need = estimate_need(PHONE, shape)
    total, other = needed_mib(shape), -(-need.other_bytes // MIB)
    assert said(2_300, shape) == (
        f"The model qwen needs about {total:,} MiB (weights 1,024, KV 896 for 4 slots x 8192 tokens, buffers and process "
        f"{other}); 2,300 MiB are free and 256 MiB are kept for the phone (memory_reserve_mib). "
        'slots = 2 would fit; kv_type = "q8_0" too.'
    )


@pytest.mark.parametrize(
    ("shape", "fits", "remedy"),
    [
        (Shape(4, 8_192, 512), Shape(3, 8_192, 512), 'slots = 3 would fit; kv_type = "q8_0" too.'),
        (Shape(4, 8_192, 512), Shape(1, 8_192, 512), "slots = 1 would fit."),
        (Shape(1, 8_192, 512), Shape(1, 8_192, 512, "q8_0"), 'kv_type = "q8_0" would fit.'),
        (
            Shape(4, 8_192, 512),
            Shape(1, 8_192, 512, "q8_0"),
            'slots = 1 with kv_type = "q8_0" would fit.',
        ),
        (
            Shape(4, 8_192, 512),
            Shape(1, 2_048, 512),
            'slots = 1 with ctx_tokens = 2048 would fit.',
        ),
        (
            Shape(4, 8_192, 512),
            Shape(1, 2_048, 512, "q8_0"),
            'slots = 1 with ctx_tokens = 2048 and kv_type = "q8_0" would fit.',
        ),
        (Shape(1, 8_192, 512, "q8_0"), Shape(1, 4_096, 512, "q8_0"), "ctx_tokens = 4096 would fit."),
        (Shape(1, 5_000, 512, "q8_0"), Shape(1, 4_096, 512, "q8_0"), "ctx_tokens = 4096 would fit."),
        # The model was trained for less than the settings ask for, and is never given more.
        (Shape(1, 131_072, 512, "q8_0"), Shape(1, 16_384, 512, "q8_0"), "ctx_tokens = 16384 would fit."),
    ],
)
def test_what_would_fit(shape: Shape, fits: Shape, remedy: str) -> None:
    """With just the room for `fits` (and none to spare) that is what is proposed, and it really is admitted."""
    room = needed_mib(fits)
    message = said(room, shape, reserve_mib=0)
    assert message is not None
    assert message.endswith("(memory_reserve_mib). " + remedy)
    assert said(room, fits, reserve_mib=0) is None


def test_nothing_fits() -> None:
    message = said(900, Shape(4, 8_192, 512))
    assert message is not None
    assert "No shape of it would fit: close other apps, or take a smaller or more strongly quantised model." in message


def test_reserve_beyond_all_there_is() -> None:
    assert "No shape of it would fit" in (said(4_000, Shape(1, 512, 512), reserve_mib=1 << 20) or "")


def test_q8_0_is_not_proposed_where_llama_cpp_refuses_it() -> None:
    """Heads of 80 values are not whole blocks of 32."""
    size = model(2_560, 6_912, 32, 32, 80, 32, 50_000, weights_mib=1_024)
    shape = Shape(1, 4_096, 512)
    message = said(needed_mib(Shape(1, 3_000, 512, "q8_0"), size), shape, size, reserve_mib=0)
    assert message is not None
    assert "q8_0" not in message
    assert "ctx_tokens = " in message
