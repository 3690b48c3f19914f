"""The InferrLM app as an engine. Rules and hazards: `protocols/inferrlm.md`, above all its section 16.

What is where: requests and answers in `dialects/inferrlm*.py` (pure), HTTP in `upstream.py`, what the app
is in `inferrlm_probe.py`, one answer and its seat in `inferrlm_run.py`, and here how they play together.
The first request imports them, where they are needed: at rest they would be memory for nobody.

One request that touches the model is in flight per phone; whoever else asks waits here and not at the app,
whose own queue loses and breaks answers (11). That holds for this process: let no other program use
the app, and no second engine entry name the same one. A chat of the owner in the app cannot be kept out:
builds B and C queue it with ours, A cuts it. An answer that somebody else cut looks whole, and nothing
on the wire tells (10.2).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.chat import Chat, Event, Started
from adapter.engines.base import Health, ModelCard, Pressure
from adapter.engines.pause import Pause, is_here
from adapter.engines.seats import Seat, Seats
from adapter.engines.upstream import App, Upstream
from adapter.errors import (
    AdapterError,
    EngineUnavailable,
    ModelNotFound,
    UpstreamProtocol,
    UpstreamUnreachable,
)
from adapter.settings import InferrlmSettings

if TYPE_CHECKING:
    from adapter.dialects.inferrlm import Ask
    from adapter.dialects.inferrlm_answer import Answer
    from adapter.dialects.inferrlm_builds import ModelFacts, StoredModel
    from adapter.engines.inferrlm_probe import Phone, Prober
    from adapter.engines.inferrlm_run import Pauses, Run

logger = logging.getLogger(__name__)

# `health` promises about two seconds.
HEALTH_S = 2.0
# The part of the window that no answer can have, since there is always a prompt.
PROMPT_TOKENS = 256

REMEDY = "On the phone: open InferrLM, load a model, and switch the server on in its Server screen."


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything decided about one request before the app sees it."""

    ask: Ask
    phone: Phone
    answer: Answer


