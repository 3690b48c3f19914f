"""The reasoning block of an answer: how families mark it, and how it is read. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.calls.output import Thought
from adapter.calls.reader import Cursor, Steps, literal, space, stream


@dataclass(frozen=True, slots=True)
class Tags:
    """What stands around a block of reasoning. White space next to the tags belongs to them.

    again: the tags are control tokens, so that a further block may follow in the middle of an answer; else only one
    at the very beginning counts, since somebody may be asking about tags. closes: what to write to end a block from outside, "" for
    `close`. after: what a model writes between the block and its answer. tokens: the control tokens in the tags, where they are
    not the tags themselves. ended_by: beginnings of calls before which a model forgets to close its block.
    """

    open: str
    close: str
    again: bool = False
    closes: str = ""
    after: str = ""
    tokens: tuple[str, ...] = ()
    ended_by: tuple[str, ...] = ()


THINK = Tags("<think>", "</think>", closes="\n</think>\n\n")


def opens(tags: Tags, prompt: str) -> bool:
    """Did the template open the block itself, so that the answer begins inside it?"""
    return prompt.rstrip().endswith(tags.open.rstrip())


def is_inside(tags: Tags, partial: str) -> bool:
    """Does this beginning of an answer end inside its block of reasoning?"""
    return partial.lstrip().startswith(tags.open.rstrip()) and tags.close not in partial


def read_block(cursor: Cursor, tags: Tags, *, opened: bool, calls: bool = False) -> Steps[None]:
    """Read a block of reasoning with its tags and the white space around them, if there is one.

    opened: its opening tag was part of the prompt (a model may repeat it). calls: the model may call tools.
    """
    begin = cursor.position
    yield from space(cursor)
    if not (yield from literal(cursor, tags.open)):
        cursor.back_to(begin)
        if not opened:
            return
    cursor.in_reasoning = True
    yield from space(cursor)
    stopped = yield from stream(cursor, (tags.close, *(tags.ended_by if calls else ())), Thought)
    if not stopped.stop:
        if stopped.space:
            yield Thought(stopped.space)
        return
    cursor.in_reasoning = False
    if stopped.stop == tags.close:
        yield from literal(cursor, tags.close)
        yield from space(cursor)
