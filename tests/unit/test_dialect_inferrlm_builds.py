"""`adapter.dialects.inferrlm_builds`: which build it is, which model is meant, and how to leave an answer."""

from __future__ import annotations

import pytest

from adapter.dialects.inferrlm_builds import (
    TRAITS,
    Build,
    Leaving,
    ModelFacts,
    Probe,
    StoredModel,
    decide_leaving,
    detect_build,
    nearest_names,
    parse_ps,
    parse_show,
    parse_tags,
    parse_version,
    resolve_model,
    short_name_to_probe,
)
from tests.unit.inferrlm_cases import GGUF, LITERT, recorded, value

# --- builds (3) and names (6) ------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", list(Build))
def test_builds_are_told_apart_by_their_recorded_answers(build: Build) -> None:
    models = parse_tags(value(build, "tags"))
    assert GGUF in models
    assert not any("mmproj" in model.name for model in models)
    probe = Probe(
        version=parse_version(value(build, "version")),
        openai=recorded(build, "v1-models")[0] == 200,
        short_name_found=recorded(build, "show-without-extension")[0] == 200,
        models=models,
    )
    assert detect_build(probe) is build


@pytest.mark.parametrize(
    ("version", "openai", "short", "models", "build"),
    [
        ("0.7.7", False, None, (), Build.A),
        ("", False, None, (), Build.A),
        ("0.8.1", False, None, (GGUF,), Build.B),
        ("0.8.5", True, False, (GGUF,), Build.B),
        ("0.8.7", True, None, (), Build.B),
        ("0.8.7", True, None, (LITERT,), Build.C),
        ("0.9.0", True, True, (GGUF,), Build.C),
        ("1.0.0", False, None, (), Build.B),
    ],
)
def test_builds_in_between(
    version: str, openai: bool, short: bool | None, models: tuple[StoredModel, ...], build: Build
) -> None:
    assert detect_build(Probe(version, openai=openai, short_name_found=short, models=models)) is build


def test_the_short_name_for_the_probe_is_not_itself_a_stored_name() -> None:
    assert short_name_to_probe([LITERT, GGUF]) == "Llama-3.2-1B-Instruct-Q4_K_M"
    assert short_name_to_probe([StoredModel("x"), StoredModel("X.gguf"), StoredModel("y.GGUF")]) == "y"
    assert short_name_to_probe([LITERT]) is None


@pytest.mark.parametrize("build", list(Build))
def test_ps_and_show(build: Build) -> None:
    assert parse_ps(value(build, "ps-loaded")) == GGUF.name
    assert parse_ps(value(build, "ps-empty")) is None
    assert parse_show(value(build, "show")) == ModelFacts(trained_tokens=131_072, opens_reasoning=False)


@pytest.mark.parametrize(
    "answer", [None, [], {"models": 3}, {"models": [1, {"name": 5}]}, {"info": {}}, {"info": 4}]
)
def test_strange_answers_to_probes_are_survived(answer: object) -> None:
    assert parse_tags(answer) == ()
    assert parse_ps(answer) is None
    assert parse_version(answer) == ""
    assert parse_show(answer) == ModelFacts()


@pytest.mark.parametrize(
    ("template", "opens"),
    [
        ("{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}", True),
        ("{% if add_generation_prompt %}<|assistant|>{% endif %}", False),
        ("{% if add_generation_prompt %}a{% if off %}<think>\n\n</think>{% endif %}{% endif %}", False),
        ("<think> is mentioned {% if add_generation_prompt %}<|assistant|>{% endif %}", False),
        ("no template", False),
    ],
)
def test_templates_that_open_the_reasoning_themselves(template: str, opens: bool) -> None:
    assert parse_show({"info": {"tokenizer.chat_template": template}}).opens_reasoning is opens


@pytest.mark.parametrize(
    "wanted",
    [GGUF.name, GGUF.name.lower(), f"{GGUF.name}:latest", "Llama-3.2-1B-Instruct-Q4_K_M", f"models/{GGUF.name}",
     "llama-3.2-1b-instruct-q4_k_m:latest", f" {GGUF.name} ", ""],
)  # fmt: skip
def test_names_are_found_and_become_the_stored_name(wanted: str) -> None:
    assert resolve_model(wanted, [LITERT, GGUF], GGUF.name) == GGUF


@pytest.mark.parametrize(
    "wanted", ["gemini", "chatgpt", "claude", "deepseek", "apple-foundation", "Llama", "x"]
)
def test_nothing_leads_to_the_cloud(wanted: str) -> None:
    assert resolve_model(wanted, [GGUF], None) is None
    assert resolve_model("", [], None) is None


def test_nearest_names() -> None:
    assert nearest_names("llama-3.2-1b", [LITERT, GGUF]) == [GGUF.name]


# --- leaving (12, 13.2) ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "litert", "headers", "text", "unload", "how"),
    [
        (Build.A, False, False, False, True, Leaving.DRAIN),
        (Build.A, False, True, True, False, Leaving.DRAIN),
        (Build.A, False, True, True, True, Leaving.UNLOAD),
        (Build.B, False, True, False, False, Leaving.DRAIN),
        (Build.B, False, True, False, True, Leaving.UNLOAD),
        (Build.C, False, False, False, True, Leaving.DRAIN),
        (Build.C, False, True, False, False, Leaving.CLOSE),
        (Build.C, False, True, True, True, Leaving.CLOSE),
        (Build.C, True, True, False, False, Leaving.DRAIN),
        (Build.C, True, True, True, False, Leaving.CLOSE),
    ],
)
def test_how_to_leave(
    build: Build, litert: bool, headers: bool, text: bool, unload: bool, how: Leaving
) -> None:
    decided = decide_leaving(
        TRAITS[build], litert=litert, headers_came=headers, text_came=text, unload=unload
    )
    assert decided is how
