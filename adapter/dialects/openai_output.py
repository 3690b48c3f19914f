"""The form that an answer is to have -> our words: `response_format`, and what llama-server and vLLM call it. Pure.

    response_format      {"type": "text" | "json_object" | "json_schema", ...}        OpenAI
    json_schema, grammar                                                              llama-server
    guided_json, guided_regex, guided_choice, guided_grammar                          vLLM
    structured_outputs   {"json" | "regex" | "choice" | "grammar" | "json_object": .} vLLM, newer
    regex                                                                             ours

Fields that ask for nothing (`null`, "", {}, []) count as absent, as they did before any of this was built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from adapter.chat import OutputFormat, OutputKind
from adapter.dialects.openai_body import deeper_than
from adapter.dialects.openai_values import json_text, one_of, whole_text, wrong_type
from adapter.errors import BadRequest

MAX_FORM_CHARS = 256 * 1024
MAX_CHOICES = 1_024
# A schema inside a string escapes the bound on the body, so it has its own.
MAX_SCHEMA_NESTING = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def parse_output(given: Mapping[str, Any]) -> OutputFormat | None:
    """The form of the answer, `None` for free text. Raises `BadRequest`, also for more than one form."""
    if _FIELDS.isdisjoint(given):  # nearly always
        return None
    forms = {name: form for name in OUTPUT_FIELDS if name in given and (form := _form(name, given[name]))}
    one_of(forms, tuple(forms))
    return next(iter(forms.values()), None)


def _form(name: str, value: object) -> OutputFormat | None:
    if name == "response_format":
        return _response_format(value)
    if not value and not isinstance(value, bool):
        return None
    if name == "structured_outputs":
        return _structured_outputs(value)
    return _bounded(_EXTENSIONS[name](value, name))


def _response_format(value: object) -> OutputFormat | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str):
        raise wrong_type("response_format", "an object with a string in 'type'", value)
    match kind:
        case "text":
            return None
        case "json_object" if value.get("schema") is None:
            return OutputFormat(OutputKind.JSON)
        case "json_object" | "json_schema":  # llama-server takes a schema beside either
            return _bounded(_named_schema(value))
        case _:
            raise BadRequest(
                f"'response_format' of type '{whole_text(kind[:40])}' is not supported; send text, json_object or "
                "json_schema.",
                param="response_format",
            )


def _named_schema(value: Mapping[str, Any]) -> OutputFormat:
    where = "response_format.json_schema"
    if value.get("schema") is not None:
        return _schema(value["schema"], "response_format.schema", field="response_format")
    named = value.get("json_schema")
    if not isinstance(named, dict):
        raise wrong_type(where, "an object with 'name' and 'schema'", named)
    name = named.get("name", "schema")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"'{where}.name' must be 1 to 64 letters, digits, '_' or '-'.", param=f"{where}.name"
        )
    if not isinstance(named.get("strict") or False, bool):
        raise wrong_type(f"{where}.strict", "true or false", named["strict"])
    return _schema(named.get("schema"), f"{where}.schema", field="response_format")


def _schema(value: object, where: str, *, field: str | None = None) -> OutputFormat:
    """An object or a boolean; the extensions also take its JSON text."""
    if not isinstance(value, dict | bool):
        raise wrong_type(where, "a JSON schema, which is an object or a boolean", value)
    return OutputFormat(OutputKind.SCHEMA, json_text(value, where), field or where)


def _schema_or_text(value: object, where: str) -> OutputFormat:
    if isinstance(value, str):
        value = _parsed(value, where)
    return _schema(value, where)


def _parsed(text: str, where: str) -> object:
    wrong = BadRequest(f"'{where}' is not the JSON text of a schema.", param=where)
    if len(text) > MAX_FORM_CHARS:
        raise _too_long(where)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise wrong from None
    if isinstance(value, dict) and deeper_than(value, MAX_SCHEMA_NESTING):
        raise BadRequest(f"'{where}' is nested deeper than {MAX_SCHEMA_NESTING} levels.", param=where)
    return value


def _refuse_constant(word: str) -> object:
    raise ValueError(f"{word} is not a JSON number")


def _regex(value: object, where: str) -> OutputFormat:
    return OutputFormat(OutputKind.REGEX, _text(value, where, "a string, a regular expression"), where)


def _grammar(value: object, where: str) -> OutputFormat:
    return OutputFormat(OutputKind.GRAMMAR, _text(value, where, "a string, a GBNF grammar"), where)


def _text(value: object, where: str, wanted: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(where, wanted, value)
    return whole_text(value)


def _choice(value: object, where: str) -> OutputFormat:
    if not isinstance(value, list):
        raise wrong_type(where, "an array of strings", value)
    if len(value) > MAX_CHOICES:
        raise BadRequest(f"'{where}' has {len(value)} strings; at most {MAX_CHOICES} are possible.", param=where)
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise wrong_type(f"{where}[{index}]", "a string", entry)
        if not entry:
            raise BadRequest(f"'{where}[{index}]' is empty: no answer is that short.", param=f"{where}[{index}]")
    return OutputFormat(OutputKind.CHOICE, json_text(list(dict.fromkeys(value)), where), where)


def _structured_outputs(value: object) -> OutputFormat | None:
    """vLLM's newer form of `guided_*`. What it has besides the forms steers vLLM's own compiler."""
    if not isinstance(value, dict):
        raise wrong_type("structured_outputs", "an object", value)
    inner = {
        f"structured_outputs.{key}": entry
        for key, entry in value.items()
        if entry or (entry is False and key == "json")
    }
    if "structured_outputs.structural_tag" in inner:
        raise BadRequest(
            "'structured_outputs.structural_tag' is not supported; send json, regex, choice or grammar.",
            param="structured_outputs.structural_tag",
        )
    where = one_of(inner, [f"structured_outputs.{key}" for key in (*_STRUCTURED, "json_object")])
    if where is None:
        return None
    key = where.removeprefix("structured_outputs.")
    if key == "json_object":
        return OutputFormat(OutputKind.JSON, "", where)
    return _bounded(_STRUCTURED[key](inner[where], where))


def _bounded(form: OutputFormat) -> OutputFormat:
    if len(form.text) > MAX_FORM_CHARS:
        raise _too_long(form.param)
    return form


def _too_long(where: str) -> BadRequest:
    return BadRequest(f"'{where}' has more than {MAX_FORM_CHARS} characters.", param=where)


_Parser = Callable[[object, str], OutputFormat]
_STRUCTURED: dict[str, _Parser] = {
    "json": _schema_or_text, "regex": _regex, "choice": _choice, "grammar": _grammar,
}  # fmt: skip
_EXTENSIONS: dict[str, _Parser] = {
    "json_schema": _schema_or_text,
    "grammar": _grammar,
    "regex": _regex,
    "guided_json": _schema_or_text,
    "guided_regex": _regex,
    "guided_choice": _choice,
    "guided_grammar": _grammar,
}
OUTPUT_FIELDS = ("response_format", "structured_outputs", *_EXTENSIONS)
_FIELDS = frozenset(OUTPUT_FIELDS)
