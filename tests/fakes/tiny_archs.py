"""Tiny models that are not plain llamas: a sliding window (gemma2) and a state that cannot be cut (mamba). Random weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

from tests.fakes import tiny_gguf
from tests.fakes.tiny_gguf import CHATML, HEAD, SPECIAL, Floats

WIDTH = 64
STATE, CONV, STEP_RANK = 8, 4, 4


def write_sliding(path: Path, *, window: int, layers: int = 4) -> None:
    """Every other layer sees `window` tokens only."""
    noise = _Noise()
    writer = gguf.GGUFWriter(path, "gemma2")
    writer.add_head_count(WIDTH // HEAD)
    writer.add_head_count_kv(1)
    writer.add_key_length(HEAD)
    writer.add_value_length(HEAD)
    writer.add_sliding_window(window)
    writer.add_feed_forward_length(WIDTH)
    norms = ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")
    blocks = [
        {f"{name}.weight": noise(*shape) for name, shape in tiny_gguf._shapes(WIDTH).items()}
        | {f"{name}.weight": np.full(WIDTH, 4 if "post" in name else 1, np.float32) for name in norms}
        for _ in range(layers)
    ]
    # Small embeddings beside large layers: input and output are one matrix, and it would say its last token for ever.
    _write(writer, blocks, noise(_n_vocab(), WIDTH) * np.float32(4))


def write_recurrent(path: Path, *, layers: int = 2) -> None:
    """One state sums up all that was read."""
    noise, inner = _Noise(), 2 * WIDTH
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_head_count(0)
    writer.add_feed_forward_length(0)
    writer.add_ssm_conv_kernel(CONV)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_state_size(STATE)
    writer.add_ssm_time_step_rank(STEP_RANK)
    blocks = [
        {
            "attn_norm.weight": np.ones(WIDTH, np.float32),
            "ssm_in.weight": noise(2 * inner, WIDTH),
            "ssm_conv1d.weight": noise(inner, CONV),
            "ssm_conv1d.bias": np.zeros(inner, np.float32),
            "ssm_x.weight": noise(STEP_RANK + 2 * STATE, inner) * np.float32(4),
            "ssm_dt.weight": noise(inner, STEP_RANK),
            "ssm_dt.bias": np.full(inner, -3, np.float32),
            "ssm_a": np.full((inner, STATE), -0.05, np.float32),
            "ssm_d": np.ones(inner, np.float32),
            "ssm_out.weight": noise(WIDTH, inner) * np.float32(4),
        }
        for _ in range(layers)
    ]
    embeddings, output = (noise(_n_vocab(), WIDTH) * np.float32(8) for _ in range(2))
    _write(writer, blocks, embeddings, output)


def _n_vocab() -> int:
    return len(tiny_gguf._vocabulary())


class _Noise:
    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)

    def __call__(self, *shape: int) -> Floats:
        return self._rng.normal(0, 0.6 / np.sqrt(shape[-1]), shape).astype(np.float32)


def _write(
    writer: gguf.GGUFWriter, blocks: Sequence[Mapping[str, Floats]], embeddings: Floats, output: Floats | None = None
) -> None:
    writer.add_name("tiny")
    writer.add_context_length(4_096)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(len(blocks))
    writer.add_layer_norm_rms_eps(1e-6)
    tiny_gguf._add_vocabulary(writer, (), ())
    writer.add_chat_template(CHATML)
    # Special tokens never win, so that it never ends.
    (embeddings if output is None else output)[tiny_gguf._vocabulary().index(SPECIAL[0]) :] = 0
    writer.add_tensor("token_embd.weight", embeddings)
    if output is not None:
        writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for number, block in enumerate(blocks):
        for name, weights in block.items():
            writer.add_tensor(f"blk.{number}.{name}", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
