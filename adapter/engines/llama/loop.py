"""The decode loop: it owns the model, asks the scheduler what to do, does it, and says what came out.

Everything that is JSON, template or tokenizer happens before (`front.py`); requests arrive here as `Job`s. One request
may have several answers; each is a task of the scheduler's.
"""

from __future__ import annotations

import itertools
import logging
import queue
from dataclasses import dataclass

from adapter.engines.llama import link
from adapter.engines.llama.answers import Answer, Job, Request
from adapter.engines.llama.choosing import Chooser
from adapter.engines.llama.inbox import (
    BROKEN,
    BROKEN_MESSAGE,
    PAUSED,
    Bake,
    CancelJob,
    Inbox,
    Item,
    Pressure,
    Send,
    Stop,
    Store,
)
from adapter.engines.llama.lookup import Lookup
from adapter.engines.llama.model import BadBatch, BadGrammar, Decoded, Model, ModelBroken
from adapter.engines.llama.scheduler import Chunk, Outcome, Plan, Sampled, Scheduler
from adapter.engines.llama.slots import Task
from adapter.engines.llama.text import AnswerText, Ended
from adapter.engines.llama.threads import slow_threads
from adapter.errors import (
    BadRequest,
    EngineFailed,
    EngineUnavailable,
    InternalError,
    OutputInvalid,
    QueueFull,
)
from adapter.reasoning import Part

logger = logging.getLogger(__name__)

# Prompt tokens in a batch while somebody waits for his next token. Measured on a PC (370 M parameters, Q4_0, one thread):
# prefill in steps of 512, 128, 64, 32 tokens runs at 328, 317, 312, 173 tokens/s, and a step takes 1.6, 0.4, 0.2, 0.2 s.
BESIDE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class LoopShape:
    """save_tokens: prefixes that are longer go to the store. threads: what the model has when nothing presses."""

    slots: int
    max_waiting: int
    threads: int = 1
    save_tokens: int = 512
    draft_tokens: int = 0


