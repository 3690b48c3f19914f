"""What it takes to start a worker: the library, a model's file, memory for it, and what to tell the worker.

Reads the disk and the free memory; starts nothing. The methods block: call them in a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from adapter.engines.llama.model_file import (
    ModelFile,
    model_id,
    model_path,
    pin_paths,
    recorded_pins,
    require_library,
    unreadable,
)
from adapter.errors import EngineUnavailable
from adapter.settings import LlamaSettings

if TYPE_CHECKING:
    from adapter.engines.llama import link

logger = logging.getLogger(__name__)

# Other programs come and go.
MEMORY_RETRY_S = 30


class Launch:
    def __init__(
        self, settings: LlamaSettings, home: Path, available_bytes: Callable[[], int | None]
    ) -> None:
        """`available_bytes`: the memory that programs can still take; `None` if that is not known."""
        self._settings = settings
        self._home = home
        self._available_bytes = available_bytes
        self._pins_named: set[Path] = set()
        self.pins_wanted = bool(settings.pin)
        self.file = ModelFile(model_path(settings.model, home))

    def look_for_pins(self) -> None:
        """Sets `pins_wanted`: is there a prompt that this engine computes ahead? One of embeddings has none."""
        if not self.pins_wanted and recorded_pins(self._home):
            from adapter.engines.llama.embed_model import is_embedding_model

            with suppress(EngineUnavailable):
                self.pins_wanted = not is_embedding_model(self.file.meta())

    def check(self) -> None:
        """Is there a model to load? Raises `EngineUnavailable`."""
        require_library()
        self.file.meta()

    def check_memory(self) -> None:
        """Is there room for it now? Raises `EngineUnavailable` with the figures, and what would fit."""
        # Imported here as in `prepare`: an adapter at rest starts nothing.
        from adapter.engines.llama.admission import MIB, Shape, refusal
        from adapter.engines.llama.embed_model import is_embedding_model
        from adapter.engines.llama.gguf_layers import parse_size

        settings, meta = self._settings, self.file.meta()
        available = self._available_bytes()
        if available is None:
            logger.debug("model admitted engine=%s: free memory is not known", settings.name)
            return
        embeds = is_embedding_model(meta)
        shape = Shape(
            slots=1 if embeds else settings.slots,
            ctx_tokens=settings.ctx_tokens,
            batch_tokens=settings.batch_tokens,
            kv_type="f16" if embeds else settings.kv_type,
            draft_tokens=settings.draft_tokens,
            embeds=embeds,
        )
        why = refusal(
            model_id(settings.model), parse_size(meta), shape,
            available_bytes=available, reserve_bytes=settings.memory_reserve_mib * MIB,
        )  # fmt: skip
        if why:
            raise EngineUnavailable(why, retry_after_s=MEMORY_RETRY_S)

    def prepare(self) -> link.Hello:
        """All checks; then what to tell the worker. Raises `EngineUnavailable`.

        The last worker must be gone: the memory that it holds counts as taken.
        """
        from adapter.engines.llama import link
        from adapter.engines.llama.admission import MIB
        from adapter.engines.llama.embed_model import is_embedding_model

        self.check()
        self.check_memory()
        settings = self._settings
        return link.Hello(
            path=str(self.file.path),
            slots=settings.slots,
            queue=settings.queue,
            ctx_tokens=settings.ctx_tokens,
            batch_tokens=settings.batch_tokens,
            threads=settings.threads,
            kv_type=settings.kv_type,
            kv_dir=str((self._home / "kv").absolute()),
            kv_store_bytes=settings.kv_store_mib * MIB,
            kv_save_tokens=settings.kv_save_tokens,
            pins=tuple(str(path) for path in self._pins() if self._can_pin(path)),
            draft_tokens=settings.draft_tokens,
            embeds=is_embedding_model(self.file.meta()),
        )

    def _pins(self) -> list[Path]:
        """Each once, those of the settings first: what fills the memory first is theirs."""
        return [*dict.fromkeys([*pin_paths(self._settings.pin, self._home), *recorded_pins(self._home)])]

    def _can_pin(self, path: Path) -> bool:
        """A file that cannot be read costs that prompt its place, and no more; it is said once."""
        reason = unreadable(path)
        if reason and path not in self._pins_named:
            self._pins_named.add(path)
            logger.warning("pinned prompt cannot be read engine=%s file=%s: %s", self._settings.name, path, reason)
        return not reason
