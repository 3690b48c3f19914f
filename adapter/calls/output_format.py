"""The form that a client asked its answer to have -> grammar. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from adapter.calls.json_text import NotJson, parse_json
from adapter.chat import OutputFormat, OutputKind
from adapter.constrain import gbnf
from adapter.constrain.check import check_json
from adapter.constrain.grammar import GrammarBuilder, SchemaRule
from adapter.errors import BadRequest

# A user's grammar in pieces: strings, sets and comments stay as they are, names are renamed.
_GBNF = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|<[^<>\s]*>|\{[^}]*\}|(?P<name>[a-zA-Z0-9_-]+)', re.DOTALL)


def format_rule(builder: GrammarBuilder, output: OutputFormat) -> SchemaRule:
    """The rule for the whole answer; all kinds but GRAMMAR. Raises `BadRequest`."""
    match output.kind:
        case OutputKind.JSON:
            return SchemaRule(builder.json_object())
        case OutputKind.SCHEMA:
            return builder.schema(_parsed(output), param=output.param)
        case OutputKind.REGEX:
            return SchemaRule(builder.regex(output.text, param=output.param))
        case OutputKind.CHOICE:
            options = _parsed(output)
            if not isinstance(options, list) or not options or not all(isinstance(one, str) for one in options):
                raise BadRequest("A choice must be a list of strings, one at least.", param=output.param)
            return SchemaRule(builder.choice(options, param=output.param))
        case OutputKind.GRAMMAR:
            raise AssertionError("a grammar of the user's is used as it is")


def checks(output: OutputFormat, made: SchemaRule, *, or_calls: bool = False) -> Callable[[str], str | None] | None:
    """What must still be looked at when the answer is complete. or_calls: no text at all is right, too."""
    if not made.unchecked:
        return None
    schema = _parsed(output)
    return lambda text: None if or_calls and not text else check_json(schema, text)


def own_grammar(output: OutputFormat, *, before: str | None, builder: GrammarBuilder | None = None) -> str:
    """The user's grammar as it is, or behind the body `before`, whose rules are in `builder`. Raises `BadRequest`."""
    gbnf.check(output.text, param=output.param)
    if builder is None or before is None:
        return output.text
    renamed = _GBNF.sub(lambda match: f"own-{match['name']}" if match["name"] else match.group(), output.text)
    root, _, rules = builder.text(before).partition("\n")
    return f"{root} own-root\n{rules}{renamed}\n"


def _parsed(output: OutputFormat) -> object:
    try:
        return parse_json(output.text)
    except NotJson as exc:
        raise BadRequest(f"This is no JSON: {exc}", param=output.param) from exc
