"""Which build of LocalLLM is at the other end, and what it says of itself. Pure.

Nothing on the wire tells builds apart by number (`protocols/localllm.md` 2), only by what they have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from adapter.dialects.localllm_models import AICORE_ID

# Where the app listens, by its two defaults (3); the first is what a phone was seen with.
PORTS = (8099, 8080)
SERVICE = "localllm"
SHOWN_CHARS = 60


class Build(StrEnum):
    """The stages of section 2 that differ for us, oldest first."""

    MONOLITH = "monolith"  # every engine failure is 500 `server_error`
    SPLIT = "split"  # has `/v1/aicore/status`
    RICH = "rich"  # string error codes, 503/425/403
    WARM = "warm"  # has `POST /health/warm` and `/metrics`


@dataclass(frozen=True, slots=True)
class AicoreState:
    """Gemini Nano by the app's word. label: `available`, `downloadable`, `downloading`, `unavailable`, `unknown(..)`."""

    label: str
    error: str = ""

    @property
    def available(self) -> bool:
        return self.label == "available"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """`GET /health` (11.1). engines: keys of the engines in memory. aicore: `None` on builds without it."""

    engines: tuple[str, ...] = ()
    queue_depth: int = 0
    aicore: AicoreState | None = None

    def has_loaded(self, model: str) -> bool:
        """Keys are `<model>_<max_tokens or "model">_<BACKEND>` (7.4)."""
        return any(key.startswith(f"{model}_") for key in self.engines)


def parse_health(value: object) -> HealthReport | None:
    """`None` if it is not LocalLLM that has answered: another program may have the port, perhaps a Farmhand."""
    if not isinstance(value, dict):
        return None
    service = value.get("service")
    if not isinstance(service, str) or SERVICE not in service.lower():
        return None
    engines = value.get("engines")
    keys = [e.get("key") for e in engines if isinstance(e, dict)] if isinstance(engines, list) else []
    depth = value.get("queue_depth")
    return HealthReport(
        engines=tuple(key for key in keys if isinstance(key, str)),
        queue_depth=depth if isinstance(depth, int) else 0,
        aicore=parse_aicore(value.get("aicore")),
    )


def parse_aicore(value: object) -> AicoreState | None:
    """A block of `/health`, or the answer of `/v1/aicore/status` (12). The number is never looked at: builds disagree."""
    if not isinstance(value, Mapping):
        return None
    status, error = value.get("status"), value.get("error")
    if not isinstance(status, str):
        status = "available" if value.get("available") is True else "unknown"
    return AicoreState(status[:SHOWN_CHARS], error[:SHOWN_CHARS] if isinstance(error, str) else "")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Statuses of the cheap probes, `None` for one that was not made. health_has_aicore: the block in `/health`."""

    metrics: int | None
    health_has_aicore: bool
    aicore_status: int | None


def detect_build(seen: Evidence) -> Build:
    if seen.metrics == 200:
        return Build.WARM
    if seen.health_has_aicore:
        return Build.RICH
    # 401 counts: the route is there, the key is not (2).
    return Build.SPLIT if seen.aicore_status in (200, 401) else Build.MONOLITH


def says_truth_about_aicore(build: Build) -> bool:
    """Early `split` builds have the labels upside down, and nothing tells them from the later ones."""
    return build in (Build.RICH, Build.WARM)


def warm_up_model(chat_ids: tuple[str, ...]) -> str | None:
    """The model to load when the app is found: the first of its own, Gemini Nano only if there is no other."""
    own = [name for name in chat_ids if name != AICORE_ID]
    if own:
        return own[0]
    return AICORE_ID if AICORE_ID in chat_ids else None


def warm_up_trouble(status: int, value: object) -> str:
    """Why a warm-up failed (11.2), `""` if it did not."""
    said = value if isinstance(value, dict) else {}
    if status == 200:
        return ""
    word = str(said.get("status", f"HTTP {status}"))[:SHOWN_CHARS]
    detail = said.get("aicore_status") or said.get("error")
    return f"{word} ({str(detail)[:SHOWN_CHARS]})" if detail else word
