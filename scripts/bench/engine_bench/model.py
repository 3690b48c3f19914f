"""A GGUF with random weights of a given shape and a real vocabulary of 128k tokens.

Speed does not depend on what the weights say, so nothing has to be downloaded. Weights are Q4_0: blocks of a half-precision
scale and 16 bytes for 32 numbers, which are drawn as bytes. The vocabulary comes from llama.cpp's own test files.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

BLOCK = 32
BLOCK_BYTES = 18
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
# From here on the vocabulary has control tokens only; their rows are silent, so that no answer ends by itself.
FIRST_CONTROL = 128_000


@dataclass(frozen=True, slots=True)
class Shape:
    """About 370 M parameters as it stands: 131 M of them the (shared) token embeddings."""

    layers: int = 21
    width: int = 1_024
    feed_forward: int = 2_816
    heads: int = 16
    kv_heads: int = 4
    context: int = 32_768


def write_model(path: Path, vocabulary: Path, shape: Shape, seed: int = 1) -> None:
    """Write it to `path` (about 210 MB), through a temporary file. vocabulary: a `ggml-vocab-llama-bpe.gguf`."""
    rng = np.random.default_rng(seed)
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    _write_head(writer, shape)
    n_vocab = _copy_vocabulary(writer, vocabulary)
    embeddings = _random_rows(rng, n_vocab, shape.width)
    embeddings[FIRST_CONTROL:] = 0
    _add(writer, "token_embd.weight", embeddings)
    writer.add_tensor("output_norm.weight", np.ones(shape.width, dtype=np.float32))
    kv_width = shape.width // shape.heads * shape.kv_heads
    for layer in range(shape.layers):
        for name, rows, columns in (
            ("attn_q", shape.width, shape.width),
            ("attn_k", kv_width, shape.width),
            ("attn_v", kv_width, shape.width),
            ("attn_output", shape.width, shape.width),
            ("ffn_gate", shape.feed_forward, shape.width),
            ("ffn_up", shape.feed_forward, shape.width),
            ("ffn_down", shape.width, shape.feed_forward),
        ):
            _add(writer, f"blk.{layer}.{name}.weight", _random_rows(rng, rows, columns))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", np.ones(shape.width, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    part.replace(path)


def _write_head(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_name("random-370m")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(500_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    writer.add_chat_template(TEMPLATE)


def _copy_vocabulary(writer: gguf.GGUFWriter, vocabulary: Path) -> int:
    fields = gguf.GGUFReader(vocabulary).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types(fields["tokenizer.ggml.token_type"].contents())
    writer.add_token_merges(fields["tokenizer.ggml.merges"].contents())
    writer.add_bos_token_id(tokens.index("<|begin_of_text|>"))
    writer.add_eos_token_id(tokens.index("<|eot_id|>"))
    writer.add_vocab_size(len(tokens))
    return len(tokens)


def _random_rows(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Q4_0 rows, whose numbers have a spread of about 1 / sqrt(columns)."""
    blocks = rng.integers(0, 256, (rows, columns // BLOCK, BLOCK_BYTES), dtype=np.uint8)
    scale = np.float16(0.2 / np.sqrt(columns)).tobytes()
    blocks[:, :, 0], blocks[:, :, 1] = scale[0], scale[1]
    return blocks.reshape(rows, columns // BLOCK * BLOCK_BYTES)


def _add(writer: gguf.GGUFWriter, name: str, rows: np.ndarray) -> None:
    writer.add_tensor(name, rows, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
