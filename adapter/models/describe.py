"""What a list says about a model, from the head of its GGUF. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapter.engines.llama.gguf_meta import GgufMeta

# llama.cpp's `general.file_type`: what most of a file's weights are stored as (enum llama_ftype).
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
    19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
    26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16",
    36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
_SIZE_IN_NAME = re.compile(r"(?i)(?:^|[-_. ])(\d+(?:\.\d+)?)([bm])(?:[-_. ]|$)")
_QUANT_IN_NAME = re.compile(r"(?i)(?:^|[-_.])(i?q\d(?:_[0-9a-z]+)*|f16|f32|bf16|mxfp4)(?:[-_.]|$)")


@dataclass(frozen=True, slots=True)
class Described:
    """Empty texts where neither the head nor the name says it. context_tokens: what the model was trained for."""

    architecture: str
    parameters: str
    quantisation: str
    context_tokens: int | None


def describe(meta: GgufMeta, file_name: str) -> Described:
    """The head's own words first; the file's name where it has none, since many files were made by old tools."""
    return Described(
        architecture=meta.architecture,
        parameters=_parameters(meta, file_name),
        quantisation=_quantisation(meta, file_name),
        context_tokens=meta.context_length,
    )


def _parameters(meta: GgufMeta, file_name: str) -> str:
    count = meta.values.get("general.parameter_count")
    if isinstance(count, int) and not isinstance(count, bool) and count > 0:
        return _rounded(count)
    label = meta.values.get("general.size_label")
    if isinstance(label, str) and 0 < len(label) <= 16 and label.isprintable():
        return label
    found = _SIZE_IN_NAME.search(file_name)
    return f"{found[1]}{found[2].upper()}" if found else ""


def _quantisation(meta: GgufMeta, file_name: str) -> str:
    kind = meta.values.get("general.file_type")
    if isinstance(kind, int) and kind in _FILE_TYPES:
        return _FILE_TYPES[kind]
    found = _QUANT_IN_NAME.search(file_name.removesuffix(".gguf"))
    return found[1].upper() if found else ""


def _rounded(count: int) -> str:
    if count >= 1e9:
        return f"{count / 1e9:.1f}B"
    return f"{count / 1e6:.1f}M" if count < 1e7 else f"{count / 1e6:.0f}M"
