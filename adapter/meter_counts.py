"""What is counted of each request, in a handful of dict increments; `meter_metrics.py` shows it. Pure.

No label is a client's word: paths are those that there are, engines and models what is configured or listed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from copy import deepcopy

from adapter.access.scopes import gemini_method
from adapter.chat import Usage

OTHER = "other"
# What has a path of its own in the metrics, with and without `/v1` in front.
PATHS = (
    "/chat/completions", "/completions", "/embeddings", "/tokenize", "/detokenize", "/responses",
    "/models", "/health", "/ready", "/admin/pressure", "/admin/state", "/metrics",
)  # fmt: skip
_KNOWN = {prefix + path: path for path in PATHS for prefix in ("", "/v1")}
_ONE_MODEL = ("/models/", "/v1/models/")
# Upper bounds in seconds, of which a phone's answers fill the middle.
FIRST_TOKEN_BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)
DURATION_BOUNDS = (0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
# An upstream may change its names as it likes.
MOST_MODELS = 200


class Histogram:
    """counts: of each bound, and of what is above them all; not cumulative."""

    __slots__ = ("bounds", "counts", "total_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total_s += seconds


class Counts:
    """requests: by path, status and engine ("" where none was asked). tokens: prompt, cached and completion, by engine and model."""

    def __init__(self, lists: Callable[[str, str], bool]) -> None:
        """lists: has this engine listed a model of that name?"""
        self._lists = lists
        self.requests: dict[tuple[str, int, str], int] = {}
        self.durations: dict[str, Histogram] = {}
        self.first_tokens: dict[str, Histogram] = {}
        self.tokens: dict[tuple[str, str], list[int]] = {}

    def request(self, path: str, status: int, engine: str, took_s: float) -> None:
        """One is over. engine: its configured name, or `-`."""
        path = path_label(path)
        key = (path, status, "" if engine == "-" else engine)
        self.requests[key] = self.requests.get(key, 0) + 1
        durations = self.durations.get(path)
        if durations is None:
            durations = self.durations[path] = Histogram(DURATION_BOUNDS)
        durations.observe(took_s)

    def answer(self, engine: str, model: str, usage: Usage | None, first_token_s: float | None) -> None:
        """What an engine did for it. first_token_s: after its arrival; of a plain answer, when it was there."""
        if first_token_s is not None:
            histogram = self.first_tokens.get(engine)
            if histogram is None:
                histogram = self.first_tokens[engine] = Histogram(FIRST_TOKEN_BOUNDS)
            histogram.observe(first_token_s)
        if usage is not None:
            tokens = self.tokens.get((engine, model)) or self._tokens_of(engine, model)
            tokens[0] += usage.prompt_tokens
            tokens[1] += usage.cached_tokens
            tokens[2] += usage.completion_tokens

    def _tokens_of(self, engine: str, model: str) -> list[int]:
        key = (engine, self.model_label(engine, model))
        return self.tokens.setdefault(key, [0, 0, 0])

    def model_label(self, engine: str, model: str) -> str:
        """Some servers answer to every name that a client makes up."""
        known = (engine, model) in self.tokens
        return model if known or (len(self.tokens) < MOST_MODELS and self._lists(engine, model)) else OTHER

    def copied(self) -> Counts:
        """As it is now, for another thread."""
        copy = Counts(self._lists)
        copy.requests = dict(self.requests)
        copy.durations, copy.first_tokens = deepcopy(self.durations), deepcopy(self.first_tokens)
        copy.tokens = deepcopy(self.tokens)
        return copy


def path_label(path: str) -> str:
    known = _KNOWN.get(path)
    if known is not None:
        return known
    if method := gemini_method(path):
        return f"/models/{{id}}:{method}"
    return "/models/{id}" if path.startswith(_ONE_MODEL) else OTHER
