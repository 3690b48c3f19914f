"""`generationConfig` of Gemini's form -> our words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.chat import OutputFormat, OutputKind, Reasoning, Sampling
from adapter.dialects.gemini_values import fields, listed, placed
from adapter.dialects.openai_output import MAX_CHOICES, MAX_FORM_CHARS
from adapter.dialects.openai_request import MAX_ANSWERS
from adapter.dialects.openai_sampling import MAX_STOP_CHARS, MAX_STOPS
from adapter.dialects.openai_values import boolean, integer, json_text, number, whole_text, wrong_type
from adapter.dialects.schema_repair import repair_schema
from adapter.errors import BadRequest

CONFIG = "generationConfig"
MAX_TOP_LOGPROBS = 20
# Ours have the same names, in lower case.
_LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH")
_SCHEMAS = ("responseSchema", "responseJsonSchema", "_responseJsonSchema")
_HONOURED = frozenset(
    {
        "temperature", "topP", "topK", "maxOutputTokens", "stopSequences", "seed", "candidateCount", "presencePenalty", "frequencyPenalty",
        "responseMimeType", "responseLogprobs", "logprobs", "thinkingConfig", "responseModalities", *_SCHEMAS,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class GeminiConfig:
    """logprobs: as in `Chat`. show_thoughts: is the reasoning to be part of the answer? Google's own server hides it by default."""

    sampling: Sampling = field(default_factory=Sampling)
    output: OutputFormat | None = None
    reasoning: Reasoning = field(default_factory=Reasoning)
    n: int = 1
    logprobs: int | None = None
    show_thoughts: bool = False
    ignored: tuple[str, ...] = ()


def parse_config(value: object) -> GeminiConfig:
    """Raises `BadRequest` naming the field: `generationConfig.topP` ..."""
    if value is None:
        return GeminiConfig()
    short = fields(value, CONFIG)
    given = placed(short, CONFIG)
    _text_only(short)
    reasoning, shown = _thinking(given)
    return GeminiConfig(
        sampling=Sampling(
            temperature=number(given, f"{CONFIG}.temperature", 0, 2),
            top_p=number(given, f"{CONFIG}.topP", 0, 1),
            top_k=integer(given, f"{CONFIG}.topK", 0, 1_000_000),
            frequency_penalty=number(given, f"{CONFIG}.frequencyPenalty", -2, 2),
            presence_penalty=number(given, f"{CONFIG}.presencePenalty", -2, 2),
            max_tokens=integer(given, f"{CONFIG}.maxOutputTokens", 1, 2**31 - 1),
            seed=integer(given, f"{CONFIG}.seed", -(2**63), 2**64 - 1),
            stop=_stops(short.get("stopSequences"), f"{CONFIG}.stopSequences"),
        ),
        output=_output(short),
        reasoning=reasoning,
        n=integer(given, f"{CONFIG}.candidateCount", 1, MAX_ANSWERS) or 1,
        logprobs=_logprobs(given),
        show_thoughts=shown,
        ignored=tuple(f"{CONFIG}.{key}" for key in short if key not in _HONOURED),
    )


def _text_only(short: Mapping[str, Any]) -> None:
    where = f"{CONFIG}.responseModalities"
    for kind in listed(short.get("responseModalities"), where):
        if kind not in ("TEXT", "MODALITY_UNSPECIFIED"):
            raise BadRequest(f"'{where}' asks for {kind!s:.40}: engines here answer with text only.", param=where)
    for name in ("speechConfig", "imageConfig"):
        if name in short:
            raise BadRequest(f"'{CONFIG}.{name}' is not supported: engines here answer with text only.", param=f"{CONFIG}.{name}")


def _stops(value: object, where: str) -> tuple[str, ...]:
    """An empty string stops nothing and counts as none."""
    entries = [value] if isinstance(value, str) else listed(value, where)
    if len(entries) > MAX_STOPS:
        raise BadRequest(f"'{where}' has {len(entries)} strings; at most {MAX_STOPS} are possible.", param=where)
    for index, entry in enumerate(entries):
        if not isinstance(entry, str):
            raise wrong_type(f"{where}[{index}]", "a string", entry)
        if len(entry) > MAX_STOP_CHARS:
            raise BadRequest(f"'{where}[{index}]' has {len(entry)} characters; at most {MAX_STOP_CHARS} are possible.", param=f"{where}[{index}]")
    return tuple(dict.fromkeys(whole_text(entry) for entry in entries if entry))


