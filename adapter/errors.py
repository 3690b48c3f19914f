"""Everything that can go wrong, as types. One function renders them (`dialects/openai_render.py`).

    AdapterError
    +-- BadRequest              400  body malformed, or a parameter that cannot be honoured
    |   +-- ContextTooLong      400  prompt + max_tokens do not fit (wording that gateways parse)
    |   +-- NotCapable          400  no engine behind that model name can do what the request needs
    |   +-- LoopDetected        400  the request has passed through this Farmhand before: two route to each other
    |   +-- PreviousResponseNotFound  400  `previous_response_id`, or what it goes on from in turn, is not kept (a 404 would start LiteLLM's cooldown)
    |   +-- EndpointNotBuilt    400  a path of OpenAI's that this version lacks (a 404 would start LiteLLM's cooldown)
    +-- BadKey                  401  missing or wrong bearer key
    +-- ForbiddenHost           403  the Host header names a machine we are not (DNS rebinding)
    +-- MissingScope            403  the key is known, but not for this
    +-- NotFound                404  no such path
    |   +-- ModelNotFound       404  nobody serves that name
    |   +-- ResponseNotFound    404  no such answer is kept
    +-- MethodNotAllowed        405  the path exists, the method does not
    +-- BodyTooLarge            413  more bytes than `server.max_body_bytes`
    +-- HeadersTooLarge         431  more header bytes than aiohttp's limits
    +-- QueueFull               429  every seat and every place in the queue is taken
    |   +-- DeadlineMissed      429  the client's patience would end, or did, before its answer
    +-- RateLimited             429  the key has used up its rate
    +-- EngineUnavailable       503  loading, restarting, stopped; comes back by itself or by a person
    |   +-- UpstreamUnreachable 503  the app is closed: the message says how to start it
    +-- TokensUnavailable       503  the file that tokens are checked by cannot be used
    +-- UpstreamProtocol        502  an answer that we cannot read, or an empty one
    +-- UpstreamRefused         502  it refuses us (our key there, our access): the configuration is at fault, not the client
    +-- UpstreamTimeout         504  no first token, or a stall between tokens
    +-- EngineFailed            500  the engine broke this answer
    |   +-- AppCrashed          500  the app's process died with the request; it comes back as another one
    |   +-- OutputInvalid       500  the model's whole answer does not fit the schema that was asked for
    +-- InternalError           500  a fault of ours; the traceback is in the log

401, 402, 404 and 408 are kept for what they mean: behind LiteLLM a single one of them shuts a model
off for everybody (`protocols/clients.md` 9.3), so no passing condition may use them. A token that was revoked or has expired is a 401: it does
not come back. A key that lacks a scope is a 403, which shuts nothing off, since it goes on being right for other paths.
"""

from __future__ import annotations

from typing import ClassVar


class AdapterError(Exception):
    """Base of all errors that a client may see.

    message: a sentence that names the cause and the remedy. param: the request field at fault, if one is.
    retry_after_s: whole seconds after which another try makes sense; set with every 429 and 503.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"
    default_retry_after_s: ClassVar[int | None] = None
    # Is what came of the answer until now of no use, so that nobody may go on with it?
    spoils: bool = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = self.default_retry_after_s if retry_after_s is None else max(1, retry_after_s)


class BadRequest(AdapterError):
    """The client must change its request. `param` names the field."""

    status = 400
    type = "invalid_request_error"
    code = "bad_request"


class ContextTooLong(BadRequest):
    """Prompt and answer do not fit into the context."""

    code = "context_length_exceeded"
    # As in `of`; `None` where an upstream did not say.
    context_tokens: int | None = None
    prompt_tokens: int | None = None

    @classmethod
    def of(cls, *, context_tokens: int, prompt_tokens: int, max_tokens: int | None = None) -> ContextTooLong:
        """The error in OpenAI's wording: OpenClaw and LiteLLM read both numbers from it.

        `max_tokens` is the asked-for answer length where that is what makes it too long.
        """
        head = f"This model's maximum context length is {context_tokens} tokens. However, "
        if max_tokens is None:
            body = f"your messages resulted in {prompt_tokens} tokens."
        else:
            body = (
                f"you requested {prompt_tokens + max_tokens} tokens "
                f"({prompt_tokens} in the messages, {max_tokens} in the completion)."
            )
        tail = " Please reduce the length of the messages or completion."
        error = cls(head + body + tail, param="messages")
        error.context_tokens, error.prompt_tokens = context_tokens, prompt_tokens
        return error


class NotCapable(BadRequest):
    """The request is fine, but not for this model: `param` names the field that asks for too much."""

    code = "not_capable"


class LoopDetected(BadRequest):
    code = "loop_detected"


class PreviousResponseNotFound(BadRequest):
    code = "previous_response_not_found"


class EndpointNotBuilt(BadRequest):
    code = "endpoint_not_built"


class BadKey(AdapterError):
    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class ForbiddenHost(AdapterError):
    status = 403
    type = "permission_error"
    code = "forbidden_host"


class MissingScope(AdapterError):
    """The message names the scope and how to make a key that has it."""

    status = 403
    type = "permission_error"
    code = "insufficient_scope"


class NotFound(AdapterError):
    status = 404
    type = "invalid_request_error"
    code = "not_found"


class ModelNotFound(NotFound):
    code = "model_not_found"


class ResponseNotFound(NotFound):
    code = "response_not_found"


class MethodNotAllowed(AdapterError):
    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class BodyTooLarge(AdapterError):
    status = 413
    type = "invalid_request_error"
    code = "body_too_large"


class HeadersTooLarge(AdapterError):
    status = 431
    type = "invalid_request_error"
    code = "headers_too_large"


class QueueFull(AdapterError):
    status = 429
    type = "rate_limit_error"
    code = "queue_full"
    default_retry_after_s = 5


class DeadlineMissed(QueueFull):
    """The client cannot have its answer in the time that it has; `Retry-After` says when that may be different."""

    code = "deadline_missed"


class RateLimited(AdapterError):
    """Its key has made as many requests as its rate allows; `Retry-After` says when the next one may pass."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    default_retry_after_s = 1


class TokensUnavailable(AdapterError):
    status = 503
    code = "tokens_unavailable"
    default_retry_after_s = 30


class EngineUnavailable(AdapterError):
    status = 503
    code = "engine_unavailable"
    default_retry_after_s = 5


class UpstreamUnreachable(EngineUnavailable):
    code = "upstream_unreachable"


class UpstreamProtocol(AdapterError):
    status = 502
    code = "upstream_protocol"
    # A stream that began well and ended without a byte: so some servers tell of a failure.
    silent = False


class UpstreamRefused(AdapterError):
    status = 502
    code = "upstream_refused"


class UpstreamTimeout(AdapterError):
    status = 504
    code = "upstream_timeout"


class EngineFailed(AdapterError):
    status = 500
    code = "engine_failed"


class AppCrashed(EngineFailed):
    code = "app_crashed"


class OutputInvalid(EngineFailed):
    """What the grammar could not hold the answer to was checked afterwards, and it does not hold."""

    code = "output_invalid"
    spoils = True


class InternalError(AdapterError):
    pass
