"""Tokens of engines that do not count: counted with the model's vocabulary where a copy of its file is on this phone.

An estimate is off by up to a fifth (`tokens.py`). The apps keep their models to themselves, but the same GGUF, or another
quantisation of it, which has the same vocabulary, may be among the fetched ones, or be named in the configuration (`vocabulary`).
The counting itself is done by a process of its own (`engines/llama/vocabulary_host.py`). An answer never waits longer for its count than
`COUNT_S`: where that is too short, as for the first answer, the estimate stays.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.chat import Chat, Usage, UsageSource

if TYPE_CHECKING:
    from adapter.engines.llama.vocabulary_host import VocabularyHost

logger = logging.getLogger(__name__)

COUNT_S = 0.15
# Files come and go rarely; whoever has just fetched one waits so long for exact numbers.
LISTING_S = 30.0
# Telling the other process so much text takes a few milliseconds of the event loop; what is longer stays estimated.
MAX_CHARS = 400_000
# Each takes 37 to 133 MB for as long as it is used.
MAX_HOSTS = 2

_ENDINGS = (".gguf", ".litertlm", ".task")
_QUANTISATION = re.compile(
    r"(?:[-._](?:ud|i1|imat|int\d+|mxfp\d|nvfp\d|b?f16|fp?32|fp16|(?:i|t)?q\d(?:_[a-z0-9]+)*))+$"
)


def vocabulary_name(model: str) -> str:
    """What files and models with the same vocabulary have in common: no folder, ending or quantisation, in lower case."""
    return _QUANTISATION.sub("", _stem(model))


def _stem(model: str) -> str:
    name = model.rpartition("/")[2].casefold()
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


@dataclass(frozen=True, slots=True)
class VocabularyFiles:
    """What there is to count with. by_name: stems in lower case, with and without quantisation.

    missing: what was configured and is not there.
    """

    by_engine: Mapping[str, Path] = field(default_factory=dict)
    by_name: Mapping[str, Path] = field(default_factory=dict)
    missing: frozenset[tuple[str, Path]] = frozenset()


class TokenCounter:
    """One event loop; nothing here is safe across threads."""

    def __init__(self, home: Path, files: Mapping[str, str]) -> None:
        """home: the state folder. files: engine -> its configured vocabulary, a path or the name of a fetched model."""
        self._home = home
        self._configured = dict(files)
        self._files = VocabularyFiles()
        self._listed_at_s: float | None = None
        self._listing: asyncio.Task[None] | None = None
        self._hosts: dict[Path, VocabularyHost] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def vocabulary_for(self, engine: str, model: str) -> Path | None:
        """The file to count with, by what was last seen on the disk, which is looked at again in the background."""
        self._look_again()
        if found := self._files.by_engine.get(engine):
            return found
        by_name = self._files.by_name
        return by_name.get(_stem(model)) or by_name.get(vocabulary_name(model))

    async def counted(self, usage: Usage, chat: Chat, text: str, *, engine: str, model: str) -> Usage:
        """`usage` with counts in place of estimates, marked as counted; as it is where that cannot be had at once.

        text: all that the model wrote, reasoning included. Raises nothing but `CancelledError`, and takes `COUNT_S` at most.
        """
        prompt = chat if usage.prompt_source is UsageSource.ESTIMATED and _is_text(chat) else None
        answer = text if usage.completion_source is UsageSource.ESTIMATED else None
        if self._closed or (prompt is None and answer is None) or _chars(prompt, answer) > MAX_CHARS:
            return usage
        try:
            path = self.vocabulary_for(engine, model)
            if path is None:
                return usage
            counts = await self._host(path).count(prompt, answer, within_s=COUNT_S)
        except Exception:
            logger.exception("tokens could not be counted engine=%s model=%s", engine, model)
            return usage
        return _with_counts(usage, *counts)

    def _host(self, path: Path) -> VocabularyHost:
        """The one that was not used for longest makes room for a new one."""
        # What runs processes is imported when there is one to run.
        from adapter.engines.llama.vocabulary_host import VocabularyHost

        host = self._hosts.pop(path, None) or VocabularyHost(path)
        self._hosts[path] = host
        if len(self._hosts) > MAX_HOSTS:
            oldest = next(iter(self._hosts))
            task = asyncio.create_task(self._hosts.pop(oldest).close(), name="vocabulary-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        return host

    # --- the files ---------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        loop = asyncio.get_running_loop()
        fresh = self._listed_at_s is not None and loop.time() - self._listed_at_s < LISTING_S
        if not (fresh or self._listing or self._closed):
            self._listing = asyncio.create_task(self._list(), name="vocabulary-list")

    async def _list(self) -> None:
        try:
            found = await asyncio.to_thread(find_files, self._home, self._configured)
            for engine, path in sorted(found.missing - self._files.missing):
                logger.warning("tokens are not counted engine=%s: there is no vocabulary %s", engine, path)
            self._files = found
        except OSError as exc:
            logger.warning("vocabularies cannot be listed home=%s: %s", self._home, exc)
        finally:
            self._listed_at_s = asyncio.get_running_loop().time()
            self._listing = None

    async def listed(self) -> None:
        """Return once the disk has been looked at. For whoever wants the very first answer to find its file."""
        self._look_again()
        if self._listing:
            await asyncio.wait({self._listing})

    async def close(self) -> None:
        """End everything: no process and no task is left. May be called twice."""
        self._closed = True
        if self._listing:
            await asyncio.wait({self._listing})
        hosts, self._hosts = list(self._hosts.values()), {}
        await asyncio.gather(*(host.close() for host in hosts), *self._closing)


def find_files(home: Path, configured: Mapping[str, str]) -> VocabularyFiles:
    """Reads the disk. Nothing without llama-cpp-python, which does the counting."""
    if any(importlib.util.find_spec(module) is None for module in ("llama_cpp", "jinja2")):
        return VocabularyFiles()
    named: dict[str, Path] = {}
    if configured:
        from adapter.engines.llama.model_file import model_path

        named = {engine: model_path(model, home) for engine, model in configured.items()}
    by_name: dict[str, Path] = {}
    fetched = sorted(path for path in (home / "models").glob("*.gguf") if not path.name.startswith("."))
    for path in fetched:
        by_name.setdefault(vocabulary_name(path.name), path)
    by_name |= {_stem(path.name): path for path in reversed(fetched)}
    return VocabularyFiles(
        by_engine={engine: path for engine, path in named.items() if path.is_file()},
        by_name=by_name,
        missing=frozenset((engine, path) for engine, path in named.items() if not path.is_file()),
    )


# --- usage ------------------------------------------------------------------------------------------------------


def _is_text(chat: Chat) -> bool:
    """What a picture costs depends on the model's other half, which is in another file."""
    return not any(message.images for message in chat.messages)


def _chars(chat: Chat | None, text: str | None) -> int:
    chars = len(text or "")
    if chat is not None:
        for message in chat.messages:
            chars += len(message.content) + sum(len(call.arguments) for call in message.tool_calls)
        chars += sum(len(tool.description) + len(tool.parameters) for tool in chat.tools)
    return chars


def _with_counts(usage: Usage, prompt: int | None, completion: int | None) -> Usage:
    if prompt is not None:
        usage = replace(
            usage,
            prompt_tokens=prompt,
            cached_tokens=min(usage.cached_tokens, prompt),
            prompt_source=UsageSource.COUNTED,
        )
    if completion is not None:
        # A stop string can end the answer before its first character.
        usage = replace(
            usage, completion_tokens=max(1, completion), completion_source=UsageSource.COUNTED
        )
    return usage
