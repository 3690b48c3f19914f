"""The targets pitwall, open-webui, cursor and home-assistant; and the list of all."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.connect.edits import edited
from adapter.connect.edits_env import read_env
from adapter.connect.parts import Connection, EnvFile, Snippet
from adapter.connect.profile import Profile
from adapter.connect.target import TARGETS, ConnectError, target
from adapter.connect.truth import Model, Options, Truth, Where

KEY = "sk-fh1.abcdefgh.0123456789"
CAN = frozenset({"chat", "tools"})
SMALL = Model("auto", "e", 4_096, 1_024, CAN)
LARGE = Model("box/large", "e", 32_768, 4_096, CAN)
WHERE = Where(Path("/home/u"), Path("/here"), Path("/state"), {})


def truth(model: Model = SMALL, url: str = "http://127.0.0.1:8888/v1") -> Truth:
    return Truth(url, model, (SMALL, LARGE), KEY)


def made(name: str, given: Truth, options: Options | None = None) -> Connection:
    return target(name).connection(given, WHERE, options or Options())


def variables(connection: Connection) -> dict[str, str]:
    (file,) = [part for part in connection.parts if isinstance(part, EnvFile)]
    return read_env(edited(file, "", lambda secret: secret.prefix + "made"))


def snippet(connection: Connection, title: str) -> str:
    (found,) = [part.text for part in connection.parts if isinstance(part, Snippet) and part.title.startswith(title)]
    return found


@pytest.mark.parametrize("name", ["pitwall", "open-webui", "cursor", "home-assistant", "env"])
def test_each_has_a_profile_and_a_connection(name: str) -> None:
    assert isinstance(target(name).PROFILE, Profile)
    for given in (truth(), truth(LARGE), truth(replace(SMALL, context_tokens=0)), truth(url="https://farm.example.org/v1")):
        for options in (Options(), Options(small=True), Options(proxied=True)):
            connection = made(name, given, options)
            assert connection.parts and all(note.strip() and note[-1] in ".)" for note in connection.notes), connection.notes


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(ConnectError, match=re.escape("'claw' is no client that Farmhand knows; there are litellm, openclaw")):
        target("claw")
    assert len(TARGETS) == 18


def test_pitwall() -> None:
    """`protocols/pitwall.md` 2: both of its paths, by the newer and the older names, and its phone script's."""
    connection = made("pitwall", truth())
    assert connection.parts[0] == EnvFile(Path("/home/u/pitwall.env"), connection.parts[0].variables, export=True)  # type: ignore[union-attr]
    assert variables(connection) == {
        "PITWALL_ADK_OPENAI_URL": "http://127.0.0.1:8888/v1", "PITWALL_ADK_OPENAI_MODEL": "auto", "PITWALL_ADK_OPENAI_API_KEY": KEY,
        "PITWALL_LITERT_URL": "http://127.0.0.1:8888/v1", "PITWALL_LITERT_MODEL": "auto", "PITWALL_LITERT_API_KEY": KEY,
        "LOCALLLM_URL": "http://127.0.0.1:8888/v1", "LOCALLLM_MODEL": "auto",
        "PITWALL_LITERT_HTTP_TIMEOUT_S": "30", "PITWALL_ADK_TIMEOUT_S": "45",
        "PITWALL_ADK_CHAR_BUDGET": "9216", "PITWALL_COMPACT_PROMPTS": "1",
    }  # fmt: skip
    large = variables(made("pitwall", truth(LARGE)))
    assert (large["PITWALL_ADK_OPENAI_MODEL"], large["PITWALL_ADK_CHAR_BUDGET"], "PITWALL_COMPACT_PROMPTS" in large) == ("openai/box/large", "60000", False)
    notes = " ".join(connection.notes)
    assert all(word in notes for word in ("8099", "8080", "deadline_s = 22", "start it anew"))
    assert "put `. ~/pitwall.env` before" in notes
    assert "put `. '/a b/pit.env'` before" in made("pitwall", truth(), Options(file=Path("/a b/pit.env"))).notes[0]
    profile = target("pitwall").PROFILE
    assert (profile.stream, profile.byte_s, profile.whole_s, profile.parallel) == (False, 30.0, 45.0, 10)


def test_what_the_driver_has_changed_stays() -> None:
    (file,) = made("pitwall", truth()).parts
    assert isinstance(file, EnvFile)
    text = edited(file, "export PITWALL_ADK_TIMEOUT_S=90\n", lambda secret: "")
    assert read_env(text)["PITWALL_ADK_TIMEOUT_S"] == "90"


def test_open_webui() -> None:
    """Names as in 0.12.4's `config.py`."""
    found = variables(made("open-webui", truth()))
    assert found == {
        "OPENAI_API_BASE_URL": "http://127.0.0.1:8888/v1", "OPENAI_API_KEY": KEY, "ENABLE_OLLAMA_API": "False", "DEFAULT_MODELS": "auto",
        "ENABLE_TITLE_GENERATION": "False", "ENABLE_TAGS_GENERATION": "False", "ENABLE_FOLLOW_UP_GENERATION": "False",
        "DEFAULT_MODEL_METADATA": '{"capabilities": {"builtin_tools": false}}',
    }  # fmt: skip
    assert "DEFAULT_MODEL_METADATA" not in variables(made("open-webui", truth(LARGE)))
    assert "DEFAULT_MODEL_METADATA" in variables(made("open-webui", truth(LARGE), Options(small=True)))
    assert "DEFAULT_MODEL_METADATA" in variables(made("open-webui", truth(replace(LARGE, can=frozenset({"chat"})))))
    given = made("open-webui", truth(), Options(file=Path("/my files/it's.env")))
    assert snippet(given, "To start it") == "set -a; . '/my files/it'\\''s.env'; set +a\nopen-webui serve"


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("http://127.0.0.1:8888/v1", False), ("http://192.168.1.7:8888/v1", False), ("http://localhost:8888/v1", False), ("http://phone.local:8888/v1", False),
        ("http://[::1]:8888/v1", False), ("http://phone:8888/v1", False), ("https://farm.example.org/v1", True), ("http://93.184.216.34/v1", True),
    ],
)  # fmt: skip
def test_cursor_asks_from_its_own_servers(url: str, public: bool) -> None:
    connection = made("cursor", truth(url=url))
    steps = snippet(connection, "In Cursor")
    assert (url in steps) is public and KEY in steps and "auto" in steps
    assert any("from its own servers" in note for note in connection.notes) is not public
    assert any("https address" in note and "http the key" in note for note in connection.notes) is (url == "http://93.184.216.34/v1")
    if not public:
        assert "allowed_hosts" in snippet(connection, "An address")


def test_home_assistant() -> None:
    steps = snippet(made("home-assistant", truth(LARGE, "http://192.168.1.7:8888/v1")), "In Home")
    assert "http://192.168.1.7:8888/v1" in steps and KEY in steps and "Control Home Assistant   Assist" in steps and "box/large" in steps
    local = made("home-assistant", truth())
    assert "none: leave the field empty" in snippet(local, "In Home") and "http://192.168.1.20:8888/v1" in snippet(local, "In Home")
    assert "Home Assistant's own machine" in local.notes[0] and any("switches nothing" in note for note in local.notes)
