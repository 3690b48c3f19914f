"""The LocalLLM app as an engine. Rules and hazards: `protocols/localllm.md`, above all its sections 7.6 and 18.

What is where: requests and answers in `dialects/localllm*.py` (pure), HTTP in `localllm_http.py`, where the app is and what it is in
`localllm_probe.py`, one answer and its seat in `localllm_run.py`, vectors in `localllm_embed.py`, looking for the app and warming
it up in `localllm_watch.py`, what is told of it in `localllm_state.py`, and here how they play together. What only an answer needs is
imported by the first one, where it is needed: at rest it would be memory for nobody.

One request that touches a model is in flight, warm-ups and checks included, and the next begins when the answer before it has been read
to its end: overlapping requests can crash the app (7.6). That holds for this process; let nobody else use the app.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.chat import Chat, Embedding, Event, Started
from adapter.dialects.localllm_builds import PORTS, HealthReport
from adapter.dialects.localllm_sessions import Sessions
from adapter.engines.base import Health, ModelCard, Pressure
from adapter.engines.localllm_pauses import Limits, Pauses
from adapter.engines.localllm_probe import REMEDY, Life, Phone, Prober
from adapter.engines.localllm_state import Models
from adapter.engines.localllm_watch import Watch
from adapter.engines.pause import Pause, is_here
from adapter.engines.seats import Seat, Seats
from adapter.errors import (
    AdapterError,
    AppCrashed,
    ModelNotFound,
    NotCapable,
    UpstreamProtocol,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from adapter.secrets import read_secret
from adapter.settings import LocalllmSettings

if TYPE_CHECKING:
    from adapter.dialects.localllm import Ask
    from adapter.dialects.localllm_answer import Answer
    from adapter.dialects.localllm_errors import Refusal
    from adapter.dialects.localllm_models import Model
    from adapter.engines.localllm_run import Run

logger = logging.getLogger(__name__)

# `health` promises about two seconds.
HEALTH_S = 2.0
# The app's own time limit should be heard of before ours is over.
GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything decided about one request before the app sees it."""

    ask: Ask
    phone: Phone
    answer: Answer


