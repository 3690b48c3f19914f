"""Writing the trained network as a GGUF file of the `llama` architecture."""

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize
from tokenizers import Tokenizer
from torch import Tensor

from demo_model import vocabulary
from demo_model.network import Network, Shape

Q8_0 = gguf.GGMLQuantizationType.Q8_0


def write_gguf(path: Path, network: Network, tokenizer: Tokenizer) -> None:
    """Write `network` and `tokenizer` to `path`: matrices as Q8_0, norms as float32, no output layer of its own."""
    writer = gguf.GGUFWriter(path, "llama")
    _add_description(writer)
    _add_shape(writer, network.shape)
    _add_tokenizer(writer, tokenizer)
    for name, weight in named_weights(network):
        values = weight.detach().float().numpy()
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, quantize(values, Q8_0), raw_dtype=Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def named_weights(network: Network) -> Iterator[tuple[str, Tensor]]:
    """Every weight under llama.cpp's name. Our names are theirs already, but for the prefix of a layer."""
    for name, weight in network.named_parameters():
        yield name.replace("blocks.", "blk."), weight


def round_to_q8_0(network: Network) -> None:
    """Replace each matrix by what Q8_0 keeps of it, so that scores here are the scores of the file."""
    for _, weight in named_weights(network):
        if weight.ndim == 2:
            kept = gguf.quants.dequantize(quantize(weight.detach().float().numpy(), Q8_0), Q8_0)
            weight.data.copy_(weight.data.new_tensor(np.asarray(kept)))


def _add_description(writer: gguf.GGUFWriter) -> None:
    writer.add_name("Farmhand demo")
    writer.add_description("Answers questions about Farmhand, and nothing else.")
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_base)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    ids = tokenizer.get_vocab()
    tokens = sorted(ids, key=lambda token: ids[token])
    special = len(vocabulary.SPECIAL)
    kinds = [gguf.TokenType.CONTROL] * special + [gguf.TokenType.NORMAL] * (len(tokens) - special)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.PRE_TOKENIZER)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(_merges(tokenizer))
    writer.add_bos_token_id(vocabulary.BEGIN_ID)
    writer.add_eos_token_id(vocabulary.TURN_END_ID)
    writer.add_eot_token_id(vocabulary.TURN_END_ID)
    writer.add_pad_token_id(vocabulary.PAD_ID)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(vocabulary.CHAT_TEMPLATE)


def _merges(tokenizer: Tokenizer) -> list[str]:
    """The BPE merges in order, each as "left right", the form that llama.cpp reads."""
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in merges]
