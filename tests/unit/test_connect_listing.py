"""What servers say of their models."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.connect.listing import chosen, is_farmhand, read_models
from adapter.connect.target import ConnectError
from adapter.connect.truth import Model


def of(**entry: Any) -> Model:
    (model,) = read_models({"data": [{"id": "m", **entry}]})
    return model


@pytest.mark.parametrize(
    ("entry", "context", "answer", "can"),
    [
        ({}, 0, 0, {"chat", "tools"}),
        ({"max_model_len": 8_192}, 8_192, 0, {"chat", "tools"}),  # vLLM
        ({"context_length": 4_096, "max_output_tokens": 512}, 4_096, 512, {"chat", "tools"}),
        ({"max_input_tokens": 2_048}, 2_048, 0, {"chat", "tools"}),
        ({"context_length": "4096", "max_output_tokens": True}, 0, 0, {"chat", "tools"}),
        ({"id": "nomic-embed-text"}, 0, 0, {"embeddings"}),
        ({"farmhand": {"can": ["chat", 7], "engine": "e"}, "context_length": 4_096}, 4_096, 0, {"chat"}),
        ({"farmhand": {"can": ["embeddings"], "embedding_size": 384}}, 0, 0, {"embeddings"}),
    ],
)
def test_one_model(entry: dict[str, Any], context: int, answer: int, can: set[str]) -> None:
    model = of(**entry)
    assert (model.context_tokens, model.max_output_tokens, model.can) == (context, answer, frozenset(can))


def test_what_is_left_out_and_what_comes_first() -> None:
    entries: list[Any] = [{"id": "b"}, {"id": "a"}, {"id": "auto"}, {"id": "speech", "farmhand": {"can": ["tokenize"]}}, {"id": ""}, {"id": 7}, "x"]
    assert [model.id for model in read_models({"data": entries})] == ["auto", "b", "a"]
    assert read_models([]) == ()


def test_names_that_cannot_be_written_and_names_that_are_there_twice() -> None:
    entries = [{"id": name, "max_model_len": size} for size, name in enumerate(("b", "a\nb", "\x1b[2J", "half\ud83d", "a", "b", "große 模型"), 1)]
    assert [(model.id, model.context_tokens) for model in read_models({"data": entries})] == [("b", 1), ("a", 5), ("große 模型", 7)]


@pytest.mark.parametrize("value", [None, "x", {"data": {}}, {"data": None}, 7])
def test_no_list(value: object) -> None:
    with pytest.raises(ConnectError):
        read_models(value)
    assert not is_farmhand(value)


def test_whose_list() -> None:
    assert is_farmhand({"data": [{"id": "x"}, {"id": "y", "farmhand": {}}]}) and not is_farmhand({"data": [{"id": "x"}]})


def test_many_names_are_not_all_said() -> None:
    models = read_models({"data": [{"id": f"model-{number}"} for number in range(30)]})
    with pytest.raises(ConnectError, match="model-11 and 18 more"):
        chosen(models, "zzz")
    assert chosen(models, None).id == "model-0"
