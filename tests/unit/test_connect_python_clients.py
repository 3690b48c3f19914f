"""What `farmhand connect` makes for the Python clients. That the real programs take it is in `tests/live/test_client_*.py`."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.connect.parts import Connection, Document, EnvFile, Put, PutEntries, Secret, Snippet
from adapter.connect.target import Target
from adapter.connect.targets import aider, langchain, llm, openai_python, pydantic_ai
from adapter.connect.truth import KEY_VARIABLE, URL_VARIABLE, Model, Options, Truth, Where

KEY = "sk-fh1.secret-secret-secret"
BASE = "http://192.168.1.20:8888/v1"
DEMO = Model("demo", "demo", 16_384, 8_192, frozenset({"chat", "tools", "response_format"}))
# Emulated is as good, to who configures a client.
SEEING = Model("gemma", "app", 4_096, 1_024, frozenset({"chat", "vision"}), frozenset({"tools", "response_format"}))
PLAIN = Model("app", "app", 0, 0, frozenset({"chat"}), multiline=False)
EMBEDDER = Model("minilm", "vectors", 256, 256, frozenset({"embeddings"}), embedding_size=384)
TRUTH = Truth(BASE, DEMO, (DEMO, SEEING, EMBEDDER), KEY)
BARE = Truth(BASE, PLAIN, (PLAIN,), KEY)
WHERE = Where(Path("/home/me"), Path("/srv/app"), Path("/home/me/.farmhand"), {})

TARGETS = (openai_python, langchain, pydantic_ai, llm, aider)
PRINTING = (openai_python, langchain, pydantic_ai)


def made(target: Target, truth: Truth = TRUTH, *, where: Where = WHERE, **options: Any) -> Connection:
    return target.connection(truth, where, Options(**options))


def of_kind(connection: Connection, kind: type[Any]) -> list[Any]:
    return [part for part in connection.parts if isinstance(part, kind)]


def put(document: Document) -> dict[str, Any]:
    return {".".join(edit.path): edit.value for edit in document.edits if isinstance(edit, Put)}


# --- all of them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("truth", [TRUTH, BARE])
def test_the_key_is_nowhere_but_in_secrets(target: Target, truth: Truth) -> None:
    """What is printed shows it masked, so no text may have it in it."""
    connection = made(target, truth)
    assert KEY not in repr(connection)
    values = [value for part in of_kind(connection, EnvFile) for _, value in part.variables]
    values += [value for part in of_kind(connection, Document) for value in put(part).values()]
    assert Secret(KEY) in values


@pytest.mark.parametrize("target", TARGETS)
def test_what_has_a_secret_in_it_is_private(target: Target) -> None:
    for part in of_kind(made(target), Document):
        assert part.private == any(isinstance(value, Secret) for value in put(part).values())


@pytest.mark.parametrize("target", TARGETS)
def test_another_place_for_the_file(target: Target) -> None:
    (first, *_) = made(target, file=Path("/else/x")).parts
    assert isinstance(first, Document | EnvFile) and first.path == Path("/else/x")


@pytest.mark.parametrize("target", PRINTING)
@pytest.mark.parametrize("truth", [TRUTH, BARE])
@pytest.mark.parametrize("name", ["demo", 'a"b\\c', "Köln"])
def test_what_is_printed_is_python_and_names_the_model(target: Target, truth: Truth, name: str) -> None:
    model = replace(truth.model, id=name)
    for snippet in of_kind(made(target, replace(truth, model=model)), Snippet):
        assert snippet.language == "python"
        assert name in [node.value for node in ast.walk(ast.parse(snippet.text)) if isinstance(node, ast.Constant)]


# --- one by one -------------------------------------------------------------------------------------------------


def test_the_sdk_reads_its_own_variables() -> None:
    (env,) = of_kind(made(openai_python), EnvFile)
    assert (env.path, env.variables) == (Path("/srv/app/.env"), (("OPENAI_BASE_URL", BASE), ("OPENAI_API_KEY", Secret(KEY))))


@pytest.mark.parametrize(("truth", "mode"), [(TRUTH, "JSON_SCHEMA"), (BARE, "MD_JSON")])
def test_instructors_mode_is_one_that_the_model_can(truth: Truth, mode: str) -> None:
    connection = made(openai_python, truth)
    assert f"mode=instructor.Mode.{mode})" in of_kind(connection, Snippet)[1].text
    assert (openai_python.BY_WORDS in connection.notes) == (truth is BARE)


@pytest.mark.parametrize("target", [langchain, pydantic_ai])
def test_programs_refer_to_our_variables(target: Target) -> None:
    connection = made(target)
    (env,), (program,) = of_kind(connection, EnvFile), of_kind(connection, Snippet)
    assert env.variables == ((URL_VARIABLE, BASE), (KEY_VARIABLE, Secret(KEY)))
    assert f'os.environ["{URL_VARIABLE}"]' in program.text and f'os.environ["{KEY_VARIABLE}"]' in program.text
    assert BASE not in program.text


def test_langchain_is_told_what_it_needs() -> None:
    """Usage in streams, and texts in place of OpenAI's tokens (`protocols/clients.md` 3)."""
    with_vectors, without = (of_kind(made(langchain, truth), Snippet)[0].text for truth in (TRUTH, BARE))
    assert "stream_usage=True" in with_vectors and "stream_usage=True" in without
    assert "check_embedding_ctx_length=False" in with_vectors and 'model="minilm"' in with_vectors
    assert "Embeddings" not in without


