"""Handles by one rule, and `[[proxy.upstream]]`: what is refused, in which words, and what LiteLLM is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter.connect.farm import phone_keys, proxy_section
from adapter.connect.handles import handle, handles
from adapter.connect.target import ConnectError
from adapter.connect.upstreams import CLOUDS, KINDS, Upstream, parse

# --- handles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model_id", "name"),
    [
        ("auto", "auto"),
        ("gemma3n-e2b", "gemma3n-e2b"),
        ("qwen/Qwen3:14b", "qwen3-14b"),
        ("openrouter/meta-llama/Llama-3.3-70B-Instruct:free", "llama-3.3-70b-instruct-free"),
        ("llama3.2:latest", "llama3.2"),
        ("gemma-3n-E2B-it-Q4_K_M.gguf", "gemma-3n-e2b-it-q4_k_m"),
        ("models/gemini-3-flash", "gemini-3-flash"),
        ("moa-qwen3", "moa-qwen3"),
        ("mlx-community/Qwen3-4B-4bit/", "qwen3-4b-4bit"),
        ("Big Model (v2)+lora", "big-model-v2-lora"),
        ("  spaced  ", "spaced"),
        ("-.x.-", "x"),
        ("Größe-7b", "gr-e-7b"),
        ("///", ""),
        (":", ""),
    ],
)
def test_the_handle_of_an_id(model_id: str, name: str) -> None:
    """It is its own handle: the rule applied twice changes nothing."""
    assert handle(model_id) == name
    assert handle(name) == name


@pytest.mark.parametrize(
    ("model_ids", "names", "said"),
    [
        (["a", "b"], ("a", "b"), 0),
        (["qwen/Qwen3:14b", "auto"], ("qwen3-14b", "auto"), 0),
        # Whoever has the name already keeps it, also when it comes last.
        (["lab/qwen3", "qwen3"], ("lab-qwen3", "qwen3"), 1),
        (["lab/qwen3", "other/qwen3"], ("qwen3", "other-qwen3"), 1),
        (["a/x", "b/x", "b-x"], ("x", "b-x-2", "b-x"), 1),
        (["A/X", "a/x", "a:x"], ("x", "a-x", "a-x-2"), 2),
        (["///", ":"], ("model", "model-2"), 2),
        ([], (), 0),
    ],
)
def test_the_handles_of_a_server(model_ids: list[str], names: tuple[str, ...], said: int) -> None:
    """All different, and a sentence for each that had to be called otherwise."""
    given, sentences = handles(model_ids)
    assert given == names
    assert len(set(given)) == len(given)
    assert len(sentences) == said
    assert all(name in text for name, text in zip([n for n, i in zip(given, model_ids, strict=True) if n != handle(i)], sentences, strict=True))


# --- what is refused ---------------------------------------------------------------------------------------------

OLLAMA = {"name": "desk", "kind": "ollama", "url": "http://10.0.0.5:11434", "models": ["qwen3:14b"]}
OPT = {"name": "opt", "kind": "optillm", "url": "http://127.0.0.1:8000/v1", "models": ["moa-qwen3"]}
CLOUD = {"name": "router", "kind": "openrouter", "key": "os.environ/OPENROUTER_API_KEY", "models": ["qwen/qwen3-14b:free"]}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({**OLLAMA, "colour": 1}, "[[proxy.upstream]] 'desk': unknown key 'colour'; there are name, kind, url, key, models"),
        ({**OLLAMA, "kind": "olama"}, "kind is 'olama'; there are openai, ollama, vllm"),
        ({"kind": "ollama"}, "[[proxy.upstream]] number 1: name is missing"),
        ({k: v for k, v in OLLAMA.items() if k != "url"}, 'kind ollama needs its url, like "http://127.0.0.1:11434"'),
        ({**OLLAMA, "url": "http://10.0.0.5:11434/v1"}, "the url of kind ollama is without /v1"),
        ({**OPT, "url": "http://127.0.0.1:8000"}, "the url of kind optillm ends with /v1"),
        ({**OLLAMA, "url": "http://me:secret@10.0.0.5"}, "must look like http://192.168.1.20:8000/v1"),
        ({**OLLAMA, "url": "http://:secret@10.0.0.5"}, "must look like http://192.168.1.20:8000/v1"),
        ({**OLLAMA, "url": "10.0.0.5:11434"}, "must look like http://"),
        ({**OLLAMA, "url": "http://10.0.0.5:99999"}, "the port of http://10.0.0.5:99999 is none"),
        ({k: v for k, v in CLOUD.items() if k != "key"}, 'kind openrouter needs key = "os.environ/NAME"'),
        ({"name": "o", "kind": "openai", "models": ["gpt-5"]}, "without a url this is OpenAI itself"),
        ({**OLLAMA, "models": []}, "models"),
        ({**OLLAMA, "models": ["a:b", "x/a-b"]}, "'x/a-b' would be called a-b, as 'a:b' is; name it yourself"),
        ({**OLLAMA, "models": ["///"]}, "'///' has nothing that could be a name"),
        ({**OLLAMA, "models": {"Qwen3": "qwen3:14b"}}, "'Qwen3' is no handle"),
        ({**OLLAMA, "models": {"qwen3": " "}}, "the id of 'qwen3' is empty"),
        ({**OLLAMA, "models": [1]}, "must be a list of model ids"),
        ({**OLLAMA, "name": "phone2"}, "name: phone2 is what the phones themselves are called"),
        ({**OLLAMA, "rpm": 0}, "rpm"),
        ({**OLLAMA, "timeout_s": -1}, "timeout_s"),
        ("x", "number 1: write it as a table"),
        # In a circle.
        ({**OPT, "url": "http://127.0.0.1:4000/v1"}, "is this proxy itself"),
        ({**OLLAMA, "url": "http://localhost:4000"}, "is this proxy itself"),
        ({**OPT, "models": ["router-qwen3"]}, "asks OptiLLM for 'router'"),
        ({**OPT, "models": ["moa-router-qwen3"]}, "asks OptiLLM for 'router'"),
        ({**OPT, "models": ["moa&router-qwen3"]}, "asks OptiLLM for 'router'"),
        ({**OPT, "models": ["moa|proxy-qwen3"]}, "asks OptiLLM for 'proxy'"),
        ({**OPT, "models": ["moa-opt-qwen3"]}, "asks OptiLLM for 'opt'"),
        ({**OPT, "models": {"best": "opt-moa-qwen3"}}, "asks OptiLLM for 'opt'"),
        ({**OPT, "kind": "farmhand", "key": "os.environ/K", "url": "http://127.0.0.1:8888/v1"}, "is a server that the proxy has already"),
    ],
)
def test_a_wrong_one_is_refused_by_name(entry: Any, said: str) -> None:
    with pytest.raises(ConnectError) as refused:
        parse([entry], port=4000, base_urls=["http://127.0.0.1:8888/v1"])
    assert said in str(refused.value)


@pytest.mark.parametrize("model_id", ["moa-qwen3", "qwen3", "qwen3-router", "arch-router-1.5b", "bon|moa-qwen3", "re2&cot_reflection-qwen3", "auto"])
def test_what_optillm_may_be_asked_for(model_id: str) -> None:
    """Behind the model's name has begun, its words are the model's own."""
    assert parse([{**OPT, "models": [model_id]}], port=4000)[0].kind == "optillm"


def test_a_key_in_the_file_is_refused_and_not_shown() -> None:
    with pytest.raises(ConnectError) as refused:
        parse([{**CLOUD, "key": "sk-or-v1-secret"}], port=4000)
    assert 'key: must be written as "os.environ/NAME"' in str(refused.value)
    assert "secret" not in str(refused.value)


def test_two_of_one_name_and_two_with_one_model() -> None:
    """A prompt meant for the desk must not go to a cloud by chance; two phones may share a name."""
    with pytest.raises(ConnectError, match="there are two with name = 'desk'"):
        parse([OLLAMA, {**OLLAMA, "models": ["other"]}], port=4000)
    with pytest.raises(ConnectError, match=r"'cloud' and 'desk' both have a model that is called qwen3-14b.*\"cloud-qwen3-14b\""):
        parse([OLLAMA, {**CLOUD, "name": "cloud", "models": ["qwen/qwen3:14b"]}], port=4000)
    phone = {"kind": "farmhand", "key": "os.environ/K", "models": ["gemma"]}
    two = [{**phone, "name": f"p{number}", "url": f"http://10.0.0.{number}:8888/v1"} for number in (1, 2)]
    assert len(parse(two, port=4000)) == 2


# --- what is taken -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "names", "provider"),
    [
        (OLLAMA, {"qwen3-14b": "qwen3:14b"}, "ollama_chat"),
        ({**OLLAMA, "mode": "embedding"}, {"qwen3-14b": "qwen3:14b"}, "ollama"),
        ({**OPT, "kind": "vllm", "models": ["Qwen/Qwen3-8B"]}, {"qwen3-8b": "Qwen/Qwen3-8B"}, "hosted_vllm"),
        ({**OPT, "kind": "openvino", "url": "http://10.0.0.6:8000/v3", "models": ["OpenVINO/phi-4"]}, {"ov-phi-4": "OpenVINO/phi-4"}, "openai"),
        ({**OPT, "kind": "mlx", "models": {"qwen3": "mlx-community/Qwen3-4B"}}, {"mlx-qwen3": "mlx-community/Qwen3-4B"}, "openai"),
        ({**OPT, "kind": "mlx", "models": {"mlx-qwen3": "x"}}, {"mlx-qwen3": "x"}, "openai"),
        (OPT, {"opt-moa-qwen3": "moa-qwen3"}, "openai"),
        (CLOUD, {"qwen3-14b-free": "qwen/qwen3-14b:free"}, "openrouter"),
    ],
)
def test_handles_and_provider(entry: dict[str, Any], names: dict[str, str], provider: str) -> None:
    upstream = parse([entry], port=4000)[0]
    assert dict(upstream.handles) == names
    assert upstream.provider == provider


def test_every_kind_can_be_written() -> None:
    """The names in the type are those of the table."""
    for kind, traits in KINDS.items():
        entry = {"name": kind, "kind": kind, "models": ["m"], "key": "os.environ/K", "url": traits.at or None}
        assert Upstream.model_validate(entry).kind == kind
    assert set(CLOUDS) < set(KINDS)


# --- the configuration file, the keys of phones ------------------------------------------------------------------


def test_the_section_of_the_file(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    assert proxy_section(config) == ((), 4000)
    config.write_text('[server]\nport = 1\n[proxy]\nport = 4123\n[[proxy.upstream]]\nname = "d"\nkind = "ollama"\nurl = "http://h:1"\nmodels = ["a"]\n')
    upstreams, port = proxy_section(config)
    assert (port, [upstream.name for upstream in upstreams]) == (4123, ["d"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[proxy", "not valid TOML"),
        ("proxy = 1", "write it as [proxy]"),
        ("[proxy]\nport = true", "must be a port number"),
        ("[proxy]\nport = 70000", "must be a port number"),
        ("[proxy]\nupstream = 1", "write each as [[proxy.upstream]]"),
        ('[[proxy.upstream]]\nname = "d"', "'d': kind is missing"),
    ],
)
def test_a_section_that_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """With the file's name."""
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(ConnectError) as refused:
        proxy_section(config)
    assert str(refused.value).startswith(str(config))
    assert said in str(refused.value)


