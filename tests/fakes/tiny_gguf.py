"""Makes GGUF files of a few hundred kB for tests: byte-level vocabulary, ChatML template.

Two kinds. `write_random`: a small llama with random weights; its text is noise without an end, but batching,
cancelling and context are real. `write_parrot`: weights worked out so that the model writes a given text for ever
(or once), whatever it is asked; good where a test must know the exact answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEAD = 16
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

Floats = NDArray[np.float32]


def write_random(
    path: Path,
    *,
    context: int = 4_096,
    layers: int = 2,
    width: int = 64,
    seed: int = 1,
    template: str = CHATML,
    controls: Sequence[str] = (),
    words: Sequence[str] = (),
) -> None:
    """A model whose greedy text depends on everything before it.

    controls: further control tokens of its vocabulary; words: further tokens with text. Both come only where a bias or a
    grammar wants them.
    """
    rng = np.random.default_rng(seed)
    vocabulary = [*_vocabulary(), *controls, *words]
    n_vocab = len(vocabulary)

    def noise(*shape: int) -> Floats:
        return rng.normal(0, 0.6 / np.sqrt(shape[-1]), shape).astype(np.float32)

    embeddings = noise(n_vocab, width) * np.float32(8)
    output = noise(n_vocab, width) * np.float32(8)
    output[vocabulary.index(SPECIAL[0]) :] = 0  # special tokens never win, so that it never ends
    blocks = [{name: noise(*shape) for name, shape in _shapes(width).items()} for _ in range(layers)]
    _write(path, context, width, embeddings, output, blocks, template, controls, words)


def write_parrot(path: Path, text: str, *, context: int = 65_536, ends: bool = False) -> None:
    """A model that answers `text`, over and over or (`ends`) once.

    It is a table "token -> next token", so every byte of `text` must be there only once, and none may be
    a line break: the last token of the prompt is one, and the text begins after it.
    """
    vocabulary = _vocabulary()
    width = 32 * -(-len(vocabulary) // 32)
    path_of_tokens = [_byte_token(vocabulary, byte) for byte in text.encode()]
    start = _byte_token(vocabulary, ord("\n"))
    if len(set(path_of_tokens)) < len(path_of_tokens) or start in path_of_tokens:
        raise ValueError("a parrot's text has every byte once and no line break")
    after_last = vocabulary.index("<|im_end|>") if ends else path_of_tokens[0]
    embeddings = np.eye(len(vocabulary), width, dtype=np.float32)
    output = np.zeros((len(vocabulary), width), dtype=np.float32)
    for token, following in zip([start, *path_of_tokens], [*path_of_tokens, after_last], strict=True):
        output[following, token] = 1
    silent = {name: np.zeros(shape, dtype=np.float32) for name, shape in _shapes(width).items()}
    _write(path, context, width, embeddings, output, [silent])


def _shapes(width: int) -> dict[str, tuple[int, int]]:
    """One KV head for all heads, so that a long context costs little memory."""
    square = ("attn_q", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    return {**dict.fromkeys(square, (width, width)), **dict.fromkeys(("attn_k", "attn_v"), (HEAD, width))}


def _write(
    path: Path,
    context: int,
    width: int,
    embeddings: Floats,
    output: Floats,
    blocks: list[dict[str, Floats]],
    template: str = CHATML,
    controls: Sequence[str] = (),
    words: Sequence[str] = (),
) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(len(blocks))
    writer.add_feed_forward_length(width)
    writer.add_head_count(width // HEAD)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(HEAD)
    _add_vocabulary(writer, controls, words)
    writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    for number, block in enumerate(blocks):
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{number}.{norm}.weight", np.ones(width, dtype=np.float32))
        for name, weights in block.items():
            writer.add_tensor(f"blk.{number}.{name}.weight", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, controls: Sequence[str], words: Sequence[str]) -> None:
    vocabulary = [*_vocabulary(), *controls, *words]
    control = {*SPECIAL, *controls}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    kinds = dict.fromkeys(words, gguf.TokenType.USER_DEFINED) | dict.fromkeys(control, gguf.TokenType.CONTROL)
    writer.add_token_types([kinds.get(token, gguf.TokenType.NORMAL) for token in vocabulary])
    writer.add_token_merges([f"{a} {b}" for a, b in _merges()])
    writer.add_bos_token_id(vocabulary.index("<|endoftext|>"))
    writer.add_eos_token_id(vocabulary.index("<|im_end|>"))
    writer.add_add_bos_token(False)


def _vocabulary() -> list[str]:
    return [*_byte_letters().values(), *(a + b for a, b in _merges()), *SPECIAL]


def _merges() -> list[tuple[str, str]]:
    """A few, because llama.cpp wants some; made of bytes that a parrot's text does not use."""
    return [("q", "u"), ("z", "z")]


def _byte_token(vocabulary: list[str], byte: int) -> int:
    return vocabulary.index(_byte_letters()[byte])


def _byte_letters() -> dict[int, str]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the rest for U+0100 and up."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {byte: chr(256 + n) for n, byte in enumerate(others)}
    return dict(sorted(letters.items()))
