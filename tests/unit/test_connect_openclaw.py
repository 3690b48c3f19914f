"""What `farmhand connect` makes for OpenClaw and Clawdbot. That the real programs take it is in `tests/live/test_chain_openclaw.py`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import json5
import pytest

from adapter.connect import edits
from adapter.connect.parts import Connection, Document, EnvFile, Generate, Put, Secret
from adapter.connect.target import ConnectError, Target
from adapter.connect.targets import claw, clawdbot, openclaw
from adapter.connect.truth import Model, Options, Truth, Where

KEY = "sk-fh1.secret-secret-secret"
BASE = "http://127.0.0.1:8888/v1"
CHAT = frozenset({"chat", "tools"})
WHERE = Where(Path("/home/me"), Path("/srv/app"), Path("/home/me/.farmhand"), {})
TARGETS = (openclaw, clawdbot)


def model(context: int, *, name: str = "auto", answer: int = 0, can: frozenset[str] = CHAT, emulated: frozenset[str] = frozenset()) -> Model:
    return Model(name, "engine", context, answer, can, emulated)


def made(target: Target, of: Model, *others: Model, options: Options | None = None, where: Where = WHERE) -> Connection:
    return target.connection(Truth(BASE, of, (of, *others), KEY), where, options or Options())


def document(connection: Connection) -> Document:
    (found,) = [part for part in connection.parts if isinstance(part, Document)]
    return found


def env_file(connection: Connection) -> EnvFile:
    (found,) = [part for part in connection.parts if isinstance(part, EnvFile)]
    return found


def edited(part: Document, text: str) -> str:
    return edits.edited(part, text, lambda generate: f"{generate.prefix}made")


def config(connection: Connection, before: str = "") -> dict[str, Any]:
    """What stands in the file afterwards."""
    value: dict[str, Any] = json5.loads(edited(document(connection), before))
    return value


def first_model(connection: Connection) -> dict[str, Any]:
    entry: dict[str, Any] = config(connection)["models"]["providers"]["farm"]["models"][0]
    return entry


# --- how much of the prompt fits ------------------------------------------------------------------------------------

# `protocols/clients.md` 8.4, with OpenClaw's own estimates: context, the form that is made for it.
SIZES = [
    (4_000, "no tools"),
    (4_096, "no tools"),
    (5_928, "no tools"),
    (5_929, "minimal"),
    (8_192, "minimal"),
    (12_288, "minimal"),
    (14_984, "minimal"),
    (14_985, "lean"),
    (16_384, "lean"),
    (22_540, "lean"),
    (22_541, "full"),
    (32_768, "full"),
    (131_072, "full"),
]


@pytest.mark.parametrize(("context", "form"), SIZES)
def test_which_settings_for_which_context(context: int, form: str) -> None:
    written = config(made(openclaw, model(context)))
    defaults, entry = written["agents"]["defaults"], written["models"]["providers"]["farm"]["models"][0]
    small = form in ("minimal", "no tools")
    assert claw.form_for(openclaw.WORDS, context, small=False).name == form
    assert defaults.get("skipBootstrap", False) is (form != "full")
    assert defaults.get("contextInjection") == (None if form == "full" else "never")
    assert written.get("tools") == ({"profile": "minimal"} if small else None)
    assert entry.get("compat") == ({"supportsTools": False} if form == "no tools" else None)
    assert entry["contextWindow"] == context


@pytest.mark.parametrize("form", openclaw.FORMS, ids=lambda form: form.name)
def test_a_form_leaves_room_to_talk_where_it_begins(form: claw.Form) -> None:
    """By OpenClaw's own estimate the prompt and some talk stay below the three quarters above which it compacts; and it never refuses the model."""
    context = max(form.needs_tokens, openclaw.WORDS.least_context)
    assert form.guess_tokens + claw.TALK_TOKENS <= context * claw.PROMPT_PART + 1
    assert form.tokens + claw.answer_tokens(model(context)) <= context


@pytest.mark.parametrize(("target", "least"), [(openclaw, 4_000), (clawdbot, 16_000)])
def test_too_small_for_any_turn(target: Target, least: int) -> None:
    with pytest.raises(ConnectError, match=rf"less than {least:,} tokens of context, and this one has {least - 1:,}.*--model"):
        made(target, model(least - 1))
    assert made(target, model(least)).parts
    assert target.PROFILE.min_context_tokens == least


