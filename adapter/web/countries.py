"""A country -> the language that SearXNG is to search in. Pure.

LiteLLM's and Perplexity's clients name a country, SearXNG takes a language, with a country if need be (`de-AT`). Where a country has several, it is the
one of most of its web pages.
"""

from __future__ import annotations

import re

_LANGUAGES = {
    "en": "us gb uk au ca ie nz za in ng ke gh sg ph pk",
    "de": "de at ch li",
    "fr": "fr be lu mc sn ci cm",
    "es": "es mx ar co cl pe ve ec gt cu bo do hn py sv ni cr pa uy",
    "pt": "pt br ao mz",
    "it": "it sm",
    "nl": "nl",
    "da": "dk",
    "sv": "se",
    "nb": "no",
    "fi": "fi",
    "is": "is",
    "et": "ee",
    "lv": "lv",
    "lt": "lt",
    "pl": "pl",
    "cs": "cz",
    "sk": "sk",
    "hu": "hu",
    "ro": "ro md",
    "bg": "bg",
    "el": "gr cy",
    "hr": "hr",
    "sr": "rs",
    "sl": "si",
    "uk": "ua",
    "ru": "ru by kz",
    "tr": "tr",
    "he": "il",
    "ar": "sa ae eg ma dz tn jo lb iq kw qa om ly sy ye",
    "fa": "ir",
    "zh": "cn tw hk",
    "ja": "jp",
    "ko": "kr",
    "vi": "vn",
    "th": "th",
    "id": "id",
    "ms": "my",
}
_OF = {country: language for language, countries in _LANGUAGES.items() for country in countries.split()}


def language_of(country: str) -> str | None:
    """`at` -> `de-AT`; `None` for what is no country that we know. What is a language with a country already stays one."""
    if re.fullmatch(r"[a-z]{2}-[a-z]{2}", country):
        language, region = country.split("-")
        return f"{language}-{region.upper()}"
    language = _OF.get(country, "")
    return f"{language}-{'GB' if country == 'uk' else country.upper()}" if language else None
