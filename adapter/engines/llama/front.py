"""The worker's front: frames in, jobs out. Templates, tokenizing and error texts stay here, off the decode loop."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import replace

from adapter.calls.output import OutputPlan
from adapter.calls.plan import plain_plan
from adapter.chat import Chat, Completion, Sampling
from adapter.engines.llama import link
from adapter.engines.llama.answers import Job
from adapter.engines.llama.inbox import CancelJob, Inbox, Pressure, Send, Stop
from adapter.engines.llama.model import Model
from adapter.engines.llama.template import ChatTemplate
from adapter.errors import AdapterError, BadRequest, ContextTooLong, InternalError, NotCapable

logger = logging.getLogger(__name__)


class Front:
    def __init__(self, model: Model, template: ChatTemplate, inbox: Inbox, send: Send) -> None:
        self._model = model
        self._template = template
        self._inbox = inbox
        self._send = send

    def take(self, frame: link.Frame) -> None:
        """Pass one frame of the adapter's on. A request that cannot be done fails here and alone."""
        match frame:
            case link.Cancel():
                self._inbox.put(CancelJob(frame.id))
            case link.Pressure():
                self._inbox.put(Pressure(frame.level))
            case link.Shutdown():
                self._inbox.put(Stop())
            case link.Submit() | link.Complete() | link.Embed() | link.Tokenize() | link.Detokenize():
                self._do(frame)
            case _:
                raise link.LinkError(f"{type(frame).__name__} is not for the worker")

    def _do(self, frame: link.Request) -> None:
        try:
            match frame:
                case link.Submit():
                    self._inbox.put(self._chat(frame.id, frame.chat))
                case link.Complete():
                    self._inbox.put(self._completion(frame.id, frame.completion))
                case link.Tokenize():
                    self._send(self._tokenized(frame))
                case link.Detokenize():
                    self._send(self._detokenized(frame))
                case link.Embed():
                    raise NotCapable(
                        "This model writes text; for embeddings configure an engine with an embedding model.",
                        param="model",
                    )
        except AdapterError as exc:
            self._send(link.Failed(frame.id, exc.code, exc.message, exc.param))
        except Exception:  # one request's trouble stays its own
            logger.exception("a request failed because of us task=%s", frame.id)
            message = "Farmhand failed on this request; the log says where."
            self._send(link.Failed(frame.id, InternalError.code, message))

    # --- answers -------------------------------------------------------------------------------------------

    def _chat(self, id_: int, chat: Chat) -> Job:
        rendered = self._template.render(chat)
        prompt = self._model.tokenize(rendered.prompt)
        if not prompt:
            raise BadRequest("The model's chat template made nothing of these messages.", param="messages")
        param = chat.output.param if chat.output else "tools"
        job = self._job(id_, prompt, chat.sampling, rendered.plan, param)
        return replace(job, n=chat.n, logprobs=chat.logprobs)

    def _completion(self, id_: int, asked: Completion) -> Job:
        prompt = self._raw_prompt(asked)
        if not prompt:
            raise BadRequest("'prompt' is empty, and this model needs something to begin with.", param="prompt")
        param = asked.output.param if asked.output else "prompt"
        try:
            job = self._job(id_, prompt, asked.sampling, plain_plan(asked.output), param)
        except ContextTooLong as exc:
            raise ContextTooLong(exc.message, param="prompt") from None
        echo = self._text_of(asked.tokens) if asked.tokens is not None else asked.text or ""
        return replace(job, n=asked.n, logprobs=asked.logprobs, echo=echo if asked.echo else "")

    def _job(self, id_: int, prompt: Sequence[int], sampling: Sampling, plan: OutputPlan, param: str) -> Job:
        facts = self._model.facts
        room = facts.ctx_tokens - len(prompt)
        if room < 1:
            raise ContextTooLong.of(context_tokens=facts.ctx_tokens, prompt_tokens=len(prompt))
        for bias in sampling.logit_bias:
            self._check_token(bias.token, "logit_bias")
        # As llama-server: an answer that would not fit is cut and ends with `length`.
        limit = min(sampling.max_tokens or room, room)
        return Job(id_, tuple(prompt), replace(sampling, max_tokens=limit), plan, param=param)

    def _raw_prompt(self, asked: Completion) -> list[int]:
        if asked.tokens is not None:
            for token in asked.tokens:
                self._check_token(token, "prompt")
            before = list(asked.tokens)
        elif asked.suffix:
            before = self._model.tokenize(asked.text or "", specials=False, parse_specials=False)
        else:
            return self._model.tokenize(asked.text or "")
        if not asked.suffix:
            return before
        fill = self._model.facts.fill
        if fill is None:
            raise NotCapable("This model does not fill in the middle; leave 'suffix' out.", param="suffix")
        after = self._model.tokenize(asked.suffix, specials=False, parse_specials=False)
        begin = self._model.tokenize("", specials=True)
        return [*begin, fill.prefix, *before, fill.suffix, *after, fill.middle]

    def _check_token(self, token: int, param: str) -> None:
        if not 0 <= token < self._model.facts.n_vocab:
            raise BadRequest(
                f"'{param}' holds the token id {token}; this model's vocabulary has {self._model.facts.n_vocab} "
                "tokens, from 0. Ids of another model's vocabulary mean nothing here.",
                param=param,
            )

    # --- tokens --------------------------------------------------------------------------------------------

    def _tokenized(self, frame: link.Tokenize) -> link.Tokenized:
        if frame.text is None:
            chat = Chat(model="", messages=frame.messages)
            tokens = self._model.tokenize(self._template.render(chat).prompt)
        else:
            options = {"specials": frame.specials, "parse_specials": frame.parse_specials}
            tokens = self._model.tokenize(frame.text, **options)
        pieces = (self._model.piece(token, special=True) for token in tokens)
        return link.Tokenized(frame.id, tuple(tokens), tuple(base64.b64encode(p).decode() for p in pieces))

    def _detokenized(self, frame: link.Detokenize) -> link.Detokenized:
        for token in frame.tokens:
            self._check_token(token, "tokens")
        return link.Detokenized(frame.id, self._text_of(frame.tokens))

    def _text_of(self, tokens: Sequence[int]) -> str:
        return b"".join(self._model.piece(token, special=True) for token in tokens).decode("utf-8", "replace")