def _logprobs(given: Mapping[str, Any]) -> int | None:
    wanted = boolean(given, f"{CONFIG}.responseLogprobs", default=False)
    top = integer(given, f"{CONFIG}.logprobs", 0, MAX_TOP_LOGPROBS)
    if top and not wanted:
        raise BadRequest(f"'{CONFIG}.logprobs' needs 'responseLogprobs': true.", param=f"{CONFIG}.logprobs")
    return (top or 0) if wanted else None


# --- thinking -------------------------------------------------------------------------------------------------


def _thinking(given: Mapping[str, Any]) -> tuple[Reasoning, bool]:
    where = f"{CONFIG}.thinkingConfig"
    config = placed(fields(given.get(where, {}), where), where)
    shown = boolean(config, f"{where}.includeThoughts", default=False)
    level, place = config.get(f"{where}.thinkingLevel"), f"{where}.thinkingLevel"
    budget = integer(config, f"{where}.thinkingBudget", -1, 2**31 - 1)
    if level in (None, "THINKING_LEVEL_UNSPECIFIED"):
        effort = "none" if budget == 0 else None
    elif isinstance(level, str) and level.upper() in _LEVELS:
        effort = level.lower()
    else:
        raise BadRequest(f"'{place}' must be one of {', '.join(_LEVELS)}.", param=place)
    # 0 is "do not think", -1 "as you like".
    return Reasoning(effort, budget if budget is not None and budget > 0 else None), shown


# --- the answer's form ------------------------------------------------------------------------------------------


def _output(short: Mapping[str, Any]) -> OutputFormat | None:
    """The form of the answer by its media type and schema. A schema alone means JSON, as the SDK's users expect."""
    named = [name for name in _SCHEMAS if name in short]
    if len(named) > 1:
        raise BadRequest(f"'{CONFIG}.{named[1]}' and '{CONFIG}.{named[0]}' ask for the same; send only one of them.", param=f"{CONFIG}.{named[1]}")
    where = f"{CONFIG}.{named[0]}" if named else ""
    value = short[named[0]] if named else None
    kind = short.get("responseMimeType") or ("application/json" if named else "text/plain")
    make = _FORMS.get(kind) if isinstance(kind, str) else None
    if make is None:
        shown = f"{kind!s:.40}"
        raise BadRequest(
            f"'{CONFIG}.responseMimeType' {shown} is not supported; send text/plain, application/json or text/x.enum.",
            param=f"{CONFIG}.responseMimeType",
        )
    form = make(value, where)
    if form is not None and len(form.text) > MAX_FORM_CHARS:
        raise BadRequest(f"'{form.param}' has more than {MAX_FORM_CHARS} characters.", param=form.param)
    return form


def _plain(value: object, where: str) -> OutputFormat | None:
    if value is not None:
        raise BadRequest(f"'{where}' needs 'responseMimeType': 'application/json' (or text/x.enum).", param=where)
    return None


def _json(value: object, where: str) -> OutputFormat:
    if value is None:
        return OutputFormat(OutputKind.JSON, "", f"{CONFIG}.responseMimeType")
    return OutputFormat(OutputKind.SCHEMA, json_text(_schema(value, where), where), where)


def _enum(value: object, where: str) -> OutputFormat:
    """One of the words, without quotation marks."""
    words = _schema(value, where).get("enum") if value is not None else None
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        place = f"{where}.enum" if where else f"{CONFIG}.responseSchema"
        raise BadRequest(f"'{place}' must be an array of strings, of which a text/x.enum answer is one.", param=place)
    if len(words) > MAX_CHOICES:
        raise BadRequest(f"'{where}.enum' has {len(words)} strings; at most {MAX_CHOICES} are possible.", param=f"{where}.enum")
    return OutputFormat(OutputKind.CHOICE, json_text(list(dict.fromkeys(words)), where), where)


def _schema(value: object, where: str) -> dict[str, Any]:
    """`responseSchema` is in Gemini's dialect; the other two are JSON Schema, of which nothing is changed."""
    if not isinstance(value, dict):
        raise wrong_type(where, "a schema, which is an object", value)
    return repair_schema(value) if where.endswith(".responseSchema") else value


_FORMS: Mapping[str, Callable[[object, str], OutputFormat | None]] = {
    "text/plain": _plain,
    "application/json": _json,
    "text/x.enum": _enum,
}
