"""The whole chain with nothing fake but the phone's app: OpenClaw's gateway -> LiteLLM -> adapter -> InferrLM; behind the app the embedded engine.

All from what `farmhand connect` writes (`protocols/clients.md` 8 and 9). One gateway for all tests: it needs about 1 GB and some seconds.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import json5
import pytest

from adapter.connect.edits import edited
from adapter.connect.parts import Document
from adapter.connect.targets import openclaw
from adapter.connect.truth import Model, Options, Truth, Where
from tests.fakes.inferrlm.script import Script
from tests.fakes.tiny_gguf import write_parrot
from tests.live import farm_cases
from tests.live.openclaw_cases import App, LiteLlm, OpenClaw
from tests.live.processes import Adapter, adapter

# The app has room for OpenClaw's prompt; the embedded engine too, whose model has a token for each byte and says `PARROT` whatever it is asked.
PARROT = "Tiny words."
CONFIG = """
[[engine]]
name = "app"
kind = "inferrlm"
url = "{app}"
context_tokens = 16384
[[engine]]
name = "embedded"
kind = "llama"
model = "{parrot}"
slots = 1
ctx_tokens = 49152
threads = 1
[[model]]
name = "phone"
route = ["app/Llama-3.2-1B-Instruct-Q4_K_M.gguf"]
[router]
default_fallbacks = ["embedded/parrot"]
"""
RESULT = "the harbour is called Kestrel Bay"


@dataclass
class Chain:
    app: App
    phone: Adapter
    proxy: LiteLlm
    claw: OpenClaw

    def begin(self, message: str, session: str) -> Turn:
        turn = Turn(self.claw, message, session)
        turn.thread.start()
        return turn


class Turn:
    """One that goes on while the test does something."""

    def __init__(self, claw: OpenClaw, message: str, session: str) -> None:
        self.done: subprocess.CompletedProcess[str] | None = None
        self.thread = threading.Thread(target=self._run, args=(claw, message, session))

    def _run(self, claw: OpenClaw, message: str, session: str) -> None:
        self.done = claw.turn(message, session)

    def end(self) -> subprocess.CompletedProcess[str]:
        self.thread.join()
        assert self.done is not None, "the turn did not end in its time"
        return self.done


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chain")
    home, user = folder / "state", folder / "user"
    home.mkdir()
    user.mkdir()
    with ExitStack() as stack:
        app = App()
        stack.callback(app.end)
        app.open()
        write_parrot(folder / "parrot.gguf", PARROT, ends=True)
        phone = stack.enter_context(adapter(home, CONFIG.format(app=app.url, parrot=folder / "parrot.gguf")))
        claw = OpenClaw(user)
        claw.connect(phone, "--model", "phone")
        done = farm_cases.connect(
            "litellm", "--url", phone.base_url, "--write",
            env={"HOME": str(user), "FARMHAND_HOME": str(home), "FARMHAND_CONFIG": str(home / "config.toml")},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        proxy = LiteLlm(home / "litellm" / "config.yaml")
        stack.callback(proxy.kill)
        proxy.start()
        proxy.wait()
        # As the service's run script does it where there is a proxy.
        claw.env = {"NEURAL_FARM_BASE_URL": proxy.base_url, "NEURAL_FARM_API_KEY": proxy.key}
        stack.enter_context(claw.gateway())
        yield Chain(app, phone, proxy, claw)


# --- what is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [4_096, 8_192, 16_384, 32_768])
def test_openclaw_takes_what_is_made_for_any_size(tmp_path: Path, context: int) -> None:
    of = Model("auto", "", context, context // 4, frozenset({"chat", "tools", "vision"}))
    truth = Truth("http://127.0.0.1:8888/v1", of, (of,), "sk-some-key-of-its-own")
    made = openclaw.connection(truth, Where(tmp_path, tmp_path, tmp_path, {}), Options())
    (document,) = [part for part in made.parts if isinstance(part, Document)]
    claw = OpenClaw(tmp_path)
    claw.config.parent.mkdir()
    claw.config.write_text(edited(document, "", lambda generate: "oc-made"))
    done = claw.run("config", "validate", limit_s=120)
    assert done.returncode == 0 and "Config valid" in done.stdout, done.stdout + done.stderr
    if context == 4_096:  # or the sentence above would show nothing
        claw.config.write_text(claw.config.read_text().replace("contextInjection", "contextInjektion"))
        assert claw.run("config", "validate", limit_s=120).returncode != 0, "it takes anything"


def test_a_real_write_is_valid_and_private(chain: Chain) -> None:
    done = chain.claw.run("config", "validate", limit_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    provider = json5.loads(chain.claw.config.read_text())["models"]["providers"]["farm"]
    assert (provider["models"][0]["id"], provider["models"][0]["contextWindow"]) == ("phone", 16_384), "what every target of its route bears"
    env = chain.claw.home / ".openclaw" / ".env"
    assert env.stat().st_mode & 0o777 == 0o600
    assert "OPENCLAW_GATEWAY_TOKEN=oc-" in env.read_text() and "NEURAL_FARM_API_KEY=sk-fh1." in env.read_text()


# --- turns ----------------------------------------------------------------------------------------------------------


def test_a_turn_is_answered_by_the_app(chain: Chain) -> None:
    chain.app.script(Script(pieces=("Good ", "morning ", "from the phone.")))
    before = len(chain.app.runtime.orders)
    done = chain.claw.turn("Greet me.", "greeting")
    assert done.returncode == 0 and "Good morning from the phone." in done.stdout, done.stdout + done.stderr
    said = "\n".join(message.content for message in chain.app.runtime.orders[before].messages)
    assert "Greet me." in said and "You are a personal assistant running inside OpenClaw." in said


def test_a_turn_calls_a_tool_and_uses_its_result(chain: Chain) -> None:
    """The app has no tools: it is asked for a call in words, OpenClaw reads the file, and the result comes back to the app in words."""
    (chain.claw.workspace).mkdir(exist_ok=True)
    (chain.claw.workspace / "harbour.txt").write_text(RESULT)
    call = '<tool_call>{"name": "read", "arguments": {"path": "harbour.txt"}}</tool_call>'
    chain.app.script(Script(pieces=(call,)), Script(pieces=("It is ", "Kestrel Bay.")))
    before = len(chain.app.runtime.orders)
    done = chain.claw.turn("What is the harbour called? It is in harbour.txt.", "tool")
    assert done.returncode == 0 and "It is Kestrel Bay." in done.stdout, done.stdout + done.stderr
    asked = chain.app.runtime.orders[before:]
    assert RESULT not in "\n".join(message.content for message in asked[0].messages)
    assert RESULT in "\n".join(message.content for message in asked[1].messages)


def test_the_proxy_is_killed_and_restarted_during_a_turn(chain: Chain) -> None:
    """OpenClaw's own retries carry it over; if they are used up before the proxy is back, it says so. Never silence, and the next turn is fine."""
    words = tuple(f"word{number} " for number in range(400))
    before = len(chain.app.runtime.orders)
    chain.app.script(Script(pieces=words, token_delay_s=0.05), Script(pieces=("Answered ", "after all.")))
    turn = chain.begin("Tell me something long.", "proxy")
    chain.app.wait_for_orders(before + 1)
    chain.proxy.kill()
    chain.proxy.start()
    chain.proxy.wait()
    done = turn.end()
    said = (done.stdout if done.returncode == 0 else done.stdout + done.stderr).strip()
    assert said and ("Answered after all." in said or done.returncode != 0), said
    print(f"\nthe proxy killed and restarted during a turn: exit {done.returncode}: {said[-300:]}")  # noqa: T201
    chain.app.script(Script(pieces=("Fine ", "again.")))
    done = chain.claw.turn("And now?", "proxy-after")
    assert done.returncode == 0 and done.stdout.strip(), done.stdout + done.stderr


def test_the_app_is_closed_during_a_turn(chain: Chain) -> None:
    """The embedded engine goes on, or a sentence says what happened: the turn never ends with nothing."""
    before = len(chain.app.runtime.orders)
    chain.app.script(Script(first_token_s=600.0, pieces=("never",)))
    turn = chain.begin("Say something.", "app")
    chain.app.wait_for_orders(before + 1)
    chain.app.close()
    try:
        done = turn.end()
    finally:
        chain.app.open()
    said = done.stdout.strip() if done.returncode == 0 else (done.stdout + done.stderr).strip()
    assert said, "silence"
    assert PARROT in said or done.returncode != 0, said
    print(f"\nthe app closed during a turn: exit {done.returncode}: {said[-300:]}")  # noqa: T201
