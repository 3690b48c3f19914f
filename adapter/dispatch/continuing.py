"""A request to go on with an answer that broke off. Pure."""

from __future__ import annotations

from dataclasses import replace

from adapter.chat import Chat, Completion, Finished, Message, Role, Sampling, Usage, UsageSource


def continuation(request: Chat | Completion, text: str, used_tokens: int) -> Chat | Completion | None:
    """What asks for the rest of an answer to `request` of which `text` has been sent, exactly as it was sent.

    used_tokens: what `text` has taken of `max_tokens`. `None` where nothing is left of that: the answer is complete, by its length.
    """
    sampling = _remaining(request.sampling, used_tokens)
    if sampling is None:
        return None
    if isinstance(request, Completion):
        return replace(request, text=(request.text or "") + text, sampling=sampling)
    messages = request.messages
    if request.continues:
        begun = messages[-1]
        messages = (*messages[:-1], replace(begun, content=begun.content + text))
    else:
        messages = (*messages, Message(Role.ASSISTANT, text))
    return replace(request, messages=messages, sampling=sampling)


def _remaining(sampling: Sampling, used_tokens: int) -> Sampling | None:
    if sampling.max_tokens is None:
        return sampling
    left = sampling.max_tokens - used_tokens
    return replace(sampling, max_tokens=left) if left > 0 else None


def joined_end(end: Finished, used_tokens: int) -> Finished:
    """The end of a continued answer as that of the whole: what was sent before is not prompt but answer.

    Nobody said what the first part had cost, so both counts are only as good as our own count of it.
    """
    usage = end.usage
    return Finished(
        end.reason,
        Usage(
            prompt_tokens=max(1, usage.prompt_tokens - used_tokens),
            completion_tokens=usage.completion_tokens + used_tokens,
            cached_tokens=min(usage.cached_tokens, max(0, usage.prompt_tokens - used_tokens)),
            prompt_source=_at_most_counted(usage.prompt_source),
            completion_source=_at_most_counted(usage.completion_source),
        ),
    )


def _at_most_counted(source: UsageSource) -> UsageSource:
    return UsageSource.COUNTED if source is UsageSource.EXACT else source