class LocalllmEngine:
    """See `base.Engine` for the contract, and `base.Seated`, `base.Embeds`."""

    def __init__(
        self,
        settings: LocalllmSettings,
        home: Path | None = None,
        *,
        now_s: Callable[[], float] = time.monotonic,
        pauses: Pauses | None = None,
        ports: Sequence[int] = PORTS,
    ) -> None:
        """`home` is not used. `pauses`, `ports` and `now_s` are for tests."""
        self._settings = settings
        self._key: str | None = None
        self._pauses = pauses or Pauses()
        self._limits = Limits(settings.request_s + settings.load_s + GRACE_S, settings.between_tokens_s)
        self._prober = Prober(
            settings.url,
            connect_s=settings.connect_s,
            key=lambda: self._key,
            on_number=self._note_number,
            ports=ports,
            now_s=now_s,
        )
        self._seats = Seats(capacity=1, queue=settings.queue)
        self._pause = Pause()
        self._life = self._new_life()
        self._runs: set[Run] = set()
        self._models = Models(settings.context_tokens)
        self._watch = Watch(
            self._prober,
            self._seats,
            lambda: self._life,
            self._pauses,
            chats=self._models.worth_warming,
            may_load=lambda: self._pause.refusal is None,
            on=settings.warm,
        )

    @property
    def name(self) -> str:
        return self._settings.name

    async def start(self) -> None:
        """Raises `SecretError` for a key that cannot be had. The app is looked for in the background."""
        if self._settings.key is not None:
            setting = f'[[engine]] "{self.name}": key'
            self._key = await asyncio.to_thread(read_secret, self._settings.key, setting=setting)
        self._watch.look()

    async def close(self) -> None:
        await self._watch.close()
        runs = [run.task for run in self._runs]
        for task in runs:
            task.cancel()
        await asyncio.gather(*runs, return_exceptions=True)
        await self._prober.close()

    # --- the seat --------------------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        return 1

    @property
    def on_this_phone(self) -> bool:
        return is_here(self._settings.url)

    async def pressure(self, level: Pressure, *, reason: str = "", retry_after_s: int | None = None) -> None:
        """See `base.Adjusts`: while it is paused nothing new begins, warm-ups included. Its running answer goes on."""
        self._pause.set(level, reason, retry_after_s)
        self._pause.clear(self._seats)

    async def settled(self) -> None:
        """Return when no abandoned answer is being read any more."""
        while left := [run.task for run in self._runs if run.abandoned and not run.task.done()]:
            await asyncio.wait(left)

    # --- what there is ---------------------------------------------------------------------------------------

    async def models(self) -> Sequence[ModelCard]:
        try:
            phone = await self._prober.phone()
            report = await self._report()
        except AdapterError as exc:
            self._lose(exc)
            logger.debug("no models listed engine=%s error=%s", self.name, exc)
            return []
        self._watch.consider(phone)
        return self._models.cards(phone, report)

    async def _report(self) -> HealthReport:
        """A phone that computes an answer of ours may be slow to speak of itself; it is there all the same."""
        try:
            return await self._prober.report()
        except UpstreamTimeout:
            if not self._seats.taken:
                raise
            return HealthReport()

    async def health(self) -> Health:
        if (refused := self._pause.refusal) is not None:
            return Health(False, refused.message)
        try:
            async with asyncio.timeout(HEALTH_S):
                return await self._examined()
        except TimeoutError:
            if self._seats.taken:
                return Health(True, f"LocalLLM at {self._prober.places} is busy with an answer.")
            return Health(False, f"LocalLLM at {self._prober.places} does not answer within {HEALTH_S:g} s. {REMEDY}")
        except AdapterError as exc:
            self._lose(exc)
            return Health(False, exc.message)

    async def _examined(self) -> Health:
        phone = await self._prober.phone()
        report = await self._report()
        self._watch.consider(phone)
        return self._models.health(phone, report, self._life.trouble)

    # --- answers ---------------------------------------------------------------------------------------------

    def unheeded(self, chat: Chat) -> tuple[str, ...]:
        from adapter.dialects.localllm import unheeded

        return unheeded(chat)

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
            self._pause.check()  # it may have begun while we were asking
            life = self._life
            session = self._session(chat, plan.ask)
            run = self._start(plan, session, seat)
        except BaseException as exc:
            seat.leave()
            self._learn_from(exc)
            raise
        try:
            async with aclosing(self._events(run, plan, life, session)) as events:
                async for event in events:
                    yield event
        finally:
            run.leave()

    async def _plan(self, chat: Chat) -> _Plan:
        from adapter.dialects.localllm import render_chat
        from adapter.dialects.localllm_answer import Answer
        from adapter.dialects.localllm_errors import no_such_model

        phone = await self._prober.phone()
        if chat.model not in phone.models:
            phone = await self._prober.phone(fresh=True)
            if chat.model not in phone.models:
                raise no_such_model(chat.model)
        ask = render_chat(
            chat,
            self._models[chat.model],
            configured_tokens=self._settings.context_tokens,
            default_max_tokens=self._settings.default_max_tokens,
        )
        return _Plan(ask, phone, Answer(ask, chat.sampling.stop, new_call_id=_new_call_id))

    def _session(self, chat: Chat, ask: Ask) -> str | None:
        """The client's own, else one of ours if that is wanted (7.5); anything else that runs on a model ends its conversation."""
        if not ask.model.litert:
            return None
        if self._settings.sessions and chat.session is None:
            return self._life.sessions.begin(ask)
        self._life.sessions.forget(ask.model.id)
        return chat.session

    def _start(self, plan: _Plan, session: str | None, seat: Seat) -> Run:
        from adapter.engines.localllm_run import Errand, Run

        life, model = self._life, plan.ask.model.id
        modes = {"always": True, "never": False}
        whole = modes.get(self._settings.stream, life.whole.get(model))

        def learn(found: bool) -> None:
            self._life.whole[model] = found

        errand = Errand(plan.phone.http, plan.ask, session, whole, learn, lambda said: self._explained(said, plan))
        run = Run(errand, seat, limits=self._limits, pauses=self._pauses)
        self._runs.add(run)
        run.task.add_done_callback(lambda _: self._over(run))
        return run

    async def _events(
        self, run: Run, plan: _Plan, life: Life, session: str | None
    ) -> AsyncGenerator[Event, None]:
        from adapter.dialects.localllm_frames import End, Piece, Whole
        from adapter.engines.localllm_run import Accepted

        answer = plan.answer
        while not answer.complete:
            match await run.next():
                case Accepted():
                    yield Started()
                case Piece() as piece:
                    for delta in answer.piece(piece):
                        yield delta
                case End() as end:
                    deltas = answer.end(end)
                    self._keep(life, session, plan)
                    for delta in deltas:
                        yield delta
                    break
                case Whole() as whole:
                    deltas = answer.whole(whole)
                    self._keep(life, session, plan)
                    for delta in deltas:
                        yield delta
                    break
        # Whoever asks next need not wait until the client has read our last event.
        run.leave()
        yield answer.finish()

    def _keep(self, life: Life, session: str | None, plan: _Plan) -> None:
        """An answer that we cut is longer in the app's memory than the client knows, so it cannot be gone on from."""
        if session is None or not self._settings.sessions or plan.answer.complete:
            return
        if life is self._life:
            life.sessions.keep(session, plan.ask, plan.answer.text, plan.answer.calls)

    async def embed(self, model: str, texts: Sequence[str]) -> Embedding:
        from adapter.dialects.localllm_errors import no_such_model
        from adapter.engines.localllm_embed import embed_texts

        self._pause.check()
        seat = self._seats.take()
        try:
            await seat.wait()
            phone = await self._prober.phone()
            if model not in phone.models:
                raise no_such_model(model)
            self._pause.check()  # as in `generate`
            found = await embed_texts(phone.http, model, texts, within_s=self._limits.whole_s)
        except BaseException as exc:
            self._learn_from(exc)
            raise
        finally:
            seat.leave()
        self._models.embeds(model, len(found.vectors[0]))
        return found

    # --- what is learned ------------------------------------------------------------------------------------

    async def _explained(self, refusal: Refusal, plan: _Plan) -> AdapterError:
        """The error for `refusal`. Asks the app again what it has where that decides whose fault it is (18, rule 11)."""
        from adapter.dialects.localllm_errors import INIT_FAILED, Asked, render_refusal

        ask, listed = plan.ask, True
        if refusal.code == INIT_FAILED or (refusal.status == 500 and refusal.type == "server_error"):
            listed = ask.model.id in (await self._prober.phone(fresh=True)).models
        if refusal.code == INIT_FAILED and listed and await self._turns_out_to_embed(ask.model, plan.phone):
            return NotCapable(f"'{ask.model.id}' makes embeddings and cannot chat; ask for another model.", param="model")
        asked = Asked(
            ask.model.id,
            ask.context_tokens,
            ask.prompt_tokens,
            listed=listed,
            has_images=ask.has_images,
            has_tools=bool(ask.schemas),
        )
        return render_refusal(refusal, asked)

    async def _turns_out_to_embed(self, model: Model, phone: Phone) -> bool:
        """A model that cannot be loaded for chats may be one of the embedding models, which the list does not tell apart (6)."""
        from adapter.engines.localllm_embed import is_embedder

        if not model.litert or not await is_embedder(phone.http, model.id):
            return False
        self._models.embeds(model.id)
        return True

    def _note_number(self, number: int) -> None:
        """Requests are counted from 1 in each process of the app (9), so a lower number is another process."""
        if number <= self._life.number:
            logger.info("app was restarted engine=%s request=%d", self.name, number)
            self._begin_life()
        self._life.number = number

    def _over(self, run: Run) -> None:
        self._runs.discard(run)
        if run.error is not None:
            self._learn_from(run.error)

    def _learn_from(self, exc: BaseException) -> None:
        """The app that comes back is another process, perhaps another build, with other models."""
        if isinstance(exc, UpstreamProtocol | UpstreamRefused | ModelNotFound):
            self._prober.forget()
        if isinstance(exc, UpstreamUnreachable | AppCrashed):
            self._begin_life()
            self._watch.look()

    def _lose(self, exc: AdapterError) -> None:
        """It does not even say what it has."""
        self._prober.forget()
        self._learn_from(exc)

    def _begin_life(self) -> None:
        self._life = self._new_life()
        self._prober.forget_build()

    def _new_life(self) -> Life:
        # Ids that no client makes up, and that an earlier process of ours has not used either.
        return Life(Sessions(f"farmhand-{secrets.token_hex(4)}"))


def _new_call_id() -> str:
    return f"call_{secrets.token_hex(8)}"
