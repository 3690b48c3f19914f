"""Line breaks from models whose answers end at the first one: a visible mark is asked for and turned back. Pure.

InferrLM's newer builds stop a GGUF model at every line break (`protocols/inferrlm.md` 13.1). A mark instead of it must be
something that a small model writes as readily as a line break, and that nothing else uses. `¶` it is: "end of a line or
paragraph" is its only meaning; with the blank before it, it is one token in the vocabularies of Llama 3, Qwen, Gemma
and GPT-2 and two in those of Llama 2 and Phi 3 (counted), where `⏎` takes two to four and `<br>` three; and an
answer about HTML may contain `<br>`. A conversation that contains it itself gets one of the other marks.

A model that ignores the request gives its first line, as before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from adapter.chat import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Message,
    ReasoningDelta,
    Role,
    TextDelta,
    Usage,
    UsageSource,
)
from adapter.dispatch.items import Generate, Remark
from adapter.engines.base import ModelCard
from adapter.settings import EngineSettings, InferrlmSettings
from adapter.stops import StopFilter
from adapter.tokens import estimate_prompt_tokens, estimate_tokens

MARKS = ("¶", "⏎", "↵")
SENTENCE = (
    "Never begin a new line: your answer is cut off there. Where a line ends, write {mark} and go on behind it, "
    "also between paragraphs, in lists and in code. For example: First line. {mark} Second line."
)
REMARK = Remark("line_marks", True)
_BLANKS = " \t"
_Delta = TextDelta | ReasoningDelta
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


def wants_line_marks(card: ModelCard, settings: EngineSettings | None) -> bool:
    """Does this model stop at line breaks, and does its owner want marks for them?"""
    return not card.multiline and isinstance(settings, InferrlmSettings) and settings.line_marks


def mark_for(chat: Chat) -> str | None:
    """The mark to ask for; `None` where it would do no good: JSON and other forms need no line breaks, who stops at one wants a
    single line, stop strings with one cannot be looked for in several answers, and a conversation may contain every mark."""
    breaks = [stop for stop in chat.sampling.stop if "\n" in stop]
    if chat.output is not None or "\n" in breaks or (breaks and chat.n > 1):
        return None
    texts = [message.content for message in chat.messages] + list(chat.sampling.stop)
    return next((mark for mark in MARKS if not any(mark in text for text in texts)), None)


async def marked(chat: Chat, begin: Generate) -> AsyncGenerator[Event | Remark, None]:
    """The answer to `chat` with line breaks where the model wrote marks, and `REMARK` behind the first of them.

    Stands next to the engine, inside of whatever reads tools out of the text. Raises what `begin`'s iterator raises. `max_tokens` counts the
    model's own tokens, marks included. Stop strings with a line break in them are looked for here.
    """
    mark = mark_for(chat)
    stops = tuple(stop for stop in chat.sampling.stop if "\n" in stop)
    reader = _Answer(chat, mark, stops) if mark else None
    asked = asking(chat, mark) if mark else chat
    async with aclosing(begin(asked)) as events:
        async for event in events:
            if reader is None:
                yield event
                continue
            for item in reader.take(event):
                yield item
            if reader.ended:
                return


def asking(chat: Chat, mark: str) -> Chat:
    """`chat` with the request for marks, and with the assistant's own earlier texts written in that manner."""
    sampling = chat.sampling
    kept = tuple(stop for stop in sampling.stop if "\n" not in stop)
    messages = [
        replace(message, content=with_marks(message.content, mark)) if message.role is Role.ASSISTANT else message
        for message in chat.messages
    ]
    return replace(
        chat, messages=tuple(_told(messages, SENTENCE.format(mark=mark))), sampling=replace(sampling, stop=kept)
    )


