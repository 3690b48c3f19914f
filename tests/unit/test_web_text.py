"""Bytes of a page -> text: charsets, packing, our own plain reader, and which means is taken."""

from __future__ import annotations

import gzip
import sys
import time
import zlib

import pytest

from adapter.web.charsets import decode, known
from adapter.web.extract import Extractor, installed
from adapter.web.fetch import Fetched, kind_of_content, sniffed
from adapter.web.inflate import Unpackable, inflater
from adapter.web.plain import plain_text, title_of
from adapter.web.refused import Refused
from tests.fakes.website import ARTICLE


@pytest.mark.parametrize(
    ("raw", "declared", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße 東京".encode(), "iso-8859-1", "Grüße 東京"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("Grüße, 東京 ".encode() + b"\xff", "utf-8", "Grüße, 東京 \ufffd"),
        ("Grüße".encode("latin-1"), None, "Grüße"),
        ("Grüße".encode("latin-1"), "nonsense", "Grüße"),
        ("“x” €".encode("cp1252"), "iso-8859-1", "“x” €"),
        ("Привет".encode("cp1251"), "windows-1251", "Привет"),
        (b"<meta charset=windows-1251>" + "Привет".encode("cp1251"), None, "<meta charset=windows-1251>Привет"),
        (b"<meta charset=koi8-r>" + "Привет".encode("cp1251"), "windows-1251", "<meta charset=koi8-r>Привет"),
        (b'<?xml version="1.0" encoding="shift_jis"?>' + "東京".encode("cp932"), None, '<?xml version="1.0" encoding="shift_jis"?>東京'),
        ("東京".encode("euc_jp"), "euc-jp", "東京"),
        ("東京".encode("iso2022_jp"), "iso-2022-jp", "東京"),
        ("中文".encode("gb18030"), "gb2312", "中文"),
        ("Şeker ğ".encode("iso8859-9"), "iso-8859-9", "Şeker ğ"),
        ("ไทย".encode("cp874"), "windows-874", "ไทย"),
        ("ไทย".encode("cp874"), "TIS-620", "ไทย"),
        ("東京".encode("cp932"), "x-sjis", "東京"),
        (b"\xef\xbb\xbfx", "cp1252", "x"),
        (b"\xff\xfex\0", None, "x"),
        (b"\xfe\xff\0x", "utf-8", "x"),
        ("x".encode("utf-16-le"), "utf-16le", "x"),
        ("xy".encode("utf-16-le"), "utf-16", "xy"),
        (b"", None, ""),
        ("Straß".encode()[:-1], "utf-8", "Stra"),
        (b"<meta charset=utf-16>plain", None, "<meta charset=utf-16>plain"),
        (b"\\u0041", "unicode_escape", "\\u0041"),
        (b"+AEE-", "utf-7", "+AEE-"),
    ],
)
def test_charsets(raw: bytes, declared: str | None, text: str) -> None:
    assert decode(raw, declared) == text


@pytest.mark.parametrize("label", ["rot13", "idna", "unicode_escape", "punycode", "zlib", "base64", "utf-7", "", None, "x" * 99, "a\0b"])
def test_what_is_no_charset_of_pages(label: str | None) -> None:
    assert known(label) is None


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"x" * 50_000)),
        ("X-GZIP", gzip.compress(b"x" * 50_000)),
        ("deflate", zlib.compress(b"x" * 50_000)),
        ("deflate", zlib.compress(b"x" * 50_000)[2:-4]),
        ("identity", b"x" * 50_000),
        ("", b"x" * 50_000),
    ],
)
def test_unpacking_in_any_pieces_and_never_more_than_asked(encoding: str, packed: bytes, size: int) -> None:
    for room in (50_000, 123):
        unpack = inflater(encoding)
        assert unpack is not None
        out = b""
        for start in range(0, len(packed), size):
            out += unpack.feed(packed[start : start + size], room - len(out))
        assert out == b"x" * room


def test_what_is_not_packed_as_it_says() -> None:
    unpack = inflater("gzip")
    assert unpack is not None
    with pytest.raises(Unpackable):
        unpack.feed(b"<html>", 100)
    assert inflater("br") is inflater("gzip, gzip") is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("text/html", ("html", None)),
        ("Text/HTML; Charset=\"UTF-8\"", ("html", "UTF-8")),
        ("application/xhtml+xml", ("html", None)),
        ("application/ld+json", ("json", None)),
        ("text/xml", ("xml", None)),
        ("image/svg+xml", ("xml", None)),
        ("text/markdown; charset=x", ("text", "x")),
        ("text/html; charset*=a; charset*0=b", ("html", None)),
        ("text/html; a=\xe9\udcff", ("html", None)),
        ("", (None, None)),
    ],
)
def test_content_types(header: str, found: tuple[str | None, str | None]) -> None:
    assert kind_of_content(header) == found


@pytest.mark.parametrize("header", ["application/pdf", "image/png", "application/octet-stream", "video/mp4", "application/zip", "nonsense/é"])
def test_content_types_that_are_refused(header: str) -> None:
    with pytest.raises(Refused):
        kind_of_content(header)


def test_sniffing() -> None:
    assert sniffed(b"  <p>x") == "html"
    assert sniffed(b"words") == sniffed(b"") == "text"
    assert sniffed(b"\xff\xfex\0") == "text"
    for body in (b"%PDF-1.4", b"a\0b"):
        with pytest.raises(Refused):
            sniffed(body)


