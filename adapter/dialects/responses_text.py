"""`text` of `POST /v1/responses`: the form that an answer is to have. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.chat import OutputFormat, OutputKind
from adapter.dialects.openai_output import MAX_FORM_CHARS, OUTPUT_FIELDS, parse_output
from adapter.dialects.openai_values import json_text, whole_text, wrong_type
from adapter.errors import BadRequest

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Of a schema's form, checked, so that an answer may repeat them. Of the others nothing but the type is looked at.
_SHOWN = ("type", "name", "schema", "strict")
_VERBOSITY = ("low", "medium", "high")
# What llama-server and vLLM have beside OpenAI's own field, taken here as in chats.
EXTENSIONS = tuple(name for name in OUTPUT_FIELDS if name != "response_format")


@dataclass(frozen=True, slots=True)
class AskedText:
    """shown: `text` as the answer repeats it. hints: what has no effect."""

    output: OutputFormat | None
    shown: Mapping[str, Any]
    hints: tuple[str, ...] = ()


def parse_text(given: Mapping[str, Any]) -> AskedText:
    """Raises `BadRequest` naming the field: `text.format.schema` ..."""
    text = given.get("text", {})
    if not isinstance(text, dict):
        raise wrong_type("text", "an object with 'format'", text)
    form = text.get("format")
    output = None if form is None else _format(form)
    other = parse_output({name: given[name] for name in EXTENSIONS if name in given})
    if output is not None and other is not None:
        raise BadRequest(f"'{other.param}' and 'text.format' ask for the same; send only one of them.", param=other.param)
    shown: dict[str, Any] = {"format": _shown(form)}
    if (verbosity := text.get("verbosity")) is None:
        return AskedText(output or other, shown)
    if verbosity not in _VERBOSITY:
        raise BadRequest(f"'text.verbosity' must be one of {', '.join(_VERBOSITY)}.", param="text.verbosity")
    return AskedText(output or other, {**shown, "verbosity": verbosity}, ("text.verbosity",))


def _shown(form: Mapping[str, Any] | None) -> dict[str, Any]:
    if form is None:
        return {"type": "text"}
    names = _SHOWN if form["type"] == "json_schema" else ("type",)
    return {key: form[key] for key in names if key in form}


def _format(form: object) -> OutputFormat | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if not isinstance(form, dict) or not isinstance(kind, str):
        raise wrong_type("text.format", "an object with a string in 'type'", form)
    match kind:
        case "text":
            return None
        case "json_object":
            return OutputFormat(OutputKind.JSON, "", "text.format")
        case "json_schema":
            return _schema(form)
        case _:
            raise BadRequest(
                f"'text.format' of type '{whole_text(kind[:40])}' is not supported; send text, json_object or json_schema.",
                param="text.format.type",
            )


def _schema(form: Mapping[str, Any]) -> OutputFormat:
    """Flat: `name`, `schema` and `strict` lie beside `type`."""
    if "schema" not in form and isinstance(form.get("json_schema"), dict):
        raise BadRequest(
            "'text.format' has the form of a chat; put 'name', 'schema' and 'strict' beside 'type'.", param="text.format.schema"
        )
    name = form.get("name", "schema")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest("'text.format.name' must be 1 to 64 letters, digits, '_' or '-'.", param="text.format.name")
    if not isinstance(form.get("strict") or False, bool):
        raise wrong_type("text.format.strict", "true or false", form["strict"])
    schema = form.get("schema")
    if not isinstance(schema, dict | bool):
        raise wrong_type("text.format.schema", "a JSON schema, which is an object or a boolean", schema)
    text = json_text(schema, "text.format.schema")
    if len(text) > MAX_FORM_CHARS:
        raise BadRequest(f"'text.format.schema' has more than {MAX_FORM_CHARS} characters.", param="text.format.schema")
    return OutputFormat(OutputKind.SCHEMA, text, "text.format")
