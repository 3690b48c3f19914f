"""A request that was too long for everybody, made shorter for the one with the most room. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adapter.chat import Chat
from adapter.dispatch.items import Remark
from adapter.errors import AdapterError, ContextTooLong
from adapter.routing import Target

# What an answer gets at least, where its length was not asked for.
MIN_ANSWER_TOKENS = 256


def shortened(chat: Chat, targets: Sequence[Target], error: AdapterError) -> tuple[Target, Chat, Remark]:
    """Who gets it, what, and what the client is told. error: what the first target said of the length.

    Raises `error` where nothing is known of anybody's context, and `ContextTooLong` where no rule helps enough.
    """
    from adapter.diet import diet, scaled_count  # off unless configured; this runs in a thread

    known = [target for target in targets if target.card]
    if not known:
        raise error
    target = max(known, key=_context)
    answer = chat.sampling.max_tokens or min(MIN_ANSWER_TOKENS, _context(target) // 4)
    reported = error.prompt_tokens if isinstance(error, ContextTooLong) else None
    slim, report = diet(chat, room_tokens=_context(target) - answer, count=scaled_count(reported, chat))
    return target, slim, Remark("diet", report.to_json())


def _context(target: Target) -> int:
    return target.card.context_tokens if target.card else 0
