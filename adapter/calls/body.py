"""How most answers are read: perhaps a block of reasoning, then text with calls in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.calls.family import CallForm
from adapter.calls.output import Text
from adapter.calls.reader import Cursor, Script, Steps, Stopped, peek, space, stream
from adapter.calls.reasoning import Tags, read_block
from adapter.calls.tools import ToolBox


def answer_script(tags: Tags | None, forms: Sequence[CallForm], tools: ToolBox, *, opened: bool, fresh: bool) -> Script:
    """tags: `None` where no reasoning is expected. opened: the prompt opened the block. fresh: the answer has no earlier
    part, so that bare calls may begin it."""
    reader = _Body(tags, tuple(forms) if len(tools) else (), tools)

    def read(cursor: Cursor) -> Steps[None]:
        if tags is not None:
            yield from read_block(cursor, tags, opened=opened, calls=len(tools) > 0)
        yield from reader.read(cursor, fresh=fresh)

    return read


class _Body:
    def __init__(self, tags: Tags | None, forms: tuple[CallForm, ...], tools: ToolBox) -> None:
        self._tags = tags
        self._forms = forms
        self._tools = tools
        again = (tags.open,) if tags is not None and tags.again else ()
        self._stops = (*again, *(mark for form in forms for mark in form.markers))

    def read(self, cursor: Cursor, *, fresh: bool) -> Steps[None]:
        called = False
        while True:
            if fresh and (yield from self._bare(cursor)):
                called = True
                continue
            stopped = yield from stream(cursor, self._stops, Text)
            if not stopped.stop:
                if stopped.space and not called:
                    yield Text(stopped.space)
                return
            fresh = yield from self._stop(cursor, stopped)
            called = fresh

    def _stop(self, cursor: Cursor, stopped: Stopped) -> Steps[bool]:
        """Something stands at the cursor: a call (then true), reasoning, or text that looks like it."""
        if self._tags is not None and self._tags.again and stopped.stop == self._tags.open:
            if stopped.space:
                yield Text(stopped.space)
            yield from read_block(cursor, self._tags, opened=False)
            return False
        forms = [form for form in self._forms if stopped.stop in form.markers]
        if (yield from self._call(cursor, forms)):
            return True
        begin = cursor.at
        cursor.at += 1
        yield Text(stopped.space + cursor.text[begin : cursor.at])
        return False

    def _bare(self, cursor: Cursor) -> Steps[bool]:
        """A call without a marker may begin here."""
        begin = cursor.position
        if any(form.starts for form in self._forms):
            yield from space(cursor)
            if (yield from peek(cursor)) in (",", ";") and begin:
                cursor.at += 1
                yield from space(cursor)
            first = yield from peek(cursor)
            forms = [form for form in self._forms if first and first in form.starts]
            if forms and (yield from self._call(cursor, forms, surely=False)):
                return True
        cursor.back_to(begin)
        return False

    def _call(self, cursor: Cursor, forms: Sequence[CallForm], *, surely: bool = True) -> Steps[bool]:
        """Read calls in one of these forms, or nothing. surely: a marker stands here."""
        begin, known = cursor.position, cursor.call_at
        if surely and known is None:
            cursor.call_at = begin
        for form in forms:
            steps = form.read(cursor, self._tools)
            try:
                while True:
                    piece = next(steps)
                    if piece is not None and cursor.call_at is None:
                        cursor.call_at = begin
                    yield piece
            except StopIteration as ended:
                if ended.value:
                    return True
            cursor.back_to(begin)
        cursor.call_at = known
        return False
