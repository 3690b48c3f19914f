"""The real LiteLLM proxy, from what `farmhand connect litellm --write` makes: phone's app and embedded engine behind a real adapter, and every kind of
`[[proxy.upstream]]` beside it (`protocols/clients.md` 9).
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("openai", reason="the OpenAI SDK has no Android wheel; run this on a PC")

import openai

from adapter.connect.upstreams import CLOUDS, KINDS
from tests.fakes.openai_server import FakeOpenAI
from tests.live import farm_cases
from tests.live.farm_cases import Proxy, litellm_proxy, served
from tests.live.processes import Adapter, adapter, fake_inferrlm

Tried = Callable[[str, str], None]
CTX_TOKENS = 2_048
CONFIG = """
[[engine]]
name = "app"
kind = "inferrlm"
url = "{app}"
[[engine]]
name = "embedded"
kind = "llama"
model = "demo"
ctx_tokens = 2048
threads = 1
[[model]]
name = "llama-3-demo"
route = ["embedded/demo"]
[[key]]
name = "hasty"
key = "sk-hasty-0123456789"
rate = "1/s"
"""
# One for each kind. Those whose API is OpenAI's are played by a fake and answer; of the others it is seen that LiteLLM takes them.
UPSTREAMS = """
[[proxy.upstream]]
name = "plain"
kind = "openai"
url = "{fake}"
models = ["vendor/Some:model"]
[[proxy.upstream]]
name = "gpu"
kind = "vllm"
url = "{fake}"
models = {{ gpu-vectors = "some-vectors" }}
mode = "embedding"
[[proxy.upstream]]
name = "gpu-chat"
kind = "vllm"
url = "{fake}"
models = ["Qwen/Qwen3-8B"]
[[proxy.upstream]]
name = "arc"
kind = "openvino"
url = "{fake}"
models = ["OpenVINO/phi-4"]
[[proxy.upstream]]
name = "mac"
kind = "mlx"
url = "{fake}"
models = ["mlx-community/Qwen3-4B-4bit"]
[[proxy.upstream]]
name = "thinker"
kind = "optillm"
url = "{fake}"
models = ["moa-qwen3"]
[[proxy.upstream]]
name = "hasty"
kind = "farmhand"
url = "{localhost}"
key = "os.environ/HASTY_KEY"
models = {{ hasty = "demo" }}
[[proxy.upstream]]
name = "desk"
kind = "ollama"
url = "http://127.0.0.1:9"
models = ["llama3.2:3b"]
"""
# Handle -> the id that its server knows.
PLAYED = {
    "some-model": "vendor/Some:model",
    "qwen3-8b": "Qwen/Qwen3-8B",
    "ov-phi-4": "OpenVINO/phi-4",
    "mlx-qwen3-4b-4bit": "mlx-community/Qwen3-4B-4bit",
    "opt-moa-qwen3": "moa-qwen3",
    "over-openrouter": "lab/big",
    "over-deepseek": "lab/big",
}


@dataclass
class Chain:
    """asked: hosts that the proxy wanted to reach beyond this machine."""

    folder: Path
    phone: Adapter
    proxy: Proxy
    fake: FakeOpenAI
    asked: list[str] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "litellm" / "config.yaml"

    @cached_property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.proxy.base_url, api_key=self.proxy.key, max_retries=0, timeout=120)

    def connect(self, *arguments: str) -> str:
        env = {
            "HOME": str(self.folder),
            "FARMHAND_HOME": str(self.phone.home),
            "FARMHAND_CONFIG": str(self.folder / "connect.toml"),
            "HASTY_KEY": "sk-hasty-0123456789",
            **{f"{name.upper()}_KEY": "sk-of-a-cloud" for name in CLOUDS},
        }
        done = farm_cases.connect("litellm", "--url", self.phone.base_url, "--file", str(self.config), *arguments, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def upstreams(fake: FakeOpenAI, phone: Adapter) -> str:
    clouds = [
        f'[[proxy.upstream]]\nname = "{name}"\nkind = "{name}"\nkey = "os.environ/{name.upper()}_KEY"\nmodels = {{ over-{name} = "lab/big" }}\n'
        + (f'url = "{fake.url}"\n' if f"over-{name}" in PLAYED else "")
        for name in CLOUDS
    ]
    localhost = phone.base_url.replace("127.0.0.1", "localhost")  # else it is refused as the same server twice
    return UPSTREAMS.format(fake=fake.url, localhost=localhost) + "".join(clouds)


@contextmanager
def outside(asked: list[str]) -> Iterator[str]:
    """An HTTP proxy that notes where it is asked to go, and goes nowhere."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # who says nothing, or hangs up
                    connection.settimeout(5)
                    asked.append(connection.recv(200).split(b"\r\n")[0].decode(errors="replace"))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    home = folder / "phone"
    home.mkdir()
    asked: list[str] = []
    with ExitStack() as stack:
        app = stack.enter_context(fake_inferrlm("B"))
        phone = stack.enter_context(adapter(home, CONFIG.format(app=app)))
        fake = stack.enter_context(served(FakeOpenAI(models=(*PLAYED.values(), "some-vectors"))))
        (folder / "connect.toml").write_text(upstreams(fake, phone))
        found = Chain(folder, phone, Proxy("", "", phone.running), fake, asked)
        found.connect("--write")
        elsewhere = stack.enter_context(outside(asked))
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        found.proxy = stack.enter_context(litellm_proxy(found.config, dict.fromkeys(names, elsewhere)))
        with found.client:
            yield found


