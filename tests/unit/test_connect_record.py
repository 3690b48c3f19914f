"""Recorded requests -> a prompt to keep ready; and the server that records them. The real gateway is in `tests/live/test_chain_gateway_service.py`."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter.connect import record_run
from adapter.connect.record import pin_of
from adapter.connect.record_server import Recorder
from adapter.connect.target import ConnectError

DAY = "2026-11-20"
LINES = "".join(f"Rule {number}: be of use.\n" for number in range(200))
SYSTEM = f"{LINES}Current date: {DAY}\nCurrent model identity: farm/auto"
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}]


def request(system: Any = SYSTEM, tools: Any = TOOLS, role: str = "system", user: str = "hi") -> dict[str, Any]:
    messages = [{"role": role, "content": system}, {"role": "user", "content": user}]
    return {"model": "auto", "messages": messages, **({"tools": tools} if tools is not None else {})}


def test_what_two_turns_have_in_common() -> None:
    pin = pin_of([request(user="[10:34] hi"), request(user="[10:35] hi")], DAY)
    assert pin.body == {"messages": [{"role": "system", "content": SYSTEM}], "tools": TOOLS, "tool_choice": "auto", "date": DAY}
    assert (pin.letters, pin.tools, pin.cut) == (len(SYSTEM), 1, 0)


def test_without_tools_and_without_a_day() -> None:
    pin = pin_of([request(LINES, None), request(LINES, [])], DAY)
    assert pin.body == {"messages": [{"role": "system", "content": LINES}]}


def test_a_text_in_parts() -> None:
    parts = [{"type": "text", "text": LINES}, {"type": "text", "text": "end"}]
    assert pin_of([request(parts), request(f"{LINES}end")], DAY).body["messages"][0]["content"] == f"{LINES}end"


def test_what_changes_is_left_out_by_whole_lines() -> None:
    pin = pin_of([request(f"{LINES}Session: abc\nmore"), request(f"{LINES}Session: abd\nmore")], DAY)
    assert pin.body["messages"][0]["content"] == LINES
    assert pin.cut == len("Session: abc\nmore")


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "0 of two requests came"),
        ([request()], "1 of two requests came"),
        ([request(), request(tools=[])], "its tools change"),
        ([request("a" * 3_000), request("b" * 3_000)], "only 0 letters"),
        ([request("short"), request("short")], "only 5 letters"),
        ([request(role="user"), request(role="user")], "does not begin with a system message"),
        ([{"messages": []}, {"messages": []}], "does not begin with a system message"),
        ([{"messages": "x"}, {}], "does not begin with a system message"),
        ([request(None), request(None)], "only 0 letters"),
    ],
)
def test_what_cannot_be_kept_ready(requests: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(ConnectError, match=said):
        pin_of(requests, DAY)


def post(recorder: Recorder, body: bytes, path: str = "/v1/chat/completions") -> tuple[int, str]:
    host = recorder.base_url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_server_keeps_bodies_and_answers_in_the_safe_form() -> None:
    with Recorder().running() as recorder:
        status, text = post(recorder, json.dumps({**request(), "stream": True}).encode())
        assert (status, text.count("data: "), text.endswith("data: [DONE]\n\n")) == (200, 3, True)
        status, text = post(recorder, json.dumps(request()).encode())
        assert (status, json.loads(text)["choices"][0]["finish_reason"]) == (200, "stop")
        assert post(recorder, b"{broken")[0] == 400
        assert post(recorder, b"[1]")[0] == 400
    assert [body["model"] for body in recorder.bodies] == ["auto", "auto"]


def program(folder: Path, text: str) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    path = folder / "openclaw"
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o700)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'StateDatabaseCoordinatorContentionError: another OpenClaw process owns gateway-lifecycle'; exit 1", "A gateway runs, and two cannot share"),
        ("echo 'no such option'; exit 2", "ended at its start with code 2; it said: no such option"),
    ],
)
def test_a_gateway_that_does_not_start(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConnectError, match=said):
        record_run.record("openclaw", tmp_path / "state", program(tmp_path / "bin", text), lambda text: None)
    assert not (tmp_path / "state" / "pins").exists()


def test_on_android_the_gateway_has_its_guard(tmp_path: Path) -> None:
    """As its service has it: without it OpenClaw's start may end with an error of `os.networkInterfaces()` (`facts/termux.md` 11)."""
    env = {**program(tmp_path / "bin", 'echo "options $NODE_OPTIONS."; exit 2'), "PREFIX": str(tmp_path), "NODE_OPTIONS": "--no-warnings"}
    guard = tmp_path / "libexec" / "farmhand" / "openclaw-guard.cjs"
    with pytest.raises(ConnectError, match="options --no-warnings"):
        record_run.record("openclaw", tmp_path / "state", env, lambda text: None)
    guard.parent.mkdir(parents=True)
    guard.touch()
    with pytest.raises(ConnectError, match=f"options --require={guard} --no-warnings"):
        record_run.record("openclaw", tmp_path / "state", env, lambda text: None)


# Plays the gateway and the agent, each of whose turns asks twice. Its prompt ends in half an emoji, as JavaScript cuts texts.
PLAYED = """#!{python}
import http.server, json, os, sys, urllib.request
if sys.argv[1] == "gateway":
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Ready).serve_forever()
session = sys.argv[sys.argv.index("--session-id") + 1]
system = "Be of use. \\ud83d\\n" * 500 + "Session: " + session
body = json.dumps({{"messages": [{{"role": "system", "content": system}}]}}).encode()
for _ in range(2):
    urllib.request.urlopen(os.environ["NEURAL_FARM_BASE_URL"] + "/chat/completions", body, timeout=20).close()
"""


def test_the_first_request_of_each_turn_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not two of one turn, which would have all in common that belongs to its session. A proxy of the user's is not asked for what is here."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(record_run, "READY_S", 20.0)
    env = program(tmp_path / "bin", "")
    (tmp_path / "bin" / "openclaw").write_text(PLAYED.format(python=sys.executable))
    path, pin = record_run.record("openclaw", tmp_path / "state", env, lambda text: None)
    (message,) = json.loads(path.read_text())["messages"]
    assert message["content"] == "Be of use. \ud83d\n" * 500 and pin.cut == len("Session: farmhand-record-1")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_pin_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pins" / "openclaw.json"
    path.mkdir(parents=True)
    with pytest.raises(ConnectError, match="cannot be written"):
        record_run._write(path, "text")
    assert [*path.parent.iterdir()] == [path]


def test_nothing_to_record_with(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="npm install -g openclaw"):
        record_run.record("openclaw", tmp_path, {"PATH": str(tmp_path)}, lambda text: None)
    with pytest.raises(ConnectError, match="openclaw only, not aider"):
        record_run.record("aider", tmp_path, {}, lambda text: None)
