"""The LiteLLM proxy's files: what stands in them for one phone, for several, and with further servers (`protocols/clients.md` 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.connect.edits import edited
from adapter.connect.edits_yaml import loads
from adapter.connect.parts import Connection, Document, EnvFile, Generate, Secret, Snippet
from adapter.connect.target import ConnectError
from adapter.connect.targets import litellm
from adapter.connect.truth import Model, Options, Truth, Where
from adapter.connect.upstreams import Upstream, parse

AUTO = Model("auto", "farmhand", 8_192, 1_024, frozenset({"chat", "tools"}))
GEMMA = Model("gemma-3n", "inferrlm", 8_192, 1_024, frozenset({"chat"}), frozenset({"tools", "response_format"}))
QWEN = Model("lab/Qwen3:14b", "llama", 32_768, 4_096, frozenset({"chat", "tools", "response_format", "vision"}))
VECTORS = Model("minilm", "llama", 512, 0, frozenset({"embeddings"}), embedding_size=384)
TALKER = Model("voice", "app", 0, 0, frozenset({"speech"}))
KEY = "sk-fh1.AbCdEfGh"
MADE = str  # no variable to be made is in `config.yaml`
WHERE = Where(Path("/home/u"), Path("/here"), Path("/state"), {})


def truth(*models: Model, url: str = "http://127.0.0.1:8888/v1", key: str = KEY) -> Truth:
    return Truth(url, models[0], models, key)


ONE = truth(AUTO, GEMMA, QWEN, VECTORS, TALKER)
SECOND = truth(AUTO, GEMMA, url="http://10.0.0.2:8888/v1", key="sk-second")
THIRD = truth(replace(AUTO, context_tokens=4_096), url="http://10.0.0.3:8888/v1", key="")
FARM = Options(farm=(SECOND, THIRD))


def made(connection: Connection) -> dict[str, Any]:
    """`config.yaml`, as YAML is read, from an empty file."""
    document = connection.parts[0]
    assert isinstance(document, Document)
    value: dict[str, Any] = loads(edited(document, "", MADE))
    return value


def entry(config: Mapping[str, Any], entry_id: str) -> dict[str, Any]:
    return next(found for found in config["model_list"] if found["model_info"]["id"] == entry_id)


def variables(connection: Connection) -> dict[str, object]:
    file = connection.parts[1]
    assert isinstance(file, EnvFile)
    return dict(file.variables)


# --- one phone ---------------------------------------------------------------------------------------------------


def test_an_entry_of_a_chat_model() -> None:
    """Addresses and keys by reference, sizes as they are, retries left to the router."""
    config = made(litellm.connection(ONE, WHERE, Options()))
    assert [found["model_name"] for found in config["model_list"]] == ["auto", "gemma-3n", "qwen3-14b", "minilm"]
    assert entry(config, "phone1/qwen3-14b") == {
        "model_name": "qwen3-14b",
        "litellm_params": {
            "model": "openai/lab/Qwen3:14b",
            "api_base": "os.environ/NEURAL_FARM_BASE_URL",
            "api_key": "os.environ/NEURAL_FARM_API_KEY",
            "timeout": 900,
            "stream_timeout": 900,
            "max_retries": 0,
        },
        "model_info": {
            "id": "phone1/qwen3-14b",
            "farmhand": "phone 1",
            "mode": "chat",
            "input_cost_per_token": 0,
            "output_cost_per_token": 0,
            "max_input_tokens": 32_768,
            "max_output_tokens": 4_096,
            "max_tokens": 4_096,
            "supports_function_calling": True,
            "supports_response_schema": True,
            "supports_vision": True,
        },
    }


def test_an_entry_of_an_embedder_and_of_unknown_sizes() -> None:
    """What is not known is not said."""
    config = made(litellm.connection(truth(replace(AUTO, context_tokens=0, max_output_tokens=0), VECTORS), WHERE, Options()))
    info = entry(config, "phone1/minilm")["model_info"]
    assert (info["mode"], info["max_input_tokens"], info["output_vector_size"]) == ("embedding", 512, 384)
    assert "supports_function_calling" not in info
    assert not {"max_input_tokens", "max_output_tokens", "max_tokens"} & entry(config, "phone1/auto")["model_info"].keys()


def test_the_settings_of_one_phone() -> None:
    """One server behind each name: a 401 or 404 must not shut the name off (9.3)."""
    config = made(litellm.connection(ONE, WHERE, Options()))
    assert config["router_settings"] == {
        "routing_strategy": "simple-shuffle",
        "num_retries": 2,
        "retry_after": 1,
        "allowed_fails": 3,
        "cooldown_time": 15,
        "disable_cooldowns": True,
        "retry_policy": litellm.ALONE,
        "enable_pre_call_checks": False,
        "fallbacks": [],
        "model_group_alias": {"lab/Qwen3:14b": {"model": "qwen3-14b", "hidden": True}},
    }
    assert config["litellm_settings"] == {
        "drop_params": True, "telemetry": False, "json_logs": True, "disable_hf_tokenizer_download": True, "request_timeout": 900,
    }  # fmt: skip
    assert config["general_settings"] == {"master_key": "os.environ/LITELLM_MASTER_KEY"}


def test_env_local() -> None:
    """Every address and key; the key of its clients is made once."""
    connection = litellm.connection(ONE, WHERE, Options())
    assert connection.parts[0].path == Path("/state/litellm/config.yaml")  # type: ignore[union-attr]
    assert connection.parts[1].path == Path("/state/litellm/env.local")  # type: ignore[union-attr]
    found = variables(connection)
    assert found["NEURAL_FARM_BASE_URL"] == "http://127.0.0.1:8888/v1"
    assert found["NEURAL_FARM_API_KEY"] == Secret(KEY)
    assert found["LITELLM_MASTER_KEY"] == Generate("sk-")
    assert found["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert KEY not in str(connection.parts[0])


def test_another_place() -> None:
    connection = litellm.connection(ONE, WHERE, Options(file=Path("/laptop/proxy.yaml")))
    files = [part.path for part in connection.parts if not isinstance(part, Snippet)]
    assert files == [Path("/laptop/proxy.yaml"), Path("/laptop/env.local")]


def test_an_edited_file_keeps_what_is_a_persons() -> None:
    """Entries of their own, comments, tuned settings; a second time changes nothing."""
    before = (
        "# mine\nmodel_list:\n  - model_name: gpt  # cloud\n    litellm_params: {model: gpt-5}\n"
        "router_settings:\n  num_retries: 7\n  disable_cooldowns: false\n"
    )
    document = litellm.connection(ONE, WHERE, Options()).parts[0]
    assert isinstance(document, Document)
    after = edited(document, before, MADE)
    config = loads(after)
    assert after.startswith("# mine\nmodel_list:\n  - model_name: gpt  # cloud\n")
    assert [found["model_name"] for found in config["model_list"]] == ["gpt", "auto", "gemma-3n", "qwen3-14b", "minilm"]
    assert (config["router_settings"]["num_retries"], config["router_settings"]["disable_cooldowns"]) == (7, True)
    assert edited(document, after, MADE) == after


# --- several -----------------------------------------------------------------------------------------------------


def test_a_farm() -> None:
    """An entry for each phone and model, under the same name; each with its own address and key."""
    connection = litellm.connection(ONE, WHERE, FARM)
    config = made(connection)
    autos = [found for found in config["model_list"] if found["model_name"] == "auto"]
    assert [found["litellm_params"]["api_base"] for found in autos] == [f"os.environ/NEURAL_FARM_BASE_URL{n}" for n in ("", "_2", "_3")]
    assert [found["litellm_params"]["api_key"] for found in autos] == [f"os.environ/NEURAL_FARM_API_KEY{n}" for n in ("", "_2", "_3")]
    assert [found["model_info"]["max_input_tokens"] for found in autos] == [8_192, 8_192, 4_096]
    assert {found["litellm_params"]["stream_timeout"] for found in autos} == {30}
    found = variables(connection)
    assert (found["NEURAL_FARM_BASE_URL_2"], found["NEURAL_FARM_API_KEY_2"]) == ("http://10.0.0.2:8888/v1", Secret("sk-second"))
    assert found["NEURAL_FARM_API_KEY_3"] == Secret("none"), "LiteLLM calls nobody without a key"


def test_the_settings_of_a_farm() -> None:
    """Cooldowns where another phone can answer, none for what only one has; tokens are counted since contexts differ."""
    config = made(litellm.connection(ONE, WHERE, FARM))
    settings = config["router_settings"]
    assert (settings["routing_strategy"], settings["disable_cooldowns"], settings["enable_pre_call_checks"]) == ("least-busy", False, True)
    assert settings["cooldown_time"] == 30
    assert settings["retry_policy"] == litellm.FARM and settings["allowed_fails_policy"] == litellm.FARM_FAILS
    lone = {found["model_info"]["id"] for found in config["model_list"] if found["litellm_params"].get("cooldown_time") == 0}
    assert lone == {"phone1/qwen3-14b", "phone1/minilm"}
    assert settings["fallbacks"] == [{"gemma-3n": ["auto"]}, {"qwen3-14b": ["auto"]}]


def test_even_phones_need_no_counting() -> None:
    settings = made(litellm.connection(truth(AUTO), WHERE, Options(farm=(truth(AUTO, url="http://b/v1"),))))["router_settings"]
    assert (settings["disable_cooldowns"], settings["enable_pre_call_checks"], settings["fallbacks"]) == (False, False, [])


def test_phones_with_nothing_in_common() -> None:
    """Then there is one server behind each name again."""
    settings = made(litellm.connection(truth(GEMMA), WHERE, Options(farm=(truth(QWEN, url="http://b/v1"),))))["router_settings"]
    assert (settings["disable_cooldowns"], settings["retry_policy"]) == (True, litellm.ALONE)


def test_from_a_farm_back_to_one_phone() -> None:
    """No entry of the others is left behind."""
    document, alone = (litellm.connection(ONE, WHERE, options).parts[0] for options in (FARM, Options()))
    assert isinstance(document, Document) and isinstance(alone, Document)
    config = loads(edited(alone, edited(document, "", MADE), MADE))
    assert {found["model_info"]["farmhand"] for found in config["model_list"]} == {"phone 1"}
    assert config["router_settings"]["disable_cooldowns"] is True
    assert not config["router_settings"].get("fallbacks")


def test_a_fallback_of_the_users_own_stays() -> None:
    """Of a cloud's model, for which `auto` stands in."""
    theirs = "router_settings:\n  fallbacks:\n    - gpt-4o: [auto]\n    - gemma-3n: [auto]\n    - gpt-4o: [auto, other]\n"
    for options, ours in ((Options(), []), (FARM, [{"gemma-3n": ["auto"]}, {"qwen3-14b": ["auto"]}])):
        document = litellm.connection(ONE, WHERE, options).parts[0]
        assert isinstance(document, Document)
        found = loads(edited(document, theirs, MADE))["router_settings"]["fallbacks"]
        assert [one for one in found if one not in ours] == [{"gpt-4o": ["auto"]}, {"gpt-4o": ["auto", "other"]}]
        assert [one for one in found if one in ours] == ours


