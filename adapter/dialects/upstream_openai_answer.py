"""A whole answer of a server of OpenAI's kind -> our events, by the rules of `engines/base.py`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapter.chat import ChoiceFinished, Event, Finished, FinishReason, Usage, UsageSource
from adapter.dialects.upstream_openai_choice import Choice
from adapter.dialects.upstream_openai_errors import (
    Peer,
    empty,
    in_stream,
    said,
    silent,
    unfinished,
    unreadable,
)
from adapter.tokens import estimate_tokens


class Answer:
    """Fed with the JSON of chunks, or with that of one plain answer. `made_up` begins the ids of calls that come without one.

    prompt_tokens: estimates them, where the server does not say.
    """

    def __init__(
        self,
        peer: Peer,
        *,
        model: str,
        prompt_tokens: Callable[[], int],
        n: int = 1,
        stops: tuple[str, ...] = (),
        max_tokens: int | None = None,
        logprobs: int | None = None,
        made_up: str = "",
        splits: bool = True,
    ) -> None:
        self._peer = peer
        self._model = model
        self._prompt_tokens = prompt_tokens
        self._stops = bool(stops)
        self._most = None if max_tokens is None else n * max_tokens
        self._choices = [
            Choice(i, stops=stops, max_tokens=max_tokens, logprobs=logprobs, made_up=made_up, splits=splits)
            for i in range(n)
        ]
        self._usage: Mapping[str, Any] = {}
        self._sources: Mapping[str, Any] = {}
        self._cut_here = False
        self._fed_something = False

    @property
    def complete(self) -> bool:
        """Every choice has its reason. What still comes can only be the usage."""
        return all(choice.reason is not None for choice in self._choices)

    @property
    def cut_here(self) -> bool:
        """Was the end made by us? Then the server is still writing, and there is nothing to wait for."""
        return self.complete and self._cut_here

    def feed(self, value: object) -> Iterator[Event]:
        """Raises the error that the value holds, and the others of `engines/base.py`."""
        self._fed_something = True
        reason = said(value)
        if reason is not None:
            raise in_stream(reason, self._peer, model=self._model)
        if not isinstance(value, dict):
            raise unreadable(self._peer, "sent JSON that is no object")
        self._count(value)
        entries = value.get("choices")
        if entries is not None and not isinstance(entries, list):
            raise unreadable(self._peer, "sent 'choices' that are no array")
        for position, entry in enumerate(entries or ()):
            if isinstance(entry, dict):
                yield from self._fed(self._choice(entry, position, len(entries or ())), entry)

    def finish(self) -> Finished:
        """The stream has ended. Raises `UpstreamProtocol` if that was too early, or if there was nothing in it."""
        if not self.complete:
            raise unfinished(self._peer) if self._fed_something else silent(self._peer)
        first = self._choices[0]
        if not any(choice.said_something or self._is_explained(choice) for choice in self._choices):
            raise empty(self._peer)
        return Finished(first.reason or FinishReason.STOP, self._usage_of())

    def _is_explained(self, choice: Choice) -> bool:
        return self._stops or choice.reason is FinishReason.LENGTH

    def _choice(self, entry: Mapping[str, Any], position: int, count: int) -> Choice:
        index = entry.get("index")
        if len(self._choices) == 1:
            if count > 1 or position:
                raise unreadable(self._peer, "sent several answers where one was asked for")
            return self._choices[0]
        index = index if isinstance(index, int) else position
        if not 0 <= index < len(self._choices):
            raise unreadable(self._peer, f"sent a choice {index}, which nobody asked for")
        return self._choices[index]

    def _fed(self, choice: Choice, entry: Mapping[str, Any]) -> Iterator[Event]:
        before = choice.reason
        yield from choice.feed(entry)
        if before is None and choice.reason is not None:
            self._cut_here |= not entry.get("finish_reason")
            if len(self._choices) > 1:
                yield ChoiceFinished(choice.index, choice.reason)

    # --- usage ----------------------------------------------------------------------------------------------

    def _count(self, value: Mapping[str, Any]) -> None:
        usage, timings, told = value.get("usage"), value.get("timings"), value.get("farmhand")
        if isinstance(usage, dict):
            self._usage = usage
        elif isinstance(timings, dict) and not self._usage:  # llama-server, which counts what was cached apart
            cached = _count(timings.get("cache_n"))
            self._usage = {
                "prompt_tokens": _count(timings.get("prompt_n")) + cached,
                "completion_tokens": _count(timings.get("predicted_n")),
                "prompt_tokens_details": {"cached_tokens": cached},
            }
        if isinstance(told, dict) and isinstance(told.get("usage"), dict):
            self._sources = told["usage"]

    def _usage_of(self) -> Usage:
        """Zeros are "unknown"."""
        return usage_of(self._usage, self._sources, self._prompt_tokens, self._completion_tokens)

    def _completion_tokens(self) -> int:
        """An estimate is never more than was allowed."""
        guess = sum(estimate_tokens("".join(choice.text)) for choice in self._choices)
        return guess if self._most is None else min(guess, self._most)


def usage_of(
    usage: Mapping[str, Any], sources: Mapping[str, Any], prompt_tokens: Callable[[], int], completion_tokens: Callable[[], int]
) -> Usage:
    """What a server said of its tokens, and estimates for what it did not. sources: how another Farmhand came by the numbers."""
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0
    return Usage(
        prompt or max(1, prompt_tokens()),
        completion or max(1, completion_tokens()),
        min(cached, prompt),
        _source(sources, "prompt_tokens") if prompt else UsageSource.ESTIMATED,
        _source(sources, "completion_tokens") if completion else UsageSource.ESTIMATED,
    )


def _source(sources: Mapping[str, Any], name: str) -> UsageSource:
    word = sources.get(name)
    return UsageSource(word) if isinstance(word, str) and word in set(UsageSource) else UsageSource.EXACT


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
