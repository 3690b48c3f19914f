"""Where a call may begin in an answer, and whether what is there so far is one. Pure.

Everything here looks at a text that may still grow: what it says of a text with `ended` false holds for every longer one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from adapter.emulate.names import PREFIXES, Names
from adapter.emulate.shapes import ARGUMENT_KEYS, CALL_TYPES, NAME_KEYS, NOTE_KEYS, WRAP_KEYS

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
_MAX_NAME = 140
_MAX_NOTE = 4_000  # a model's thoughts, as a member before the call's name
_MAX_ACTION = 200
_OPEN = r"[\"'“]"
_KEY = re.compile(rf"{_OPEN}([^\"'“”\\\n]{{0,80}})[\"'”]|([A-Za-z_][\w-]{{0,80}})")
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|“([^”]*)”", re.DOTALL)
_SCALAR = re.compile(r"[\w.+-]{1,80}")
_NAME = re.compile(r"[A-Za-z_][\w.:/-]{0,140}")
_LANGUAGE = re.compile(r"```[ \t]*([\w+-]{0,40})")
_FIRST_ARGUMENT = re.compile(r"\(\s*(?:\)|[A-Za-z_]\w*\s*[=:]|[\"'{\[]|-?\d+(?:\.\d+)?\s*[,)])")
_ASSIGNED = re.compile(r"(?:[A-Za-z_]\w*\s*=\s*)?(?:print\(\s*)?")


class Verdict(Enum):
    """NO: no call begins here, whatever follows. WAIT: only more text can tell. MAYBE: it looks like one, and the whole
    answer must be there to read it."""

    NO = auto()
    WAIT = auto()
    MAYBE = auto()


@dataclass(frozen=True, slots=True)
class Look:
    """block: a block of Markdown opens here that is none of ours, so that nothing up to its end is looked at."""

    verdict: Verdict
    block: bool = False


class Starts:
    """The starts of calls to the tools of one request."""

    def __init__(self, names: Names) -> None:
        self._names = names
        calls = [f"{spec.name}(" for spec in names] + ["print(", *(f"{prefix}" for prefix in PREFIXES)]
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
                return self._tagged(text, at + len(tag) - tag.endswith("[") * (tag == "functools["), cut)
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
            return self._bracket(text, at) if _may_stand(line) else Verdict.NO
        return self.python(text, at) if not line.strip() else Verdict.NO

    def _tagged(self, text: str, at: int, cut: bool) -> Verdict:
        """What stands behind a tag?"""
        at = _skip(text, at)
        rest = text[at : at + 2 * _MAX_NAME]
        if not rest:
            return Verdict.MAYBE if cut else Verdict.WAIT
        if rest[0] in "{[":
            return Verdict.MAYBE
        for opening in (FENCE, XML):
            if opening.startswith(rest[: len(opening)]):
                return Verdict.MAYBE if rest.startswith(opening) else Verdict.WAIT
        match = _NAME.match(rest)
        if match is None:
            return Verdict.NO
        after = rest[match.end() :].lstrip()
        if not after:
            return Verdict.WAIT if len(rest) < 2 * _MAX_NAME else Verdict.NO
        if after[0] in "({":
            return Verdict.MAYBE
        return _any_prefix(after, ("[ARGS]", "[CALL_ID]", "<arg_key>", "</tool_call>" if match.group() in self._names else "<arg_key>"))

    def _function_tag(self, text: str, at: int) -> Verdict:
        begin = at + len(XML if text.startswith(XML, at) else ATTRIBUTE)
        match = _NAME.match(text, begin)
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
            return _any_prefix(rest.lstrip(), (FENCE, "{")) if rest.strip() else Verdict.WAIT
        if name in self._names:
            return Verdict.MAYBE
        if _NAME.fullmatch(name):
            return _any_prefix(rest.lstrip("\n *"), ("Action Input:",)) if rest.strip() else Verdict.WAIT
        return self._action_call(name)

    def _action_call(self, line: str) -> Verdict:
        return Verdict.MAYBE if "(" in line and line.partition("(")[0] in self._names else Verdict.NO

    def _bracket(self, text: str, at: int) -> Verdict:
        if text[at] == "{":
            return self.object(text, at)
        inner = _skip(text, at + 1)
        if inner >= len(text):
            return Verdict.WAIT
        return self.object(text, inner) if text[inner] == "{" else self.python(text, inner)

    def object(self, text: str, at: int, levels: int = 4) -> Verdict:
        """Is the object that begins at `at` a call, by its first keys?"""
        at = _skip(text, at + 1)
        if text.startswith("{", at):
            return self.object(text, at, levels - 1) if levels else Verdict.NO
        if text.startswith(('\\"', "\\'"), at):  # escaped as a whole
            return self.object(text[: at - 1] + "{" + text[at : at + 4000].replace("\\", ""), at - 1, 0) if levels else Verdict.NO
        while True:
            match = _KEY.match(text, at)
            if match is None:
                return Verdict.WAIT if len(text) - at < 82 and "\n" not in text[at:] and _quote_or_nothing(text, at) else Verdict.NO
            key = match.group(1) if match.group(1) is not None else match.group(2)
            at = _skip(text, match.end())
            if at >= len(text):
                return Verdict.WAIT
            if text[at] != ":":
                # Without its comma or colon it may still be a call, which is then asked for again.
                return Verdict.MAYBE if key in ("name", "tool", "arguments") and text[at] == "=" else Verdict.NO
            at = _skip(text, at + 1)
            if at >= len(text):
                return Verdict.WAIT
            found = self._member(text, at, key, levels)
            if isinstance(found, Verdict):
                return found
            at = found

    def _member(self, text: str, at: int, key: str, levels: int) -> Verdict | int:
        """What the value at `at` says; a number is where the next key stands, if it says nothing."""
        opens = text[at] in "{["
        if key in WRAP_KEYS and opens:
            inner = _skip(text, at + 1) if text[at] == "[" else at
            if inner >= len(text):
                return Verdict.WAIT
            return self.object(text, inner, levels - 1) if text[inner] == "{" and levels else Verdict.NO
        if key in ARGUMENT_KEYS:
            return Verdict.MAYBE if text[at] in "{\"'[“" else Verdict.NO
        if key in self._names and text[at] == "{":
            return Verdict.MAYBE
        if key not in NAME_KEYS and key not in NOTE_KEYS:
            return Verdict.NO
        value = _STRING.match(text, at)
        if value is None and text[at] in "\"'“":
            return Verdict.WAIT if len(text) - at <= (_MAX_NOTE if key in NOTE_KEYS else _MAX_NAME) else Verdict.NO
        if value is not None and value.end() - at > (_MAX_NOTE if key in NOTE_KEYS else _MAX_NAME):
            return Verdict.NO
        told = "" if value is None else next(one for one in (*value.groups(), "") if one is not None)
        if key in NAME_KEYS and value is not None:
            return Verdict.MAYBE if told in self._names else Verdict.NO
        if key == "type" and told not in CALL_TYPES:
            return Verdict.NO
        plain = value or (_SCALAR.match(text, at) if key in NOTE_KEYS else None)
        if plain is None:
            return Verdict.NO
        at = _skip(text, plain.end())
        if at >= len(text):
            return Verdict.WAIT
        after = _skip(text, at + 1)
        return Verdict.NO if text[at] != "," else Verdict.WAIT if after >= len(text) else after

    def python(self, text: str, at: int) -> Verdict:
        """Does a call in Python begin here, by its name and its first argument?"""
        begin = _ASSIGNED.match(text, at)
        at = at if begin is None else begin.end()
        match = _NAME.match(text, at)
        if match is None:
            return Verdict.WAIT if at >= len(text) else Verdict.NO
        if match.end() >= len(text):
            return Verdict.WAIT if self._begins_name(match.group()) else Verdict.NO
        name = match.group().removesuffix(".call")
        if name not in self._names or text[match.end()] != "(":
            return Verdict.NO
        rest = text[match.end() : match.end() + 200]
        if _FIRST_ARGUMENT.match(rest):
            return Verdict.MAYBE
        return Verdict.WAIT if re.fullmatch(r"\(\s*(?:[A-Za-z_]\w*\s*|-?\d*(?:\.\d*)?\s*)?", rest) and len(rest) < 200 else Verdict.NO

    def _begins_name(self, text: str) -> bool:
        if text in self._names:
            return True
        known = [spec.name for spec in self._names]
        return any((prefix + name).startswith(text) for name in known for prefix in ("", *PREFIXES)) or "print".startswith(text)

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
        at = _skip(text, at)
        if at >= len(text):
            return Verdict.WAIT
        while text[at] == "#":
            line = text.find("\n", at)
            at = len(text) if line < 0 else _skip(text, line)
            if at >= len(text):
                return Verdict.WAIT
        if text[at] in "{[":
            return self._bracket(text, at)
        marks = (*TAGS, *FORMS)
        found = _any_prefix(text[at:], marks)
        return found if found is not Verdict.NO else self.python(text, at)


def _line_before(text: str, at: int) -> str:
    return text[text.rfind("\n", 0, at) + 1 : at]


def _may_stand(line: str) -> bool:
    """May a bare call stand behind this beginning of its line? It begins a line, or what a colon announces."""
    line = line.strip()
    return not line or line.endswith(":") or line.strip("> ") == ""


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _prefixed(text: str, at: int, wanted: str) -> Verdict:
    return _any_prefix(text[at:], (wanted,))


def _any_prefix(rest: str, wanted: tuple[str, ...]) -> Verdict:
    if rest.startswith(wanted):
        return Verdict.MAYBE
    return Verdict.WAIT if any(one.startswith(rest) for one in wanted) else Verdict.NO


def _quote_or_nothing(text: str, at: int) -> bool:
    """May a key be coming here?"""
    return at >= len(text) or text[at] in "\"'“"