def test_a_phone_given_twice() -> None:
    with pytest.raises(ConnectError, match=r"http://10\.0\.0\.2:8888/v1 is given 2 times"):
        litellm.connection(ONE, WHERE, Options(farm=(SECOND, SECOND)))


def test_a_proxy_is_no_phone() -> None:
    with pytest.raises(ConnectError, match="is a LiteLLM proxy itself"):
        litellm.connection(ONE, WHERE, Options(proxied=True))


def test_two_models_of_one_name() -> None:
    """It is said which one is called otherwise."""
    connection = litellm.connection(truth(GEMMA, replace(GEMMA, id="other/gemma-3n")), WHERE, Options())
    assert [found["model_name"] for found in made(connection)["model_list"]] == ["gemma-3n", "other-gemma-3n"]
    assert "'other/gemma-3n' would be called gemma-3n too" in connection.notes[0]


# --- further servers ---------------------------------------------------------------------------------------------


def upstreams(**changes: Any) -> tuple[Upstream, ...]:
    cloud = {"name": "cloud", "kind": "openrouter", "key": "os.environ/OPENROUTER_API_KEY", "models": ["qwen/qwen3-8b:free"], **changes}
    desk = {"name": "desk", "kind": "ollama", "url": "http://10.0.0.9:11434", "models": ["llama3.2"], "timeout_s": 120, "rpm": 30}
    return parse([cloud, desk], port=4000)


