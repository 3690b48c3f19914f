"""HTML -> tags and pieces of text, in one pass. Pure.

Not `html.parser`: what that does with a megabyte of `<a <a <a` takes it hours (Python 3.11), and a page may hold anything. Here every look ahead is
bounded or done once, so that the work is proportional to the page.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from html import unescape

# A tag is not looked through further than this for the end of a quoted value.
MAX_QUOTED = 8_192
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9:-]{0,40}")
_SIGNS = re.compile("<+")
_END = re.compile(r"[>\"']")
# Their contents are no markup until their own end tag.
RAW_TEXT = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """name: in lower case. inside: all between the name and `>`, as it stands."""

    name: str
    closing: bool = False
    inside: str = ""

    def value(self, attribute: str) -> str:
        """A quoted attribute's value; "" where it is not there."""
        found = re.search(rf"(?:^|\s){attribute}\s{{0,9}}=\s{{0,9}}(?:\"([^\"]*)\"|'([^']*)')", self.inside[:MAX_QUOTED], re.IGNORECASE)
        return unescape(found[1] or found[2] or "") if found else ""


def scan(html: str) -> Iterator[Text | Tag]:
    """In the order of the page. Comments, declarations and broken ends are left out."""
    at, size = 0, len(html)
    while at < size:
        start = html.find("<", at)
        if start < 0:
            start = size
        if start > at:
            yield Text(unescape(html[at:start]))
        if start == size:
            return
        at = yield from _markup(html, start)


def _markup(html: str, start: int) -> Generator[Text | Tag, None, int]:
    """What begins with the `<` at `start`; returns where it ends."""
    if html.startswith("<!--", start):
        end = html.find("-->", start + 2)  # `<!-->` and `<!--->` are whole ones
        return len(html) if end < 0 else end + 3
    closing = html.startswith("</", start)
    name = _NAME.match(html, start + 1 + closing)
    if name is None:
        if html[start + 1 : start + 2] in ("!", "?", "/"):
            end = html.find(">", start)
            return len(html) if end < 0 else end + 1
        signs = _SIGNS.match(html, start)
        last = signs.end() - 1 if signs else start
        yield Text(html[start : max(last, start + 1)])
        return max(last, start + 1)
    end = _tag_end(html, name.end())
    tag = Tag(name[0].lower(), closing, html[name.end() : end])
    yield tag
    if tag.name in RAW_TEXT and not closing:
        return (yield from _raw_text(html, tag.name, end + 1))
    return end + 1


def _raw_text(html: str, name: str, start: int) -> Generator[Text | Tag, None, int]:
    found = re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search(html, start)
    stop = found.start() if found else len(html)
    if stop > start:
        yield Text(unescape(html[start:stop]) if name in ("title", "textarea") else html[start:stop])
    return stop


def _tag_end(html: str, at: int) -> int:
    """Where the `>` of a tag is; a `>` inside of quotes does not count."""
    begin = at
    while found := _END.search(html, at):
        if found[0] == ">":
            return found.start()
        closed = html.find(found[0], found.end(), found.end() + MAX_QUOTED)
        if closed < 0 or closed - begin > 2 * MAX_QUOTED:
            break
        at = closed + 1
    plain = html.find(">", begin)
    return len(html) if plain < 0 else plain
