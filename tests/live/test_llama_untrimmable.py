"""Prefixes of models that cannot lose the end of what they hold: recurrent ones, sliding windows."""

from pathlib import Path

import pytest

from tests.fakes.tiny_archs import write_recurrent, write_sliding
from tests.live.llama_cases import MakeEngine, answer
from tests.live.llama_prefix_cases import (
    SYSTEM,
    Cold,
    cached,
    killed,
    long_text,
    stored,
    talk,
)

# --- models that cannot lose the end of what they hold ----------------------------------------------------------


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `recurrent` and `sliding`, whose window is of 64 tokens."""
    folder = tmp_path_factory.mktemp("odd")
    write_recurrent(folder / "recurrent.gguf")
    write_sliding(folder / "sliding.gguf", window=64)
    return folder


async def test_recurrent_model(saving: MakeEngine, cold: Cold, odd: Path, tmp_path: Path) -> None:
    """What goes on where a sequence or a file ends is not computed again; anything else is, from the start."""
    path = str(odd / "recurrent.gguf")
    first, sibling = talk(SYSTEM, "one"), talk(SYSTEM, "two")
    assert await cold(first, path) != await cold(sibling, path)
    engine = saving(path, slots=2)
    said, begun = await answer(engine, first)
    assert said == await cold(first, path)
    following = talk(SYSTEM, "one", said, "more")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens + begun.usage.completion_tokens - 1
    assert text == await cold(following, path)
    for request in (sibling, first):
        text, end = await answer(engine, request)
        assert (cached(end), text) == (0, await cold(request, path))
    await stored(tmp_path, n=2)
    await killed(engine)
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens
    assert text == await cold(following, path)
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (0, await cold(sibling, path))


async def test_sliding_window(saving: MakeEngine, cold: Cold, odd: Path, tmp_path: Path) -> None:
    """A copy or a file holds the last window only: one that would have to lose more is not used."""
    path = str(odd / "sliding.gguf")
    tail = long_text(300, 3)
    first, sibling = talk(SYSTEM, tail), talk(SYSTEM, "two")
    assert await cold(first, path) != await cold(sibling, path)
    engine = saving(path, slots=2)
    said, begun = await answer(engine, first)
    assert said == await cold(first, path)
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (0, await cold(sibling, path))
    text, end = await answer(engine, sibling)
    assert (cached(end), text) == (end.usage.prompt_tokens - 1, await cold(sibling, path))
    await stored(tmp_path)
    await killed(engine)
    following = talk(SYSTEM, tail, said, "more")
    text, end = await answer(engine, following)
    assert cached(end) == begun.usage.prompt_tokens
    assert text == await cold(following, path)
    await killed(engine)
    shorter = talk(SYSTEM, tail[:100] + "#")
    text, end = await answer(engine, shorter)
    assert (cached(end), text) == (0, await cold(shorter, path))
