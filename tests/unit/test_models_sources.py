"""`hf:...` and URLs -> where to fetch, which name; and what is refused."""

from __future__ import annotations

import pytest

from adapter.models.failures import ModelsError
from adapter.models.sources import (
    HUB,
    Source,
    parse_base,
    parse_sha256,
    parse_source,
    refuse_split,
    store_name,
)
from adapter.models.suggestions import SUGGESTIONS, lines

MIRROR = "http://127.0.0.1:9/hub"


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        (
            "hf:Qwen/Q-GGUF/q.gguf",
            HUB,
            Source("hf:Qwen/Q-GGUF/q.gguf", f"{HUB}/Qwen/Q-GGUF/resolve/main/q.gguf", "q.gguf", f"{HUB}/Qwen/Q-GGUF", True),
        ),
        (
            "hf:a/b/sub dir/q.gguf@refs/pr/1",
            MIRROR,
            Source(
                "hf:a/b/sub dir/q.gguf@refs/pr/1",
                f"{MIRROR}/a/b/resolve/refs%2Fpr%2F1/sub%20dir/q.gguf",
                "q.gguf",
                f"{MIRROR}/a/b",
                True,
            ),
        ),
        (
            "https://huggingface.co/a/b/blob/main/q.gguf",
            MIRROR,
            Source("hf:a/b/q.gguf", f"{MIRROR}/a/b/resolve/main/q.gguf", "q.gguf", f"{MIRROR}/a/b", True),
        ),
        (
            "https://huggingface.co/a/b/resolve/v1/q.gguf?download=true",
            HUB,
            Source("hf:a/b/q.gguf@v1", f"{HUB}/a/b/resolve/v1/q.gguf", "q.gguf", f"{HUB}/a/b", True),
        ),
        (
            "https://example.org/m/q%20x.gguf?sig=SECRET#top",
            HUB,
            Source(
                "https://example.org/m/q%20x.gguf",
                "https://example.org/m/q%20x.gguf?sig=SECRET",
                "q x.gguf",
                "https://example.org/m/q%20x.gguf",
                False,
            ),
        ),
        (
            "http://[::1]:8080/get?id=7",
            HUB,
            Source("http://[::1]:8080/get", "http://[::1]:8080/get?id=7", "", "http://[::1]:8080/get", False),
        ),
    ],
)
def test_a_source_is_understood(text: str, base: str, expected: Source) -> None:
    assert parse_source(text, base) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("qwen", "no source"),
        ("", "no source"),
        ("ftp://x/y.gguf", "no source"),
        ("https:///y.gguf", "no host"),
        ("https://[::1/y.gguf", "no URL"),
        ("https://x:port/y.gguf", "no URL"),
        ("https://me:pw@x/y.gguf", "refused"),
        ("hf:", "no repository"),
        ("hf:owner", "no repository"),
        ("hf:../../etc/x.gguf", "no repository"),
        ("hf:a/b", f"{HUB}/a/b/tree/main"),
        ("hf:a/b/model.safetensors", "no GGUF"),
        ("hf:a/b/../x.gguf", "cannot be used"),
        ("hf:a/b//x.gguf", "cannot be used"),
        ("hf:a/b/x?y.gguf", "cannot be used"),
        ("hf:a/b/x\n.gguf", "cannot be used"),
        ("hf:a/b/x.gguf@", "no revision"),
        ("hf:a/b/x.gguf@v\t1", "no revision"),
    ],
)
def test_what_is_no_source_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ModelsError) as caught:
        parse_source(text)
    assert says in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("name", ["q", "q.gguf", "Qwen2.5-0.5B (new).gguf"])
def test_store_names(name: str) -> None:
    assert store_name(name) == name.removesuffix(".gguf") + ".gguf"


@pytest.mark.parametrize(
    "name", ["", ".gguf", ".hidden", "-rf", "~x", "a/b", "../x", "a\0b", "x" * 300, "a\nb", "demo", "demo.gguf"]
)
def test_names_that_would_leave_the_store_or_hide_in_it(name: str) -> None:
    with pytest.raises(ModelsError, match="--name NAME"):
        store_name(name)


def test_parts_of_a_split_model() -> None:
    refuse_split("q-00001-of-1.gguf")
    with pytest.raises(ModelsError, match="one of 3 parts"):
        refuse_split("q-00001-of-00003.gguf")


def test_digests() -> None:
    assert parse_sha256(f" sha256:{'A' * 64} ") == "a" * 64
    for wrong in ("", "abc", "g" * 64, "a" * 63):
        with pytest.raises(ModelsError, match="--sha256"):
            parse_sha256(wrong)


def test_bases() -> None:
    assert parse_base("https://mirror.example/hf/", "HF_ENDPOINT") == "https://mirror.example/hf"
    for wrong in ("", "mirror", "ftp://x", "http://", "http://a:b@c", "http://c?q"):
        with pytest.raises(ModelsError, match="HF_ENDPOINT"):
            parse_base(wrong, "HF_ENDPOINT")


def test_every_suggestion_can_be_pulled() -> None:
    """Each is a source of one file with a name of its own, in order of the memory it takes."""
    names = [store_name(parse_source(s.source).file_name) for s in SUGGESTIONS]
    assert len(set(names)) == len(names) >= 8
    for name in names:
        refuse_split(name)
    assert [s.memory_gb for s in SUGGESTIONS] == sorted(s.memory_gb for s in SUGGESTIONS)
    assert all(s.size_gb < s.memory_gb for s in SUGGESTIONS)
    assert any(line.endswith(SUGGESTIONS[0].remark) for line in lines())
