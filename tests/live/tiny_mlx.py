"""Writes a tiny model in the form that mlx-lm loads: `python tiny_mlx.py FOLDER`, run by a Python that has mlx-lm.

A table "character -> next character": after the last character of the prompt (":") it says the alphabet, and ends.
"""

from __future__ import annotations

import json
import string
import sys
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

# Only that other Python has them, so nothing is known here about their types.
mx: Any = import_module("mlx.core")
transformers: Any = import_module("transformers")

END = "<end>"
TEMPLATE = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}assistant:"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), END]
    _write_tokenizer(folder, tokens)
    width = 32 * -(-len(tokens) // 32)
    config = {
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": width, "intermediate_size": width, "num_hidden_layers": 1,
        "num_attention_heads": width // 16, "num_key_value_heads": 1, "rms_norm_eps": 1e-6, "vocab_size": len(tokens), "head_dim": 16,
        "max_position_embeddings": 512, "rope_theta": 10_000.0, "tie_word_embeddings": False, "eos_token_id": tokens.index(END),
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    mx.save_safetensors(str(folder / "model.safetensors"), _weights(tokens, width), metadata={"format": "mlx"})


def _write_tokenizer(folder: Path, tokens: list[str]) -> None:
    tokenizer = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    whole = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)
    whole.chat_template = TEMPLATE
    whole.save_pretrained(str(folder))


def _weights(tokens: list[str], width: int) -> dict[str, Any]:
    """Attention and feed-forward say nothing, so that the last token alone decides."""
    output = [[0.0] * width for _ in tokens]
    for token, following in pairwise([":", *string.ascii_lowercase, END]):
        output[tokens.index(following)][tokens.index(token)] = 1.0
    block = "model.layers.0."
    silent = {name: (width, width) for name in ("self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")}
    silent |= dict.fromkeys(("self_attn.k_proj", "self_attn.v_proj"), (16, width))
    norms = (f"{block}input_layernorm", f"{block}post_attention_layernorm", "model.norm")
    return {
        "model.embed_tokens.weight": mx.eye(len(tokens), width),
        "lm_head.weight": mx.array(output),
        **{f"{block}{name}.weight": mx.zeros(shape) for name, shape in silent.items()},
        **{f"{name}.weight": mx.ones((width,)) for name in norms},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
