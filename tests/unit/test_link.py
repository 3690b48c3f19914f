"""Frames between adapter and worker: both directions of one codec, any cutting, every damage named."""

from __future__ import annotations

import json
import random
from typing import get_args

import pytest

from adapter.chat import (
    Chat,
    Completion,
    Message,
    OutputFormat,
    OutputKind,
    Reasoning,
    Role,
    Sampling,
    TokenBias,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
)
from adapter.engines.llama import link
from adapter.engines.llama.text import Ended
from adapter.reasoning import Part

MESSAGES = (
    Message(Role.SYSTEM, "Zürich 東京 🎉 \ud800 \x00"),
    Message(Role.ASSISTANT, "", tool_calls=(ToolCall("c1", "now", '{"a": 1}'),)),
    Message(Role.TOOL, "5", tool_call_id="c1"),
    Message(Role.USER, "hi", name="Ann"),
)
FRAMES: list[link.Frame] = [
    link.Hello(path="/models/ü.gguf", slots=4, queue=16, ctx_tokens=4096, batch_tokens=512),
    link.Hello(path="m", slots=1, queue=0, ctx_tokens=128, batch_tokens=8, threads=2),
    link.Hello("m", 1, 0, 128, 8, None, "q8_0", "/kv", 1 << 30, 64, ("/a.json", "/b.json"), 8),
    link.Submit(7, Chat("m", MESSAGES, Sampling(0.5, top_k=3, max_tokens=9, seed=-1, stop=("a", "\n")))),
    link.Submit(
        8,
        Chat(
            "m",
            (),
            Sampling(temperature=1, logit_bias=(TokenBias(5, -100), TokenBias(6, 0.5))),
            tools=(Tool("now", "the time", '{"type": "object"}', strict=True),),
            tool_choice=ToolChoice(ToolMode.REQUIRED, "now", parallel=False),
            output=OutputFormat(OutputKind.SCHEMA, "{}", "guided_json"),
            reasoning=Reasoning("low", 0),
            n=3,
            logprobs=0,
            template_options='{"a": 1}',
        ),
    ),
    link.Complete(9, Completion("m", text="é", suffix="", echo=True, n=2, logprobs=5)),
    link.Complete(9, Completion("m", tokens=(1, 2))),
    link.Embed(10, ("a", "")),
    link.Tokenize(11, "a", specials=True, parse_specials=False),
    link.Tokenize(11, None, MESSAGES),
    link.Detokenize(12, (3, 4)),
    link.Cancel(7),
    link.Pressure("slow"),
    link.Shutdown(),
    link.Ready("llama 1B Q4_0", ctx_tokens=4096, threads=4, load_s=1.25),
    link.Started(7, prompt_tokens=12),
    link.Delta(7, Part.TEXT, "é"),
    link.Delta(7, Part.REASONING, " "),
    link.Delta(7, Part.TEXT, "x", 2, (TokenLogprob("x", (120,), -0.5, (TokenLogprob("y", (121,), -1.0),)),)),
    link.Call(7, 0, "call_1", "now", "", 1),
    link.Call(7, 0, arguments="{}"),
    link.Embedded(10, ("AAAAAA==",), 3),
    link.Tokenized(11, (1, 2), ("YQ==", "")),
    link.Detokenized(12, "ab"),
    link.Working(7),
    link.Finished(7, Ended.LENGTH, prompt_tokens=12, completion_tokens=9, cached_tokens=4),
    link.Failed(7, "bad_request", "no", param="messages"),
    link.Failed(None, "engine_unavailable", "broken file"),
]


def test_every_kind_of_frame_is_in_the_table() -> None:
    assert {type(frame) for frame in FRAMES} == set(get_args(link.Frame))


def test_frames_survive_any_cutting() -> None:
    """Whole, byte by byte, and at random."""
    data = b"".join(map(link.render_frame, FRAMES))
    assert link.FrameReader().feed(data) == FRAMES
    reader = link.FrameReader()
    assert [frame for byte in data for frame in reader.feed(bytes([byte]))] == FRAMES
    rng = random.Random(9)
    for _ in range(50):
        reader, frames, at = link.FrameReader(), [], 0
        while at < len(data):
            width = rng.randint(1, 200)
            frames += reader.feed(data[at : at + width])
            at += width
        assert frames == FRAMES


def test_incomplete_frame_waits() -> None:
    data = link.render_frame(link.Cancel(1))
    reader = link.FrameReader()
    assert reader.feed(data[:-1]) == []
    assert reader.feed(data[-1:] + data) == [link.Cancel(1), link.Cancel(1)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON"),
        (b"nope", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a frame"),
        (b"{}", "no such frame: None"),
        (b'{"frame": []}', "no such frame"),
        (b'{"frame": "reboot"}', "no such frame: 'reboot'"),
        (b'{"frame": "cancel"}', "cancel: "),
        (b'{"frame": "cancel", "id": "1"}', "cancel.id: expected int, got str"),
        (b'{"frame": "cancel", "id": true}', "cancel.id: expected int, got bool"),
        (b'{"frame": "cancel", "id": null}', "cancel.id: expected int, got NoneType"),
        (b'{"frame": "cancel", "id": 1, "why": 2}', "cancel: unknown field 'why'"),
        (b'{"frame": "delta", "id": 1, "part": "song", "text": ""}', "delta.part: unknown value 'song'"),
        (b'{"frame": "delta", "id": 1, "part": {}, "text": ""}', "delta.part: unknown value {}"),
        (b'{"frame": "submit", "id": 1, "chat": []}', "submit.chat: expected an object"),
        (b'{"frame": "submit", "id": 1, "chat": {"model": "", "messages": {}}}', "messages: expected a list"),
        (b'{"frame": "submit", "id": 1, "chat": {"model": "", "messages": [1]}}', "messages: expected an object"),
        (
            b'{"frame": "submit", "id": 1, "chat": {"model": "", "messages": [], "sampling": {"stop": [1]}}}',
            "stop: expected str",
        ),
    ],
)
def test_damage_is_named(body: bytes, said: str) -> None:
    with pytest.raises(link.LinkError) as caught:
        link.FrameReader().feed(len(body).to_bytes(4, "big") + body)
    assert said in str(caught.value)


def test_other_version_is_refused() -> None:
    body = json.loads(link.render_frame(FRAMES[0])[4:])
    body["version"] = 99
    with pytest.raises(link.LinkError, match="version 99, this one 2"):
        link.parse_frame(json.dumps(body).encode())


def test_announced_size_is_bounded() -> None:
    """Refused at the header, before anything is stored for it."""
    with pytest.raises(link.LinkError, match="announces"):
        link.FrameReader().feed((link.MAX_FRAME_BYTES + 1).to_bytes(4, "big"))


def test_own_frames_are_bounded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "MAX_FRAME_BYTES", 100)
    with pytest.raises(link.LinkError, match="over the bound"):
        link.render_frame(link.Delta(1, Part.TEXT, "x" * 100))
