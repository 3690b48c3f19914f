"""What each request is answered, and where the orders of a test come in."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.fakes.openai_server import kinds, model, render, wordings
from tests.fakes.openai_server.faults import Break, Gate, How, Refusal
from tests.fakes.openai_server.model import Reply
from tests.fakes.openai_server.quirks import context_kind
from tests.fakes.openai_server.render import Form
from tests.fakes.openai_server.wordings import Refused, error
from tests.fakes.openai_server.writer import Broken, Writer

if TYPE_CHECKING:
    from tests.fakes.openai_server.server import FakeOpenAI, SeenRequest

JSON = "application/json"
WIDTH = 8
HTML = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body>\r\n</html>\r\n"


class Answers:
    """Stateless but for the numbers of its answers."""

    def __init__(self, fake: FakeOpenAI) -> None:
        self._fake = fake
        self._numbers = itertools.count(1)

    async def answer(self, writer: Writer, seen: SeenRequest) -> None:
        """Raises `Broken` where the answer is to break, `ClientLeft` where nobody reads it."""
        try:
            if seen.method == "POST":
                await self._post(writer, seen)
            else:
                await self._get(writer, seen)
        except Refused as refused:
            await self._refuse(writer, refused)

    async def _get(self, writer: Writer, seen: SeenRequest) -> None:
        self._check_key(seen)
        if "loading_503" in self._fake.quirks:
            raise error(self._fake.kind, "loading")
        found = kinds.get(self._fake.kind, seen.path, self._fake.models, self._fake.context_tokens)
        if found is None:
            raise error(self._fake.kind, "no_path", f"GET {seen.path}")
        status, value = found
        if isinstance(value, str):
            await writer.whole(status, value.encode(), "text/plain; charset=utf-8")
        else:
            await writer.whole(status, json.dumps(value).encode(), JSON)

    async def _post(self, writer: Writer, seen: SeenRequest) -> None:
        for gate in self._gates(None):
            await gate.pass_through()
        if "slow_head" in self._fake.quirks:
            await asyncio.sleep(self._fake.head_delay_s)
        if (ordered := self._fake.orders.refusal(seen.path)) is not None:
            await self._ordered(writer, ordered)
            return
        self._check_key(seen)
        if not isinstance(seen.json, dict):
            raise wordings.openai_error(400, "The body is not a JSON object.", "invalid_request_error")
        match seen.path.removeprefix("/v1"):
            case "/chat/completions":
                await self._generate(writer, seen, chat=True)
            case "/completions":
                await self._generate(writer, seen, chat=False)
            case "/embeddings":
                await self._embed(writer, seen)
            case "/api/show" if self._fake.kind == "ollama":
                info = {"general.architecture": "llama", "llama.context_length": self._fake.context_tokens}
                await writer.whole(200, json.dumps({"model_info": info, "capabilities": ["completion", "tools"]}).encode(), JSON)
            case _:
                raise error(self._fake.kind, "no_path", f"POST {seen.path}")

    async def _generate(self, writer: Writer, seen: SeenRequest, *, chat: bool) -> None:
        body: dict[str, Any] = seen.json
        self._check(body)
        reply = self._reply(body, chat=chat)
        number = next(self._numbers)
        traits = kinds.KINDS[self._fake.kind]
        form = Form(f"{traits.id_prefix if chat else 'cmpl-'}{number}", str(body.get("model", "")), chat, self._fake.quirks, traits, body)
        broken = self._fake.orders.next_break()
        writer.breaks_at = broken
        if body.get("stream") and "json_for_stream" not in self._fake.quirks:
            await self._stream(writer, reply, form, broken)
        else:
            await self._plain(writer, seen, reply, form, broken)

    def _reply(self, body: dict[str, Any], *, chat: bool) -> Reply:
        fake = self._fake
        if callable(fake.reply):
            reply = fake.reply(body)
        elif fake.reply is not None:
            reply = fake.reply
        else:
            goes_on = chat and kinds.continues(fake.kind, body)
            reply = model.default_reply(body, words=fake.words, continues=goes_on, quirks=fake.quirks)
        endless = "keeps_going" in fake.quirks and not reply.calls
        return model.limited(replace(reply, endless=reply.endless or endless), body, fake.quirks)

    # Plain

    async def _plain(self, writer: Writer, seen: SeenRequest, reply: Reply, form: Form, broken: Break | None) -> None:
        for gate in self._fake.orders.gates:
            await gate.pass_through()
        if reply.endless:
            await asyncio.Event().wait()
        await self._think(sum(1 for _ in reply.pieces))
        how = broken.how if broken is not None and broken.pieces is not None else None
        if how == "frame":
            raise error(self._fake.kind, "failed")
        if how in ("no_done", "no_finish"):
            form = replace(form, quirks=form.quirks | {"no_finish"})
        data = json.dumps(render.plain(reply, form), ensure_ascii="split_utf8" not in form.quirks).encode()
        packed = "gzip" in form.quirks and "gzip" in seen.headers.get("accept-encoding", "")
        if how in ("cut", "reset", "stall", "clean_end"):
            await self._half(writer, data, how)
        await writer.whole(200, data, JSON, packed=packed)

    async def _half(self, writer: Writer, data: bytes, how: How) -> None:
        """A clean end needs a body without a length; the others break one that has promised more."""
        half = len(data) // 2
        if how == "clean_end":
            await writer.open_stream(JSON)
            await writer.send(data[:half])
            raise Broken(how)
        writer.breaks_at = Break(how, at_byte=half)

    # Streamed

    async def _stream(self, writer: Writer, reply: Reply, form: Form, broken: Break | None) -> None:
        await writer.open_stream(JSON if "stream_as_json_type" in form.quirks else "text/event-stream; charset=utf-8")
        if form.traits.first_comment:
            await writer.send(f"{form.traits.first_comment}\n\n".encode())
        if "empty_stream" in form.quirks:
            return
        limit = None if broken is None else broken.pieces
        deltas = 0
        for chunk in render.chunks(reply, form):
            if (chunk.delta or chunk.last) and deltas == limit:
                assert broken is not None
                await self._break_stream(writer, broken.how, reply, form)
                return
            if chunk.delta:
                for gate in self._gates(deltas):
                    await gate.pass_through()
                await self._think(1)
                deltas += 1
            await writer.send(render.frame(chunk.value, form.quirks))
        if "no_done" not in form.quirks:
            await writer.send(render.frame("[DONE]", form.quirks), last=True)

    async def _break_stream(self, writer: Writer, how: How, reply: Reply, form: Form) -> None:
        match how:
            case "frame":
                refused = error(self._fake.kind, "failed")
                field = "error" if "error_field" in form.quirks else "data"
                value = refused.body["error"] if field == "error" else refused.body
                await writer.send(render.frame(value, form.quirks, field=field))
            case "no_done":
                last = next(c for c in render.chunks(replace(reply, pieces=(), calls=(), reasoning=(), endless=False), form) if c.last)
                await writer.send(render.frame(last.value, form.quirks))
            case "no_finish":
                await writer.send(render.frame("[DONE]", form.quirks), last=True)
            case _:
                raise Broken(how)

    # Embeddings

    async def _embed(self, writer: Writer, seen: SeenRequest) -> None:
        body: dict[str, Any] = seen.json
        if "no_embeddings" in self._fake.quirks:
            raise wordings.no_embeddings(self._fake.kind)
        self._check(body)
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        packed = body.get("encoding_format") == "base64" or "base64_embeddings" in self._fake.quirks
        data = [
            {"object": "embedding", "index": index, "embedding": _packed(vector(str(text))) if packed else vector(str(text))}
            for index, text in enumerate(texts)
        ]
        tokens = sum(len(str(text).split()) for text in texts)
        value: dict[str, Any] = {"object": "list", "data": data, "model": body.get("model", "")}
        if "no_usage" not in self._fake.quirks:
            value["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        await writer.whole(200, json.dumps(value).encode(), JSON)

    # Refusals

    def _check_key(self, seen: SeenRequest) -> None:
        open_paths = ("/health", "/v1/health", "/models", "/v1/models") if self._fake.kind == "llama-server" else ("/health",)
        wrong = seen.headers.get("authorization") != f"Bearer {self._fake.key}"
        if self._fake.key and wrong and seen.path not in open_paths:
            raise error(self._fake.kind, "bad_key")

    def _check(self, body: Mapping[str, Any]) -> None:
        """Raises `Refused` for what this server does not take."""
        fake, quirks = self._fake, self._fake.quirks
        name = str(body.get("model", ""))
        self._check_quirks(quirks)
        if "model_404" in quirks or not (name in fake.models or kinds.KINDS[fake.kind].any_model):
            raise error(fake.kind, "not_found", name)
        prompt = model.prompt_words(body) if "input" not in body else 0
        if (words := context_kind(quirks)) is not None:
            raise wordings.context_error(words, max(prompt, fake.context_tokens + 1), fake.context_tokens)
        if prompt >= fake.context_tokens and not kinds.KINDS[fake.kind].truncates:
            raise wordings.context_error(fake.kind, prompt, fake.context_tokens)
        self._check_fields(body)

    def _check_quirks(self, quirks: frozenset[str]) -> None:
        kind = self._fake.kind
        for quirk, refused in (
            ("busy_429", error(kind, "busy")),
            ("loading_503", error(kind, "loading")),
            ("error_200", Refused(200, error(kind, "failed").body)),
            ("html_error", Refused(502, HTML)),
            ("text_error", Refused(500, "Internal Server Error")),
            ("error_string", Refused(500, {"error": "the model broke"})),
            ("detail_error", Refused(422, {"detail": [{"loc": ["body", "messages"], "msg": "the model broke", "type": "value_error"}]})),
        ):
            if quirk in quirks:
                raise refused

    def _check_fields(self, body: Mapping[str, Any]) -> None:
        quirks = self._fake.quirks
        form = (body.get("response_format") or {}).get("type", "text")
        if "max_completion_tokens_only" in quirks and body.get("max_tokens") is not None:
            raise wordings.no_max_tokens()
        if "rejects_stream_options" in quirks and "stream_options" in body:
            raise wordings.no_stream_options()
        if "rejects_tools" in quirks and body.get("tools"):
            raise wordings.no_tools(self._fake.kind, str(body.get("model", "")))
        if "rejects_schema" in quirks and form != "text":
            raise wordings.no_schema()
        if "schema_500" in quirks and form == "json_schema":
            raise wordings.schema_500()
        if "no_json_object" in quirks and form == "json_object":
            raise wordings.no_json_object()

    async def _refuse(self, writer: Writer, refused: Refused) -> None:
        if isinstance(refused.body, str):
            kind = "text/html" if refused.body.startswith("<") else "text/plain; charset=utf-8"
            await writer.whole(refused.status, refused.body.encode(), kind, refused.headers)
        else:
            await writer.whole(refused.status, json.dumps(refused.body).encode(), JSON, refused.headers)

    async def _ordered(self, writer: Writer, ordered: Refusal) -> None:
        body = error(self._fake.kind, "failed").body if ordered.body is None else ordered.body
        if isinstance(body, Mapping):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        await writer.whole(ordered.status, data, ordered.content_type, ordered.headers)

    # Time

    def _gates(self, after: int | None) -> list[Gate]:
        return [gate for gate in self._fake.orders.gates if gate.after == after]

    async def _think(self, deltas: int) -> None:
        if self._fake.token_delay_s:
            await asyncio.sleep(self._fake.token_delay_s * deltas)


def vector(text: str) -> list[float]:
    """Of length 1, the same for the same text, in single precision as servers have it."""
    digest = hashlib.sha256(text.encode()).digest()[:WIDTH]
    length = math.sqrt(sum((byte - 127.5) ** 2 for byte in digest))
    values = [(byte - 127.5) / length for byte in digest]
    return list(struct.unpack(f"<{WIDTH}f", struct.pack(f"<{WIDTH}f", *values)))


def _packed(values: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()

