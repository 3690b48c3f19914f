"""InferrLM's builds and stored models: what the probes say, and what follows from it. Pure.

Sections and facts are those of `protocols/inferrlm.md`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LITERT_EXTENSIONS = (".litertlm", ".task")
EXTENSIONS = (".gguf", *LITERT_EXTENSIONS)

# LiteRT's `max_tokens` is not a limit of the answer: the app's library (react-native-litert-lm) gives it to the
# runtime as the size of the context, prompt and answer together, and reloads the model when it changes
# (13.2). So we choose one size and keep to it; 4096 is what that library chooses itself when nothing is said.
LITERT_WINDOW_TOKENS = 4_096


class Build(StrEnum):
    """The app's generations (section 1). What lies between two of them behaves like `B`."""

    A = "A"
    B = "B"
    C = "C"


@dataclass(frozen=True, slots=True)
class Traits:
    """How a build differs for us.

    window_tokens: prompt and answer of a GGUF model (6). multiline: a line break does not end the
    answer (13.1). reloads: every request loads the model anew (6). closing_stops: closing a running
    stream stops the model (12). mirostat: on by default, which switches top_k, top_p and min_p off (7.3).
    """

    window_tokens: int
    multiline: bool
    reloads: bool
    closing_stops: bool
    mirostat: bool


TRAITS: Mapping[Build, Traits] = {
    Build.A: Traits(6_144, multiline=True, reloads=True, closing_stops=False, mirostat=True),
    Build.B: Traits(4_096, multiline=False, reloads=False, closing_stops=False, mirostat=False),
    Build.C: Traits(4_096, multiline=False, reloads=False, closing_stops=True, mirostat=False),
}


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A usable entry of `/api/tags`. `name` is verbatim: the only spelling that every build finds (6)."""

    name: str

    @property
    def litert(self) -> bool:
        return self.name.lower().endswith(LITERT_EXTENSIONS)


@dataclass(frozen=True, slots=True)
class Probe:
    """What the probes of section 3 found.

    version: the answer of `/api/version`, "" if it could not be read. openai: `/v1/models` exists. short_name_found:
    `/api/show` found a GGUF by its name without extension; `None` if no GGUF is stored to ask for.
    """

    version: str
    openai: bool
    short_name_found: bool | None
    models: tuple[StoredModel, ...]


def detect_build(probe: Probe) -> Build:
    """Which build answered (section 3); in doubt the one that promises less."""
    if not probe.openai:
        # 0.8.0 to 0.8.2 lack `/v1` too, but load and stop like B.
        return Build.B if _is_0_8_or_later(probe.version) else Build.A
    if probe.short_name_found or any(model.litert for model in probe.models):
        return Build.C
    return Build.B


def _is_0_8_or_later(version: str) -> bool:
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (0, 8)


def short_name_to_probe(models: Sequence[StoredModel]) -> str | None:
    """A stored GGUF's name without its extension, where that is not a stored name itself."""
    names = {model.name.lower() for model in models}
    for model in models:
        stem = model.name[: -len(".gguf")]
        if model.name.lower().endswith(".gguf") and stem and stem.lower() not in names:
            return stem
    return None


def parse_version(answer: object) -> str:
    """The version in the answer of `/api/version`, "" if there is none."""
    version = answer.get("version") if isinstance(answer, dict) else None
    return version if isinstance(version, str) else ""


def parse_tags(answer: object) -> tuple[StoredModel, ...]:
    """The models that can answer. Projection files are image adapters, not models (5)."""
    usable = (entry.get("name") for entry in _entries(answer) if entry.get("model_type") != "projection")
    return tuple(StoredModel(name) for name in usable if isinstance(name, str) and name)


def parse_ps(answer: object) -> str | None:
    """The name of the loaded model in the answer of `/api/ps`; `None`: none, or one is being loaded (5)."""
    names = [entry.get("name") for entry in _entries(answer)]
    return next((name for name in names if isinstance(name, str) and name), None)


def _entries(answer: object) -> list[dict[str, object]]:
    entries = answer.get("models") if isinstance(answer, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def resolve_model(wanted: str, models: Sequence[StoredModel], loaded: str | None) -> StoredModel | None:
    """The stored model that `wanted` means, more lenient than any build (6), since we send the stored name.

    An empty name means the loaded model, or else the first stored one. Names of cloud providers are
    found only if a stored model has them: nothing of ours ever leaves the phone that way.
    """
    if not wanted.strip():
        return next((model for model in models if model.name == loaded), models[0] if models else None)
    for spelling in _spellings(wanted.strip()):
        for model in models:
            if model.name.lower() == spelling:
                return model
    return None


def _spellings(wanted: str) -> list[str]:
    whole = wanted.lower()
    stems = [whole, whole.split(":")[0], whole.rsplit("/", 1)[-1], whole.rsplit("/", 1)[-1].split(":")[0]]
    return stems + [stem + extension for stem in stems for extension in EXTENSIONS]


def nearest_names(wanted: str, models: Sequence[StoredModel]) -> list[str]:
    """At most three stored names that look like `wanted`, best first."""
    lower = {model.name.lower(): model.name for model in models}
    return [lower[name] for name in difflib.get_close_matches(wanted.lower(), list(lower), 3, cutoff=0.4)]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What `/api/show` tells about one model.

    trained_tokens: the context it was trained for, `None` if not told. opens_reasoning: its template
    opens a reasoning block itself, so that the answer brings only the closing tag (13.1).
    """

    trained_tokens: int | None = None
    opens_reasoning: bool = False


def parse_show(answer: object) -> ModelFacts:
    """Facts from the answer of `/api/show`; a model without readable metadata has the defaults."""
    info = answer.get("info") if isinstance(answer, dict) else None
    if not isinstance(info, dict):
        return ModelFacts()
    trained = info.get(f"{info.get('general.architecture')}.context_length")
    template = info.get("tokenizer.chat_template")
    return ModelFacts(
        trained_tokens=_positive_int(trained),
        opens_reasoning=isinstance(template, str) and _opens_reasoning(template),
    )


def _positive_int(value: object) -> int | None:
    # Metadata values come as strings (`show`).
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31 else None


def _opens_reasoning(template: str) -> bool:
    """Does the part of the template that opens the answer end inside a `<think>` block?

    A template that can also close the block there (`enable_thinking` off) leaves it to the model.
    """
    _, found, opening = template.rpartition("add_generation_prompt")
    return bool(found) and "<think>" in opening and "</think>" not in opening


class Leaving(StrEnum):
    """What to do with an answer that nobody waits for any more (12)."""

    CLOSE = "close"
    DRAIN = "drain"
    UNLOAD = "unload"


def decide_leaving(
    traits: Traits, *, litert: bool, headers_came: bool, text_came: bool, unload: bool
) -> Leaving:
    """How to leave a running answer without harm to the app or to whoever asks next.

    Before the headers a load may be under way, and the app does not notice that we left (6): the only
    harmless thing is to read on until it is done. On LiteRT a reload comes *after* the headers, and leaving
    during one breaks all later streams (13.2), so there only text proves that the model is running.
    unload: the owner prefers losing the loaded model to waiting, on builds that cannot cancel.
    """
    if not headers_came or (litert and not text_came):
        return Leaving.DRAIN
    if traits.closing_stops:
        return Leaving.CLOSE
    return Leaving.UNLOAD if unload else Leaving.DRAIN
