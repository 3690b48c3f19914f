"""Who a server is, what it honours, and the cards that follow."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.dialects.upstream_openai_kinds import (
    DIALECTS,
    Kind,
    Trust,
    dialect_of,
    kind_of_listing,
    kind_of_probes,
    kind_of_url,
    learned,
    refuses_tools,
)
from adapter.dialects.upstream_openai_models import (
    cards,
    context_of,
    detailed,
    is_embedding_name,
    parse_models,
    tools_in_template,
)
from adapter.engines.base import Can
from adapter.errors import UpstreamProtocol


@pytest.mark.parametrize(
    ("models", "server", "kind"),
    [
        ([{"id": "m", "owned_by": "llamacpp"}], "", Kind.LLAMA_SERVER),
        ([{"id": "m", "owned_by": "x"}], "llama.cpp", Kind.LLAMA_SERVER),
        ([{"id": "m", "owned_by": "vllm"}], "uvicorn", Kind.VLLM),
        ([{"id": "m", "owned_by": "sglang"}], "uvicorn", Kind.SGLANG),
        ([{"id": "mine", "owned_by": "me-too"}, {"id": "m", "owned_by": "library"}], "", Kind.OLLAMA),
        ([{"id": "m", "owned_by": "organization_owner"}], "", Kind.LMSTUDIO),
        ([{"id": "m", "owned_by": "me"}], "uvicorn", Kind.LLAMA_CPP_PYTHON),
        ([{"id": "m", "owned_by": "OVMS"}], "", Kind.OPENVINO),
        ([{"id": "foundation", "owned_by": "apple"}], "", Kind.AFM),
        ([{"id": "m", "object": "model", "created": 1}], "BaseHTTP/0.6 Python/3.12.1", Kind.MLX),
        ([{"id": "m", "owned_by": "vllm", "farmhand": {"can": []}}], "", Kind.FARMHAND),
        ([{"id": "m", "owned_by": "openai"}], "uvicorn", None),
        ([{"id": "m"}], "nginx", None),
        ([{"id": "m", "owned_by": 5}], "", None),
        ([], "", None),
    ],
)
def test_a_list_tells_who_made_it(models: list[dict[str, Any]], server: str, kind: Kind | None) -> None:
    assert kind_of_listing([*models], server) is kind


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({}, Kind.UNKNOWN),
        ({Kind.LLAMA_SERVER: {"default_generation_settings": {}}}, Kind.LLAMA_SERVER),
        ({Kind.OLLAMA: {"version": "0.12"}}, Kind.OLLAMA),
        ({Kind.VLLM: {"version": "0.11"}}, Kind.VLLM),
        ({Kind.LMSTUDIO: {"data": []}}, Kind.LMSTUDIO),
        # LM Studio answers every path with 200.
        ({Kind.LLAMA_SERVER: {"error": "?"}, Kind.OLLAMA: {"error": "?"}, Kind.LMSTUDIO: {"data": []}}, Kind.LMSTUDIO),
        ({Kind.OLLAMA: "0.12", Kind.VLLM: ["x"], Kind.LLAMA_SERVER: None}, Kind.UNKNOWN),
    ],
)
def test_an_address_of_its_own_tells(answers: dict[Kind, object], kind: Kind) -> None:
    assert kind_of_probes(answers) is kind


def test_openai_is_known_by_its_name() -> None:
    assert kind_of_url("api.openai.com") is Kind.OPENAI
    assert kind_of_url("127.0.0.1") is None


def test_the_table_is_whole_and_makes_sense() -> None:
    """Every kind has its row; what nobody checked is not believed."""
    assert set(DIALECTS) == set(Kind)
    unknown = DIALECTS[Kind.UNKNOWN]
    assert (unknown.tools, unknown.schema) == (Trust.CHECKED, Trust.CHECKED)
    assert DIALECTS[Kind.OPENAI].limit_field == "max_completion_tokens"
    assert not DIALECTS[Kind.LLAMA_CPP_PYTHON].usage
    for dialect in DIALECTS.values():
        assert not dialect.can & {Can.CHAT, Can.TOOLS, Can.OUTPUT, Can.VISION, Can.EMBEDDINGS, Can.TOKENIZE}
        assert not dialect.prefill_fields or Can.CONTINUE in dialect.can


def test_the_configuration_has_the_last_word() -> None:
    dialect = dialect_of(Kind.OPENAI, tools="none", schema="checked", usage="no", limit_field="max_tokens")
    assert (dialect.tools, dialect.schema, dialect.usage, dialect.limit_field) == (Trust.NONE, Trust.CHECKED, False, "max_tokens")
    assert dialect_of(Kind.OLLAMA) == DIALECTS[Kind.OLLAMA]


@pytest.mark.parametrize(
    ("text", "field", "usage"),
    [
        ("'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "max_completion_tokens", True),
        ("Unrecognized request argument supplied: stream_options", "max_tokens", False),
    ],
)
def test_a_refusal_teaches(text: str, field: str, usage: bool) -> None:
    dialect = learned(DIALECTS[Kind.UNKNOWN], text)
    assert dialect is not None
    assert (dialect.limit_field, dialect.usage) == (field, usage)
    assert learned(dialect, text) is None
    assert learned(DIALECTS[Kind.UNKNOWN], "temperature must be below 2") is None


def test_a_refusal_of_json_schema_teaches_the_other_word() -> None:
    dialect = learned(DIALECTS[Kind.UNKNOWN], "... 'msg': \"Input should be 'text' or 'json_object'\", 'input': 'json_schema'")
    assert dialect is not None and not dialect.named_schema
    assert learned(dialect, "Input should be 'text' or 'json_object'") is None


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', True),
        ("tools param requires --jinja flag", True),
        ("registry.ollama.ai/library/gemma3 does not support tools", True),
        ("tools[0].function.name is missing", False),
        ("unknown tool 'look' in tool_choice", False),
    ],
)
def test_tools_as_such_are_refused(text: str, refused: bool) -> None:
    assert refuses_tools(text) is refused


# --- cards ----------------------------------------------------------------------------------------------------


def listed(kind: Kind, *models: dict[str, Any], names: dict[str, str] | None = None, tools: str = "auto", vision: bool = False, **more: Any) -> Any:
    found = cards(models, dialect_of(kind, tools=tools), names=names or {}, context_tokens=8_192, vision=vision, **more)
    return {card.id: card for card in found}


@pytest.mark.parametrize(
    ("model", "context"),
    [
        ({"max_model_len": 4_096}, 4_096),
        ({"context_length": 2_048, "max_input_tokens": 9}, 2_048),
        ({"max_input_tokens": 1_000}, 1_000),
        ({"meta": {"n_ctx": 512, "n_ctx_train": 4_096}}, 512),
        ({"meta": {"n_ctx_train": 4_096}}, 4_096),
        ({"max_context_length": 32_768, "loaded_context_length": 4_096}, 4_096),
        ({"max_model_len": "4096"}, None),
        ({"max_model_len": True}, None),
        ({"max_model_len": -1}, None),
        ({"meta": []}, None),
        ({}, None),
    ],
)
def test_context_in_every_servers_words(model: dict[str, Any], context: int | None) -> None:
    assert context_of(model) == context
    card = listed(Kind.VLLM, {"id": "m", **model})["m"]
    assert card.context_tokens == (context or 8_192)
    assert 0 < card.max_output_tokens <= card.context_tokens


@pytest.mark.parametrize(
    ("kind", "can", "checked"),
    [
        (Kind.LLAMA_SERVER, {Can.TOOLS, Can.OUTPUT, Can.CONTINUE, Can.GRAMMAR}, {Can.TOOLS}),
        (Kind.OLLAMA, {Can.TOOLS, Can.OUTPUT}, {Can.TOOLS, Can.OUTPUT}),
        (Kind.VLLM, {Can.TOOLS, Can.OUTPUT, Can.MANY, Can.LOGPROBS}, {Can.TOOLS}),
        (Kind.MLX, {Can.TOOLS, Can.LOGPROBS}, {Can.TOOLS}),
        (Kind.LLAMA_CPP_PYTHON, {Can.OUTPUT}, {Can.OUTPUT}),
        (Kind.UNKNOWN, {Can.TOOLS, Can.OUTPUT}, {Can.TOOLS, Can.OUTPUT}),
    ],
)
def test_capabilities_follow_from_the_kind(kind: Kind, can: set[Can], checked: set[Can]) -> None:
    card = listed(kind, {"id": "m"})["m"]
    assert can | {Can.CHAT} <= card.can
    assert card.checked == checked
    assert Can.VISION not in card.can
    assert (Can.TOOLS in card.can) is (Can.TOOLS in can) and (Can.OUTPUT in card.can) is (Can.OUTPUT in can)


def test_vision_by_setting_or_by_lm_studios_word() -> None:
    assert Can.VISION in listed(Kind.OLLAMA, {"id": "m"}, vision=True)["m"].can
    assert Can.VISION in listed(Kind.LMSTUDIO, {"id": "m", "type": "vlm"})["m"].can


@pytest.mark.parametrize("name", ["nomic-embed-text", "bge-m3", "BAAI/bge-small", "intfloat/e5-base", "e5-large", "all-MiniLM-L6", "text-embedding-3"])
def test_embedding_models_make_vectors_only(name: str) -> None:
    assert is_embedding_name(name)
    assert listed(Kind.OLLAMA, {"id": name})[name].can == {Can.EMBEDDINGS}


@pytest.mark.parametrize("name", ["gemma3n-e2b", "qwen3", "phi-4", "llama3.2:1b", "gpt-oss-120b"])
def test_others_do_not(name: str) -> None:
    assert not is_embedding_name(name)


def test_our_names_for_its_models_and_then_only_those() -> None:
    found = listed(Kind.VLLM, {"id": "org/m", "max_model_len": 99}, {"id": "other"}, names={"small": "org/m", "unlisted": "x"})
    assert {name: card.context_tokens for name, card in found.items()} == {"small": 99, "unlisted": 8_192}


def test_another_farmhand_says_what_it_can() -> None:
    told = {"can": ["chat", "tools", "tokenize", "telepathy", 5], "checked": ["tools", "n"], "loaded": True, "multiline": False, "stopgap": True}
    card = listed(Kind.FARMHAND, {"id": "m", "farmhand": told})["m"]
    assert (card.can, card.checked) == ({Can.CHAT, Can.TOOLS}, {Can.TOOLS})
    assert (card.loaded, card.multiline, card.stopgap) == (True, False, True)


@pytest.mark.parametrize("told", [{"instance": "me"}, {"via": ["x", "me"]}])
def test_our_own_models_do_not_come_back(told: dict[str, Any]) -> None:
    models = [{"id": "ours", "farmhand": {"can": ["chat"], **told}}, {"id": "theirs", "farmhand": {"can": ["chat"]}}]
    assert set(listed(Kind.FARMHAND, *models, instance="me")) == {"theirs"}
    assert set(listed(Kind.FARMHAND, *models)) == {"ours", "theirs"}


CAPS = {"supports_tools": True, "supports_tool_calls": True}


@pytest.mark.parametrize(
    ("props", "shown"),
    [
        ({"chat_template_caps": CAPS}, True),
        ({"chat_template_caps": {"supports_tools": True}}, True),
        ({"chat_template_caps": {**CAPS, "supports_tools": False}}, False),
        ({"chat_template_caps": {**CAPS, "supports_tool_calls": False}}, False),
        ({"chat_template_caps": {"supports_tool_calls": True}}, None),
        ({"chat_template_caps": {"supports_tools": "yes"}}, None),
        ({"chat_template_caps": None}, None),
        ({"chat_template_caps": {"supports_tools": False}, "chat_template_tool_use": "{{ tools }}"}, True),
        ({"chat_template": "{{ tools }}", "chat_template_tool_use": ""}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("configured", ["auto", "native"])
def test_llama_servers_template_decides_on_tools(props: dict[str, Any], shown: bool | None, configured: str) -> None:
    """Native where it says so, emulated where it says not, looked at where it says nothing; unless the configuration knows better."""
    assert tools_in_template(props) is shown
    (model,) = detailed([{"id": "m"}], {"default_generation_settings": {"n_ctx": 777}, **props})
    card = listed(Kind.LLAMA_SERVER, dict(model), tools=configured)["m"]
    by_itself = (Can.TOOLS in card.can, Can.TOOLS in card.checked)
    assert by_itself == ((True, False) if configured == "native" else {True: (True, False), False: (False, False), None: (True, True)}[shown])
    assert Can.OUTPUT in card.can


def test_a_model_that_refused_tools_has_none() -> None:
    found = listed(Kind.VLLM, {"id": "org/m"}, {"id": "other"}, toolless={"org/m"}, names={"a": "org/m", "b": "other"})
    assert [Can.TOOLS in found[name].can for name in "ab"] == [False, True]
    assert Can.TOOLS not in found["a"].checked


@pytest.mark.parametrize("word", ["ours", "demo"])
def test_embedding_models_by_setting(word: str) -> None:
    found = listed(Kind.LLAMA_SERVER, {"id": "demo"}, {"id": "chat"}, names={"ours": "demo", "c": "chat"}, embeddings=(word,))
    assert found["ours"].can == {Can.EMBEDDINGS}
    assert Can.CHAT in found["c"].can


@pytest.mark.parametrize(("told", "via"), [(["b", "c"], ("b", "c")), (["b", 5, "x" * 65], ("b",)), ([*"abcdefghij"], (*"abcdefgh",)), ("b", ()), (None, ())])
def test_the_way_to_another_farmhands_model(told: object, via: tuple[str, ...]) -> None:
    assert listed(Kind.FARMHAND, {"id": "m", "farmhand": {"can": ["chat"], "via": told}}, instance="me")["m"].via == via


@pytest.mark.parametrize(
    ("value", "context", "loaded"),
    [
        ({"default_generation_settings": {"n_ctx": 777}}, 777, False),
        ({"models": [{"model": "m", "context_length": 4_096}]}, 4_096, True),
        ({"data": [{"id": "m", "loaded_context_length": 555, "max_context_length": 9_999, "state": "loaded"}]}, 555, True),
        ({"data": [{"id": "other"}]}, 8_192, False),
        ({"models": "x"}, 8_192, False),
        (None, 8_192, False),
    ],
)
def test_details_say_what_holds_now(value: object, context: int, loaded: bool) -> None:
    card = listed(Kind.UNKNOWN, *(dict(model) for model in detailed([{"id": "m"}], value)))["m"]
    assert (card.context_tokens, card.loaded) == (context, loaded)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ({"data": [{"id": "a"}, {"id": ""}, {"id": 5}, "x", {}]}, ["a"]),
        ({"data": []}, []),
        ({"models": [{"id": "a"}]}, ["a"]),
        ([{"id": "a"}], ["a"]),
    ],
)
def test_lists_in_every_shape(value: object, ids: list[str]) -> None:
    assert [model["id"] for model in parse_models(value)] == ids


@pytest.mark.parametrize("value", [None, 5, {}, {"data": 5}, {"error": "x"}, "x", {"data": [{"id": "a"}] * 10_001}])
def test_what_is_no_list(value: object) -> None:
    with pytest.raises(UpstreamProtocol):
        parse_models(value)
