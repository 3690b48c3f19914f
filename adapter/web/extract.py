"""A fetched page -> its title and clean text, by the best means that is installed: trafilatura, readability-lxml, or our own `plain.py`.

Both libraries are imported when the first page comes. One that is installed but cannot be imported (trafilatura 2.x without `lxml-html-clean`, a wheel
for another Python) counts as missing.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapter.web.charsets import decode
from adapter.web.fetch import Fetched
from adapter.web.plain import plain_text, tidy, title_of

logger = logging.getLogger(__name__)

# An article finder that leaves less than this of a page was wrong about it, if there is more: a list, a table, a forum.
FEW_CHARS = 200

# HTML and its URL -> text; "" where it finds none.
Means = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class Page:
    """by: whose text it is: "trafilatura", "readability", "plain", or "source" for text that is as it was sent."""

    url: str
    title: str
    text: str
    by: str
    cut: bool


class Extractor:
    """means: for tests, (name, means) in the order in which they are tried; `None`: what is installed."""

    def __init__(self, means: Sequence[tuple[str, Means]] | None = None) -> None:
        self._means = means

    def page(self, fetched: Fetched, *, raw: bool) -> Page:
        """raw: the source as it was sent, only decoded. Blocks for as long as it takes: call it in a thread."""
        source = decode(fetched.body, fetched.charset)
        if raw or fetched.kind != "html":
            title = title_of(source) if fetched.kind == "html" else ""
            return Page(fetched.url, title, source.strip(), "source", fetched.cut)
        if self._means is None:
            self._means = installed()
        name, text = self._clean(source, fetched.url)
        return Page(fetched.url, title_of(source), text, name, fetched.cut)

    def _clean(self, source: str, url: str) -> tuple[str, str]:
        for name, means in self._means or ():
            try:
                text = tidy(means(source, url))
            except Exception as exc:  # noqa: BLE001 - whatever a page does to a library, there is another means
                logger.warning("%s failed on %s: %s: %s", name, url[:200], type(exc).__name__, str(exc)[:200])
                continue
            if len(text) >= FEW_CHARS:
                return name, text
            plain = plain_text(source)
            return (name, text) if text and len(plain) < 2 * FEW_CHARS else ("plain", plain)
        return "plain", plain_text(source)


def installed() -> list[tuple[str, Means]]:
    """What can be imported here, best first; logs what it is going to be."""
    found: list[tuple[str, Means]] = []
    for name, module, make in (
        ("trafilatura", "trafilatura", _trafilatura),
        ("readability", "readability", _readability),
    ):
        try:
            found.append((name, make(importlib.import_module(module))))
        except ImportError as exc:
            if (exc.name or "").partition(".")[0] != module:
                logger.warning("%s is installed but cannot be used: %s", name, str(exc)[:200])
        except Exception as exc:  # noqa: BLE001 - a library that breaks while it is imported
            logger.warning("%s is installed but cannot be used: %s: %s", name, type(exc).__name__, str(exc)[:200])
    logger.info("clean text by %s", found[0][0] if found else "plain; pip install trafilatura lxml-html-clean finds articles better")
    return found


def _trafilatura(module: object) -> Means:
    extract: Callable[..., str | None] = module.extract  # type: ignore[attr-defined]  # it may not be there

    def means(source: str, url: str) -> str:
        return extract(source, url=url, output_format="markdown", include_tables=True, include_comments=False, favor_recall=True) or ""

    return means


def _readability(module: object) -> Means:
    document: Callable[..., object] = module.Document  # type: ignore[attr-defined]  # it may not be there

    def means(source: str, url: str) -> str:
        return plain_text(document(source, url=url).summary(html_partial=True))  # type: ignore[attr-defined]

    return means