def infos(chain: Chain) -> dict[str, dict[str, Any]]:
    """`/v1/model/info`: name -> entry."""
    data = chain.client.get("/model/info", cast_to=object)
    assert isinstance(data, dict)
    return {entry["model_info"]["id"]: entry for entry in data["data"]}


def plain(chain: Chain, model: str, text: str = "Say hello to the harbour.", **more: Any) -> str:
    answer = chain.client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)
    assert answer.choices[0].finish_reason in ("stop", "length")
    return answer.choices[0].message.content or ""


# --- it starts ---------------------------------------------------------------------------------------------------


def test_it_starts_without_the_internet(chain: Chain, tried: Tried) -> None:
    """Ready, and asked for nothing outside, neither its price table nor anything else, but where an upstream is: of models at Hugging Face it asks there."""
    tried("LiteLLM proxy", "start offline")
    assert "over-openrouter" in [model.id for model in chain.client.models.list()]
    assert [line for line in chain.asked if line != "CONNECT huggingface.co:443 HTTP/1.1"] == []


def test_its_files_are_private_and_a_second_time_nothing_changes(chain: Chain) -> None:
    """The key of its clients stays."""
    env = chain.config.parent / "env.local"
    before = (chain.config.read_bytes(), env.read_bytes())
    assert os.stat(env).st_mode & 0o777 == 0o600
    said = chain.connect("--write")
    assert (chain.config.read_bytes(), env.read_bytes()) == before, said
    assert not [path for path in chain.config.parent.iterdir() if "backup" in path.name]
    assert chain.proxy.key.startswith("sk-") and len(chain.proxy.key) > 30
    assert chain.proxy.key not in said and chain.proxy.key not in chain.connect(), "keys are shown masked"


