"""A misbehaving OpenAI-shaped server: raw HTTP, deterministic answers, faults on order.

    async with FakeOpenAI(kind="vllm", quirks={"no_usage"}) as upstream:
        upstream.fail_after(3, "cut")
        ...  # talk to upstream.url, then look at upstream.requests, upstream.left_early

Without a `reply` it counts: "w0 w1 w2 ...", so that a gap or a repeat in joined text is visible, and kinds that
can go on with a last assistant message do so from its last character. `QUIRKS` lists what it can do wrong and who breaks on it.
"""

from tests.fakes.openai_server.faults import Gate, How
from tests.fakes.openai_server.kinds import KINDS, Kind
from tests.fakes.openai_server.model import Call, Reply, count
from tests.fakes.openai_server.quirks import QUIRKS
from tests.fakes.openai_server.server import FakeOpenAI, SeenRequest

__all__ = ["KINDS", "QUIRKS", "Call", "FakeOpenAI", "Gate", "How", "Kind", "Reply", "SeenRequest", "count"]
