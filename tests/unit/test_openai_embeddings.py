"""`/v1/embeddings`: the body -> our words, and vectors -> OpenAI's JSON."""

from __future__ import annotations

import base64
import json
import math
import struct
from typing import Any

import pytest

from adapter.chat import Embedding
from adapter.dialects.openai_embeddings import (
    MAX_TEXTS,
    EmbeddingRequest,
    check_dimensions,
    embeddings_head,
    parse_embeddings,
    render_embeddings,
    render_vectors,
    shortened,
)
from adapter.engines.base import Can
from adapter.errors import BadRequest, EngineFailed


def parsed(**fields: Any) -> EmbeddingRequest:
    return parse_embeddings({"input": "one", **fields})


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        ("one", ("one",)),
        (["one", "zwö"], ("one", "zwö")),
        (["\ud83d"], ("\ufffd",)),
        (["x"] * MAX_TEXTS, ("x",) * MAX_TEXTS),
    ],
)
def test_texts(given: object, texts: tuple[str, ...]) -> None:
    told = parsed(input=given)
    assert told.texts == texts
    assert told.asked.needs == {Can.EMBEDDINGS: "model"}


@pytest.mark.parametrize(
    ("fields", "in_base64", "dimensions"),
    [
        ({}, False, None),
        ({"encoding_format": "float"}, False, None),
        ({"encoding_format": "base64", "dimensions": 64}, True, 64),
    ],
)
def test_options(fields: dict[str, Any], in_base64: bool, dimensions: int | None) -> None:
    told = parsed(user="u", **fields)
    assert (told.base64, told.dimensions, told.asked.ignored) == (in_base64, dimensions, ("user",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": {}}, "input"),
        ({"input": 5}, "input"),
        ({"input": ["x"] * (MAX_TEXTS + 1)}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2]]}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": ["a", [1]]}, "input[1]"),
        ({"input": [None]}, "input[0]"),
        ({"encoding_format": "int8"}, "encoding_format"),
        ({"encoding_format": ["float"]}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": 1.5}, "dimensions"),
        ({"dimensions": "64"}, "dimensions"),
        ({"model": 5}, "model"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parsed(**fields)
    assert caught.value.param == param
    assert f"'{param}'" in caught.value.message


@pytest.mark.parametrize("given", [[1, 2], [[1, 2], [3]]])
def test_token_ids_are_refused_with_langchains_remedy(given: object) -> None:
    """They are of OpenAI's vocabulary, and would be embedded as gibberish."""
    with pytest.raises(BadRequest, match="check_embedding_ctx_length=False"):
        parsed(input=given)


# --- vectors --------------------------------------------------------------------------------------------------


def rendered(asked: EmbeddingRequest, *vectors: tuple[float, ...]) -> dict[str, Any]:
    head = embeddings_head(Embedding(vectors, 5), model="m", engine="e", ignored=asked.asked.ignored)
    return dict(json.loads(render_embeddings([*render_vectors(asked, vectors)], head)))


def test_floats() -> None:
    assert rendered(parsed(user="u"), (0.6, 0.8), (1.0, 0.0)) == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.6, 0.8]},
            {"object": "embedding", "index": 1, "embedding": [1.0, 0.0]},
        ],
        "model": "m",
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
        "farmhand": {"engine": "e", "ignored": ["user"]},
    }


def test_base64_is_little_endian_float32() -> None:
    """What the Python SDK reads with numpy."""
    (item,) = rendered(parsed(encoding_format="base64"), (1.0, -0.5))["data"]
    assert base64.b64decode(item["embedding"]) == b"\x00\x00\x80\x3f\x00\x00\x00\xbf"
    assert struct.unpack("<2f", base64.b64decode(item["embedding"])) == (1.0, -0.5)


@pytest.mark.parametrize(
    ("vector", "dimensions", "short"),
    [
        ((0.6, 0.8), None, [0.6, 0.8]),
        ((0.6, 0.8), 2, [0.6, 0.8]),
        ((0.6, 0.0, 0.8), 2, [1.0, 0.0]),
        ((3.0, 4.0, 5.0), 2, [0.6, 0.8]),
        ((0.0, 0.0, 1.0), 2, [0.0, 0.0]),
    ],
)
def test_fewer_dimensions_have_length_1_again(
    vector: tuple[float, ...], dimensions: int | None, short: list[float]
) -> None:
    assert list(shortened(vector, dimensions)) == pytest.approx(short)


@pytest.mark.parametrize("vector", [(), (math.nan, 1.0), (math.inf, 0.0)])
def test_no_vector_is_an_error(vector: tuple[float, ...]) -> None:
    """JSON has no word for it, and a search over it finds anything."""
    with pytest.raises(EngineFailed):
        shortened(vector, None)


@pytest.mark.parametrize(("wanted", "size", "fits"), [(None, 2, True), (2, 2, True), (3, 0, True), (3, 2, False)])
def test_more_dimensions_than_there_are_are_refused(wanted: int | None, size: int, fits: bool) -> None:
    if fits:
        check_dimensions(wanted, size)
        return
    with pytest.raises(BadRequest) as caught:
        check_dimensions(wanted, size)
    assert caught.value.param == "dimensions"


def test_a_size_that_was_not_known_is_checked_afterwards() -> None:
    with pytest.raises(BadRequest, match="this model's vectors have 2"):
        rendered(parsed(dimensions=3), (0.6, 0.8))
