"""The pure half of `farmhand chat`: streams, what is remembered, what reaches a terminal."""

from __future__ import annotations

import io
import json

import pytest

from adapter.terminal.conversation import Command, Conversation, parse_line
from adapter.terminal.pieces import AnswerReader, Done, Finish, Piece, Reasoning, StreamError, Text
from adapter.terminal.screen import DIM, PLAIN, Screen


def chunk(delta: dict[str, object], reason: str | None = None) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta, "finish_reason": reason}]}).encode() + b"\n\n"


STREAM = b"".join(
    [
        b": comment\r\n\r\n",
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "Gr\u00fc\u00df dich"}),
        chunk({}, "stop"),
        b'data: {"choices": [], "usage": {}}\n\n',
        b"data: [DONE]\n\n",
    ]
)
PIECES: list[Piece] = [Reasoning("hm"), Text("Gr\u00fc\u00df dich"), Finish("stop"), Done()]


@pytest.mark.parametrize("step", [1, 2, 7, 50, 10_000])
def test_a_stream_may_be_cut_anywhere(step: int) -> None:
    reader = AnswerReader()
    found = [piece for at in range(0, len(STREAM), step) for piece in reader.feed(STREAM[at : at + step])]
    assert found == PIECES


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'data: {"error": {"message": "the model is gone"}}\n', "the model is gone"),
        (b'data: {"error": "plain words"}\n', "plain words"),
        (b'data: {"error": {}}\n', "without words"),
        (b"data: <html>\n", "no answer"),
        (b"data: [1]\n", "no answer"),
        (b"data: " + b"x" * (9 << 20), "without an end"),
    ],
)
def test_what_is_no_answer_is_said(data: bytes, says: str) -> None:
    with pytest.raises(StreamError, match=says):
        AnswerReader().feed(data)


@pytest.mark.parametrize(
    "data", [b'data: {"choices": null}\n', b'data: {"choices": [7]}\n', b'data: {"choices": [{"delta": 1}]}\n', b"event: x\n"]
)
def test_odd_frames_carry_nothing(data: bytes) -> None:
    assert AnswerReader().feed(data) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("  hello ", "hello"),
        ("/new", Command("new", "")),
        ("/MODEL  demo ", Command("model", "demo")),
        ("/system be brief, please", Command("system", "be brief, please")),
        ("//etc/passwd is what?", "/etc/passwd is what?"),
        ("/", Command("", "")),
        ("", ""),
    ],
)
def test_lines(line: str, expected: Command | str) -> None:
    assert parse_line(line) == expected


def test_a_conversation_remembers_what_was_answered() -> None:
    talk = Conversation("m", system="be brief")
    assert talk.ask("a") == [{"role": "system", "content": "be brief"}, {"role": "user", "content": "a"}]
    talk.answered("b")
    talk.ask("lost")
    talk.answered("")
    talk.system = ""
    assert [turn["content"] for turn in talk.ask("c")] == ["a", "b", "c"]
    talk.failed()
    talk.forget()
    assert [turn["content"] for turn in talk.ask("d")] == ["d"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_reasoning_is_dimmed_on_a_terminal_and_absent_in_a_pipe() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for out in (terminal, pipe):
        screen = Screen(out, io.StringIO())
        screen.reasoning("hm")
        screen.text("yes")
        screen.end()
        screen.end()
    assert terminal.getvalue() == f"{DIM}hm\n{PLAIN}yes\n"
    assert pipe.getvalue() == "yes\n"


def test_an_answer_that_stops_while_reasoning_leaves_plain_letters() -> None:
    out = Terminal()
    screen = Screen(out, io.StringIO())
    screen.reasoning("hm")
    screen.end()
    assert out.getvalue() == f"{DIM}hm{PLAIN}\n"


def test_a_model_cannot_drive_the_terminal() -> None:
    """Escape sequences lose their escape; a pipe gets the bytes as they are."""
    out, pipe = Terminal(), io.StringIO()
    Screen(out, io.StringIO()).text("a\x1b]0;owned\x07\tb\r\x9bc\n")
    Screen(pipe, io.StringIO()).text("a\x1bb")
    assert out.getvalue() == "a]0;owned\tbc\n"
    assert pipe.getvalue() == "a\x1bb"