def with_marks(text: str, mark: str) -> str:
    """One line: every line break (with the blanks before it) becomes a mark between blanks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f" {mark} ".join([line.rstrip(_BLANKS) for line in lines[:-1]] + lines[-1:])


def _told(messages: list[Message], sentence: str) -> list[Message]:
    """At the end of the last system message. Some templates refuse system messages, so without one the last user message says it."""
    for roles in (_SYSTEM, (Role.USER,)):
        for at in range(len(messages) - 1, -1, -1):
            if messages[at].role in roles:
                told = "\n\n".join(filter(None, [messages[at].content, sentence]))
                return [*messages[:at], replace(messages[at], content=told), *messages[at + 1 :]]
    return [Message(Role.USER, sentence), *messages]


class MarkReader:
    """Text with marks -> text with line breaks, in any pieces; the joined result does not depend on how it was cut.

    Blanks before a mark are dropped, they mean nothing at the end of a line. Of the blanks behind it one is dropped if their number is odd: it
    sets the mark off, and the rest is indentation, which is even.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._held = ""  # blanks that a mark may follow
        self._behind = False  # the last visible character was a mark
        self.found = False

    def feed(self, text: str) -> str:
        """Take new text; return what is decided."""
        *lines, rest = (self._held + text).split(self._mark)
        self._held = ""
        out = []
        for line in lines:
            out.append(self._line(line.rstrip(_BLANKS)) + "\n")
            self._behind = self.found = True
        tail = rest.rstrip(_BLANKS)
        if tail:
            out.append(self._line(tail))
            self._behind = False
        self._held = rest[len(tail) :]
        return "".join(out)

    def flush(self) -> str:
        """The text has ended: the blanks that no mark followed."""
        held, self._held = self._held, ""
        return self._line(held) if held else ""

    def _line(self, line: str) -> str:
        """A line's text, without the blank between it and the mark before it."""
        if not self._behind:
            return line
        blanks = len(line) - len(line.lstrip(" "))
        return line[blanks % 2 :]


class _Answer:
    """One request's events on their way out."""

    def __init__(self, chat: Chat, mark: str, stops: tuple[str, ...]) -> None:
        self._chat = chat
        self._mark = mark
        self._readers: dict[tuple[type[_Delta], int], MarkReader] = {}
        self._stops = StopFilter(stops)
        self._raw = ""
        self._remarked = False
        self.ended = False

    def take(self, event: Event | Remark) -> list[Event | Remark]:
        """What goes out for one event. Nothing further once `ended`."""
        if isinstance(event, Remark):
            return [event]
        if isinstance(event, _Delta):
            items = self._read(event)
        else:
            items = self._flushed()
            if self._stops.matched is None:
                items.append(event)
        if self._stops.matched is not None:
            self.ended = True
            usage = event.usage if isinstance(event, Finished) else self._usage()
            items.append(Finished(FinishReason.STOP, usage))
        return items

    def _read(self, event: _Delta) -> list[Event | Remark]:
        other = ReasoningDelta if isinstance(event, TextDelta) else TextDelta
        items = self._flushed(other)
        self._raw += event.text
        reader = self._readers.setdefault((type(event), event.choice), MarkReader(self._mark))
        items += self._passed(event, reader.feed(event.text))
        if reader.found and not self._remarked:
            self._remarked = True
            items.append(REMARK)
        return items

    def _flushed(self, kind: type[_Delta] | None = None) -> list[Event | Remark]:
        """What was held back, of one kind of text or, at the end, of all that there is."""
        items: list[Event | Remark] = []
        for (held, choice), reader in self._readers.items():
            if kind in (None, held) and (text := reader.flush()):
                items += self._passed(held(text, choice), text)
        if kind is None and (text := self._stops.flush()):
            items.append(TextDelta(text))
        return items

    def _passed(self, event: _Delta, text: str) -> list[Event | Remark]:
        if isinstance(event, TextDelta):
            text = self._stops.feed(text)
        return [replace(event, text=text)] if text else []

    def _usage(self) -> Usage:
        """The engine is stopped before it can count."""
        return Usage(
            prompt_tokens=estimate_prompt_tokens(message.content for message in self._chat.messages),
            completion_tokens=max(1, estimate_tokens(self._raw)),
            prompt_source=UsageSource.ESTIMATED,
            completion_source=UsageSource.ESTIMATED,
        )
