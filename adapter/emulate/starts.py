"""Where a call may begin in an answer, and whether what is there so far is one. Pure.

Everything here looks at a text that may still grow: what it says of a text with `ended` false holds for every longer one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from adapter.emulate.heads import MAX_NAME, NAME, Heads, Verdict, any_prefix, skip
from adapter.emulate.names import PREFIXES, Names

FENCE = "```"
# Marks with a call in JSON, in Python or by its name behind them -> what ends it, "" for nothing.
TAGS = {
    "<tool_call>": "</tool_call>",
    "<tool_calls>": "</tool_calls>",
    "<function_call>": "</function_call>",
    "<|tool_call|>": "<|/tool_call|>",
    "<|tool_call_start|>": "<|tool_call_end|>",
    "[TOOL_CALLS]": "",
    "<|python_tag|>": "",
    "functools[": "",
}
# Marks whose form `adapter.calls` reads.
GEMMA4, XML, ATTRIBUTE = "<|tool_call>", "<function=", '<function name="'
DEEPSEEK = ("<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>")  # noqa: RUF001 -- DeepSeek's own characters
ACTION = "Action:"
FORMS = (GEMMA4, XML, ATTRIBUTE, *DEEPSEEK)
_LANGUAGES = ("", "json", "json5", "jsonc", "python", "py", "xml", "text", "plaintext", "tool", "function")
# Blocks in these languages say by themselves that they are calls.
CALL_LANGUAGES = ("tool_code", "tool_call", "tool_calls", "function_call", "function_calls")
_MAX_ACTION = 200
_LANGUAGE = re.compile(r"```[ \t]*([\w+-]{0,40})")


@dataclass(frozen=True, slots=True)
class Look:
    """block: a block of Markdown opens here that is none of ours, so that nothing up to its end is looked at."""

    verdict: Verdict
    block: bool = False


class Starts:
    """The starts of calls to the tools of one request."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._heads = Heads(names)
        calls = [f"{spec.name}(" for spec in names] + ["print(", *PREFIXES]
        self._texts = (*TAGS, *FORMS, FENCE, ACTION, *calls)
        self._longest = max(map(len, self._texts))
        self._any = re.compile(
            "|".join(re.escape(text) for text in sorted(self._texts, key=len, reverse=True)) + r"|[{\[]"
        )

    def find(self, text: str, at: int) -> int | None:
        """The first place from `at` on where a call might begin."""
        match = self._any.search(text, at)
        return None if match is None else match.start()

    def unfinished(self, text: str, at: int) -> int:
        """The first place from `at` on from where the end of the text may become such a start; else the text's length."""
        for begin in range(max(at, len(text) - self._longest + 1), len(text)):
            rest = text[begin:]
            if any(one.startswith(rest) and len(one) > len(rest) for one in self._texts):
                return begin
        return len(text)

    def look(self, text: str, at: int, *, ended: bool, cut: bool = False) -> Look:
        """Does a call begin at `at`, where `find` found something? cut: with `ended`, `max_tokens` ended the answer."""
        if text.startswith(FENCE, at):
            return self._fence(text, at, ended)
        found = self._verdict(text, at, ended, cut)
        if not ended and found is Verdict.NO and self._grows(text, at):
            found = Verdict.WAIT
        return Look(Verdict.NO if ended and found is Verdict.WAIT else found)

    def _grows(self, text: str, at: int) -> bool:
        """May a longer start stand here, as soon as more text is there?"""
        rest = text[at : at + self._longest]
        return at + len(rest) == len(text) and any(one.startswith(rest) and len(one) > len(rest) for one in self._texts)

    def _verdict(self, text: str, at: int, ended: bool, cut: bool) -> Verdict:
        for tag in TAGS:
            if text.startswith(tag, at):
                return self._tagged(text, at + behind(tag), cut)
        if text.startswith((XML, ATTRIBUTE), at):
            return self._function_tag(text, at)
        if text.startswith(GEMMA4, at):
            return _prefixed(text, at + len(GEMMA4), "call:")
        if text.startswith(DEEPSEEK, at):
            return Verdict.MAYBE
        if text.startswith(ACTION, at):
            return self._action(text, at, ended)
        line = _line_before(text, at)
        if text[at] in "{[":
            return self._heads.bracket(text, at) if _may_stand(line) else Verdict.NO
        return self._heads.python(text, at) if not line.strip() else Verdict.NO

    def _tagged(self, text: str, at: int, cut: bool) -> Verdict:
        """What stands behind a tag?"""
        at = skip(text, at)
        rest = text[at : at + 2 * MAX_NAME]
        if not rest:
            return Verdict.MAYBE if cut else Verdict.WAIT
        if rest[0] in "{[":
            return Verdict.MAYBE
        for opening in (FENCE, XML):
            if opening.startswith(rest[: len(opening)]):
                return Verdict.MAYBE if rest.startswith(opening) else Verdict.WAIT
        match = NAME.match(rest)
        if match is None:
            return Verdict.NO
        after = rest[match.end() :].lstrip()
        if not after:
            return Verdict.WAIT if len(rest) < 2 * MAX_NAME else Verdict.NO
        if after[0] in "({":
            return Verdict.MAYBE
        marks = ("[ARGS]", "[CALL_ID]", "<arg_key>")
        return any_prefix(after, (*marks, "</tool_call>") if match.group() in self._names else marks)

    def _function_tag(self, text: str, at: int) -> Verdict:
        begin = at + len(XML if text.startswith(XML, at) else ATTRIBUTE)
        match = NAME.match(text, begin)
        if match is None:
            return Verdict.WAIT if begin >= len(text) else Verdict.NO
        if match.end() >= len(text):
            return Verdict.WAIT
        return Verdict.MAYBE if text[match.end()] in '>"' else Verdict.NO

    def _action(self, text: str, at: int, ended: bool) -> Verdict:
        if _line_before(text, at).strip(" *"):
            return Verdict.NO
        begin = at + len(ACTION)
        line, broken, rest = text[begin : begin + _MAX_ACTION].partition("\n")
        name = line.strip(" *`\"'")
        if not broken and not ended:
            return Verdict.WAIT if len(line) < _MAX_ACTION and len(name.split()) < 2 else self._action_call(name)
        if not name:
            return any_prefix(rest.lstrip(), (FENCE, "{")) if rest.strip() else Verdict.WAIT
        if name in self._names and len(name.split()) == 1:
            return Verdict.MAYBE
        if NAME.fullmatch(name):
            return any_prefix(rest.lstrip("\n *"), ("Action Input:",)) if rest.strip() else Verdict.WAIT
        return self._action_call(name)

    def _action_call(self, line: str) -> Verdict:
        return Verdict.MAYBE if "(" in line and line.partition("(")[0] in self._names else Verdict.NO

    def _fence(self, text: str, at: int, ended: bool) -> Look:
        if _line_before(text, at).strip("> \t"):
            return Look(Verdict.NO)
        match = _LANGUAGE.match(text, at)
        language = match.group(1).lower() if match is not None else ""
        end = at + 3 if match is None else match.end()
        if end >= len(text):
            return Look(Verdict.WAIT if not ended else Verdict.NO, block=ended)
        if language in CALL_LANGUAGES:
            return Look(Verdict.MAYBE)
        if language not in _LANGUAGES or not text[end].isspace():
            return Look(Verdict.NO, block=True)
        found = self._block(text, end)
        if found is Verdict.WAIT and ended:
            found = Verdict.NO
        return Look(found, block=found is Verdict.NO)

    def _block(self, text: str, at: int) -> Verdict:
        at = skip(text, at)
        if at >= len(text):
            return Verdict.WAIT
        while text[at] == "#":
            line = text.find("\n", at)
            at = len(text) if line < 0 else skip(text, line)
            if at >= len(text):
                return Verdict.WAIT
        if text[at] in "{[":
            return self._heads.bracket(text, at)
        marks = (*TAGS, *FORMS)
        found = any_prefix(text[at:], marks)
        return found if found is not Verdict.NO else self._heads.python(text, at)


def behind(tag: str) -> int:
    """How long a tag is, without a bracket that belongs to the list behind it."""
    return len(tag) - (tag == "functools[")


def _line_before(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 : at]


def _may_stand(line: str) -> bool:
    """May a bare call stand behind this beginning of its line? It begins a line, or what a colon announces."""
    line = line.strip()
    return not line or line.endswith(":") or line.strip("> ") == ""





def _prefixed(text: str, at: int, wanted: str) -> Verdict:
    return any_prefix(text[at:], (wanted,))