class DecodeLoop:
    def __init__(self, model: Model, send: Send, shape: LoopShape, store: Store | None = None) -> None:
        self._model = model
        self._send = send
        self._shape = shape
        self._store = store
        self._chooser = Chooser(model)
        trims = model.facts.trims  # else a copy is of no use, unless the whole of it fits
        self._scheduler = Scheduler(
            n_slots=shape.slots, max_waiting=shape.max_waiting, stored=store, copies=trims
        )
        self._requests: dict[int, Request] = {}
        self._answers: dict[int, Answer] = {}  # by task
        self._bakes: dict[int, Bake] = {}
        self._task_ids = itertools.count(1)
        self._frames: list[link.Frame] = []
        self._level = "serve"
        self._stopped = False

    def run(self, inbox: Inbox) -> None:
        """Until `Stop`. Raises `ModelBroken` when only a new process helps; running answers have failed then."""
        try:
            while not self._stopped:
                self._take_all(inbox, wait=self._is_idle())
                self.step()
        except ModelBroken as exc:
            self._fail_all(EngineFailed.code, f"The model's context broke and is set up anew: {exc}")
            raise
        self._fail_all(EngineUnavailable.code, "The model is being unloaded. Try again.")

    def _is_idle(self) -> bool:
        return not self._answers and (not self._bakes or self._level == "pause")

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
                self._forget(item.id)
            case Bake():
                self._begin_baking(item)
            case Pressure():
                self._adjust(item.level)
            case Stop():
                self._stopped = True
        self._flush()

    def step(self) -> None:
        """Plan one batch, decode it, hand out what was sampled."""
        self._draft()
        plan = self._scheduler.plan(self._room())
        for task_id in plan.started:
            self._started(task_id)
        if not self._move(plan) or not plan.chunks:
            self._flush()
            return
        self._flush()
        try:
            decoded = self._model.decode(plan.chunks)
        except BadBatch as exc:
            self._fail_batch(plan, exc)
        else:
            self._decoded(plan, decoded)
        self._flush()

    def _decoded(self, plan: Plan, decoded: Decoded) -> None:
        if decoded is Decoded.NO_KV_SLOT:
            for out in self._scheduler.no_kv_slot(plan):
                self._fail_task(out.task_id, EngineFailed.code, "The KV cache is full. Use a smaller ctx_tokens.")
            return
        outcomes = {}
        for chunk in plan.chunks:
            if (outcome := self._outcome(chunk)) is not None:
                outcomes[chunk.seq_id] = outcome
        for event in self._scheduler.applied(plan, outcomes):
            self._after(event)

    # --- before the batch ----------------------------------------------------------------------------------

    def _room(self) -> int:
        """Rows of the next batch. A long prompt goes in small steps while others wait for each of their tokens."""
        most = self._model.facts.batch_tokens
        decoding = sum(bool(answer.tokens) for answer in self._answers.values())
        return min(most, decoding + BESIDE_TOKENS) if decoding else most

    def _draft(self) -> None:
        if not self._shape.draft_tokens or len(self._answers) != 1:
            return  # with several answers the rows of a guess are taken from somebody who needs them
        for task_id, answer in self._answers.items():
            if answer.lookup is None or not answer.tokens:
                continue
            room = min(answer.text.room - 1, self._shape.draft_tokens)
            if room > 0 and (guess := answer.lookup.guess(room)):
                self._scheduler.draft(task_id, guess)

    def _started(self, task_id: int) -> None:
        if (answer := self._answers.get(task_id)) and not answer.request.started:
            answer.request.started = True
            job = answer.request.job
            self._frames.append(link.Started(job.id, prompt_tokens=len(job.prompt)))
            if job.echo:
                self._frames += [link.Delta(job.id, Part.TEXT, job.echo, choice) for choice in range(job.n)]

    def _move(self, plan: Plan) -> bool:
        """Do the plan's copies, restores and trims; false if the library refused one, so that the plan holds no more."""
        for copy in plan.copies:
            if not self._model.copy(copy.src_seq, copy.dst_seq) or not self._model.keep(copy.dst_seq, copy.keep):
                return self._refused(copy.dst_seq)
        for restore in plan.restores:
            if not self._restore(restore.seq_id, restore.key) or not self._model.keep(restore.seq_id, restore.keep):
                return self._refused(restore.seq_id)
        refused = [trim.seq_id for trim in plan.trims if not self._model.keep(trim.seq_id, trim.keep)]
        for seq_id in refused:
            self._scheduler.refused(seq_id)
        return not refused

    def _refused(self, seq_id: int) -> bool:
        self._scheduler.refused(seq_id)
        return False

    def _restore(self, seq_id: int, key: str) -> bool:
        saved = self._store.load(key) if self._store else None
        if self._store is None or saved is None:
            return False
        if self._model.restore(seq_id, saved):
            return True
        self._store.reject(key)
        return False

    # --- after it ------------------------------------------------------------------------------------------

    def _outcome(self, chunk: Chunk) -> Outcome | None:
        """Choose tokens for the rows of one sequence, and tell the client what it may see of them."""
        task_id = self._scheduler.task_of(chunk.seq_id)
        if task_id is None or not chunk.samples:
            self._show_progress(task_id)
            return None
        if task_id in self._bakes:
            return Outcome((0,))  # nobody reads it; `_after` ends the task
        try:
            outcome, frames = self._chooser.choose(self._answers[task_id], chunk)
        except BadGrammar as exc:
            self._fail_task(task_id, EngineFailed.code, f"The answer cannot go on: {exc}.")
        except Exception:  # one request's trouble stays its own
            logger.exception(BROKEN, task_id)
            self._fail_task(task_id, InternalError.code, BROKEN_MESSAGE)
        else:
            self._frames += frames
            return outcome
        return None

    def _after(self, event: Sampled) -> None:
        if (bake := self._bakes.get(event.task_id)) is not None:
            self._baked(event.task_id, bake)
            return
        answer = self._answers.get(event.task_id)
        if answer is None:
            return
        if len(answer.tokens) == len(event.tokens):
            self._save(event.task_id, answer.request.job.prompt)
        if answer.text.ended is not None:
            self._finish(event, answer, answer.text.ended)

    def _finish(self, event: Sampled, answer: Answer, ended: Ended) -> None:
        job, request = answer.request.job, answer.request
        fault = None if ended is Ended.LENGTH else answer.fault()
        if fault is not None:
            self._fail(job.id, OutputInvalid.code, f"The model's answer does not fit what was asked for: {fault}")
            return
        self._end_task(event.task_id)
        cached, n_tokens = event.cached_tokens if answer.choice == 0 else 0, answer.text.n_tokens
        self._frames.append(link.Finished(job.id, ended, len(job.prompt), n_tokens, cached, answer.choice))
        if not request.open:
            self._requests.pop(job.id, None)

    def _show_progress(self, task_id: int | None) -> None:
        """A part of a prompt was computed: long prompts must not look like a worker that hangs."""
        if task_id is None:
            return
        answer = self._answers.get(task_id)
        if answer is not None:
            self._frames.append(link.Working(answer.request.job.id))
        elif task_id in self._bakes:
            self._frames.append(link.Working(0))

    # --- the store -----------------------------------------------------------------------------------------

    def _save(self, task_id: int, prompt: tuple[int, ...], *, pinned: bool = False) -> bool:
        """Keep what a prompt cost, as soon as it is paid for: the phone may kill this process at any time."""
        seq_id = self._scheduler.seq_of(task_id)
        if self._store is None or seq_id is None:
            return False
        if not pinned and len(prompt) - self._store.covered(prompt) < self._shape.save_tokens:
            return False
        if not self._store.ready():
            return False
        self._flush()  # nobody's token waits for a copy of the cache
        payload = self._model.save(seq_id)
        return payload is not None and self._store.save(prompt, payload, pinned=pinned)

    def _begin_baking(self, bake: Bake) -> None:
        task_id = next(self._task_ids)
        self._bakes[task_id] = bake
        self._scheduler.submit(Task(task_id, bake.prompt, background=True))

    def _baked(self, task_id: int, bake: Bake) -> None:
        kept = self._save(task_id, bake.prompt, pinned=True)
        logger.info("pinned prompt computed name=%s tokens=%s kept=%s", bake.name, len(bake.prompt), kept)
        self._end_task(task_id)

    # --- answers -------------------------------------------------------------------------------------------

    def _begin(self, job: Job) -> None:
        if self._level == "pause":
            self._frames.append(link.Failed(job.id, EngineUnavailable.code, PAUSED))
            return
        leader = next(self._task_ids)
        if not self._scheduler.submit(Task(leader, job.prompt)):
            message = "Every slot and every place in the queue is taken. Try again later."
            self._frames.append(link.Failed(job.id, QueueFull.code, message))
            return
        request = self._requests[job.id] = Request(job)
        try:
            for choice in range(job.n):
                task_id = leader if choice == 0 else next(self._task_ids)
                self._answers[task_id] = self._new_answer(request, choice)
                request.open.add(task_id)
                if choice > 0:
                    self._scheduler.submit(Task(task_id, job.prompt, after=leader))
        except BadGrammar as exc:
            self._scheduler.cancel(leader)
            self._fail(job.id, BadRequest.code, f"'{job.param}' cannot be used: {exc}", job.param)
        except Exception:  # one request's trouble stays its own
            logger.exception(BROKEN, job.id)
            self._scheduler.cancel(leader)
            self._fail(job.id, InternalError.code, BROKEN_MESSAGE)

    def _new_answer(self, request: Request, choice: int) -> Answer:
        job = request.job
        at_once = None if job.plan.waits_for_call else job.plan.grammar
        text = AnswerText(job.plan.new_parser(), stops=job.sampling.stop, max_tokens=job.sampling.max_tokens or 1)
        drafts = self._shape.draft_tokens and job.n == 1 and self._model.facts.trims and job.logprobs is None
        return Answer(
            request,
            choice,
            text,
            self._model.sampler(job.sampling, choice=choice, grammar=at_once),
            constrained=at_once is not None,
            lookup=Lookup(job.prompt, self._shape.draft_tokens) if drafts else None,
        )

    def _adjust(self, level: str) -> None:
        self._level = level
        slow = level == "slow"
        self._scheduler.max_seats = 1 if slow else None
        self._scheduler.paused = level == "pause"
        self._model.set_threads(slow_threads(self._shape.threads) if slow else self._shape.threads)
        logger.info("pressure level=%s", level)
        if level == "pause":
            for request in [r for r in self._requests.values() if not r.started]:
                self._fail(request.job.id, EngineUnavailable.code, PAUSED)

    def _end_task(self, task_id: int) -> None:
        """Forget a task, whatever became of it."""
        self._scheduler.cancel(task_id)
        self._bakes.pop(task_id, None)
        if answer := self._answers.pop(task_id, None):
            answer.request.open.discard(task_id)
            answer.sampler.close()

    def _forget(self, job_id: int) -> None:
        """End all of a request's answers."""
        if request := self._requests.pop(job_id, None):
            for task_id in tuple(request.open):
                self._end_task(task_id)

    def _fail(self, job_id: int, code: str, message: str, param: str | None = None) -> None:
        self._forget(job_id)
        self._frames.append(link.Failed(job_id, code, message, param))

    def _fail_task(self, task_id: int, code: str, message: str) -> None:
        """Fail the request that a task belongs to."""
        if (answer := self._answers.get(task_id)) is not None:
            self._fail(answer.request.job.id, code, message)
        elif (bake := self._bakes.get(task_id)) is not None:
            logger.warning("pinned prompt not computed name=%s: %s", bake.name, message)
            self._end_task(task_id)

    def _fail_all(self, code: str, message: str) -> None:
        for job_id in tuple(self._requests):
            self._fail(job_id, code, message)
        self._flush()

    def _fail_batch(self, plan: Plan, exc: BadBatch) -> None:
        logger.error("batch refused error=%s plan=%s", exc, plan)
        for chunk in plan.chunks:
            task_id = self._scheduler.task_of(chunk.seq_id)
            if task_id is not None:
                self._fail_task(task_id, EngineFailed.code, f"The model refused a batch of tokens: {exc}")

    def _flush(self) -> None:
        """One write for all that a step has to say: a system call per answer costs more than the frames."""
        if self._frames:
            frames, self._frames = self._frames, []
            self._send(*frames)
