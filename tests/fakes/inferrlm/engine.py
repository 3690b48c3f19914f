"""Which model is in memory, and how requests get it there (protocol sections 6, 9, 11)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.inferrlm.builds import Traits
from tests.fakes.inferrlm.clock import iso_now
from tests.fakes.inferrlm.litert import LiteRTManager
from tests.fakes.inferrlm.llama import GenerationRequest, LlamaManager, OnToken
from tests.fakes.inferrlm.models import StoredModel, find_model
from tests.fakes.inferrlm.payload import AppCrash, Settings
from tests.fakes.inferrlm.runtime import FakeModelRuntime, LlamaContext, NativeError


class Refused(Exception):
    """A request that gets an error answer before generation starts (10.1)."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class ActiveModel:
    """The model of the last request that needed one; `/api/ps` shows its time."""

    path: str
    since: str


class Engine:
    """The model in memory. `path` is None while none is, which includes most of a load."""

    def __init__(
        self,
        runtime: FakeModelRuntime,
        traits: Traits,
        models: Sequence[StoredModel],
        owner_settings: Settings,
    ) -> None:
        self._runtime = runtime
        self._traits = traits
        self._models = models
        self.llama = LlamaManager(runtime, traits, owner_settings)
        self.litert = LiteRTManager(runtime)
        self._uses_litert = False
        self.path: str | None = None
        self.active: ActiveModel | None = None

    @property
    def ready(self) -> bool:
        return self.litert.ready if self._uses_litert else self.llama.context is not None

    @property
    def listed_by_ps(self) -> bool:
        """A lists what is initialised, B and C what has a path."""
        return self.ready if self._reloads else self.path is not None

    @property
    def _reloads(self) -> bool:
        """A compares a path with `file://` to one without, so no model is ever the wanted one (6)."""
        return self._traits.queue == "cut"

    def find(self, identifier: str) -> StoredModel | None:
        return find_model(identifier, self._models, extension_optional=self._traits.extension_optional)

    def preload(self, model: StoredModel) -> None:
        """The owner has loaded a model in the app, before anybody looked."""
        self._uses_litert = model.is_litert
        if model.is_litert:
            self.litert.preload(model)
        else:
            self.llama.context = LlamaContext(self._runtime)
        self.path = self._shown_path(model)

    async def ensure_loaded(self, identifier: str | None) -> StoredModel:
        """The model a request wants, loaded. Raises Refused, or AppCrash if loading fails (6)."""
        if identifier is not None and identifier.strip():
            target = self.find(identifier)
            if target is None:
                raise Refused(404, "model_not_found")
        else:
            target = self._in_memory()
            if target is None:
                raise Refused(503, "model_not_loaded")
        if not self.ready or self.path != target.path:
            await self._load(target)
            self.active = ActiveModel(target.path, iso_now())
        elif self.active is None or self.active.path != target.path:
            self.active = ActiveModel(target.path, iso_now())
        return target

    async def reload(self) -> str:
        """Load the model in memory again; returns its path. Raises Refused if there is none."""
        path = self.path
        target = None if path is None else self.find(path)
        if path is None or target is None:
            raise Refused(503, "model_not_loaded")
        try:
            await self._load(target)
        except AppCrash as crash:
            raise Refused(500, "model_reload_failed") from crash
        return path

    async def release(self) -> None:
        """Unload; what runs is cut and looks complete (11)."""
        if self._reloads:
            self.path = None
        await (self.litert.release() if self._uses_litert else self.llama.release())
        self.path = None

    def stop(self) -> None:
        """Stop whatever runs (12)."""
        if self._uses_litert:
            self.litert.stop()
        else:
            self.llama.stop()

    async def generate(self, request: GenerationRequest, on_token: OnToken | None) -> str:
        """Return the final text. Raises GenerationFailed or ModelBusy; their text is the reason."""
        if self._uses_litert:
            return await self.litert.generate(request, on_token)
        return await self.llama.generate(request, on_token or (lambda _: True))

    async def embed(self, texts: Sequence[str]) -> list[Sequence[float]]:
        """One vector per text (9). Raises Refused."""
        if self._uses_litert:
            raise Refused(400, "embeddings_not_supported")
        try:
            return [await self.llama.embed(text) for text in texts]
        except NativeError as error:
            raise Refused(500, "embedding_failed") from error

    def _in_memory(self) -> StoredModel | None:
        if self.path is None or (self._reloads and not self.ready):
            return None
        return self.find(self.path)

    async def _load(self, model: StoredModel) -> None:
        if self.ready:
            await self.release()
        self._uses_litert = model.is_litert
        if self._reloads:
            self.path = self._shown_path(model)
        try:
            await (self.litert.load(model) if model.is_litert else self.llama.load(model))
        except NativeError as error:
            self.path = None
            raise AppCrash(f"model_init_failed: {error}") from error
        self.path = self._shown_path(model)

    def _shown_path(self, model: StoredModel) -> str:
        return model.path.removeprefix("file://") if self._reloads else model.path
