"""The head of a GGUF: read right, and every damage named without falling over."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterable
from pathlib import Path

import gguf
import pytest

from adapter.engines.llama.gguf_meta import GgufError, GgufMeta, Truncated, parse_gguf
from tests.fakes.tiny_gguf import CHATML, write_random


def parse(data: bytes) -> GgufMeta:
    return parse_gguf(io.BytesIO(data), len(data))


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def head(
    *entries: bytes, n_keys: int | None = None, tensors: Iterable[bytes] = (), version: int = 3
) -> bytes:
    tensors = list(tensors)
    count = len(entries) if n_keys is None else n_keys
    start = b"GGUF" + struct.pack("<IQQ", version, len(tensors), count)
    return start + b"".join(entries) + b"".join(tensors)


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def tensor(name: str, *dimensions: int, kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<{len(dimensions)}Q", *dimensions)
    return text(name) + struct.pack("<I", len(dimensions)) + sizes + struct.pack("<IQ", kind, offset)


ARCHITECTURE = entry("general.architecture", 8, text("llama"))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_random(path, context=2_048)
    return path.read_bytes()


def test_a_real_file(real: bytes, tmp_path: Path) -> None:
    """As the gguf package writes and reads it."""
    file = tmp_path / "real.gguf"
    file.write_bytes(real)
    theirs = gguf.GGUFReader(file)
    meta = parse(real)
    assert (meta.version, meta.architecture, meta.context_length) == (3, "llama", 2_048)
    assert meta.chat_template == CHATML
    assert meta.values["tokenizer.ggml.add_bos_token"] is False
    assert "tokenizer.ggml.tokens" not in {*meta.values, *meta.arrays}  # neither texts nor long arrays are kept
    assert meta.n_tensors == 21
    assert meta.vocabulary_size == len(theirs.fields["tokenizer.ggml.tokens"].data)
    first = min(theirs.tensors, key=lambda tensor: tensor.data_offset)
    last = max(theirs.tensors, key=lambda tensor: tensor.data_offset)
    assert meta.data_bytes == last.data_offset + last.n_bytes - first.data_offset


def test_every_scalar_and_array_type() -> None:
    scalars = {
        0: "<B",
        1: "<b",
        2: "<H",
        3: "<h",
        4: "<I",
        5: "<i",
        6: "<f",
        7: "<?",
        10: "<Q",
        11: "<q",
        12: "<d",
    }
    entries = [entry(f"s{kind}", kind, struct.pack(form, 1)) for kind, form in scalars.items()]
    for kind, form in scalars.items():
        values = struct.pack("<IQ", kind, 3) + struct.pack(form, 1) * 3
        entries.append(entry(f"a{kind}", 9, values))
    strings = struct.pack("<IQ", 8, 2) + text("one") + text("")
    data = head(ARCHITECTURE, *entries, entry("words", 9, strings), tensors=[tensor("w", 8)])
    meta = parse(data.ljust(1 << 12, b"\0"))
    assert {key: value for key, value in meta.values.items() if key != "general.architecture"} == {
        f"s{kind}": 1 for kind in scalars
    }
    assert meta.context_length is None
    whole = [kind for kind in scalars if kind not in (6, 12)]
    assert meta.arrays == {f"a{kind}": (1, 1, 1) for kind in whole}


def test_only_short_arrays_are_kept() -> None:
    def numbers(length: int) -> bytes:
        return struct.pack("<IQ", 4, length) + bytes(4 * length)

    entries = [entry("short", 9, numbers(512)), entry("long", 9, numbers(513))]
    data = head(ARCHITECTURE, *entries, tensors=[tensor("w", 8, offset=64)])
    meta = parse(data.ljust(1 << 14, b"\0"))
    assert meta.arrays == {"short": (0,) * 512}
    assert meta.data_bytes == 64 + 8 * 4
    assert meta.vocabulary_size == 0


@pytest.mark.parametrize(
    ("data", "kind", "said"),
    [
        (b"", Truncated, "is empty"),
        (b"GG", GgufError, "is no GGUF file"),
        (b"GGUF", Truncated, "ends inside its head"),
        (b"<html><body>404", GgufError, "b'<htm'"),
        (b"version https://git-lfs.github.com/spec/v1", GgufError, "is no GGUF file"),
        (head(version=1), GgufError, "has GGUF version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), GgufError, "big-endian"),
        (head(n_keys=1 << 60), GgufError, "announces"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 0), GgufError, "announces"),
        (head(struct.pack("<Q", 1 << 63)), GgufError, "a key of"),
        (head(struct.pack("<Q", 60_000)), Truncated, "ends inside its head"),
        (head(entry("k", 8, struct.pack("<Q", 1 << 63))), Truncated, "ends inside its head"),
        (head(entry("k", 13, b"")), GgufError, "unknown type 13"),
        (head(entry("k", 9, struct.pack("<IQ", 4, 1 << 63))), GgufError, "entries"),
        (head(entry("k", 9, struct.pack("<IQ", 4, 1 << 20))), Truncated, "ends inside its head"),
        (head(entry("k", 9, struct.pack("<IQ", 8, 1 << 20))), Truncated, "ends inside its head"),
        (head(entry("k", 9, struct.pack("<IQ", 9, 1))), GgufError, "unknown type 9"),
        (head(), GgufError, "names no architecture"),
        (head(ARCHITECTURE), GgufError, "has no tensors"),
        (head(ARCHITECTURE, tensors=[tensor("w", *[1] * 9)]), GgufError, "9 dimensions"),
        (head(ARCHITECTURE, tensors=[tensor("w", 1 << 40)]), Truncated, "download is incomplete"),
        (head(ARCHITECTURE, tensors=[tensor("w", 8, kind=99, offset=1 << 40)]), Truncated, "download is"),
        (
            head(ARCHITECTURE, entry("general.alignment", 4, b"\0\0\0\0"), tensors=[tensor("w", 8)]),
            GgufError,
            "alignment 0",
        ),
    ],
)
def test_damage_is_named(data: bytes, kind: type[GgufError], said: str) -> None:
    with pytest.raises(kind) as caught:
        parse(data)
    assert said in str(caught.value)


def test_every_shortened_file_is_noticed(real: bytes) -> None:
    """An interrupted download is told from a whole file wherever it stopped."""
    for size in [*range(0, len(real), 997), len(real) - 1]:
        with pytest.raises(GgufError):
            parse(real[:size])


def test_random_bytes_never_raise_anything_else(real: bytes) -> None:
    """Noise, and a good head with some bytes changed: read or refused, in bounded time."""
    rng = random.Random(4)
    for _ in range(300):
        noise = bytearray(real[:6_000] + bytes(400_000))
        for _ in range(rng.randint(1, 8)):
            noise[rng.randrange(4, 3_000)] = rng.randrange(256)
        for data in (bytes(noise), b"GGUF" + rng.randbytes(200), rng.randbytes(60)):
            try:
                parse(data)
            except GgufError:
                continue


def test_quantised_sizes_agree_with_the_gguf_package() -> None:
    """The table of block sizes against the library that writes such files."""
    from adapter.engines.llama.gguf_meta import _BLOCKS

    theirs = {int(kind): tuple(sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()}
    assert {kind: theirs[kind] for kind in _BLOCKS if kind in theirs} == _BLOCKS
