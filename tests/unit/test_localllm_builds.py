"""What LocalLLM is and has, told from what it answers (`protocols/localllm.md` 2, 6, 10 to 12)."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.dialects.localllm_builds import (
    AicoreState,
    Build,
    Evidence,
    HealthReport,
    detect_build,
    parse_aicore,
    parse_health,
    says_truth_about_aicore,
    warm_up_model,
    warm_up_trouble,
)
from adapter.dialects.localllm_models import (
    AICORE_ID,
    Kind,
    card_of,
    context_tokens,
    model_of,
    parse_models,
)
from adapter.engines.base import Can
from adapter.errors import UpstreamProtocol


@pytest.mark.parametrize(
    ("metrics", "aicore_in_health", "status", "build"),
    [
        (200, True, None, Build.WARM),
        (404, True, None, Build.RICH),
        (404, False, 200, Build.SPLIT),
        (404, False, 401, Build.SPLIT),
        (404, False, 404, Build.MONOLITH),
        (None, False, None, Build.MONOLITH),
    ],
)
def test_builds(metrics: int | None, aicore_in_health: bool, status: int | None, build: Build) -> None:
    assert detect_build(Evidence(metrics, aicore_in_health, status)) is build
    assert says_truth_about_aicore(build) == (build in (Build.RICH, Build.WARM))


HEALTH = {
    "status": "ok", "service": "localllm-android", "version": "1.0", "queue_depth": 2, "engines_loaded": 1,
    "engines": [{"key": "gemma-4-e2b_model_LITERT_CPU", "backend": "LITERT_CPU"}, {"no": "key"}, 7],
    "aicore": {"status_code": 0, "status": "available", "model_id": AICORE_ID},
}  # fmt: skip


def test_health() -> None:
    report = parse_health(HEALTH)
    assert report == HealthReport(("gemma-4-e2b_model_LITERT_CPU",), 2, AicoreState("available"))
    assert report.has_loaded("gemma-4-e2b") and not report.has_loaded("gemma-4-e4b") and not report.has_loaded("gemma")


@pytest.mark.parametrize("value", [None, [], {}, {"status": "ok"}, {"service": "farmhand"}, {"service": 7}, "localllm"])
def test_others_are_not_mistaken_for_it(value: object) -> None:
    assert parse_health(value) is None


@pytest.mark.parametrize(
    ("value", "label", "available"),
    [
        ({"status_code": 0, "status": "available"}, "available", True),  # the number is upside down in some builds
        ({"status_code": 3, "status": "unavailable", "error": "no service"}, "unavailable", False),
        ({"available": True}, "available", True),
        ({"status_code": 3}, "unknown", False),
    ],
)
def test_aicore(value: dict[str, Any], label: str, available: bool) -> None:
    state = parse_aicore(value)
    assert state is not None
    assert (state.label, state.available) == (label, available)
    assert parse_aicore(None) is None


@pytest.mark.parametrize(
    ("ids", "chosen"),
    [((), None), ((AICORE_ID,), AICORE_ID), ((AICORE_ID, "b"), "b"), (("a", "b", AICORE_ID), "a")],
)
def test_what_is_warmed_up(ids: tuple[str, ...], chosen: str | None) -> None:
    assert warm_up_model(ids) == chosen


@pytest.mark.parametrize(
    ("status", "value", "said"),
    [
        (200, {"status": "warm"}, ""),
        (503, {"status": "aicore_not_ready", "aicore_status": "downloading"}, "aicore_not_ready (downloading)"),
        (504, {"status": "timeout"}, "timeout"),
        (503, {"status": "error", "error": "in the way"}, "error (in the way)"),
        (404, None, "HTTP 404"),
    ],
)
def test_warm_up(status: int, value: object, said: str) -> None:
    assert warm_up_trouble(status, value) == said


@pytest.mark.parametrize(
    ("name", "kind", "sees", "width"),
    [
        ("gemma-4-e2b", Kind.LITERT, True, 0),
        ("gemma3-1b-it-npu-sm8650", Kind.LITERT, False, 0),
        ("my-e5000-chat", Kind.LITERT, False, 0),
        (AICORE_ID, Kind.AICORE, False, 0),
        ("bge-small-en-v1.5", Kind.EMBEDDING, False, 384),
        ("multilingual-e5-small", Kind.EMBEDDING, False, 384),
        ("e5-large", Kind.EMBEDDING, False, 0),
        ("gte-base", Kind.EMBEDDING, False, 0),
        ("all-MiniLM-L6-v2", Kind.EMBEDDING, False, 384),
        ("EmbeddingGemma-300m", Kind.EMBEDDING, False, 0),
    ],
)
def test_models_by_name(name: str, kind: Kind, sees: bool, width: int) -> None:
    model = model_of(name)
    assert (model.kind, model.sees) == (kind, sees)
    card = card_of(model, configured_tokens=4_096)
    assert card.embedding_size == width
    assert card.max_output_tokens < card.context_tokens
    assert (Can.EMBEDDINGS in card.can) == (kind is Kind.EMBEDDING)
    assert Can.CONTINUE not in card.can, "the app has no prefill"
    assert card.checked == (frozenset({Can.TOOLS}) if kind is Kind.LITERT else frozenset())


def test_what_was_found_out_beats_the_name() -> None:
    assert model_of("vectors", embeds=True).kind is Kind.EMBEDDING
    assert model_of("bge-chat", embeds=False).kind is Kind.LITERT
    assert card_of(model_of("vectors", embeds=True), configured_tokens=4_096, width=5).embedding_size == 5


@pytest.mark.parametrize(
    ("name", "configured", "expected"),
    [
        ("gemma-4-e2b", 8_192, 8_192),
        ("gemma3-1b-it-npu-mt6989", 8_192, 1_280),
        ("gemma3-1b-it-npu-mt6989", 512, 512),
        (AICORE_ID, 32_768, 4_096),
    ],
)
def test_contexts(name: str, configured: int, expected: int) -> None:
    assert context_tokens(model_of(name), configured) == expected


def test_the_list() -> None:
    value = {"data": [{"id": "a"}, {"id": "b"}, {"id": "a"}, {"id": ""}, {"id": 7}, "x"]}
    assert parse_models(value) == ("a", "b")
    nonsense: tuple[object, ...] = (None, [], {}, {"data": {}})
    for broken in nonsense:
        with pytest.raises(UpstreamProtocol):
            parse_models(broken)
