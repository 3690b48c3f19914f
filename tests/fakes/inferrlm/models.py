"""The models stored on the phone, and how a request's `model` finds one (protocol section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.inferrlm.builds import Build

MODEL_DIRECTORY = "file:///data/user/0/com.gorai.ragionare/files/models/"
EXTENSIONS = (".gguf", ".litertlm", ".task")

LLAMA = "Llama-3.2-1B-Instruct-Q4_K_M.gguf"
QWEN = "Qwen3-1.7B-Q4_K_M.gguf"
GEMMA_LITERT = "gemma-3n-E2B-it-int4.litertlm"
PROJECTOR = "mmproj-model-f16.gguf"


@dataclass(frozen=True)
class StoredModel:
    """One entry of the phone's model list."""

    name: str
    size_bytes: int = 807_694_464
    model_type: str = "llm"
    capabilities: tuple[str, ...] = ("text",)

    @property
    def path(self) -> str:
        return MODEL_DIRECTORY + self.name

    @property
    def is_litert(self) -> bool:
        return self.name.lower().endswith((".litertlm", ".task"))


def recorded_models(build: Build) -> tuple[StoredModel, ...]:
    """The list of the phone on which the wire recordings were made."""
    names = [LLAMA, QWEN, GEMMA_LITERT] if build == "C" else [LLAMA, QWEN]
    stored = [StoredModel(name, 807_694_464 + 1_000_003 * index) for index, name in enumerate(names)]
    projector_bytes = 807_694_464 + 1_000_003 * len(names)
    return (*stored, StoredModel(PROJECTOR, projector_bytes, "projection", ()))


def find_model(
    identifier: str, models: Sequence[StoredModel], *, extension_optional: bool
) -> StoredModel | None:
    """Look a request's model name up, in the order of section 6; None if nothing matches."""
    wanted = identifier.strip()
    if not wanted:
        return None
    by_name = {model.name.lower(): model for model in reversed(models)}
    by_path = {model.path.lower(): model for model in reversed(models)}
    before_colon = wanted.split(":")[0].lower()
    for model in models:
        if model.name.lower() in (wanted.lower(), before_colon):
            return model
    found = by_path.get(wanted.lower()) or by_name.get(wanted.rsplit("/", 1)[-1].lower())
    if found is None and extension_optional:
        found = _find_by_extension(wanted.lower(), by_name)
    return found


def _find_by_extension(wanted: str, by_name: dict[str, StoredModel]) -> StoredModel | None:
    for extension in EXTENSIONS:
        other = wanted.removesuffix(extension) if wanted.endswith(extension) else wanted + extension
        if other in by_name:
            return by_name[other]
    return None
