"""A part of a configuration, and the text of its file: the text with our part in it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from adapter.connect.edits_env import edit_env, read_env
from adapter.connect.edits_json import edit_json
from adapter.connect.edits_yaml import edit_yaml
from adapter.connect.parts import Default, Document, EnvFile, Generate, Put, Secret
from adapter.connect.values import has_secret, plain

BOM = "\ufeff"


def edited(part: Document | EnvFile, text: str, made: Callable[[Generate], str]) -> str:
    """text: "" for a file that is not there. made: a secret that is not there yet. What is ours already stays as it is written.

    Raises `EditError`.
    """
    bom, text = (BOM, text[1:]) if text.startswith(BOM) else ("", text)
    return bom + _edited(part, text, made)


def _edited(part: Document | EnvFile, text: str, made: Callable[[Generate], str]) -> str:
    match part:
        case EnvFile(variables=variables, export=export):
            there = read_env(text)
            return edit_env(text, [(name, _value(there.get(name), value, made)) for name, value in variables], export=export)
        case Document(syntax="yaml"):
            return edit_yaml(text, part.edits, part.head)
        case Document(syntax=syntax):
            return edit_json(text, part.edits, "json" if syntax == "json" else "json5", part.head)


def _value(there: str | None, value: str | Secret | Generate | Default, made: Callable[[Generate], str]) -> str:
    match value:
        case Generate():
            return there or made(value)
        case Default(value=text):
            return text if there is None else there
        case _:
            return str(plain(value))


def is_private(part: Document | EnvFile) -> bool:
    """May nobody else read its file?"""
    match part:
        case EnvFile(variables=variables):
            return any(isinstance(value, Secret | Generate) for _, value in variables)
        case Document(private=private, edits=edits):
            return private or any(has_secret(edit.value if isinstance(edit, Put) else edit.entries) for edit in edits)
