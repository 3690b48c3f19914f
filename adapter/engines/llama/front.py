"""The worker's front: frames in, jobs out. Templates, tokenizing and error texts stay here, off the decode loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from adapter.engines.llama import link
from adapter.engines.llama.loop import CancelJob, Inbox, Job, Stop
from adapter.engines.llama.model import Model
from adapter.engines.llama.template import ChatTemplate, opens_reasoning
from adapter.errors import AdapterError, BadRequest, ContextTooLong, InternalError

logger = logging.getLogger(__name__)


class Front:
    def __init__(
        self, model: Model, template: ChatTemplate, inbox: Inbox, send: Callable[[link.Frame], None]
    ) -> None:
        self._model = model
        self._template = template
        self._inbox = inbox
        self._send = send

    def take(self, frame: link.Frame) -> None:
        """Pass one frame of the adapter's on. A request that cannot be done fails here and alone."""
        match frame:
            case link.Submit():
                self._submit(frame)
            case link.Cancel():
                self._inbox.put(CancelJob(frame.id))
            case link.Shutdown():
                self._inbox.put(Stop())
            case _:
                raise link.LinkError(f"{type(frame).__name__} is not for the worker")

    def _submit(self, frame: link.Submit) -> None:
        try:
            self._inbox.put(self._job(frame))
        except AdapterError as exc:
            self._send(link.Failed(frame.id, exc.code, exc.message, exc.param))
        except Exception:  # one request's trouble stays its own
            logger.exception("a request failed because of us task=%s", frame.id)
            message = "Farmhand failed on this request; the log says where."
            self._send(link.Failed(frame.id, InternalError.code, message))

    def _job(self, frame: link.Submit) -> Job:
        text = self._template.render(frame.messages)
        prompt = tuple(self._model.tokenize(text))
        if not prompt:
            raise BadRequest("The model's chat template made nothing of these messages.", param="messages")
        context = self._model.facts.ctx_tokens
        room = context - len(prompt)
        if room < 1:
            raise ContextTooLong.of(context_tokens=context, prompt_tokens=len(prompt))
        # As llama-server: an answer that would not fit is cut and ends with `length`.
        limit = min(frame.sampling.max_tokens or room, room)
        sampling = replace(frame.sampling, max_tokens=limit)
        return Job(frame.id, prompt, sampling, starts_open=opens_reasoning(text))
