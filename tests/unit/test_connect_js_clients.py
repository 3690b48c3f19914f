"""What `farmhand connect` makes for the JavaScript clients. That the real programs take it is in `tests/live/test_client_*.py`."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.connect.parts import Connection, Document, EnvFile, Put, PutEntries, Secret, Snippet
from adapter.connect.target import Target
from adapter.connect.targets import ai_sdk, continue_dev, openai_js, tiny_agents
from adapter.connect.truth import Model, Options, Truth, Where

KEY = "sk-fh1.secret-secret-secret"
BASE = "http://192.168.1.20:8888/v1"
DEMO = Model("demo", "demo", 16_384, 8_192, frozenset({"chat", "tools", "response_format"}))
PLAIN = Model("app", "app", 0, 0, frozenset({"chat"}))
EMBEDDER = Model("minilm", "vectors", 256, 256, frozenset({"embeddings"}), embedding_size=384)
TRUTH = Truth(BASE, DEMO, (DEMO, EMBEDDER), KEY)
WHERE = Where(Path("/home/me"), Path("/srv/app"), Path("/home/me/.farmhand"), {})

TARGETS = (openai_js, ai_sdk, tiny_agents, continue_dev)


def made(target: Target, truth: Truth = TRUTH, *, where: Where = WHERE, file: Path | None = None) -> Connection:
    return target.connection(truth, where, Options(file=file))


def of_kind(connection: Connection, kind: type[Any]) -> Any:
    (part,) = [part for part in connection.parts if isinstance(part, kind)]
    return part


def put(document: Document) -> dict[str, Any]:
    return {".".join(edit.path): edit.value for edit in document.edits if isinstance(edit, Put)}


def entries(connection: Connection) -> list[dict[str, Any]]:
    (found,) = [edit for edit in of_kind(connection, Document).edits if isinstance(edit, PutEntries)]
    return list(found.entries)


@pytest.mark.parametrize("target", TARGETS)
def test_the_key_is_nowhere_but_in_secrets(target: Target) -> None:
    """What is printed shows it masked, so no text may have it in it."""
    assert KEY not in repr(made(target))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("truth", [TRUTH, Truth(BASE, PLAIN, (PLAIN,), KEY)])
def test_what_has_a_secret_in_it_is_private(target: Target, truth: Truth) -> None:
    """An `EnvFile` is by itself; a document has to say so."""
    for part in made(target, truth).parts:
        if isinstance(part, Document) and any(isinstance(value, Secret) for value in put(part).values()):
            assert part.private


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_of_the_persons_own_is_taken(target: Target) -> None:
    connection = made(target, file=Path("/elsewhere/file"))
    assert Path("/elsewhere/file") in [part.path for part in connection.parts if isinstance(part, Document | EnvFile)]


@pytest.mark.parametrize(
    ("target", "url", "key"),
    [
        (openai_js, "OPENAI_BASE_URL", "OPENAI_API_KEY"),
        (ai_sdk, "NEURAL_FARM_BASE_URL", "NEURAL_FARM_API_KEY"),
        (continue_dev, "NEURAL_FARM_BASE_URL", "NEURAL_FARM_API_KEY"),
    ],
)
def test_the_variables_that_the_program_reads(target: Target, url: str, key: str) -> None:
    assert of_kind(made(target), EnvFile).variables == ((url, BASE), (key, Secret(KEY)))


@pytest.mark.parametrize("target", [openai_js, ai_sdk])
def test_programs_name_the_model_and_variables_only(target: Target) -> None:
    program = of_kind(made(target), Snippet).text
    assert '"demo"' in program
    assert BASE not in program
    assert "{{" not in program
    assert "}}" not in program.replace("}})", "").replace("} }", "")


def test_a_name_cannot_leave_its_string() -> None:
    odd = replace(DEMO, id='x"); process.exit(1); ("')
    for target in (openai_js, ai_sdk):
        assert r'"x\"); process.exit(1); (\""' in of_kind(made(target, replace(TRUTH, model=odd)), Snippet).text


@pytest.mark.parametrize(("model", "structured"), [(DEMO, "true"), (PLAIN, "false")])
def test_vercel_is_told_whether_schemas_are_kept(model: Model, structured: str) -> None:
    connection = made(ai_sdk, replace(TRUTH, model=model))
    assert f"supportsStructuredOutputs: {structured}," in of_kind(connection, Snippet).text
    assert (ai_sdk.NO_SCHEMA in connection.notes) == (structured == "false")


def test_vercel_embeds_where_there_is_an_embedder() -> None:
    assert 'farm.embeddingModel("minilm")' in of_kind(made(ai_sdk), Snippet).text
    without = of_kind(made(ai_sdk, replace(TRUTH, models=(DEMO,))), Snippet).text
    assert "embed" not in without


def test_tiny_agents() -> None:
    connection = made(tiny_agents)
    document = of_kind(connection, Document)
    assert document.path == Path("/srv/app/agent.json")
    assert put(document) == {"model": "demo", "endpointUrl": BASE, "apiKey": Secret(KEY), "servers": []}
    assert [edit.path for edit in document.edits if edit.absent_only] == [("servers",)]
    assert tiny_agents.NO_TOOLS not in connection.notes
    assert made(tiny_agents, replace(TRUTH, model=PLAIN)).notes[0] == tiny_agents.NO_TOOLS


def test_continue_is_told_the_truth_about_sizes() -> None:
    chat, embed = entries(made(continue_dev))
    assert chat == {
        "name": "Farmhand demo",
        "provider": "openai",
        "model": "demo",
        "apiBase": "${{ secrets.NEURAL_FARM_BASE_URL }}",
        "apiKey": "${{ secrets.NEURAL_FARM_API_KEY }}",
        "roles": ["chat", "edit", "apply"],
        "capabilities": ["tool_use"],
        "defaultCompletionOptions": {"contextLength": 16_384, "maxTokens": 4_096},
    }
    assert (embed["model"], embed["roles"], embed["embedOptions"]["maxChunkSize"]) == ("minilm", ["embed"], 256)


@pytest.mark.parametrize(
    ("context", "most", "answer"),
    [(4_096, 4_096, 1_024), (16_384, 512, 512), (131_072, 131_072, 4_096), (8_192, 0, 2_048)],
)
def test_an_answer_leaves_room_for_the_prompt(context: int, most: int, answer: int) -> None:
    model = replace(DEMO, context_tokens=context, max_output_tokens=most)
    limits = entries(made(continue_dev, replace(TRUTH, model=model)))[0]["defaultCompletionOptions"]
    assert limits == {"contextLength": context, "maxTokens": answer}


def test_a_model_without_tools_or_sizes_in_continue() -> None:
    connection = made(continue_dev, Truth(BASE, PLAIN, (PLAIN,), KEY))
    (entry,) = entries(connection)
    assert entry["capabilities"] == []
    assert "defaultCompletionOptions" not in entry
    assert "agent mode" in connection.notes[0]


def test_only_entries_of_ours_are_replaced() -> None:
    (edit,) = [edit for edit in of_kind(made(continue_dev), Document).edits if isinstance(edit, PutEntries)]
    assert all(edit.ours(entry) for entry in edit.entries)
    foreign: list[Any] = [{"name": "Farmhand demo", "apiBase": "http://other/v1"}, {"uses": "ollama/deepseek-r1"}, "text", None]
    foreign.append({**edit.entries[0], "name": "My autocomplete", "roles": ["autocomplete"]})
    assert not any(edit.ours(entry) for entry in foreign)


def test_continue_where_its_folder_was_moved() -> None:
    connection = made(continue_dev, where=replace(WHERE, env={"CONTINUE_GLOBAL_DIR": "/data/continue"}))
    assert [part.path for part in connection.parts if not isinstance(part, Snippet)] == [
        Path("/data/continue/config.yaml"),
        Path("/data/continue/.env"),
    ]


def test_a_continue_file_that_is_new_has_what_it_needs() -> None:
    document = of_kind(made(continue_dev), Document)
    assert put(document) == {"name": "Local", "version": "1.0.0", "schema": "v1"}
    assert all(edit.absent_only for edit in document.edits if isinstance(edit, Put))


@pytest.mark.parametrize("target", TARGETS)
def test_notes_are_sentences(target: Target) -> None:
    for note in made(target).notes:
        assert re.match(r"[A-Z].*[.]$", note)
