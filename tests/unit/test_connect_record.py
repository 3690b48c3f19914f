"""Recorded requests -> a prompt to keep ready; and the server that records them. The real gateway is in `tests/live/test_chain_gateway_service.py`."""

from __future__ import annotations

import http.client
import json
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


def test_nothing_to_record_with(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="npm install -g openclaw"):
        record_run.record("openclaw", tmp_path, {"PATH": str(tmp_path)}, lambda text: None)
    with pytest.raises(ConnectError, match="openclaw only, not aider"):
        record_run.record("aider", tmp_path, {}, lambda text: None)
