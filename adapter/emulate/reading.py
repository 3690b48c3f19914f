"""An answer that may hold calls: passed on as it comes as far as it surely is text, and read when it is complete. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapter.calls.output import Text
from adapter.calls.tools import ToolBox
from adapter.emulate.heads import Verdict
from adapter.emulate.names import Names
from adapter.emulate.pieces import Call, Fault, Part
from adapter.emulate.regions import Regions, end_marks
from adapter.emulate.starts import FENCE, Starts

# A model that goes on by itself after a call, as the one who answers it.
_PLAYED = re.compile(
    r"^[ \t]*(?:</?tool_response>|<\|tool_response|\[TOOL_RESULTS\]|\**Observation:|```tool_output)", re.MULTILINE
)

# Places that look like a call and are none, or a broken one, after which an answer is believed to hold no more: each costs
# a look at all the rest.
_MAX_MISSES = 60


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole answer. parts: in their order, texts and calls and what is wrong. dropped: what a model wrote behind its calls
    in the place of their results."""

    parts: tuple[Part, ...]
    dropped: str = ""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> list[Call]:
        return [part for part in self.parts if isinstance(part, Call)]

    @property
    def faults(self) -> list[Fault]:
        return [part for part in self.parts if isinstance(part, Fault)]


class AnswerReader:
    """Fed with an answer in pieces, cut anywhere; the result does not depend on the cuts."""

    def __init__(self, tools: ToolBox) -> None:
        self._names = Names(tools)
        self._starts = Starts(self._names)
        self._text = ""
        self._done = 0  # up to here it was passed on
        self._at = 0  # up to here there is no call
        self._block: int | None = None  # from here on a block's end is looked for
        self._held = False
        self._plain = not len(tools)  # no tools, no calls

    @property
    def raw(self) -> str:
        """All that was fed."""
        return self._text

    def feed(self, text: str) -> str:
        """What is sure to be text by now, and was not returned before. White space waits for what follows it."""
        self._text += text
        if self._plain:
            self._at = self._done = len(self._text)
            return text
        while not self._held and self._step():
            pass
        sure = len(self._text[: self._at].rstrip())
        passed = self._text[self._done : sure] if sure > self._done else ""
        self._done = max(self._done, sure)
        return passed

    def _step(self) -> bool:
        """Look at the next place where a call might begin. False: only more text can tell more."""
        if self._block is not None:
            end = self._text.find(FENCE, self._block)
            if end < 0:
                self._at = max(self._at, self._starts_of_fence())
                return False
            self._at, self._block = end + len(FENCE), None
        found = self._starts.find(self._text, self._at)
        growing = self._starts.unfinished(self._text, self._at)
        if found is None or growing < found:
            self._at = growing
            return False
        self._at = found
        look = self._starts.look(self._text, found, ended=False)
        if look.verdict is Verdict.NO:
            self._pass_over(found, block=look.block)
        self._held = look.verdict is Verdict.MAYBE
        return look.verdict is Verdict.NO

    def _pass_over(self, found: int, *, block: bool) -> None:
        if self._text.startswith(FENCE, found):
            self._at = found + len(FENCE)
            self._block = self._at if block else None
        else:
            self._at = found + 1

    def _starts_of_fence(self) -> int:
        """The end of the text without backticks that may become the end of a block."""
        return max(self._block or 0, len(self._text.rstrip("`")))

    def finish(self, *, cut: bool) -> Reading:
        """The answer is over; the reading of what `feed` has not returned. cut: `max_tokens` ended it."""
        if self._plain:
            return Reading(())
        return self._read(cut=cut)

    def _close_block(self) -> bool:
        end = self._text.find(FENCE, self._block or 0)
        if end >= 0:
            self._at, self._block = end + len(FENCE), None
        return end >= 0

    def _read(self, *, cut: bool) -> Reading:
        """Read from `_at` on, as far as it was not passed on."""
        regions = Regions(self._text, self._names, cut=cut)
        parts: list[Part] = []
        called = False
        begin = self._done  # of the text that belongs to no part yet
        misses = 0
        while self._block is None and (found := self._starts.find(self._text, self._at)) is not None:
            if misses >= _MAX_MISSES:
                break
            if called and (played := _PLAYED.search(self._text, begin, found + 1)) is not None:
                break
            look = self._starts.look(self._text, found, ended=True, cut=cut)
            read = regions.read(found) if look.verdict is Verdict.MAYBE else None
            if read is None:
                misses += look.verdict is Verdict.MAYBE
                block = look.block or (look.verdict is Verdict.MAYBE and self._text.startswith(FENCE, found))
                self._at = found
                self._pass_over(found, block=block)
                if self._block is not None and not self._close_block():
                    break
                continue
            self._add_text(parts, self._text[begin:found], called)
            parts += read[1]
            misses += any(isinstance(part, Fault) for part in read[1])
            called = True
            begin = self._at = max(read[0], found + 1)
        played = _PLAYED.search(self._text, begin) if called else None
        end = len(self._text) if played is None else played.start()
        if called:
            end = max(begin, min(end, end_marks(self._text)))
        self._add_text(parts, self._text[begin:end], called, last=True)
        return Reading(tuple(parts), "" if played is None else self._text[played.start() :])

    def _add_text(self, parts: list[Part], text: str, called: bool, *, last: bool = False) -> None:
        """Add text between calls, without the white space next to them; texts on both sides of a call become paragraphs."""
        if called:
            before = self._done > 0 or any(isinstance(part, Text) for part in parts)
            text = f"\n\n{text.strip()}" if before and text.strip() else text.strip()
        elif not last:
            text = text.rstrip()
        if text:
            parts.append(Text(text))
