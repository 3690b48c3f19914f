"""What is told of the app: cards for the router, a sentence for people (`protocols/localllm.md` 6, 10 to 12)."""

from __future__ import annotations

from adapter.dialects.localllm_builds import HealthReport, says_truth_about_aicore
from adapter.dialects.localllm_models import AICORE_ID, Model, card_of, model_of
from adapter.engines.base import Health, ModelCard
from adapter.engines.localllm_probe import Phone


class Models:
    """The app's models by their names, and by what was found out since: its list does not tell embedding models apart."""

    def __init__(self, configured_tokens: int) -> None:
        """configured_tokens: `LocalllmSettings.context_tokens`."""
        self._configured_tokens = configured_tokens
        self._widths: dict[str, int] = {}

    def __getitem__(self, name: str) -> Model:
        return model_of(name, embeds=True if name in self._widths else None)

    def embeds(self, name: str, width: int = 0) -> None:
        """`name` makes vectors, of that many numbers; 0 where they have not been seen."""
        self._widths[name] = width or self._widths.get(name, 0)

    def cards(self, phone: Phone, report: HealthReport) -> list[ModelCard]:
        hidden = {AICORE_ID} if _has_no_aicore(phone) else set()
        return [
            card_of(
                self[name],
                configured_tokens=self._configured_tokens,
                loaded=report.has_loaded(name),
                width=self._widths.get(name, 0),
            )
            for name in phone.models
            if name not in hidden
        ]

    def worth_warming(self, phone: Phone) -> tuple[str, ...]:
        """Those that chat; Gemini Nano where nothing speaks against it."""
        nano = phone.aicore is None or phone.aicore.available
        return tuple(name for name in phone.models if self[name].chats and (nano or name != AICORE_ID))

    def health(self, phone: Phone, report: HealthReport, trouble: str) -> Health:
        """trouble: of the warm-up, `""` for none."""
        said = [f"LocalLLM (build {phone.build}) answers at {phone.url}."]
        nano = report.aicore or phone.aicore
        if nano is not None and not says_truth_about_aicore(phone.build):
            nano = None
        if nano is not None and nano.available:
            said.append("Gemini Nano is available while the app is on the screen.")
        elif nano is not None:
            said.append(f"Gemini Nano is {nano.label}.")
        if trouble:
            said.append(f"Warming up failed: {trouble}.")
        own = any(name != AICORE_ID and self[name].chats for name in phone.models)
        ready = own or nano is None or nano.available
        if not ready:
            said.append("It has no other model that chats; download one in its Models tab.")
        return Health(ready, " ".join(said))


def _has_no_aicore(phone: Phone) -> bool:
    """The list has Gemini Nano also on phones that cannot run it (6). A probe that failed (`error`) proves nothing."""
    nano = phone.aicore
    return nano is not None and nano.label == "unavailable" and not nano.error and says_truth_about_aicore(phone.build)
