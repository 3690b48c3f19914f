"""A chat and its prompt -> how the answer is read and held to a form. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from adapter.calls.arguments import ArgumentRules, coarse_tools, literal
from adapter.calls.body import answer_script
from adapter.calls.budget import reasoning_tokens
from adapter.calls.family import Family
from adapter.calls.harmony import FINAL, KIND, HarmonyCalls, harmony_script
from adapter.calls.output import AnswerParser, OutputPlan
from adapter.calls.output_format import checks, format_rule, own_grammar
from adapter.calls.reader import Script, ScriptParser
from adapter.calls.reasoning import Tags, is_inside, opens
from adapter.calls.tools import ToolBox, tools_of
from adapter.chat import Chat, OutputFormat, OutputKind, Tool, ToolChoice, ToolMode
from adapter.constrain.check import check_json
from adapter.constrain.grammar import GrammarBuilder
from adapter.errors import BadRequest


def plan_output(family: Family, chat: Chat, prompt: str) -> OutputPlan:
    """How an answer to `prompt`, which a template of this family made, is read and held to a form.

    With tools and `tool_choice` "auto" the grammar waits for a call; with a format beside them the answer is a call or has the form;
    "required" or a name make a call of all of the answer. Reasoning may come before all that. Raises `BadRequest`
    for tools or formats that cannot be.
    """
    tools = tools_of(chat.tools, chat.tool_choice)
    begun = chat.messages[-1].content if chat.continues else ""
    if begun and chat.output is not None:
        raise BadRequest(
            "A partial answer to go on with cannot be held to a form; leave one of the two out.", param=chat.output.param
        )
    opened = family.tags is not None and (
        is_inside(family.tags, begun) if begun.strip() else opens(family.tags, prompt)
    )
    new_parser = _parsers(_script(family, tools, opened=opened, begun=begun))
    plan = OutputPlan(
        new_parser=new_parser,
        shows=_shows(family, tools),
        closes_reasoning=_closes(family, tools, chat.tool_choice.mode),
        reasoning_tokens=reasoning_tokens(family, chat.reasoning),
    )
    if family.tags is not None and prompt.rstrip().endswith(family.tags.close):
        family = replace(family, thinks=False)  # the prompt holds an empty block already
    held = _held(family, chat.tools, chat.tool_choice, chat.output, opened, bool(begun))
    return replace(
        plan, grammar=held.grammar, waits_for_call=held.waits, check_text=held.check_text, check_call=held.check_call
    )


def plain_plan(output: OutputFormat | None) -> OutputPlan:
    """For text without a chat template: all of the answer is text, held to `output`. Raises `BadRequest`."""
    new_parser = _parsers(answer_script(None, (), ToolBox([]), opened=False, fresh=True))
    if output is None:
        return OutputPlan(new_parser)
    if output.kind is OutputKind.GRAMMAR:
        return OutputPlan(new_parser, grammar=own_grammar(output, before=None))
    builder = GrammarBuilder()
    made = format_rule(builder, output)
    return OutputPlan(new_parser, grammar=builder.text(made.rule), check_text=checks(output, made))


def _parsers(script: Script) -> Callable[[], AnswerParser]:
    return partial(ScriptParser, script)


def _is_harmony(family: Family) -> bool:
    return isinstance(family.forms[0], HarmonyCalls)


def _script(family: Family, tools: ToolBox, *, opened: bool, begun: str) -> Script:
    if _is_harmony(family):
        return harmony_script(tools, inside="analysis" if opened else "final" if begun else "")
    tags = family.tags if opened or not begun.strip() else None
    return answer_script(tags, family.forms, tools, opened=opened, fresh=not begun.strip())


def _shows(family: Family, tools: ToolBox) -> tuple[str, ...]:
    marks = [mark for form in family.forms for mark in form.shows] if len(tools) or _is_harmony(family) else []
    tags = family.tags
    if tags is not None and not _is_harmony(family):
        marks += tags.tokens or (tags.open, tags.close)
    return tuple(dict.fromkeys(marks))


def _closes(family: Family, tools: ToolBox, mode: ToolMode) -> str:
    if family.tags is None:
        return ""
    if not _is_harmony(family):
        return family.tags.closes or family.tags.close
    # A model that is only told to end its thoughts may begin new ones, so the next message is begun for it.
    if mode is ToolMode.REQUIRED:
        return family.tags.closes
    return family.tags.closes + ("<|channel|>commentary" if len(tools) else FINAL)


@dataclass(frozen=True, slots=True)
class _Held:
    """What holds an answer to its form; the fields as in `OutputPlan`."""

    grammar: str | None = None
    waits: bool = False
    check_text: Callable[[str], str | None] | None = None
    check_call: Callable[[str, str], str | None] | None = None


# An agent sends the same tools with every turn, and a grammar for fifty takes a phone a second.
@lru_cache(maxsize=8)
def _held(
    family: Family, tools: tuple[Tool, ...], choice: ToolChoice, output: OutputFormat | None, opened: bool, begun: bool
) -> _Held:
    box = tools_of(tools, choice)
    return _Grammar(family, box, choice, output, opened=opened, begun=begun).held()


class _Grammar:
    """The grammar of one answer, as far as it needs one."""

    def __init__(
        self,
        family: Family,
        tools: ToolBox,
        choice: ToolChoice,
        output: OutputFormat | None,
        *,
        opened: bool,
        begun: bool,
    ) -> None:
        self._family = family
        self._tools = tools
        self._choice = choice
        self._output = output
        self._opened = opened
        self._begun = begun
        self._builder = GrammarBuilder()
        self._rules = ArgumentRules(self._builder, coarse_tools(tools))

    def held(self) -> _Held:
        output = self._output
        if self._choice.mode is ToolMode.REQUIRED:
            output = None  # a call is the answer
        if not len(self._tools):
            return _Held() if output is None else self._formatted(output)
        if output is not None and output.kind is OutputKind.GRAMMAR:
            raise BadRequest("A grammar of your own cannot be combined with tools; leave one out.", param=output.param)
        if output is None and self._choice.mode is ToolMode.AUTO:
            calls = self._calls(everything=True)
            return self._with(calls, waits=True)
        calls = self._calls(everything=output is not None)
        if output is None:
            return self._with(f"{self._before()} {calls}")
        made = format_rule(self._builder, output)
        held = self._with(f"{self._before()} ({calls} | {self._answer()} {made.rule})")
        return replace(held, check_text=checks(output, made, or_calls=True))

    def _formatted(self, output: OutputFormat) -> _Held:
        if output.kind is OutputKind.GRAMMAR:
            before = f"{self._before()} {self._answer()}" if self._opened or _is_harmony(self._family) else None
            return _Held(own_grammar(output, before=before, builder=self._builder))
        made = format_rule(self._builder, output)
        root = f"{self._before()} {self._answer()} {made.rule}"
        return _Held(self._builder.text(root), check_text=checks(output, made))

    def _with(self, root: str, *, waits: bool = False) -> _Held:
        check = _call_check(self._tools, self._rules.unchecked) if self._rules.unchecked else None
        return _Held(self._builder.text(root), waits, check_call=check)

    def _calls(self, *, everything: bool) -> str:
        """The rule for calls. everything: also in the other forms that the parser reads."""
        tools = self._tools.only(self._choice.name if self._choice.mode is ToolMode.REQUIRED else None)
        forms = self._family.forms if everything else self._family.forms[:1]
        bodies = [form.rule(self._rules, tools, many=self._choice.parallel) for form in forms]
        return self._builder.rule("answer", " | ".join(bodies))

    def _before(self) -> str:
        """The body for what may, or must, come before the answer proper: a block of reasoning."""
        tags = self._family.tags
        if tags is None or (self._begun and not self._opened):
            return ""
        block = _block(self._rules, tags)
        if self._opened:
            return block
        if not self._family.thinks:
            return ""
        return f"({literal(tags.open)} {block})?"

    def _answer(self) -> str:
        """The body for what a formatted answer begins with."""
        if not _is_harmony(self._family) or (self._begun and not self._opened):
            return ""
        return f'{literal("<|channel|>final")} {KIND} {literal("<|message|>")}'


def _block(rules: ArgumentRules, tags: Tags) -> str:
    after = literal(tags.after) if tags.after else rules.gap
    return f"{rules.builder.until(tags.close)} {literal(tags.close)} {after}"


def _call_check(tools: ToolBox, unchecked: set[str]) -> Callable[[str, str], str | None]:
    def check(name: str, arguments: str) -> str | None:
        return check_json(tools[name].schema, arguments) if name in unchecked else None

    return check
