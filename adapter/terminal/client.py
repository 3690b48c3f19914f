"""A client of one OpenAI server, for a person at a terminal: every failure is a sentence with what to type."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import aiohttp

from adapter.terminal.pieces import AnswerReader, Done, Piece, StreamError, error_message

CONNECT_S = 5.0
# The adapter is never silent so long in a stream; before it, a model may have to be loaded.
SILENCE_S = 600.0
MAX_ERROR_BYTES = 1 << 16


class ChatError(Exception):
    """Why there is no answer, or no more of it."""


class Client:
    """base_url: with `/v1`. key: `None` sends none. Close it."""

    def __init__(self, base_url: str, key: str | None) -> None:
        self._base_url = base_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
        )

    async def close(self) -> None:
        await self._session.close()

    async def answer(self, model: str, messages: Sequence[dict[str, str]]) -> AsyncGenerator[Piece, None]:
        """The pieces of a streamed answer. Raises `ChatError`, also when the answer breaks off."""
        body = {"model": model, "messages": list(messages), "stream": True}
        reader = AnswerReader()
        async with self._request("POST", "/chat/completions", body) as response:
            if response.content_type != "text/event-stream":
                raise ChatError(f"{self._base_url} does not stream; is it an OpenAI server?")
            async for data in response.content.iter_any():
                try:
                    pieces = reader.feed(data)
                except StreamError as exc:
                    raise ChatError(str(exc)) from exc
                for piece in pieces:
                    yield piece
                    if isinstance(piece, Done):
                        return
        raise ChatError("The answer broke off.")

    async def models(self) -> list[str]:
        """The names that the server has. Raises `ChatError`."""
        async with self._request("GET", "/models", None) as response:
            try:
                found = json.loads(await response.read())["data"]
                return [str(entry["id"]) for entry in found]
            except (ValueError, KeyError, TypeError):
                raise ChatError(f"{self._base_url} has no list of models; is it an OpenAI server?") from None

    @contextlib.asynccontextmanager
    async def _request(self, method: str, path: str, body: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """A response with status 200. Failures while it is read are told here too."""
        try:
            async with self._session.request(method, self._base_url + path, json=body) as response:
                if response.status != 200:
                    raise await self._refusal(response)
                yield response
        except aiohttp.ClientConnectorError as exc:
            raise self._nobody(exc.strerror or str(exc)) from exc
        except aiohttp.ConnectionTimeoutError as exc:
            raise self._nobody(f"no connection within {CONNECT_S:g} s") from exc
        except TimeoutError as exc:
            raise ChatError(f"Nothing came from {self._base_url} for {SILENCE_S:g} s.") from exc
        except aiohttp.InvalidURL as exc:
            raise ChatError(f"{self._base_url} is no address; write http://127.0.0.1:8888/v1") from exc
        except (aiohttp.ClientError, asyncio.IncompleteReadError) as exc:
            raise ChatError("The answer broke off: the connection is gone. Is the server still running?") from exc

    def _nobody(self, why: str) -> ChatError:
        return ChatError(f"Nobody answers at {self._base_url} ({why}). Start it with: farmhand serve")

    async def _refusal(self, response: aiohttp.ClientResponse) -> ChatError:
        said = None
        with contextlib.suppress(ValueError):
            said = error_message(json.loads(await response.content.read(MAX_ERROR_BYTES)))
        if response.status == 401:
            return ChatError(
                f"{self._base_url} does not accept the key. `farmhand serve` prints the right one; give it with --key KEY"
            )
        return ChatError(said or f"{self._base_url} answers with status {response.status}; is it an OpenAI server?")
