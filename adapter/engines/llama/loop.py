"""The decode loop: it owns the model, asks the scheduler what to do, does it, and says what came out.

Everything that is JSON, template or tokenizer happens before (`front.py`); requests arrive here as `Job`s.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
from dataclasses import dataclass

from adapter.chat import Sampling
from adapter.engines.llama import link
from adapter.engines.llama.model import BadBatch, Decoded, Model, ModelBroken, Sampler
from adapter.engines.llama.scheduler import Plan, Sampled, Scheduler
from adapter.engines.llama.slots import Task
from adapter.engines.llama.text import AnswerText
from adapter.errors import EngineFailed, EngineUnavailable, InternalError, QueueFull

logger = logging.getLogger(__name__)

BROKEN = "a request failed because of us task=%s"
BROKEN_MESSAGE = "Farmhand failed on this answer; the log says where."


@dataclass(frozen=True, slots=True)
class Job:
    """A request as the loop gets it. `sampling.max_tokens` is set and fits into the context."""

    id: int
    prompt: tuple[int, ...]
    sampling: Sampling
    starts_open: bool = False


@dataclass(frozen=True, slots=True)
class CancelJob:
    id: int


@dataclass(frozen=True, slots=True)
class Stop:
    """End the loop; what runs fails."""


Item = Job | CancelJob | Stop
Inbox = queue.SimpleQueue[Item]


@dataclass(slots=True)
class _Answer:
    job: Job
    text: AnswerText
    sampler: Sampler


class DecodeLoop:
    def __init__(
        self, model: Model, send: Callable[[link.Frame], None], *, slots: int, max_waiting: int
    ) -> None:
        self._model = model
        self._send = send
        self._scheduler = Scheduler(n_slots=slots, max_waiting=max_waiting)
        self._answers: dict[int, _Answer] = {}
        self._stopped = False

    def run(self, inbox: Inbox) -> None:
        """Until `Stop`. Raises `ModelBroken` when only a new process helps; running answers have failed then."""
        try:
            while not self._stopped:
                self._take_all(inbox, wait=not self._answers)
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
            case Job():
                self._begin(item)
            case CancelJob():
                self._end(item.id)
            case Stop():
                self._stopped = True

    def step(self) -> None:
        """Plan one batch, decode it, hand out what was sampled."""
        plan = self._scheduler.plan(self._model.facts.batch_tokens)
        for task_id in plan.started:
            self._send(link.Started(task_id, prompt_tokens=len(self._answers[task_id].job.prompt)))
        if not self._trim(plan) or not plan.chunks:
            return
        try:
            decoded = self._model.decode(plan.chunks)
        except BadBatch as exc:
            self._fail_batch(plan, exc)
            return
        if decoded is Decoded.NO_KV_SLOT:
            for out in self._scheduler.no_kv_slot(plan):
                self._fail(out.task_id, EngineFailed.code, "The KV cache is full. Use a smaller ctx_tokens.")
            return
        for event in self._scheduler.applied(plan, self._sample(plan)):
            try:
                self._take_token(event)
            except OSError:  # the adapter is gone
                raise
            except Exception:  # one request's trouble stays its own
                logger.exception(BROKEN, event.task_id)
                self._fail(event.task_id, InternalError.code, BROKEN_MESSAGE)

    # --- parts of a step -----------------------------------------------------------------------------------

    def _trim(self, plan: Plan) -> bool:
        """Do the plan's trims; false if the library refused one, so that the plan holds no more."""
        refused = [trim.seq_id for trim in plan.trims if not self._model.keep(trim.seq_id, trim.keep)]
        for seq_id in refused:
            self._scheduler.trim_refused(seq_id)
        return not refused

    def _sample(self, plan: Plan) -> dict[int, int]:
        sampled = {}
        for chunk in plan.chunks:
            task_id = self._scheduler.task_of(chunk.seq_id)
            if chunk.sample and task_id is not None:
                try:
                    sampled[chunk.seq_id] = self._answers[task_id].sampler.sample(chunk.seq_id)
                except Exception:  # one request's trouble stays its own
                    logger.exception(BROKEN, task_id)
                    self._fail(task_id, InternalError.code, BROKEN_MESSAGE)
        return sampled

    def _take_token(self, event: Sampled) -> None:
        answer = self._answers[event.task_id]
        task_id, text = event.task_id, answer.text
        if self._model.is_eog(event.token):
            parts = text.end_of_generation()
        else:
            parts = text.token(self._model.piece(event.token))
        for part, piece in parts:
            self._send(link.Delta(task_id, part, piece))
        if text.ended is not None:
            self._end(task_id)
            self._send(
                link.Finished(task_id, text.ended, len(answer.job.prompt), text.n_tokens, event.cached_tokens)
            )
        elif not parts:
            self._send(link.Working(task_id))

    # --- answers -------------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        if not self._scheduler.submit(Task(job.id, job.prompt)):
            message = "Every slot and every place in the queue is taken. Try again later."
            self._send(link.Failed(job.id, QueueFull.code, message))
            return
        try:
            sampler = self._model.sampler(job.sampling)
        except Exception:  # one request's trouble stays its own
            logger.exception(BROKEN, job.id)
            self._fail(job.id, InternalError.code, BROKEN_MESSAGE)
            return
        stops, limit = job.sampling.stop, job.sampling.max_tokens or 1
        text = AnswerText(stops=stops, max_tokens=limit, starts_open=job.starts_open)
        self._answers[job.id] = _Answer(job, text, sampler)

    def _end(self, task_id: int) -> None:
        """Forget a task, whatever became of it."""
        self._scheduler.cancel(task_id)
        if answer := self._answers.pop(task_id, None):
            answer.sampler.close()

    def _fail(self, task_id: int, code: str, message: str) -> None:
        self._end(task_id)
        self._send(link.Failed(task_id, code, message))

    def _fail_all(self, code: str, message: str) -> None:
        for task_id in tuple(self._answers):
            self._fail(task_id, code, message)

    def _fail_batch(self, plan: Plan, exc: BadBatch) -> None:
        logger.error("batch refused error=%s plan=%s", exc, plan)
        for chunk in plan.chunks:
            task_id = self._scheduler.task_of(chunk.seq_id)
            if task_id is not None:
                self._fail(task_id, EngineFailed.code, f"The model refused a batch of tokens: {exc}")
