"""The embed loop: it owns a model for vectors and computes batch by batch; a request is answered when it is done.

Tokenizing happens before (`embed_front.py`); requests arrive here as `EmbedJob`s.
"""

from __future__ import annotations

import base64
import logging
import math
import queue
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from adapter.engines.llama import link
from adapter.engines.llama.embed_batches import EmbedQueue, Piece, TextKey
from adapter.engines.llama.embed_model import Embedder
from adapter.engines.llama.inbox import (
    BROKEN,
    BROKEN_MESSAGE,
    PAUSED,
    CancelJob,
    Pressure,
    Send,
    Stop,
)
from adapter.engines.llama.model import BadBatch, ModelBroken
from adapter.engines.llama.threads import slow_threads
from adapter.errors import EngineFailed, EngineUnavailable, InternalError, QueueFull

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EmbedJob:
    """A request as the loop gets it: at least one text, none without a token, all within the limit."""

    id: int
    texts: tuple[tuple[int, ...], ...]


Item = EmbedJob | CancelJob | Pressure | Stop
Inbox = queue.SimpleQueue[Item]


class NoDirection(Exception):
    """A vector of zeros, or with something that is no number: it has no length to divide by."""


def unit_vector(values: Sequence[float]) -> str:
    """The vector divided by its length: base64 of little-endian 32-bit floats. Raises `NoDirection`."""
    length = math.hypot(*values)
    if length == 0 or not math.isfinite(length):
        raise NoDirection(f"its length is {length}")
    unit = array("f", [value / length for value in values])
    if sys.byteorder == "big":
        unit.byteswap()
    return base64.b64encode(unit.tobytes()).decode("ascii")


@dataclass(slots=True)
class _Answer:
    job: EmbedJob
    vectors: dict[int, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return len(self.vectors) == len(self.job.texts)

    def frame(self) -> link.Embedded:
        texts = self.job.texts
        vectors = tuple(self.vectors[index] for index in range(len(texts)))
        return link.Embedded(self.job.id, vectors, sum(map(len, texts)))


class EmbedLoop:
    def __init__(self, model: Embedder, send: Send, *, max_requests: int, threads: int) -> None:
        """max_requests: more at a time are refused. threads: what the model has when nothing presses."""
        facts = model.facts
        self._model = model
        self._send = send
        self._max_requests = max_requests
        self._threads = threads
        self._queue = EmbedQueue(
            batch_tokens=facts.batch_tokens, sequences=facts.sequences, splits=facts.splits
        )
        self._answers: dict[int, _Answer] = {}
        self._paused = False
        self._stopped = False

    def run(self, inbox: Inbox) -> None:
        """Until `Stop`. Raises `ModelBroken` when only a new process helps; all requests have failed then."""
        try:
            while not self._stopped:
                self._take_all(inbox, wait=not self._answers)
                if not self._stopped:
                    self.step()
        except ModelBroken as exc:
            self._fail_all(EngineFailed.code, f"The model's context broke and is set up anew: {exc}")
            raise
        self._fail_all(EngineUnavailable.code, "The model is being unloaded. Try again.")

    def _take_all(self, inbox: Inbox, *, wait: bool) -> None:
        try:
            while not self._stopped:
                self.take(inbox.get(block=wait))
                wait = False
        except queue.Empty:
            return

    def take(self, item: Item) -> None:
        """Note what the front has to say; nothing is computed here."""
        match item:
            case EmbedJob():
                self._begin(item)
            case CancelJob():
                self._forget(item.id)
            case Pressure():
                slow = item.level in ("slow", "pause")
                self._paused = item.level == "pause"
                self._model.set_threads(slow_threads(self._threads) if slow else self._threads)
            case Stop():
                self._stopped = True

    def step(self) -> None:
        """Compute one batch and answer what is complete with it."""
        pieces = self._queue.next_batch()
        if not pieces:
            return
        try:
            vectors = self._model.embed(pieces)
        except BadBatch as exc:
            logger.error("batch refused error=%s texts=%s", exc, [piece.key for piece in pieces])
            for request_id in _requests_of(pieces):
                self._fail(request_id, EngineFailed.code, f"The model refused a batch of tokens: {exc}")
            return
        for key, values in vectors.items():
            self._note(key, values)
        for request_id in _requests_of(pieces):
            self._answer(request_id)

    # --- requests ------------------------------------------------------------------------------------------

    def _begin(self, job: EmbedJob) -> None:
        if self._paused:
            self._send(link.Failed(job.id, EngineUnavailable.code, PAUSED))
        elif len(self._answers) >= self._max_requests:
            message = f"All {self._max_requests} places in the queue are taken. Try again later."
            self._send(link.Failed(job.id, QueueFull.code, message))
        else:
            self._answers[job.id] = _Answer(job)
            self._queue.submit(job.id, job.texts)

    def _note(self, key: TextKey, values: Sequence[float]) -> None:
        request_id, index = key
        answer = self._answers.get(request_id)
        if answer is None:
            return  # another text of it failed a moment ago
        try:
            answer.vectors[index] = unit_vector(values)
        except NoDirection as exc:
            param = f"input[{index}]"
            message = f"The model made no usable vector of {param}: {exc}. Leave that text out, or change it."
            self._fail(request_id, EngineFailed.code, message, param)

    def _answer(self, request_id: int) -> None:
        answer = self._answers.get(request_id)
        if answer is None:
            return
        if not answer.complete:
            self._send(link.Working(request_id))
            return
        self._forget(request_id)
        try:
            self._send(answer.frame())
        except link.LinkError:  # the front sees to it that this is not so
            logger.exception(BROKEN, request_id)
            self._send(link.Failed(request_id, InternalError.code, BROKEN_MESSAGE))

    def _forget(self, request_id: int) -> None:
        """Compute nothing more of it, whatever became of it."""
        self._queue.cancel(request_id)
        self._answers.pop(request_id, None)

    def _fail(self, request_id: int, code: str, message: str, param: str | None = None) -> None:
        self._forget(request_id)
        self._send(link.Failed(request_id, code, message, param))

    def _fail_all(self, code: str, message: str) -> None:
        for request_id in tuple(self._answers):
            self._fail(request_id, code, message)


def _requests_of(pieces: Sequence[Piece]) -> list[int]:
    """Each once, in their order."""
    return list(dict.fromkeys(piece.key[0] for piece in pieces))
