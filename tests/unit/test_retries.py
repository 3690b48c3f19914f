"""LiteLLM's classes of errors, and how often each is tried again."""

from __future__ import annotations

import pytest

from adapter import errors
from adapter.errors import AdapterError
from adapter.retries import error_class, retries_for
from adapter.settings import RetryPolicy

# A number of its own for each class, so that a mix-up shows.
POLICY = RetryPolicy(
    BadRequestErrorRetries=1,
    AuthenticationErrorRetries=2,
    TimeoutErrorRetries=3,
    RateLimitErrorRetries=4,
    InternalServerErrorRetries=5,
)
TABLE = [
    ("BadRequest", "BadRequest", 1),
    ("ContextTooLong", "BadRequest", 1),
    ("NotCapable", "BadRequest", 1),
    ("LoopDetected", "BadRequest", 0),
    ("EndpointNotBuilt", "BadRequest", 1),
    ("BadKey", "Authentication", 2),
    ("ForbiddenHost", "Authentication", 2),
    ("MissingScope", "Authentication", 2),
    ("RateLimited", "RateLimit", 4),
    ("TokensUnavailable", "InternalServer", 0),
    ("NotFound", "BadRequest", 1),
    ("ModelNotFound", "BadRequest", 1),
    ("PreviousResponseNotFound", "BadRequest", 1),
    ("ResponseNotFound", "BadRequest", 1),
    ("MethodNotAllowed", "BadRequest", 1),
    ("BodyTooLarge", "BadRequest", 1),
    ("HeadersTooLarge", "BadRequest", 1),
    ("QueueFull", "RateLimit", 4),
    ("DeadlineMissed", "RateLimit", 0),
    ("EngineUnavailable", "InternalServer", 0),
    ("UpstreamUnreachable", "InternalServer", 5),
    ("UpstreamProtocol", "InternalServer", 5),
    ("UpstreamRefused", "Authentication", 2),
    ("UpstreamTimeout", "Timeout", 3),
    ("EngineFailed", "InternalServer", 5),
    ("AppCrashed", "InternalServer", 5),
    ("OutputInvalid", "InternalServer", 0),
    ("InternalError", "InternalServer", 0),
]


@pytest.mark.parametrize(("kind", "name", "retries"), TABLE)
def test_classes(kind: str, name: str, retries: int) -> None:
    error = getattr(errors, kind)("x")
    assert (error_class(error), retries_for(POLICY, error)) == (name, retries)


def test_every_error_is_in_the_table() -> None:
    classes = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, AdapterError) and kind is not AdapterError
    }
    assert classes == {row[0] for row in TABLE}


@pytest.mark.parametrize("kind", [row[0] for row in TABLE])
def test_by_default_only_a_broken_engine_is_asked_once_more(kind: str) -> None:
    """Whoever stands behind us (SDKs, LiteLLM) retries as well; ours multiply with theirs."""
    again = kind in ("EngineFailed", "AppCrashed", "UpstreamProtocol", "UpstreamUnreachable")
    assert retries_for(RetryPolicy(), getattr(errors, kind)("x")) == again