def test_entries_of_upstreams() -> None:
    """LiteLLM's prefix, their address as it is, their key by reference; one that wants none gets a word, since LiteLLM insists."""
    connection = litellm.connection(ONE, WHERE, Options(upstreams=upstreams()))
    config = made(connection)
    assert entry(config, "cloud/qwen3-8b-free") == {
        "model_name": "qwen3-8b-free",
        "litellm_params": {
            "model": "openrouter/qwen/qwen3-8b:free", "api_key": "os.environ/OPENROUTER_API_KEY", "timeout": 600, "stream_timeout": 600, "max_retries": 0,
        },
        "model_info": {"id": "cloud/qwen3-8b-free", "farmhand": "upstream cloud", "mode": "chat"},
    }  # fmt: skip
    params = entry(config, "desk/llama3.2")["litellm_params"]
    assert (params["model"], params["api_base"], params["api_key"]) == ("ollama_chat/llama3.2", "http://10.0.0.9:11434", "none")
    assert (params["timeout"], params["rpm"]) == (120, 30)
    assert any("env.local must have a line NAME=KEY for each of: OPENROUTER_API_KEY" in note for note in connection.notes)


def test_a_key_that_is_at_hand_is_taken_along() -> None:
    where = replace(WHERE, env={"OPENROUTER_API_KEY": "sk-or-1"})
    connection = litellm.connection(ONE, where, Options(upstreams=upstreams()))
    assert variables(connection)["OPENROUTER_API_KEY"] == Secret("sk-or-1")
    assert not any("must have a line" in note for note in connection.notes)


