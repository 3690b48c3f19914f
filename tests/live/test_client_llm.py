"""llm, the command line, as its users run it: from what `farmhand connect llm --write` wrote, and nothing else. A process for every prompt."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("gguf", reason="tiny models are written with gguf; install the extra `test`")

from tests.live.client_cases import (
    APP_CALL,
    ASK_TIDE,
    HELLO,
    TIDE,
    Farm,
    command_in,
    connected,
    grew,
    private_env,
    sdks,
)
from tests.live.client_checks import WAIT_S, harbour
from tests.live.processes import running

NAME = "llm"
Tried = Callable[[str, str], None]
APP = "farm/Llama-3.2-1B-Instruct-Q4_K_M.gguf"
SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "berths": {"type": "integer", "minimum": 0, "maximum": 500},
        "open": {"type": "boolean"},
    },
    "required": ["name", "berths", "open"],
}
TOOL = f'def tide(place: str) -> str:\n    "When high water is."\n    return "{TIDE}"\n'


@pytest.fixture(scope="module")
def home(served: Farm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("home")
    connected(served, made, "llm", "--model", "demo")
    return made


def program() -> str:
    return str(sdks().with_name("llm"))


def llm(home: Path, *arguments: str) -> str:
    return command_in(home, program(), *arguments).stdout.rstrip("\n")


def test_it_lists_what_is_there(home: Path) -> None:
    found = llm(home, "models", "-q", "farm")
    assert "OpenAI Chat: farm\n" in found and "OpenAI Chat: farm/m" in found and "embed" not in found


def test_a_plain_answer(home: Path, tried: Tried) -> None:
    tried(NAME, "plain")
    assert llm(home, "-m", APP, "--no-stream", HELLO) == HELLO
    assert llm(home, "-m", "farm", "-o", "max_tokens", "20", "--no-stream", HELLO)


def test_a_stream(home: Path, tried: Tried) -> None:
    """Which is what it does unasked. Its log has the numbers of the usage chunk."""
    tried(NAME, "stream")
    assert llm(home, "-m", APP, HELLO) == HELLO
    (logged,) = json.loads(llm(home, "logs", "-n", "1", "--json"))
    assert logged["response"] == HELLO and logged["input_tokens"] > 0 and logged["output_tokens"] > 0


def test_a_conversation_goes_on(served: Farm, home: Path, tried: Tried) -> None:
    tried(NAME, "plain")
    llm(home, "-m", APP, HELLO)
    llm(home, "-c", "And to the sea.")
    assert [message.content for message in served.app.runtime.orders[-1].messages] == [HELLO, HELLO, "And to the sea."]


@pytest.mark.parametrize("model", [APP, "farm/m"])
def test_a_tool_loop(served: Farm, home: Path, model: str, tried: Tried) -> None:
    tried(NAME, "tools")
    if model == APP:
        served.app_says(APP_CALL, f"The tool said: {TIDE}")
    assert llm(home, "-m", model, "--functions", TOOL, ASK_TIDE) == f"The tool said: {TIDE}"


@pytest.mark.parametrize("model", ["farm", APP, "farm/m"])
def test_an_object_of_a_schema(served: Farm, home: Path, model: str, tried: Tried) -> None:
    tried(NAME, "schema")
    if model == APP:
        served.app_says('Sure: {"name": "Cuxhaven", "berths": 12, "open": true}')
    harbour(json.loads(llm(home, "-m", model, "--schema", json.dumps(SCHEMA), "Describe the harbour.")))


def test_errors_reach_the_person(served: Farm, home: Path, tried: Tried) -> None:
    tried(NAME, "errors")
    failed = command_in(home, program(), "-m", "farm", "--key", "sk-wrong-0123456789", HELLO, fails=True)
    assert failed.stderr.startswith("Error: ") and "Incorrect API key" in failed.stderr
    failed = command_in(home, program(), "-m", "farm", "many words " * 10_000, fails=True)
    assert "maximum context length is 2048 tokens" in failed.stderr
    models = home / "llm" / "extra-openai-models.yaml"
    gone = {"model_id": "gone", "model_name": "dmo", "api_base": served.adapter.base_url, "api_key_name": "farm"}
    models.write_text(f"{models.read_text()}  - {json.dumps(gone)}\n")
    failed = command_in(home, program(), "-m", "gone", HELLO, fails=True)
    assert "'dmo' does not exist" in failed.stderr


@pytest.mark.parametrize("status", [503, 429])
def test_it_waits_as_long_as_it_is_told(served: Farm, home: Path, status: int, tried: Tried) -> None:
    tried(NAME, "retries")
    before = served.answered()
    served.refuse(status, times=2, retry_after_s=WAIT_S)
    assert llm(home, "-m", "farm/m", HELLO).startswith("w0 w1")
    assert grew(before, served.answered()) == {status: 2, 200: 1}


def test_ctrl_c_frees_the_seat(served: Farm, home: Path, tried: Tried) -> None:
    tried(NAME, "abort")
    before = served.answered()
    with running([program(), "-m", "farm/endless", HELLO], private_env(home)) as asked:
        served.until_running(1, within_s=120)
        asked.process.send_signal(signal.SIGINT)
        asked.process.wait(20)
        served.until_running(0)
    assert grew(before, served.answered()) == {499: 1}


def test_what_was_there_stays(served: Farm, tmp_path: Path) -> None:
    """Somebody's own models and keys, with their comments; and a second run changes nothing."""
    folder = tmp_path / "llm"
    folder.mkdir()
    models, keys = folder / "extra-openai-models.yaml", folder / "keys.json"
    models.write_text("# mine\n- model_id: mine  # at home\n  model_name: x\n  api_base: http://10.0.0.2/v1\n")
    keys.write_text('{"openai": "sk-mine"}')
    connected(served, tmp_path, "llm", "--model", "demo")
    first = models.read_text()
    assert first.startswith("# mine\n- model_id: mine  # at home\n")
    assert json.loads(keys.read_text()) == {"openai": "sk-mine", "farm": served.adapter.key, "// Note": json.loads(keys.read_text())["// Note"]}
    assert "mine" in llm(tmp_path, "models", "-q", "mine") and llm(tmp_path, "-m", APP, HELLO) == HELLO
    connected(served, tmp_path, "llm", "--model", "demo")
    assert models.read_text() == first


def test_the_folder_is_that_of_the_program(tmp_path: Path) -> None:
    """Without LLM_USER_PATH."""
    env = {name: value for name, value in private_env(tmp_path).items() if name != "LLM_USER_PATH"}
    done = subprocess.run([program(), "keys", "path"], env=env, capture_output=True, text=True, check=True, timeout=60)
    from adapter.connect.targets.llm import folder
    from adapter.connect.truth import Where

    assert Path(done.stdout.strip()).parent == folder(Where(tmp_path, tmp_path, tmp_path, env))