@pytest.mark.parametrize("truth", [TRUTH, BARE])
def test_pydantic_ai_prints_an_object_where_the_model_can(truth: Truth) -> None:
    connection = made(pydantic_ai, truth)
    (program,) = of_kind(connection, Snippet)
    assert ("NativeOutput(Place)" in program.text) == ("BaseModel" in program.text) == (truth is TRUTH)
    assert (pydantic_ai.NO_SCHEMA in connection.notes) == (pydantic_ai.NO_TOOLS in connection.notes) == (truth is BARE)


def test_llm_gets_an_entry_for_each_model_that_chats() -> None:
    models, keys = of_kind(made(llm), Document)
    (edit,) = models.edits
    assert isinstance(edit, PutEntries) and edit.path == ()
    shared = {"api_base": BASE, "api_key_name": "farm", "supports_schema": True, "supports_tools": True}
    assert edit.entries == (
        {"model_id": "farm", "model_name": "demo", **shared},
        {"model_id": "farm/gemma", "model_name": "gemma", **shared, "vision": True},
    )
    assert put(keys)["farm"] == Secret(KEY) and keys.path == models.path.with_name("keys.json")


def test_llm_says_of_a_model_only_what_it_can() -> None:
    (edit,) = of_kind(made(llm, BARE), Document)[0].edits
    assert edit.entries == ({"model_id": "farm", "model_name": "app", "api_base": BASE, "api_key_name": "farm"},)


@pytest.mark.parametrize("entry", [
    {"model_id": "x", "api_key_name": "mine"}, {"model_id": "x", "api_key_name": "farm"}, {"model_id": "farmer", "api_key_name": "farm"},
    {"api_key_name": "farm"}, {"model_id": "farm"}, "farm", None, ["farm"],
])  # fmt: skip
def test_llms_other_entries_are_not_ours(entry: object) -> None:
    (edit,) = of_kind(made(llm), Document)[0].edits
    assert not edit.ours(entry)
    assert edit.ours({"model_id": "farm/gone", "api_key_name": "farm"})


@pytest.mark.parametrize(
    ("platform", "env", "folder"),
    [
        ("linux", {}, "/home/me/.config/io.datasette.llm"),
        ("android", {}, "/home/me/.config/io.datasette.llm"),
        ("darwin", {"XDG_CONFIG_HOME": "/x"}, "/home/me/Library/Application Support/io.datasette.llm"),
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/io.datasette.llm"),
        ("linux", {"LLM_USER_PATH": "/y", "XDG_CONFIG_HOME": "/x"}, "/y"),
        ("linux", {"LLM_USER_PATH": "", "XDG_CONFIG_HOME": ""}, "/home/me/.config/io.datasette.llm"),
    ],
)
def test_where_llm_keeps_its_files(platform: str, env: dict[str, str], folder: str) -> None:
    assert llm.folder(replace(WHERE, platform=platform, env=env)) == Path(folder)


def test_aider_is_told_the_real_sizes() -> None:
    conf, sizes = of_kind(made(aider), Document)
    assert (conf.path, sizes.path) == (Path("/home/me/.aider.conf.yml"), Path("/home/me/.aider.model.metadata.json"))
    written = put(sizes)
    assert set(written) == {"openai/demo", "openai/gemma"}
    assert (written["openai/demo"]["max_input_tokens"], written["openai/demo"]["max_output_tokens"]) == (16_384, 8_192)
    assert put(conf)["model"] == put(conf)["weak-model"] == "openai/demo"


def test_aider_finds_its_key_in_a_file_of_its_own() -> None:
    connection = made(aider)
    (env,) = of_kind(connection, EnvFile)
    assert put(of_kind(connection, Document)[0])["env-file"] == str(env.path) == "/home/me/.aider/farmhand.env"
    assert dict(env.variables) == {"OPENAI_API_BASE": BASE, "OPENAI_API_KEY": Secret(KEY)}


@pytest.mark.parametrize(
    ("model", "small", "mapped"), [(DEMO, False, True), (DEMO, True, False), (SEEING, False, False), (PLAIN, False, True)]
)
def test_the_map_of_the_repository_goes_where_room_is_scarce(model: Model, small: bool, mapped: bool) -> None:
    conf = of_kind(made(aider, replace(TRUTH, model=model), small=small), Document)[0]
    assert ("map-tokens" not in put(conf)) == mapped


def test_what_aiders_user_has_chosen_stays() -> None:
    (conf, *_) = of_kind(made(aider), Document)
    assert {edit.path for edit in conf.edits if edit.absent_only} == {("edit-format",), ("timeout",)}


def test_a_model_that_stops_at_line_breaks_or_has_no_known_size_is_told() -> None:
    connection = made(aider, BARE)
    assert aider.ONE_LINE in connection.notes and aider.UNKNOWN in connection.notes
    assert len(of_kind(connection, Document)) == 1
    assert aider.ONE_LINE not in made(aider).notes and aider.UNKNOWN not in made(aider).notes


def test_sizes_in_another_place_are_named() -> None:
    conf, sizes = of_kind(made(aider, file=Path("/else/conf.yml")), Document)
    assert put(conf)["model-metadata-file"] == str(sizes.path) == "/else/.aider.model.metadata.json"
    assert "model-metadata-file" not in put(of_kind(made(aider), Document)[0])
