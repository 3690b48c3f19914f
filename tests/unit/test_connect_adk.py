"""The configuration of Google's ADK: two variables, and an agent for each of its paths."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.connect.parts import EnvFile, Secret, Snippet
from adapter.connect.target import TARGETS, target
from adapter.connect.targets import adk
from adapter.connect.truth import Model, Options, Truth, Where

MODEL = Model('inferrlm/a "b"', "inferrlm", 4096, 1024, frozenset({"chat"}), frozenset({"tools"}))
TRUTH = Truth("http://127.0.0.1:8888/v1", MODEL, (MODEL,), "sk-secret")
WHERE = Where(Path("/home/me"), Path("/home/me/agent"), Path("/home/me/.farmhand"), {})


def test_it_is_a_target() -> None:
    assert "adk" in TARGETS and target("adk").PROFILE == adk.PROFILE


def test_the_variables_and_both_paths() -> None:
    env, openai, gemini = adk.connection(TRUTH, WHERE, Options()).parts
    assert env == EnvFile(WHERE.here / ".env", (("NEURAL_FARM_BASE_URL", TRUTH.base_url), ("NEURAL_FARM_API_KEY", Secret("sk-secret"))))
    assert isinstance(openai, Snippet) and isinstance(gemini, Snippet)
    for snippet, expected in ((openai, 'LiteLlm(model="openai/inferrlm/a'), (gemini, 'Gemini(model="inferrlm/a')):
        assert "sk-secret" not in snippet.text and "127.0.0.1" not in snippet.text
        assert expected in "".join(line.strip() for line in snippet.text.splitlines())
        ast.parse(snippet.text)  # whatever the model is called


def test_a_file_of_ones_own() -> None:
    (env, *_) = adk.connection(TRUTH, WHERE, Options(file=Path("/x/y.env"))).parts
    assert isinstance(env, EnvFile) and env.path == Path("/x/y.env")


def test_behind_a_proxy_there_is_one_path() -> None:
    made = adk.connection(TRUTH, WHERE, Options(proxied=True))
    assert len(made.parts) == 2 and made.notes[-1] == adk.PROXIED


@pytest.mark.parametrize(("emulated", "said"), [(frozenset({"tools"}), False), (frozenset[str](), True)])
def test_a_model_without_tools_is_told_of(emulated: frozenset[str], said: bool) -> None:
    made = adk.connection(replace(TRUTH, model=replace(MODEL, emulated=emulated)), WHERE, Options())
    assert (adk.NO_TOOLS in made.notes) is said and any("mcp" in note for note in made.notes)