def test_no_prompt_for_a_phone_goes_to_a_cloud_by_chance() -> None:
    with pytest.raises(ConnectError, match=r"'cloud' of \[\[proxy.upstream\]\] has a model that is called gemma-3n"):
        litellm.connection(ONE, WHERE, Options(upstreams=upstreams(models=["google/gemma-3n"])))


def test_a_phone_may_be_an_upstream() -> None:
    """Of kind farmhand it shares names, and is routed to like any other phone."""
    phone = parse([{"name": "p9", "kind": "farmhand", "url": "http://10.0.0.9:8888/v1", "key": "os.environ/P9", "models": ["gemma-3n"]}], port=4000)
    config = made(litellm.connection(ONE, WHERE, Options(upstreams=phone)))
    assert [found["model_info"]["id"] for found in config["model_list"] if found["model_name"] == "gemma-3n"] == ["phone1/gemma-3n", "p9/gemma-3n"]
    assert config["router_settings"]["disable_cooldowns"] is False


def test_how_it_is_started() -> None:
    """By a service on a phone; elsewhere by hand, as it can be pasted."""
    on_phone, elsewhere = (litellm.connection(ONE, replace(WHERE, platform=platform), Options(port=4123)) for platform in ("android", "linux"))
    assert any("enabled = true in [proxy] of config.toml" in note for note in on_phone.notes)
    assert not any(isinstance(part, Snippet) for part in on_phone.parts)
    (start,) = [part for part in elsewhere.parts if isinstance(part, Snippet)]
    assert start.text.splitlines()[1:] == [
        "set -a; . /state/litellm/env.local; set +a",
        "litellm --config /state/litellm/config.yaml --host 127.0.0.1 --port 4123 --num_workers 1",
    ]
    for connection in (on_phone, elsewhere):
        assert any("http://127.0.0.1:4123/v1 and the LITELLM_MASTER_KEY of /state/litellm/env.local" in note for note in connection.notes)
