"""One check each, of any client whose program in `clients_py/` answers to these jobs: `plain`, `stream`, `tools`, `wrong_key`, `begin`, `leave`.

Each asserts what the person before that client would notice.
"""

from __future__ import annotations

import time

from tests.live.client_cases import (
    APP,
    APP_CALL,
    ASK_TIDE,
    DEMO,
    ENDLESS,
    HELLO,
    NATIVE,
    PHONE,
    PLACE,
    TIDE,
    Client,
    Farm,
    grew,
)

WAIT_S = 2
PLACES = {PLACE, "Emden"}


def plain(sdk: Client, model: str) -> None:
    answer = sdk.do("plain", model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0
    if model == APP:
        assert answer["text"] == HELLO  # which it echoes


def stream(sdk: Client, model: str) -> None:
    """All of it arrives, in pieces, with its length at the end."""
    answer = sdk.do("stream", model=model, text=HELLO)
    assert answer["text"] and answer["total"] > 0
    if model != DEMO:  # whose answer is another one each time
        assert answer["text"] == sdk.do("plain", model=model, text=HELLO)["text"]
        assert answer["pieces"] > 1 or model == PHONE  # whose own streams may lose text, so that they are not used (`protocols/localllm.md` 8.4)


def tool_loop(farm: Farm, sdk: Client, model: str, streamed: bool = False) -> None:
    """The client runs its function on what the model said, and shows what the model made of the result."""
    if model == APP:
        farm.app_says(APP_CALL, f"The tool said: {TIDE}")
    loop = sdk.do("tools", model=model, text=ASK_TIDE, result=TIDE, streamed=streamed)
    assert loop["calls"] == [["tide", {"place": PLACE}]]
    assert loop["text"] == f"The tool said: {TIDE}"


def forced_tool_loop(sdk: Client, streamed: bool = False) -> None:
    """The demo model's words are noise, but a call that is required is one, with arguments that its schema allows."""
    loop = sdk.do("tools", model=DEMO, text=ASK_TIDE, result=TIDE, forced=True, streamed=streamed)
    ((name, arguments),) = loop["calls"]
    assert name == "tide" and arguments["place"] in PLACES


def harbour(found: dict[str, object]) -> None:
    """An object of the class `Harbour`, whoever made it."""
    assert set(found) == {"name", "berths", "open"}
    assert isinstance(found["name"], str) and isinstance(found["berths"], int) and isinstance(found["open"], bool)


def errors(sdk: Client, key: str, name: str, long: str) -> None:
    """A wrong key, an unknown model, a prompt beyond the context: which exception (or one of its bases), and that the person is told what to do."""
    failed = sdk.fails("wrong_key")
    assert key in failed["raised"] and "Incorrect API key" in failed["text"], failed["traceback"]
    failed = sdk.fails("plain", model="dmo", text=HELLO)
    assert name in failed["raised"] and "'dmo' does not exist" in failed["text"] and "demo" in failed["text"], failed["traceback"]
    failed = sdk.fails("plain", model=DEMO, text="many words " * 20_000)
    assert long in failed["raised"] and "maximum context length is 2048 tokens" in failed["text"], failed["traceback"]


def retries(farm: Farm, sdk: Client, status: int) -> None:
    """Refused twice with `Retry-After`, answered at the third try, not before its time."""
    before = farm.answered()
    farm.refuse(status, times=2, retry_after_s=WAIT_S)
    begun = time.monotonic()
    answer = sdk.do("plain", model=NATIVE, text=HELLO)
    assert answer["text"].startswith("w0 w1")
    assert grew(before, farm.answered()) == {status: 2, 200: 1}
    assert time.monotonic() - begun >= 2 * WAIT_S


def gives_up(farm: Farm, sdk: Client, raised: str) -> None:
    """Refused for ever: three tries, then the server's words."""
    before = farm.answered()
    farm.refuse(503, times=3)
    failed = sdk.fails("plain", model=NATIVE, text=HELLO)
    assert raised in failed["raised"] and "cannot answer now (503)" in failed["text"], failed["traceback"]
    assert grew(before, farm.answered()) == {503: 3}


def leaves(farm: Farm, sdk: Client) -> None:
    """One slot, one place in the queue: an answer that went on would be in the way of the third."""
    before = farm.answered()
    for _ in range(3):
        assert sdk.do("begin", model=ENDLESS, text=HELLO)
        farm.until_running(1)
        sdk.do("leave")
        farm.until_running(0)
    assert grew(before, farm.answered()) == {499: 3}