def test_it_knows_the_true_sizes(chain: Chain, tried: Tried) -> None:
    """As `GET /v1/models` of the adapter says them."""
    tried("LiteLLM proxy", "context sizes")
    with openai.OpenAI(base_url=chain.phone.base_url, api_key=chain.phone.key, timeout=30) as direct:
        truth = {model.id: model.to_dict() for model in direct.models.list()}
    found = infos(chain)
    assert truth["demo"]["context_length"] == CTX_TOKENS
    for model_id in ("demo", "auto"):
        info = found[f"phone1/{model_id}"]["model_info"]
        assert (info["max_input_tokens"], info["max_output_tokens"]) == (truth[model_id]["context_length"], truth[model_id]["max_output_tokens"])
        assert (info["mode"], info["supports_function_calling"]) == ("chat", True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_upstream_loads(chain: Chain, kind: str) -> None:
    """LiteLLM has its entry, with the prefix that it means."""
    found = [entry for entry in infos(chain).values() if entry["litellm_params"]["model"].startswith(f"{KINDS[kind].provider}/")]
    assert found, f"no entry of {kind}"
    assert all("farmhand" in entry["model_info"] for entry in found)


@pytest.mark.parametrize("name", PLAYED)
def test_an_upstream_answers(chain: Chain, name: str, tried: Tried) -> None:
    """Under the handle, asked by the id that it knows."""
    tried("LiteLLM proxy", "upstreams")
    assert plain(chain, name) == chain.fake.text
    asked = chain.fake.generations[-1]
    assert asked.json["model"] == PLAYED[name]
    assert asked.headers["authorization"] == ("Bearer sk-of-a-cloud" if name.startswith("over-") else "Bearer none")


# --- it passes on ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["app", "embedded"])
def test_plain_and_streamed(chain: Chain, engine: str, tried: Tried) -> None:
    """From the phone's app, and from the embedded engine."""
    tried("LiteLLM proxy", f"plain, stream ({engine})")
    model = "demo" if engine == "embedded" else app_model(chain)
    text = plain(chain, model, temperature=0)
    assert text.strip()
    stream = chain.client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Say hello to the harbour."}], temperature=0, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == text
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens > 0


def test_a_name_with_llama_3_in_it_is_not_looked_up(chain: Chain, tried: Tried) -> None:
    """LiteLLM wants a tokenizer of its own for such names: without the internet 25 s before the first word of each stream."""
    tried("LiteLLM proxy", "stream (llama-3)")
    before = len(chain.asked)
    stream = chain.client.chat.completions.create(
        model="llama-3-demo", messages=[{"role": "user", "content": "Say hello."}], stream=True, max_tokens=8
    )
    assert [chunk for chunk in stream if chunk.choices]
    assert chain.asked[before:] == []


def app_model(chain: Chain) -> str:
    names: list[str] = [entry["model_name"] for key, entry in infos(chain).items() if key.startswith("phone1/")]
    return next(name for name in names if name not in ("demo", "auto", "llama-3-demo"))


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call(chain: Chain, stream: bool, tried: Tried) -> None:
    """Forced, so that a tiny model makes it."""
    tried("LiteLLM proxy", "tools")
    function = {"name": "lookup", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}
    create: Any = chain.client.chat.completions.create
    answer = create(
        model="demo",
        messages=[{"role": "user", "content": "Look up 7."}],
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "lookup"}},
        max_tokens=200,
        stream=stream,
    )
    if stream:
        calls = [call for chunk in answer if chunk.choices for call in chunk.choices[0].delta.tool_calls or []]
        name, arguments = calls[0].function.name, "".join(call.function.arguments or "" for call in calls)
    else:
        (call,) = answer.choices[0].message.tool_calls
        name, arguments = call.function.name, call.function.arguments
    assert name == "lookup"
    assert isinstance(json.loads(arguments)["n"], int)


def test_embeddings(chain: Chain, tried: Tried) -> None:
    tried("LiteLLM proxy", "embeddings")
    answer = chain.client.embeddings.create(model="gpu-vectors", input=["one", "two"])
    assert [len(vector.embedding) for vector in answer.data] == [8, 8]
    assert chain.fake.generations[-1].json["model"] == "some-vectors"


def test_an_error_comes_with_its_text(chain: Chain, tried: Tried) -> None:
    """What must survive the proxy is in the message (clients.md 7)."""
    tried("LiteLLM proxy", "errors")
    with pytest.raises(openai.BadRequestError) as refused:
        plain(chain, "demo", "word " * 5_000)
    assert f"maximum context length is {CTX_TOKENS} tokens" in str(refused.value)


@pytest.mark.parametrize("status", [401, 404])
def test_one_refusal_does_not_shut_a_model_off(chain: Chain, status: int, tried: Tried) -> None:
    """With cooldowns the next 15 s would be `429 No deployments available` for everybody (clients.md 9.3)."""
    tried("LiteLLM proxy", "no cooldown")
    chain.fake.fail_next(status, {"error": {"message": "not you, not now", "type": "x", "param": None, "code": None}})
    with pytest.raises(openai.APIStatusError) as refused:
        plain(chain, "some-model")
    assert refused.value.status_code == status and "not you, not now" in str(refused.value)
    assert plain(chain, "some-model") == chain.fake.text


def test_a_busy_phone_is_asked_again(chain: Chain, tried: Tried) -> None:
    """One request a second is allowed; the second one is refused with Retry-After, waits, and is answered: its client sees no error."""
    tried("LiteLLM proxy", "Retry-After")
    with ThreadPoolExecutor(2) as pool:  # at once, so that they come within a second on any machine
        assert all(pool.map(lambda _: plain(chain, "hasty", max_tokens=5), range(2)))
    assert "status=429" in chain.phone.running.output


@pytest.mark.parametrize("key", ["sk-wrong", "none"])
def test_its_clients_need_its_key(chain: Chain, key: str) -> None:
    """In LiteLLM's words: with no data base of keys it says 400 instead of 401."""
    stranger = openai.OpenAI(base_url=chain.proxy.base_url, api_key=key, max_retries=0, timeout=60)
    with stranger, pytest.raises(openai.APIStatusError) as refused:
        stranger.models.list()
    assert refused.value.status_code in (400, 401)
