"""The bytes of a page -> text, also where the page is wrong about itself. Pure."""

from __future__ import annotations

import codecs
import re

# What browsers know (WHATWG Encoding), by Python's names. Others (`unicode_escape`, `idna`, `utf_7`) are no encodings of pages.
_KNOWN = frozenset(
    {
        "utf-8", "utf-16-le", "utf-16-be", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8",
        "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16", "cp866", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp874",
        "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "gbk", "gb18030", "gb2312", "big5", "big5hkscs",
        "euc_jp", "iso2022_jp", "shift_jis", "cp932", "euc_kr", "cp949",
    }
)  # fmt: skip
# As browsers do: pages that say latin-1 mean Windows' form of it, and so on.
_MEANS = {
    "utf-16": "utf-16-le", "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874",
    "tis-620": "cp874", "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip
# Labels that browsers know and Python does not.
_LABELS = {
    "windows-874": "cp874", "iso-8859-8-i": "iso8859-8", "x-sjis": "cp932", "x-gbk": "gb18030", "x-cp1250": "cp1250",
    "x-cp1251": "cp1251", "x-cp1252": "cp1252",
}  # fmt: skip
# In these what is not ASCII is written with ASCII bytes, or with zeros between them: being valid UTF-8 means nothing.
_LOOK_LIKE_ASCII = frozenset({"iso2022_jp", "utf-16-le", "utf-16-be"})
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META_BYTES = 2_048
_WHOLE = re.compile("[^\x00-\x7f\ufffd]")
_META = re.compile(rb"""<(?:meta[^>]{0,500}?charset|\?xml[^>]{0,200}?encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,40})""", re.IGNORECASE)


def decode(raw: bytes, declared: str | None) -> str:
    """declared: the charset of the Content-Type header. Never fails: what fits nothing becomes U+FFFD.

    A byte order mark wins; then UTF-8 if the bytes are that (other text is not, by chance); then what the header says, then what the page says.
    """
    for mark, name in _BOMS:
        if raw.startswith(mark):
            return raw[len(mark) :].decode(name, "replace")
    named = [known(declared), known(_in_page(raw))]
    if not (named[0] or named[1] or "") in _LOOK_LIKE_ASCII and (text := _strict(raw, "utf-8")) is not None:
        return text
    candidates = [name for name in named if name]
    for name in candidates:
        if (text := _strict(raw, name)) is not None:
            return text
    text = raw.decode(candidates[0] if candidates else "cp1252", "replace")
    if candidates[:1] == ["utf-8"] and len(_WHOLE.findall(text)) < text.count("\ufffd"):
        return raw.decode("cp1252", "replace")  # it says UTF-8, and next to nothing in it is
    return text


def known(label: str | None) -> str | None:
    """Python's name of a page's encoding; `None` for what is none."""
    if not label:
        return None
    label = label.strip().strip("\"'")
    try:
        name = codecs.lookup(_LABELS.get(label.lower(), label)).name
    except (LookupError, ValueError):
        return None
    name = _MEANS.get(name, name)
    return name if name in _KNOWN else None


def _in_page(raw: bytes) -> str | None:
    found = _META.search(raw[:_META_BYTES])
    if not found:
        return None
    label = found[1].decode("ascii")
    # What could be read as ASCII is no UTF-16, whatever it says.
    return "utf-8" if label.lower().startswith("utf-16") else label


def _strict(raw: bytes, name: str) -> str | None:
    """`None` where it is not that encoding. A last character that was cut off is left out."""
    try:
        return codecs.getincrementaldecoder(name)("strict").decode(raw, final=False)
    except UnicodeError:
        return None
