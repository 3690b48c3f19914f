"""`POST /v1/embeddings`: the body -> our words, and vectors -> OpenAI's JSON. Pure."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.chat import Embedding
from adapter.dialects.openai_render import Json, dump
from adapter.dialects.openai_request import Asked, bounded_names, given_fields, parse_model
from adapter.dialects.openai_values import integer, whole_text, wrong_type
from adapter.engines.base import Can
from adapter.errors import BadRequest, EngineFailed

MAX_TEXTS = 2_048
MAX_DIMENSIONS = 65_536
_WANTED = "a string or an array of strings"


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """base64: vectors as little-endian float32 in base64. dimensions: how many of a vector's first numbers are wanted."""

    texts: tuple[str, ...]
    asked: Asked
    base64: bool = False
    dimensions: int | None = None


def parse_embeddings(body: Mapping[str, Any]) -> EmbeddingRequest:
    """Raises `BadRequest` naming the field."""
    given = given_fields(body)
    encoding = given.get("encoding_format", "float")
    if encoding not in ("float", "base64"):
        raise BadRequest('\'encoding_format\' must be "float" or "base64".', param="encoding_format")
    asked = Asked(
        model=parse_model(given),
        needs={Can.EMBEDDINGS: "model"},
        ignored=bounded_names(key for key in given if key not in _HONOURED),
    )
    dimensions = integer(given, "dimensions", 1, MAX_DIMENSIONS)
    return EmbeddingRequest(_texts(given), asked, encoding == "base64", dimensions)


_HONOURED = frozenset({"model", "input", "encoding_format", "dimensions"})


def _texts(given: Mapping[str, Any]) -> tuple[str, ...]:
    value = given.get("input")
    if value is None:
        raise BadRequest(f"'input' is missing; send {_WANTED}.", param="input")
    if isinstance(value, str):
        return (_text(value, "input"),)
    if not isinstance(value, list):
        raise wrong_type("input", _WANTED, value)
    if not value:
        raise BadRequest("'input' is empty; send at least one text.", param="input")
    if len(value) > MAX_TEXTS:
        raise BadRequest(f"'input' has {len(value)} texts; at most {MAX_TEXTS} are possible.", param="input")
    if isinstance(value[0], int | list):
        raise BadRequest(
            "'input' holds token ids, which mean something else in this model's vocabulary; send text. With LangChain: "
            "OpenAIEmbeddings(..., check_embedding_ctx_length=False).",
            param="input",
        )
    return tuple(_text(entry, f"input[{index}]") for index, entry in enumerate(value))


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(where, "a string", value)
    if not value:
        raise BadRequest(f"'{where}' is an empty string, which has no embedding.", param=where)
    return whole_text(value)


# --- vectors --------------------------------------------------------------------------------------------------


def check_dimensions(wanted: int | None, size: int) -> None:
    """Raises `BadRequest` for more numbers than the model's vectors have. size: 0 where it is not known yet."""
    if wanted is not None and 0 < size < wanted:
        raise BadRequest(f"'dimensions' is {wanted}, but this model's vectors have {size}.", param="dimensions")


def shortened(vector: Sequence[float], dimensions: int | None) -> Sequence[float]:
    """The first numbers of a vector, of length 1 again. Raises `EngineFailed` for what is no vector."""
    if dimensions is not None and dimensions < len(vector):
        vector = vector[:dimensions]
        length = math.hypot(*vector)
        vector = [number / length for number in vector] if length else vector
    if not vector or not math.isfinite(sum(vector)):  # JSON has no word for NaN
        raise EngineFailed("The model made no vector of this text; another model may.")
    return vector


def render_vectors(asked: EmbeddingRequest, vectors: Sequence[Sequence[float]]) -> Iterator[bytes]:
    """The JSON of each element of `data`. One at a time, since thousands of them keep a phone busy for seconds."""
    for index, given in enumerate(vectors):
        check_dimensions(asked.dimensions, len(given))
        vector = shortened(given, asked.dimensions)
        shown: object = list(vector)
        if asked.base64:
            shown = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        yield dump({"object": "embedding", "index": index, "embedding": shown})


def render_embeddings(items: Sequence[bytes], head: Json) -> bytes:
    """The whole body. items: from `render_vectors`."""
    return b'{"object":"list","data":[' + b",".join(items) + b"]," + dump(head).removeprefix(b"{")


def embeddings_head(found: Embedding, *, model: str, engine: str, ignored: Sequence[str] = ()) -> Json:
    """What the body says besides the vectors."""
    extension: Json = {"engine": engine, **({"ignored": list(ignored)} if ignored else {})}
    usage = {"prompt_tokens": found.prompt_tokens, "total_tokens": found.prompt_tokens}
    return {"model": model, "usage": usage, "farmhand": extension}