def test_small_on_demand() -> None:
    connection = made(openclaw, model(131_072), options=Options(small=True))
    assert first_model(connection)["compat"] == {"supportsTools": False}
    assert "it only talks" in connection.notes[0] and "5,929 tokens or more" in connection.notes[0]


@pytest.mark.parametrize(
    ("context", "answer", "said"),
    [(4_096, 0, 1_024), (4_096, 512, 512), (16_384, 0, 4_096), (32_768, 8_192, 8_192), (32_768, 32_768, 8_192)],
)
def test_the_answer_gets_what_the_prompt_leaves(context: int, answer: int, said: int) -> None:
    assert first_model(made(openclaw, model(context, answer=answer)))["maxTokens"] == said


def test_nobody_says_how_large_it_is() -> None:
    """OpenClaw would take 128,000."""
    connection = made(openclaw, model(0))
    assert first_model(connection)["contextWindow"] == 8_192
    assert connection.notes[0].startswith("Nobody says how much context auto has; 8,192 tokens are assumed.")


# --- models ---------------------------------------------------------------------------------------------------------


def test_all_that_can_chat_are_listed() -> None:
    """The one to use first, once; what the program refuses is said instead."""
    auto, tiny = model(16_384), model(2_048, name="tiny")
    sees = model(32_768, name="app/sees", can=CHAT | {"vision"})
    vectors = Model("vectors", "engine", 8_192, 0, frozenset({"embeddings"}))
    connection = made(openclaw, auto, tiny, sees, vectors, auto)
    written = config(connection)
    listed = written["models"]["providers"]["farm"]["models"]
    assert [(entry["id"], entry["input"]) for entry in listed] == [("auto", ["text"]), ("app/sees", ["text", "image"])]
    assert {tuple(entry["cost"].values()) for entry in listed} == {(0, 0, 0, 0)}
    assert written["agents"]["defaults"]["model"]["primary"] == "farm/auto"
    assert "Left out, since OpenClaw wants 4,000 tokens of context: tiny." in connection.notes


def test_without_tools_it_is_not_given_any() -> None:
    talks = made(openclaw, model(16_384, can=frozenset({"chat"})))
    assert first_model(talks)["compat"] == {"supportsTools": False}
    assert any("cannot call tools" in note for note in talks.notes)
    asks = made(openclaw, model(16_384, can=frozenset({"chat"}), emulated=frozenset({"tools"})))
    assert "compat" not in first_model(asks)
    assert any("asks for them in words" in note for note in asks.notes)


# --- key, address, files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("target", "token"), [(openclaw, "OPENCLAW_GATEWAY_TOKEN"), (clawdbot, "CLAWDBOT_GATEWAY_TOKEN")])
def test_address_and_keys_stand_in_the_private_file_alone(target: Target, token: str) -> None:
    connection = made(target, model(32_768))
    text = edited(document(connection), "")
    assert KEY not in text and BASE not in text and KEY not in repr(connection)
    provider = json5.loads(text)["models"]["providers"]["farm"]
    assert (provider["baseUrl"], provider["apiKey"]) == ("${NEURAL_FARM_BASE_URL}", "${NEURAL_FARM_API_KEY}")
    assert json5.loads(text)["gateway"]["auth"] == {"mode": "token", "token": f"${{{token}}}"}
    variables = dict(env_file(connection).variables)
    assert variables["NEURAL_FARM_BASE_URL"] == BASE
    assert variables["NEURAL_FARM_API_KEY"] == Secret(KEY)
    assert isinstance(variables[token], Generate)


@pytest.mark.parametrize(
    ("env", "config_at", "env_at"),
    [
        ({}, "/home/me/.openclaw/openclaw.json", "/home/me/.openclaw/.env"),
        ({"OPENCLAW_STATE_DIR": "/data/claw"}, "/data/claw/openclaw.json", "/data/claw/.env"),
        ({"OPENCLAW_STATE_DIR": "~/claw"}, "/home/me/claw/openclaw.json", "/home/me/claw/.env"),
        ({"OPENCLAW_CONFIG_PATH": "/etc/claw.json"}, "/etc/claw.json", "/home/me/.openclaw/.env"),
        ({"OPENCLAW_CONFIG_PATH": "claw.json", "OPENCLAW_STATE_DIR": " "}, "/srv/app/claw.json", "/home/me/.openclaw/.env"),
    ],
)
def test_where_its_files_are(env: dict[str, str], config_at: str, env_at: str) -> None:
    connection = made(openclaw, model(32_768), where=replace(WHERE, env=env))
    assert (document(connection).path, env_file(connection).path) == (Path(config_at), Path(env_at))


