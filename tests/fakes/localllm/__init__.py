"""A faithful fake of the LocalLLM app's HTTP server, quirks and hazards included.

    async with FakeLocalLLM(build="warm", overlap="fail", reply=Reply(("Hel", "lo"))) as phone:
        ...  # talk to phone.url, then look at phone.log, phone.requests, phone.overlaps

Its reference is protocols/localllm.md; section numbers in the docstrings here are that document's. No running LocalLLM
was ever observed, so neither was this fake compared with one: where the document marks a fact as likely only, the fake
takes the form that is harder on a client. Left out: the clocks of idle eviction and idle stop, mDNS,
CORS when it is on, picture scaling, JVM errors (the last paragraph of 5.1).
"""

from tests.fakes.localllm.exchange import SeenRequest
from tests.fakes.localllm.options import (
    AICORE_ID,
    AICore,
    Build,
    Deltas,
    Disconnect,
    Head,
    MidStreamFailure,
    Overlap,
    Reply,
    WholeNumbers,
)
from tests.fakes.localllm.runtime import Gate, Prompt, count_prompt, count_tokens
from tests.fakes.localllm.server import FakeLocalLLM

__all__ = [
    "AICORE_ID",
    "AICore",
    "Build",
    "Deltas",
    "Disconnect",
    "FakeLocalLLM",
    "Gate",
    "Head",
    "MidStreamFailure",
    "Overlap",
    "Prompt",
    "Reply",
    "SeenRequest",
    "WholeNumbers",
    "count_prompt",
    "count_tokens",
]
