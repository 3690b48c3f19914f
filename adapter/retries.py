"""How often a failed request is tried again, by LiteLLM's classes of errors. Pure."""

from __future__ import annotations

from typing import Literal

from adapter.errors import (
    AdapterError,
    BadKey,
    DeadlineMissed,
    EngineUnavailable,
    ForbiddenHost,
    InternalError,
    LoopDetected,
    MissingScope,
    OutputInvalid,
    QueueFull,
    RateLimited,
    TokensUnavailable,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.settings import RetryPolicy

ErrorClass = Literal["BadRequest", "Authentication", "Timeout", "RateLimit", "InternalServer"]

# The first class that fits; what is left goes by its status: 4xx is the request's fault, 5xx ours or the engine's.
_CLASSES: tuple[tuple[type[AdapterError], ErrorClass], ...] = (
    (BadKey, "Authentication"),
    (ForbiddenHost, "Authentication"),
    (MissingScope, "Authentication"),
    (UpstreamRefused, "Authentication"),
    (UpstreamTimeout, "Timeout"),
    (QueueFull, "RateLimit"),
    (RateLimited, "RateLimit"),
)

# Where the same again in half a second is known to fail again, or costs more than it is worth; whatever the policy says.
_NEVER: tuple[type[AdapterError], ...] = (
    DeadlineMissed,  # the client's patience has not grown
    LoopDetected,
    InternalError,  # our own fault will be there again
    OutputInvalid,  # a whole answer, asked for twice already where that can help
    TokensUnavailable,  # a person has to mend a file
)


def error_class(error: AdapterError) -> ErrorClass:
    """LiteLLM's word for it."""
    for kind, name in _CLASSES:
        if isinstance(error, kind):
            return name
    return "BadRequest" if error.status < 500 else "InternalServer"


def retries_for(policy: RetryPolicy, error: AdapterError) -> int:
    """How many times more the targets may be tried after `error`, when all have failed. 0 to 10.

    An engine that is loading, paused or stopping is not asked again: its error names the time after which that makes sense, and waiting
    for it is the client's to decide. An app that cannot be reached is: it may be starting anew after a crash.
    """
    if isinstance(error, _NEVER):
        return 0
    if isinstance(error, EngineUnavailable) and not isinstance(error, UpstreamUnreachable):
        return 0
    match error_class(error):
        case "BadRequest":
            return policy.BadRequestErrorRetries
        case "Authentication":
            return policy.AuthenticationErrorRetries
        case "Timeout":
            return policy.TimeoutErrorRetries
        case "RateLimit":
            return policy.RateLimitErrorRetries
        case "InternalServer":
            return policy.InternalServerErrorRetries
