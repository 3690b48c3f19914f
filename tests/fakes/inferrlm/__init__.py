"""A faithful fake of the InferrLM app's HTTP server, quirks and hazards included.

    async with FakeInferrLM("B", engine=FakeModelRuntime(script=Script(fail_after=3))) as phone:
        ...  # talk to phone.url, then look at phone.log, phone.requests, phone.overlaps

Its reference is the protocol document of the project; section numbers in the docstrings here
are that document's. `tests/wire/test_fake_inferrlm_replay.py` compares it with the recorded
bytes of the real server. The document-search and chat-history endpoints are not there (404).
"""

from tests.fakes.inferrlm.builds import TRAITS, Build, Traits
from tests.fakes.inferrlm.clock import Clock, ManualClock, RealClock
from tests.fakes.inferrlm.log import EngineEvent, EngineLog, SeenConnection, SeenRequest
from tests.fakes.inferrlm.models import GEMMA_LITERT, LLAMA, PROJECTOR, QWEN, StoredModel, recorded_models
from tests.fakes.inferrlm.payload import Message, Settings, factory_settings
from tests.fakes.inferrlm.runtime import FakeModelRuntime
from tests.fakes.inferrlm.script import CANNED, NAMED, Script
from tests.fakes.inferrlm.server import FIRST, FakeInferrLM

__all__ = [
    "CANNED",
    "FIRST",
    "GEMMA_LITERT",
    "LLAMA",
    "NAMED",
    "PROJECTOR",
    "QWEN",
    "TRAITS",
    "Build",
    "Clock",
    "EngineEvent",
    "EngineLog",
    "FakeInferrLM",
    "FakeModelRuntime",
    "ManualClock",
    "Message",
    "RealClock",
    "Script",
    "SeenConnection",
    "SeenRequest",
    "Settings",
    "StoredModel",
    "Traits",
    "factory_settings",
    "recorded_models",
]