@pytest.mark.parametrize(
    ("env", "config_at", "env_at"),
    [
        ({}, "/home/me/.clawdbot/clawdbot.json", "/home/me/.clawdbot/.env"),
        ({"CLAWDBOT_STATE_DIR": "/data/claw"}, "/data/claw/clawdbot.json", "/data/claw/.env"),
        ({"CLAWDBOT_CONFIG_PATH": "/etc/claw.json"}, "/etc/claw.json", "/home/me/.clawdbot/.env"),
    ],
)
def test_where_clawdbots_files_are(env: dict[str, str], config_at: str, env_at: str) -> None:
    connection = made(clawdbot, model(32_768), where=replace(WHERE, env=env))
    assert (document(connection).path, env_file(connection).path) == (Path(config_at), Path(env_at))


@pytest.mark.parametrize("target", TARGETS)
def test_a_file_that_is_named_goes_before_all(target: Target) -> None:
    env = {"OPENCLAW_CONFIG_PATH": "/etc/claw.json", "CLAWDBOT_CONFIG_PATH": "/etc/claw.json"}
    connection = made(target, model(32_768), options=Options(file=Path("/elsewhere/c.json")), where=replace(WHERE, env=env))
    assert document(connection).path == Path("/elsewhere/c.json")


USERS = """{
  // mine
  gateway: { port: 19001, auth: { mode: "password", password: "x" } },
  agents: { defaults: { heartbeat: { every: "2h" }, model: { primary: "openai/gpt-5", fallbacks: ["other/one"] } } },
  models: { mode: "replace", providers: {
    other: { baseUrl: "https://example.com/v1", models: [] },
    farm: { api: "openai-responses", timeoutSeconds: 1200, headers: { "x-mine": "1" }, models: [{ id: "gone" }] },
  } },
}
"""


def test_what_is_the_users_stays() -> None:
    text = edited(document(made(openclaw, model(32_768))), USERS)
    written = json5.loads(text)
    assert "// mine" in text
    assert written["gateway"] == {"port": 19001, "auth": {"mode": "password", "password": "x"}, "mode": "local", "bind": "loopback"}
    defaults = written["agents"]["defaults"]
    assert (defaults["heartbeat"], defaults["model"]) == ({"every": "2h"}, {"primary": "farm/auto", "fallbacks": ["other/one"]})
    assert written["models"]["mode"] == "replace"
    providers = written["models"]["providers"]
    assert providers["other"] == {"baseUrl": "https://example.com/v1", "models": []}
    assert (providers["farm"]["api"], providers["farm"]["timeoutSeconds"], providers["farm"]["headers"]) == ("openai-responses", 1200, {"x-mine": "1"})
    assert [entry["id"] for entry in providers["farm"]["models"]] == ["auto"]


def test_a_second_time_changes_nothing() -> None:
    ours = document(made(openclaw, model(8_192)))
    once = edited(ours, USERS)
    assert edited(ours, once) == once


def test_clawdbot_knows_no_patience() -> None:
    """It refuses a configuration with words that it does not know (8.5)."""
    written = config(made(clawdbot, model(16_384)))
    assert "timeoutSeconds" not in written["models"]["providers"]["farm"]
    assert written["agents"]["defaults"]["skipBootstrap"] is True and "contextInjection" not in written["agents"]["defaults"]
    assert config(made(openclaw, model(16_384)))["models"]["providers"]["farm"]["timeoutSeconds"] == 900


def test_what_is_to_be_done_afterwards() -> None:
    laptop = made(openclaw, model(32_768)).notes
    phone = made(openclaw, model(32_768), where=replace(WHERE, platform="android")).notes
    assert laptop[-1].endswith("openclaw gateway run --port 18789 --bind loopback")
    assert phone[-1] == "farmhand restart openclaw makes the service read it."
    proxied = made(openclaw, model(32_768), options=Options(proxied=True)).notes
    assert any("given up after 300 s" in note for note in proxied) and not any("given up" in note for note in laptop)
    assert all(isinstance(edit, Put) for edit in document(made(openclaw, model(32_768))).edits)