def test_keys_of_phones_by_number_then_by_url(tmp_path: Path) -> None:
    """The order may be another one than last time; the environment speaks first."""
    file = tmp_path / "env.local"
    urls = ["http://b/v1", "http://c/v1/"]
    assert phone_keys(urls, {}, file) == ("", "")
    assert phone_keys(urls, {"NEURAL_FARM_API_KEY_3": "kc"}, file) == ("", "kc")
    file.write_text(
        "# mine\nNEURAL_FARM_BASE_URL=http://a/v1\nNEURAL_FARM_API_KEY=ka\nNEURAL_FARM_BASE_URL_2=http://c/v1\nNEURAL_FARM_API_KEY_2='old-c'\n"
        "NEURAL_FARM_BASE_URL_3=http://b/v1\nNEURAL_FARM_API_KEY_3=old-b\n"
    )
    assert phone_keys(urls, {}, file) == ("old-b", "old-c")
    assert phone_keys(urls, {"NEURAL_FARM_API_KEY_2": "kb"}, file) == ("kb", "old-c")
    with file.open("a") as text:  # of a time with more phones
        text.write("NEURAL_FARM_BASE_URL_10=http://c/v1\nNEURAL_FARM_API_KEY_10=older-c\n")
    assert phone_keys(urls, {}, file) == ("old-b", "old-c")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConnectError, match="cannot be read"):
        phone_keys(urls, {}, file)
