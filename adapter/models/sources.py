"""What a person types for a model -> where to fetch it, and under which name it is kept. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from adapter.models.failures import ModelsError

HUB = "https://huggingface.co"
HUB_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
MAIN = "main"
SUFFIX = ".gguf"
# A file name that is safe everywhere and cannot be taken for a flag, a hidden file or a folder.
_NAME = re.compile(r"[A-Za-z0-9_(+][A-Za-z0-9._()+ -]*\.gguf")
_MOST_NAME_CHARS = 200  # file systems take 255 bytes; `.part.json` goes behind it
_HUB_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SPLIT = re.compile(r"-\d{5}-of-(\d{5})\.gguf$")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FORMS = "hf:owner/repo/file.gguf, hf:owner/repo/file.gguf@revision or https://..."


@dataclass(frozen=True, slots=True)
class Source:
    """Where one GGUF comes from.

    origin: what is shown and remembered; never holds a query, which may be a signature. url: what is requested.
    file_name: its name in the store, or empty where the URL does not say. page: the page about it, for error messages.
    hub: does it come from the Hub or its mirror, so that the Hub's token may go along?
    """

    origin: str
    url: str
    file_name: str
    page: str
    hub: bool


def parse_source(text: str, hub_base: str = HUB) -> Source:
    """`hf:owner/repo/path/file.gguf[@revision]`, or an http(s) URL. Raises `ModelsError`.

    hub_base: what stands for https://huggingface.co, without a final slash. A file's page on huggingface.co that was
    copied from a browser counts as `hf:`.
    """
    text = text.strip()
    if text.startswith("hf:"):
        return _hub_source(text.removeprefix("hf:").removeprefix("//"), text, hub_base)
    parts = _split_url(text)
    if parts.scheme not in ("http", "https"):
        raise ModelsError(f"{_shown(text)!r} is no source of a model; write {_FORMS}")
    if not parts.hostname:
        raise ModelsError(f"{_shown(text)!r} names no host; write {_FORMS}")
    if parts.username is not None or parts.password is not None:
        raise ModelsError("a URL with a name or password in it is refused, since it would be remembered; leave them out")
    if parts.hostname in HUB_HOSTS and (found := _from_page(parts.path)):
        return _hub_source(found, text, hub_base)
    bare = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    name = unquote(parts.path.rpartition("/")[2])
    return Source(bare, urlunsplit(parts._replace(fragment="")), name if name.endswith(SUFFIX) else "", bare, hub=False)


def parse_base(text: str, said_by: str) -> str:
    """The base URL of a hub or mirror, without a final slash. said_by: the setting, for `ModelsError`."""
    parts = _split_url(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username is not None:
        raise ModelsError(f"{said_by}: {_shown(text)!r} must look like https://huggingface.co")
    return text.strip().rstrip("/")


def parse_sha256(text: str) -> str:
    """64 hexadecimal digits, in lower case. Raises `ModelsError`."""
    digest = text.strip().lower().removeprefix("sha256:")
    if not _SHA256.fullmatch(digest):
        raise ModelsError(f"--sha256: {_shown(text)!r} is no SHA-256; it has 64 digits 0-9 a-f")
    return digest


def store_name(name: str) -> str:
    """The file name in the store for a name that a person or a URL gave. Raises `ModelsError`."""
    full = name if name.endswith(SUFFIX) else name + SUFFIX
    if not _NAME.fullmatch(full) or len(full) > _MOST_NAME_CHARS:
        raise ModelsError(
            f"{_shown(name)!r} cannot be a model's name; use letters, digits and . _ - ( ) + only (--name NAME)"
        )
    if full == "demo.gguf":
        raise ModelsError("'demo' is the model that comes with Farmhand; keep this one under another name (--name NAME)")
    return full


def refuse_split(file_name: str) -> None:
    """Raises `ModelsError` for one part of a model in several files."""
    if found := _SPLIT.search(file_name):
        raise ModelsError(
            f"{file_name} is one of {int(found[1])} parts of a model; Farmhand runs models in one file. "
            "Choose one (most phones have memory for no more anyway): `farmhand models suggest`"
        )


def _hub_source(path: str, text: str, hub_base: str) -> Source:
    place, at, revision = path.partition("@")
    owner, _, rest = place.partition("/")
    repo, _, file = rest.partition("/")
    if not _HUB_WORD.fullmatch(owner) or not _HUB_WORD.fullmatch(repo):
        raise ModelsError(f"{_shown(text)!r} names no repository; write hf:owner/repo/file.gguf")
    page = f"{hub_base}/{owner}/{repo}"
    if not file:
        raise ModelsError(f"{_shown(text)!r} names no file; choose one at {page}/tree/main and add it: {_FORMS}")
    if not file.endswith(SUFFIX):
        raise ModelsError(f"{_shown(text)!r} is no GGUF file; its name must end in .gguf")
    steps = file.split("/")
    if any(step in ("", ".", "..") for step in steps) or not _printable(file):
        raise ModelsError(f"{_shown(text)!r}: the path of the file cannot be used")
    if at and (not revision or not _printable(revision)):
        raise ModelsError(f"{_shown(text)!r}: no revision behind '@'; write a branch, a tag or a commit there")
    url = f"{page}/resolve/{quote(revision or MAIN, safe='')}/{quote(file)}"
    origin = f"hf:{owner}/{repo}/{file}" + (f"@{revision}" if revision and revision != MAIN else "")
    return Source(origin, url, steps[-1], page, hub=True)


def _from_page(path: str) -> str | None:
    """`/owner/repo/blob/rev/file` (what a browser shows) or `/resolve/` (its download link) -> as behind `hf:`."""
    found = re.fullmatch(r"/([^/]+)/([^/]+)/(?:blob|resolve)/([^/]+)/(.+\.gguf)", path)
    if not found:
        return None
    owner, repo, revision, file = (unquote(part) for part in found.groups())
    return f"{owner}/{repo}/{file}@{revision}"


def _split_url(text: str):  # type: ignore[no-untyped-def]  # SplitResult, which urllib's stubs make generic
    try:
        parts = urlsplit(text)
        _ = parts.port
        return parts
    except ValueError:
        raise ModelsError(f"{_shown(text)!r} is no URL; write {_FORMS}") from None


def _printable(text: str) -> bool:
    return all(char.isprintable() for char in text) and not set(text) & set("\\?#")


def _shown(text: str) -> str:
    """Short, and without a query: it may be a secret."""
    return text.partition("?")[0][:120]