class InferrlmEngine:
    """See `base.Engine` for the contract."""

    def __init__(
        self,
        settings: InferrlmSettings,
        home: Path | None = None,
        *,
        pauses: Pauses | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`home` is not used. `pauses` and `now_s` are for tests."""
        self._settings = settings
        self._upstream = Upstream(App("InferrLM", settings.url, REMEDY), connect_s=settings.connect_s)
        self._now_s = now_s
        self._seats = Seats(capacity=1, queue=settings.queue)
        self._pause = Pause()
        self._pauses = pauses
        self._runs: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        return self._settings.name

    @cached_property
    def _prober(self) -> Prober:
        from adapter.engines.inferrlm_probe import Prober

        return Prober(self._upstream, self.name, now_s=self._now_s)

    @property
    def capacity(self) -> int:
        """One, per phone (11). See `base.Seated`."""
        return 1

    async def settled(self) -> None:
        """Return once the app's model works for nobody: answers that were left run on where they cannot be stopped (12)."""
        while self._runs:
            await asyncio.wait(self._runs)

    @property
    def on_this_phone(self) -> bool:
        return is_here(self._settings.url)

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """See `base.Adjusts`: while it is paused nothing new begins. Its running answer goes on."""
        self._pause.set(level, reason, retry_after_s)
        self._pause.clear(self._seats)

    async def start(self) -> None:
        """Nothing to do: the app may be opened after us, so it is looked for with each request."""

    async def close(self) -> None:
        runs = list(self._runs)
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await self._upstream.close()

    # --- what there is -------------------------------------------------------------------------------------

    async def models(self) -> Sequence[ModelCard]:
        try:
            phone = await self._prober.phone()
            loaded = await self._prober.loaded()
            return [await self._card(phone, model, loaded) for model in phone.models]
        except AdapterError as exc:
            self._prober.forget()
            logger.debug("no models listed engine=%s error=%s", self.name, exc)
            return []

    async def _card(self, phone: Phone, model: StoredModel, loaded: str | None) -> ModelCard:
        window = self._window(phone, model, await self._prober.facts(model))
        return ModelCard(
            model.name,
            context_tokens=window,
            max_output_tokens=max(1, window - min(PROMPT_TOKENS, window // 2)),
            multiline=model.litert or phone.traits.multiline,
            loaded=model.name == loaded,
        )

    def _window(self, phone: Phone, model: StoredModel, facts: ModelFacts) -> int:
        from adapter.dialects.inferrlm import window_tokens

        configured = self._settings.context_tokens
        return window_tokens(model, phone.traits, configured=configured, trained=facts.trained_tokens)

    async def health(self) -> Health:
        if (refused := self._pause.refusal) is not None:
            return Health(False, refused.message)
        try:
            async with asyncio.timeout(HEALTH_S):
                return await self._examined()
        except TimeoutError:
            return Health(
                False, f"InferrLM at {self._settings.url} does not answer within {HEALTH_S:g} s. {REMEDY}"
            )
        except AdapterError as exc:
            self._prober.forget()
            return Health(False, exc.message)

    async def _examined(self) -> Health:
        version = await self._prober.version()
        phone = await self._prober.phone()
        if not phone.models:
            return Health(False, "InferrLM has no model stored. Open the app on the phone and download one.")
        loaded = await self._prober.loaded()
        state = (
            f"{loaded} is in memory"
            if loaded
            else "no model is in memory yet, so the first answer takes longer"
        )
        said = f"InferrLM {version} (build {phone.build}) answers at {self._settings.url}; {state}."
        return Health(True, said + self._one_line_warning(phone))

    def _one_line_warning(self, phone: Phone) -> str:
        """What no setting of the app changes (13.1), said where people look when answers are short."""
        if phone.traits.multiline or all(model.litert for model in phone.models):
            return ""
        if self._settings.line_marks:
            return " Its GGUF models stop at the first line break; they are asked for marks instead (line_marks)."
        return (
            " Its GGUF models end each answer at the first line break: use LiteRT models, or try line_marks = true in "
            "this engine's section."
        )

    # --- answers -------------------------------------------------------------------------------------------

    async def generate(self, chat: Chat) -> AsyncGenerator[Event, None]:
        # The place in the queue is taken before anything is awaited, so that the order of the calls is kept.
        self._pause.check()
        seat = self._seats.take()
        try:
            # What can be refused at once need not wait for the seat.
            plan = await self._plan(chat)
            if seat.position != 0:
                await seat.wait()
                plan = await self._plan(chat)  # the app may have been replaced meanwhile
            await self._note_eviction(plan)
            self._pause.check()  # it may have begun while we were asking
            run = self._start(plan, seat)
        except BaseException as exc:
            seat.leave()
            self._learn_from(exc)
            raise
        try:
            async with aclosing(self._events(run, plan.answer)) as events:
                async for event in events:
                    yield event
        except AdapterError as exc:
            self._learn_from(exc)
            raise
        finally:
            run.leave()

    async def _plan(self, chat: Chat) -> _Plan:
        from adapter.dialects.inferrlm import render_chat
        from adapter.dialects.inferrlm_answer import Answer

        phone = await self._prober.phone()
        model = await self._resolve(chat.model, phone)
        facts = await self._prober.facts(model)
        ask = render_chat(
            chat,
            model,
            phone.traits,
            window_tokens=self._window(phone, model, facts),
            default_max_tokens=self._settings.default_max_tokens,
        )
        multiline = model.litert or phone.traits.multiline
        answer = Answer(ask, chat.sampling.stop, multiline=multiline, opens_reasoning=facts.opens_reasoning)
        return _Plan(ask, phone, answer)

    async def _resolve(self, wanted: str, phone: Phone) -> StoredModel:
        from adapter.dialects.inferrlm_builds import nearest_names, resolve_model

        if not phone.models:
            raise EngineUnavailable(
                "InferrLM has no model stored. Open the app on the phone and download one."
            )
        loaded = None if wanted else await self._prober.loaded()
        model = resolve_model(wanted, phone.models, loaded)
        if model is None:
            near = nearest_names(wanted, phone.models) or [model.name for model in phone.models[:3]]
            raise ModelNotFound(
                f"InferrLM has no model {wanted!r}. There are: {', '.join(near)}.", param="model"
            )
        return model

    async def _note_eviction(self, plan: _Plan) -> None:
        """Say in the log what naming a model will cost (section 16, rule 7). Inside our seat nobody of ours is hurt."""
        model, loaded = plan.ask.model.name, await self._prober.loaded()
        if loaded is None or loaded != model:
            logger.info("model will be loaded engine=%s model=%s evicts=%s", self.name, model, loaded)
        elif plan.phone.traits.reloads:
            logger.debug("build A loads the model anew engine=%s model=%s", self.name, model)

    def _start(self, plan: _Plan, seat: Seat) -> Run:
        from adapter.engines.inferrlm_run import Limits, Pauses, Run

        settings = self._settings
        run = Run(
            self._upstream,
            plan.ask,
            plan.phone.traits,
            seat,
            limits=Limits(settings.first_token_s, settings.between_tokens_s),
            pauses=self._pauses or Pauses(),
            unload=settings.cancel == "unload",
        )
        self._runs.add(run.task)
        run.task.add_done_callback(self._runs.discard)
        return run

    async def _events(self, run: Run, answer: Answer) -> AsyncGenerator[Event, None]:
        from adapter.dialects.inferrlm_records import Done, Piece
        from adapter.engines.inferrlm_run import Accepted, Whole

        while not answer.complete:
            match await run.next():
                case Accepted():
                    yield Started()
                case Piece() as piece:
                    for delta in answer.piece(piece):
                        yield delta
                case Done() as done:
                    for delta in answer.done(done):
                        yield delta
                    break
                case Whole(text=text):
                    for delta in answer.plain(text):
                        yield delta
                    break
        # Whoever asks next need not wait until the client has read our last event.
        run.leave()
        yield answer.finish()

    def _learn_from(self, exc: BaseException) -> None:
        """The app that comes back may be another build, with other models."""
        if isinstance(exc, UpstreamUnreachable | UpstreamProtocol | ModelNotFound):
            self._prober.forget()