# --- our own reader ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("just words", "just words"),
        ("<p>one<p>two", "one\n\ntwo"),
        ("<h2>Head <b>line</b></h2>text", "## Head line\n\ntext"),
        ("<ul><li>a<li>b</ul>", "- a\n- b"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<pre>x\n  y</pre>", "x\n  y"),
        ("<table><tr><td>1<td>2</tr><tr><td>3</td></tr></table>", "| 1 | 2\n\n | 3"),
        ("a  \n\t b", "a b"),
        ("<b>bold</b> <i>it</i>", "bold it"),
        ("1 < 2 && 3 > 2", "1 < 2 && 3 > 2"),
        ("&lt;b&gt; &amp; &euro;&#8364;", "<b> & €€"),
        ("<script>if (a<b) { x('</p>') }</script>seen", "seen"),
        ("<style>p { }</style><noscript>off</noscript>on", "on"),
        ("<head><title>T</title><body>unclosed head", "unclosed head"),
        ("<nav>menu<nav>inner</nav>menu</nav>text<footer>foot", "text"),
        ("<form action='/'><h1>Wraps</h1><p>all of it<input><button>Send</button></form>", "# Wraps\n\nall of it"),
        ("a<!-->b<!--->c", "abc"),
        ("<!-- no <p> --> yes <!doctype html><?php x ?>", "yes"),
        ("<p title='a > b' class=x>quoted", "quoted"),
        ("<p title='never closed>quoted", "quoted"),
        ("<img alt='a cat' src=x>", "[a cat]"),
        ("<img alt=\"\">", ""),
        ("text<script>never closed", "text"),
        ("</p></div>stray ends", "stray ends"),
        ("<svg><path d='x'/>no</svg><svg/>yes", "yes"),
        ("<", "<"),
        ("<<<b>x", "<<x"),
        ("<a", ""),
        ("<!--", ""),
        ("a<!", "a"),
    ],
)
def test_plain_text(html: str, text: str) -> None:
    assert plain_text(html).split("\n") == text.split("\n")


def test_a_page_s_own_main_part_is_taken_at_its_word() -> None:
    text = plain_text("<div>around</div><main>" + "word " * 60 + "</main><div>below</div>")
    assert text.startswith("word word") and "around" not in text
    assert plain_text("<div>around</div><main>loading</main>") == "around\n\nloading"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title> A &amp;\n B </title>", "A & B"),
        ("<TITLE lang=x>A", "A"),
        ("<h1>H</h1><title>T</title>", "T"),
        ("<p>x</p><h1>H</h1><h2>I</h2>", "H"),
        ("<title></title><h2>I</h2>", "I"),
        ("<title>" + "x" * 999, "x" * 300),
        ("nothing", ""),
    ],
)
def test_titles(html: str, title: str) -> None:
    assert title_of(html) == title


@pytest.mark.parametrize(
    "unit", ["<", "<a ", "<!--", "</", "<!", "<a b='", "<a b='>", "<div>", "&", "<script>", "<title ", "<title>", "<img alt=\"'> ", "\n \n", "<a \" ' ", "<?"]
)
def test_no_page_takes_it_long(unit: str) -> None:
    """Python's own parser takes hours for some of these. A generous bound: quadratic work would be a thousand times as much."""
    page = unit * (1_000_000 // len(unit))
    before = time.process_time()
    plain_text(page)
    title_of(page)
    assert time.process_time() - before < 20


# --- the means --------------------------------------------------------------------------------------------------


def fetched(html: str, kind: str = "html") -> Fetched:
    return Fetched("http://example.org/", kind, None, html.encode(), False)


def test_the_first_means_that_finds_enough_is_taken() -> None:
    def fails(html: str, url: str) -> str:
        raise ValueError("a page it cannot bear")

    page = Extractor([("broken", fails), ("good", lambda html, url: "words " * 100), ("late", lambda html, url: "")]).page(fetched(ARTICLE), raw=False)
    assert (page.by, page.title, page.text[:11]) == ("good", "The farm & the hand", "words words")


def test_a_means_that_finds_next_to_nothing_of_a_full_page_is_not_believed() -> None:
    page = Extractor([("poor", lambda html, url: "cookie notice")]).page(fetched(ARTICLE), raw=False)
    assert page.by == "plain" and "Part 8." in page.text and "Imprint" not in page.text
    short = Extractor([("poor", lambda html, url: "all there is")]).page(fetched("<p>all there is"), raw=False)
    assert (short.by, short.text) == ("poor", "all there is")


def test_raw_and_other_kinds_are_left_as_they_are() -> None:
    assert Extractor([]).page(fetched("<b>x</b>"), raw=True).text == "<b>x</b>"
    page = Extractor([]).page(fetched('{"a": "<b>"}', "json"), raw=False)
    assert (page.text, page.by, page.title) == ('{"a": "<b>"}', "source", "")


def test_a_library_that_cannot_be_imported_counts_as_missing(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """trafilatura 2.x without `lxml-html-clean` is installed, and breaks when it is imported."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "trafilatura.py").write_text("raise ImportError('lxml.html.clean module is now a separate project', name='lxml.html.clean')")
    (folder / "readability.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(folder)
    for name in ("trafilatura", "readability"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert installed() == []
    assert Extractor().page(fetched(ARTICLE), raw=False).by == "plain"
